//! Admission by LimitRanges: what a pod's containers get by default, and how much pods and claims may ask for.
//!
//! As the plugin LimitRanger of kube-apiserver 1.36 does it, and in its words. Resources of a pod as a whole and its
//! overhead are not counted.

use std::collections::BTreeMap;

use windlass_kube::quantity::Quantity;
use windlass_kube::{Object, Str, Value};

use super::Api;
use crate::resource::Resource;
use crate::status::Status;

const PODS: &str = "/pods";
const CLAIMS: &str = "/persistentvolumeclaims";
const RANGES: &str = "/limitranges";

/// Says what was set by default.
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// Above this, amounts are compared as whole numbers: thousandths would not fit 64 bits.
const MOST_IN_MILLI: i64 = i64::MAX / 1000;

type Amounts = BTreeMap<Str, Quantity>;

impl Api {
    fn limit_ranges(&self, resource: &Resource, namespace: &str) -> Vec<Object> {
        if !matches!(resource.storage.as_str(), PODS | CLAIMS) {
            return Vec::new();
        }
        let snapshot = self.shared.store.table(RANGES).list(Some(namespace));
        snapshot.objects.iter().map(|stored| stored.object()).collect()
    }

    /// Gives the containers of a new pod what the limit ranges of its namespace have for those that say nothing.
    pub(super) fn default_limits(&self, resource: &Resource, namespace: &str, object: &mut Object) {
        if resource.storage != PODS {
            return;
        }
        for range in self.limit_ranges(resource, namespace) {
            let mut defaults: BTreeMap<&str, BTreeMap<Str, Value>> = BTreeMap::new();
            for limit in range
                .at(&["spec", "limits"])
                .and_then(Value::as_array)
                .into_iter()
                .flat_map(|it| it.as_slice())
            {
                if limit.str_at(&["type"]) != Some("Container") {
                    continue;
                }
                for (from, to) in [("defaultRequest", "requests"), ("default", "limits")] {
                    for (name, amount) in
                        limit.get(from).and_then(Value::as_object).into_iter().flat_map(|map| map.iter())
                    {
                        defaults.entry(to).or_default().insert(name.clone(), amount.clone());
                    }
                }
            }
            let mut told = Vec::new();
            for (list, kind) in [("containers", "container"), ("initContainers", "init container")] {
                let Some(containers) = object.at(&["spec", list]).and_then(Value::as_array) else { continue };
                let mut containers: Vec<Value> = containers.as_slice().to_vec();
                for container in &mut containers {
                    let name = container.str_at(&["name"]).unwrap_or_default().to_owned();
                    for (to, word) in [("requests", "request"), ("limits", "limit")] {
                        let mut set = Vec::new();
                        for (resource, amount) in defaults.get(to).into_iter().flatten() {
                            if container.at(&["resources", to, resource]).is_none() {
                                container.set_at(&["resources", to, resource], amount.clone());
                                set.push(resource.to_string());
                            }
                        }
                        if !set.is_empty() {
                            told.push(format!("{} {word} for {kind} {name}", set.join(", ")));
                        }
                    }
                }
                object.set_at(&["spec", list], containers);
            }
            if !told.is_empty() {
                let said = format!("LimitRanger plugin set: {}", told.join("; "));
                object.set_at(&["metadata", "annotations", ANNOTATION], said);
            }
        }
    }

    /// Refuses a pod or a claim that asks for less or more than a limit range of its namespace lets.
    pub(super) fn check_limits(&self, resource: &Resource, object: &Object) -> Result<(), Status> {
        for range in self.limit_ranges(resource, object.namespace()) {
            let mut wrong: Vec<String> = Vec::new();
            for limit in range
                .at(&["spec", "limits"])
                .and_then(Value::as_array)
                .into_iter()
                .flat_map(|it| it.as_slice())
            {
                match (resource.storage.as_str(), limit.str_at(&["type"])) {
                    (CLAIMS, Some("PersistentVolumeClaim")) => {
                        let requests = amounts(object.at(&["spec", "resources", "requests"]));
                        check(limit, "PersistentVolumeClaim", &requests, None, &mut wrong);
                    }
                    (PODS, Some("Container")) => {
                        for container in
                            containers(object, "containers").chain(containers(object, "initContainers"))
                        {
                            let requests = amounts(container.at(&["resources", "requests"]));
                            let limits = amounts(container.at(&["resources", "limits"]));
                            check(limit, "Container", &requests, Some(&limits), &mut wrong);
                        }
                    }
                    (PODS, Some("Pod")) => {
                        let (requests, limits) = (of_pod(object, "requests"), of_pod(object, "limits"));
                        check(limit, "Pod", &requests, Some(&limits), &mut wrong);
                    }
                    _ => {}
                }
            }
            wrong.dedup();
            let why = match wrong.as_slice() {
                [] => continue,
                [only] => only.clone(),
                several => format!("[{}]", several.join(", ")),
            };
            return Err(Status::forbidden(&resource.group_resource(), object.name(), why));
        }
        Ok(())
    }
}

