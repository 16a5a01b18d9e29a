//! Resource quotas: what the objects of a namespace use, and what one more may.
//!
//! Facts and words: `k8s.io/kubernetes` v1.36.3, package `pkg/quota/v1`, and the admission plugin `resourcequota`.
//! What is used is counted anew for each request that a quota is about, so that no count can be wrong for long.

use std::collections::BTreeMap;

use windlass_kube::quantity::{Format, Quantity};
use windlass_kube::{Object, Str, Value};

use super::{Attributes, Operation};
use crate::api::Api;
use crate::resource::GroupResource;
use crate::status::Status;

/// Where quotas are stored.
pub(crate) const QUOTAS: &str = "/resourcequotas";

const PODS: &str = "/pods";
const CLAIMS: &str = "/persistentvolumeclaims";
const SERVICES: &str = "/services";

/// What stands between the name of a class and what is counted of it.
const OF_CLASS: &str = ".storageclass.storage.k8s.io/";

/// What each container must state where a quota limits it.
const STATED: [&str; 6] = ["cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory"];

/// The kinds that are also counted by their plain name.
const COUNTED: [&str; 4] = ["configmaps", "replicationcontrollers", "resourcequotas", "secrets"];

/// Amounts by what they are amounts of.
pub(crate) type Amounts = BTreeMap<Str, Quantity>;

/// Refuses what would use more than a quota of its namespace lets.
///
/// # Errors
///
/// `Forbidden`, in the server's words.
pub(super) fn check(api: &Api, attributes: &Attributes<'_>) -> Result<(), Status> {
    let storage = attributes.resource.storage.as_str();
    let handled = match (attributes.operation, attributes.subresource) {
        (Operation::Create, "") => true,
        (Operation::Update, "") => matches!(storage, SERVICES | CLAIMS),
        (Operation::Update, "resize") => storage == PODS,
        _ => false,
    };
    let (Some(object), true) = (&attributes.object, handled) else {
        return Ok(());
    };
    if attributes.namespace.is_empty() || attributes.resource.gvr.resource == "events" {
        return Ok(());
    }
    let quotas = api.store().table(QUOTAS).list(Some(attributes.namespace)).objects;
    for stored in quotas {
        let quota = stored.object();
        let hard = amounts(quota.at(&["spec", "hard"]));
        let matching: Vec<&Str> = hard
            .keys()
            .filter(|name| is_about(name, storage, &attributes.resource.group_resource()))
            .collect();
        if matching.is_empty() || !in_scopes(&quota, storage, object) {
            continue;
        }
        let forbidden = |why: String| {
            Status::forbidden(&attributes.resource.group_resource(), attributes.shown_name(), why)
        };
        if storage == PODS
            && let Some(missing) = unstated(object, &matching)
        {
            return Err(forbidden(format!("failed quota: {}: must specify {missing}", quota.name())));
        }
        let mut asked = usage(storage, &attributes.resource.group_resource(), object);
        if let Some(old) = attributes.old.as_ref().filter(|old| in_scopes(&quota, storage, old)) {
            for (name, before) in usage(storage, &attributes.resource.group_resource(), old) {
                let Some(now) = asked.get(&name) else { continue };
                let more = now.checked_sub(&before).filter(|more| more.signum() > 0);
                asked.insert(name, more.unwrap_or_else(|| Quantity::new(0, now.format())));
            }
        }
        asked.retain(|name, amount| hard.contains_key(name) && !amount.is_zero());
        if asked.is_empty() {
            continue;
        }
        let used = used(api, &quota);
        let none = |format| Quantity::new(0, format);
        let over: Vec<&Str> = asked
            .iter()
            .filter(|(name, amount)| {
                let before = used.get(*name).cloned().unwrap_or_else(|| none(amount.format()));
                before.checked_add(amount).is_none_or(|total| total > hard[*name])
            })
            .map(|(name, _)| name)
            .collect();
        if !over.is_empty() {
            let shown = |from: &Amounts| {
                let parts: Vec<String> =
                    over.iter().filter_map(|name| Some(format!("{name}={}", from.get(*name)?))).collect();
                parts.join(",")
            };
            return Err(forbidden(format!(
                "exceeded quota: {}, requested: {}, used: {}, limited: {}",
                quota.name(),
                shown(&asked),
                shown(&used),
                shown(&hard)
            )));
        }
    }
    Ok(())
}