fn containers<'o>(object: &'o Object, list: &'o str) -> impl Iterator<Item = &'o Value> {
    object
        .at(&["spec", list])
        .and_then(Value::as_array)
        .into_iter()
        .flat_map(|containers| containers.as_slice())
}

fn amounts(list: Option<&Value>) -> Amounts {
    let list = list.and_then(Value::as_object).into_iter().flat_map(|map| map.iter());
    list.filter_map(|(name, amount)| Some((name.clone(), Quantity::from_value(amount).ok()?))).collect()
}

/// What all containers of a pod have together; one that runs before the others counts where it is larger.
fn of_pod(object: &Object, list: &str) -> Amounts {
    let mut sum = Amounts::new();
    for container in containers(object, "containers") {
        for (name, amount) in amounts(container.at(&["resources", list])) {
            let total = match sum.get(&name) {
                Some(before) => before.checked_add(&amount).unwrap_or(amount),
                None => amount,
            };
            sum.insert(name, total);
        }
    }
    for container in containers(object, "initContainers") {
        for (name, amount) in amounts(container.at(&["resources", list])) {
            if sum.get(&name).is_none_or(|before| *before < amount) {
                sum.insert(name, amount);
            }
        }
    }
    sum
}

/// An amount and a bound as numbers that can be compared.
fn comparable(amount: &Quantity, bound: &Quantity) -> (i64, i64) {
    let (whole, most) = (amount.value(), bound.value());
    if whole <= MOST_IN_MILLI && most <= MOST_IN_MILLI {
        (amount.milli_value(), bound.milli_value())
    } else {
        (whole, most)
    }
}

/// Adds what is wrong with requests and limits; a claim has no limits.
fn check(limit: &Value, kind: &str, requests: &Amounts, limits: Option<&Amounts>, wrong: &mut Vec<String>) {
    let below = |amount: &Quantity, bound: &Quantity| {
        let (amount, bound) = comparable(amount, bound);
        amount < bound
    };
    for (name, least) in amounts(limit.get("min")) {
        let start = format!("minimum {name} usage per {kind} is {least}");
        let given = limits.and_then(|limits| limits.get(&name));
        match requests.get(&name) {
            None => wrong.push(format!("{start}.  No request is specified")),
            Some(request) if below(request, &least) => {
                wrong.push(format!("{start}, but request is {request}"));
            }
            Some(_) => {
                if let Some(given) = given.filter(|given| below(given, &least)) {
                    wrong.push(format!("{start}, but limit is {given}"));
                }
            }
        }
    }
    for (name, most) in amounts(limit.get("max")) {
        let start = format!("maximum {name} usage per {kind} is {most}");
        let request = requests.get(&name);
        if let Some(limits) = limits {
            match limits.get(&name) {
                None => {
                    wrong.push(format!("{start}.  No limit is specified"));
                    continue;
                }
                Some(given) if below(&most, given) => {
                    wrong.push(format!("{start}, but limit is {given}"));
                    continue;
                }
                Some(_) => {}
            }
        } else if request.is_none() {
            wrong.push(format!("{start}.  No request is specified"));
        }
        if let Some(request) = request.filter(|request| below(&most, request)) {
            wrong.push(format!("{start}, but request is {request}"));
        }
    }
    let Some(limits) = limits else { return };
    for (name, most) in amounts(limit.get("maxLimitRequestRatio")) {
        let start = format!("{name} max limit to request ratio per {kind} is {most}, but");
        let Some(request) = requests.get(&name).filter(|request| !request.is_zero()) else {
            wrong.push(format!("{start} no request is specified or request is 0"));
            continue;
        };
        let Some(given) = limits.get(&name).filter(|given| !given.is_zero()) else {
            wrong.push(format!("{start} no limit is specified or limit is 0"));
            continue;
        };
        let (given, request) = comparable(given, request);
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let ratio = given as f64 / request as f64;
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let most = most.milli_value() as f64 / 1000.0;
        if ratio > most {
            wrong.push(format!("{start} provided ratio is {ratio:.6}"));
        }
    }
}