/// What a quota's namespace uses of what the quota limits.
pub(crate) fn used(api: &Api, quota: &Object) -> Amounts {
    let hard = amounts(quota.at(&["spec", "hard"]));
    let mut used: Amounts = BTreeMap::new();
    let resources = api.registry().current();
    let mut counted: Vec<&str> = Vec::new();
    for resource in resources.iter().filter(|resource| resource.namespaced && resource.has_verb("list")) {
        if counted.contains(&resource.storage.as_str()) {
            continue;
        }
        let of = resource.group_resource();
        let names: Vec<&Str> = hard.keys().filter(|name| is_about(name, &resource.storage, &of)).collect();
        if names.is_empty() {
            continue;
        }
        counted.push(&resource.storage);
        for name in names {
            used.entry(name.clone()).or_insert_with(|| Quantity::new(0, Format::DecimalSi));
        }
        for stored in api.store().table(&resource.storage).list(Some(quota.namespace())).objects {
            let object = stored.object().to_value();
            if !in_scopes(quota, &resource.storage, &object) {
                continue;
            }
            for (name, amount) in usage(&resource.storage, &of, &object) {
                if let Some(sum) = used.get_mut(&name) {
                    *sum = if sum.is_zero() { amount } else { sum.checked_add(&amount).unwrap_or(amount) };
                }
            }
        }
    }
    used
}

/// Whether a name in a quota counts objects of a resource.
fn is_about(name: &str, storage: &str, of: &GroupResource) -> bool {
    if name.strip_prefix("count/").is_some_and(|counted| counted == of.to_string()) {
        return true;
    }
    match storage {
        PODS => {
            matches!(name, "pods" | "cpu" | "memory" | "ephemeral-storage")
                || name.starts_with("limits.")
                || name.starts_with("hugepages-")
                || (name.starts_with("requests.") && name != "requests.storage")
        }
        SERVICES => matches!(name, "services" | "services.nodeports" | "services.loadbalancers"),
        CLAIMS => {
            let plain = name.split_once(OF_CLASS).map_or(name, |(_, plain)| plain);
            matches!(plain, "persistentvolumeclaims" | "requests.storage")
        }
        _ => of.group.is_empty() && COUNTED.contains(&name) && name == of.resource,
    }
}

/// What one object uses.
fn usage(storage: &str, of: &GroupResource, object: &Value) -> Amounts {
    let one = || Quantity::new(1, Format::DecimalSi);
    let mut used = BTreeMap::from([(Str::from(format!("count/{of}")), one())]);
    match storage {
        PODS => pod_usage(object, &mut used),
        SERVICES => {
            let ports = object.items_at(&["spec", "ports"]);
            let allocates = object.bool_at(&["spec", "allocateLoadBalancerNodePorts"]) != Some(false);
            let (balancers, node_ports) = match object.str_at(&["spec", "type"]) {
                Some("NodePort") => (0, ports.len()),
                Some("LoadBalancer") if allocates => (1, ports.len()),
                Some("LoadBalancer") => {
                    let chosen = |port: &&Value| port.int_at(&["nodePort"]).is_some_and(|port| port != 0);
                    (1, ports.iter().filter(chosen).count())
                }
                _ => (0, 0),
            };
            let count =
                |count: usize| Quantity::new(i64::try_from(count).unwrap_or(i64::MAX), Format::DecimalSi);
            used.insert("services".into(), one());
            used.insert("services.loadbalancers".into(), count(balancers));
            used.insert("services.nodeports".into(), count(node_ports));
        }
        CLAIMS => {
            let class = object
                .str_at(&["metadata", "annotations", "volume.beta.kubernetes.io/storage-class"])
                .or_else(|| object.str_at(&["spec", "storageClassName"]))
                .filter(|class| !class.is_empty());
            let storage = object.at(&["spec", "resources", "requests", "storage"]);
            let storage = storage.and_then(|storage| Quantity::from_value(storage).ok());
            for (name, amount) in [("persistentvolumeclaims", Some(one())), ("requests.storage", storage)] {
                let Some(amount) = amount else { continue };
                if let Some(class) = class {
                    used.insert(format!("{class}{OF_CLASS}{name}").into(), amount.clone());
                }
                used.insert(name.into(), amount);
            }
        }
        _ if of.group.is_empty() && COUNTED.contains(&of.resource.as_str()) => {
            used.insert(of.resource.clone(), one());
        }
        _ => {}
    }
    used
}

fn pod_usage(pod: &Value, used: &mut Amounts) {
    if matches!(pod.str_at(&["status", "phase"]), Some("Succeeded" | "Failed")) {
        return;
    }
    used.extend(computed(&of_pod(pod, "requests"), &of_pod(pod, "limits")));
}

/// What requests and limits count as.
fn computed(requests: &Amounts, limits: &Amounts) -> Amounts {
    let mut used = BTreeMap::from([(Str::from("pods"), Quantity::new(1, Format::DecimalSi))]);
    for (name, amount) in requests {
        match name.as_str() {
            "cpu" | "memory" | "ephemeral-storage" => {
                used.insert(name.clone(), amount.clone());
                used.insert(format!("requests.{name}").into(), amount.clone());
            }
            other if other.starts_with("hugepages-") => {
                used.insert(name.clone(), amount.clone());
                used.insert(format!("requests.{name}").into(), amount.clone());
            }
            other if other.contains('/') => {
                used.insert(format!("requests.{name}").into(), amount.clone());
            }
            _ => {}
        }
    }
    for name in ["cpu", "memory", "ephemeral-storage"] {
        if let Some(amount) = limits.get(name) {
            used.insert(format!("limits.{name}").into(), amount.clone());
        }
    }
    used
}

fn containers<'o>(pod: &'o Value, list: &'o str) -> impl Iterator<Item = &'o Value> {
    pod.items_at(&["spec", list]).iter()
}

/// What a pod as a whole requests or is limited to: of containers that run one after the other the largest counts,
/// beside those that stay.
fn of_pod(pod: &Value, list: &str) -> Amounts {
    let add = |sum: &mut Amounts, more: Amounts| {
        for (name, amount) in more {
            let total = match sum.get(&name) {
                Some(before) => before.checked_add(&amount).unwrap_or(amount),
                None => amount,
            };
            sum.insert(name, total);
        }
    };
    let most = |sum: &mut Amounts, other: Amounts| {
        for (name, amount) in other {
            if sum.get(&name).is_none_or(|before| *before < amount) {
                sum.insert(name, amount);
            }
        }
    };
    let mut sum = Amounts::new();
    for container in containers(pod, "containers") {
        add(&mut sum, amounts(container.at(&["resources", list])));
    }
    let (mut staying, mut before) = (Amounts::new(), Amounts::new());
    for container in containers(pod, "initContainers") {
        let own = amounts(container.at(&["resources", list]));
        if container.str_at(&["restartPolicy"]) == Some("Always") {
            add(&mut sum, own.clone());
            add(&mut staying, own);
            most(&mut before, staying.clone());
        } else {
            let mut with = own;
            add(&mut with, staying.clone());
            most(&mut before, with);
        }
    }
    most(&mut sum, before);
    let whole = amounts(pod.at(&["spec", "resources", list]));
    sum.extend(whole);
    let overhead = amounts(pod.at(&["spec", "overhead"]));
    if list == "requests" {
        add(&mut sum, overhead);
    } else {
        add(&mut sum, overhead.into_iter().filter(|(name, _)| sum_has(pod, list, name)).collect());
    }
    sum
}

fn sum_has(pod: &Value, list: &str, name: &str) -> bool {
    containers(pod, "containers").any(|container| container.at(&["resources", list, name]).is_some())
}

/// What containers do not state though a quota is about it, in words.
fn unstated(pod: &Value, limited: &[&Str]) -> Option<String> {
    if pod.at(&["spec", "resources"]).is_some() {
        return None;
    }
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for container in containers(pod, "containers").chain(containers(pod, "initContainers")) {
        let stated = computed(
            &amounts(container.at(&["resources", "requests"])),
            &amounts(container.at(&["resources", "limits"])),
        );
        for name in limited.iter().filter(|name| STATED.contains(&name.as_str())) {
            if !stated.contains_key(name.as_str()) {
                missing
                    .entry(name.as_str())
                    .or_default()
                    .push(container.str_at(&["name"]).unwrap_or_default());
            }
        }
    }
    let parts: Vec<String> = missing
        .into_iter()
        .map(|(name, mut containers)| {
            containers.sort_unstable();
            containers.dedup();
            format!("{name} for: {}", containers.join(","))
        })
        .collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Whether an object is in all scopes of a quota; only pods are in any.
fn in_scopes(quota: &Object, storage: &str, object: &Value) -> bool {
    let value = quota.to_value();
    let plain = value.items_at(&["spec", "scopes"]).iter().filter_map(Value::as_str);
    let mut plain = plain.map(|scope| (scope, "Exists", &[][..]));
    let mut selected = value.items_at(&["spec", "scopeSelector", "matchExpressions"]).iter().map(|one| {
        let text = |key: &str| one.str_at(&[key]).unwrap_or_default();
        (text("scopeName"), text("operator"), one.items_at(&["values"]))
    });
    let mut holds = |(scope, operator, values): (&str, &str, &[Value])| {
        storage == PODS && in_scope(object, scope, operator, values)
    };
    plain.all(&mut holds) && selected.all(&mut holds)
}

fn in_scope(pod: &Value, scope: &str, operator: &str, values: &[Value]) -> bool {
    let ends = pod.int_at(&["spec", "activeDeadlineSeconds"]).is_some_and(|seconds| seconds >= 0);
    let best_effort = || {
        let stated = |key: &str| {
            of_pod(pod, key)
                .iter()
                .any(|(name, amount)| matches!(name.as_str(), "cpu" | "memory") && !amount.is_zero())
        };
        !stated("requests") && !stated("limits")
    };
    match scope {
        "Terminating" => ends,
        "NotTerminating" => !ends,
        "BestEffort" => best_effort(),
        "NotBestEffort" => !best_effort(),
        "PriorityClass" => {
            let class = pod.str_at(&["spec", "priorityClassName"]).unwrap_or_default();
            let named = values.iter().any(|value| value.as_str() == Some(class));
            match operator {
                "In" => !class.is_empty() && named,
                "NotIn" => class.is_empty() || !named,
                "DoesNotExist" => class.is_empty(),
                _ => !class.is_empty(),
            }
        }
        "CrossNamespacePodAffinity" => ["podAffinity", "podAntiAffinity"].iter().any(|kind| {
            let affinity = |list: &str| pod.items_at(&["spec", "affinity", kind, list]).to_vec();
            let crosses = |term: &Value| {
                !term.items_at(&["namespaces"]).is_empty() || term.get("namespaceSelector").is_some()
            };
            affinity("requiredDuringSchedulingIgnoredDuringExecution").iter().any(crosses)
                || affinity("preferredDuringSchedulingIgnoredDuringExecution")
                    .iter()
                    .any(|term| term.get("podAffinityTerm").is_some_and(crosses))
        }),
        _ => false,
    }
}

fn amounts(list: Option<&Value>) -> Amounts {
    let list = list.and_then(Value::as_object).into_iter().flat_map(|map| map.iter());
    list.filter_map(|(name, amount)| Some((name.clone(), Quantity::from_value(amount).ok()?))).collect()
}
