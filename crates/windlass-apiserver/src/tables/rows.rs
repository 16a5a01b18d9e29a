//! The cells of every built-in kind but Pod.

use std::collections::BTreeSet;
use std::time::SystemTime;

use windlass_kube::{Gvk, Value};

use super::autoscaler;
use super::duration::{human_duration, seconds_of, seconds_of_now, since};

/// The cells of an object; `None` for kinds that show only name and creation time.
pub(super) fn cells(gvk: &Gvk, object: &Value, now: SystemTime) -> Option<Vec<Value>> {
    let text = |path: &[&str]| text_or(object, path, "");
    let count = |path: &[&str]| Value::Int(object.int_at(path).unwrap_or(0));
    let size = |path: &[&str]| length(object, path);
    let name = || text(&["metadata", "name"]);
    let age = || Value::from(since(object.at(&["metadata", "creationTimestamp"]), now));
    Some(match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("", "PodTemplate") => {
            let (names, images) = containers(object, &["template", "spec"]);
            vec![name(), names, images, labels(object, &["template", "metadata", "labels"])]
        }
        ("", "ReplicationController") => {
            let (names, images) = containers(object, &["spec", "template", "spec"]);
            vec![
                name(),
                count(&["spec", "replicas"]),
                count(&["status", "replicas"]),
                count(&["status", "readyReplicas"]),
                age(),
                names,
                images,
                labels(object, &["spec", "selector"]),
            ]
        }
        ("apps", "ReplicaSet") => {
            let (names, images) = containers(object, &["spec", "template", "spec"]);
            vec![
                name(),
                count(&["spec", "replicas"]),
                count(&["status", "replicas"]),
                count(&["status", "readyReplicas"]),
                age(),
                names,
                images,
                selector_cell(object.at(&["spec", "selector"])),
            ]
        }
        ("apps", "Deployment") => {
            let (names, images) = containers(object, &["spec", "template", "spec"]);
            vec![
                name(),
                ready(object),
                count(&["status", "updatedReplicas"]),
                count(&["status", "availableReplicas"]),
                age(),
                names,
                images,
                object.at(&["spec", "selector"]).map(selector).unwrap_or_default().into(),
            ]
        }
        ("apps", "StatefulSet") => {
            let (names, images) = containers(object, &["spec", "template", "spec"]);
            vec![name(), ready(object), age(), names, images]
        }
        ("apps", "DaemonSet") => {
            let (names, images) = containers(object, &["spec", "template", "spec"]);
            vec![
                name(),
                count(&["status", "desiredNumberScheduled"]),
                count(&["status", "currentNumberScheduled"]),
                count(&["status", "numberReady"]),
                count(&["status", "updatedNumberScheduled"]),
                count(&["status", "numberAvailable"]),
                labels(object, &["spec", "template", "spec", "nodeSelector"]),
                age(),
                names,
                images,
                selector_cell(object.at(&["spec", "selector"])),
            ]
        }
        ("apps", "ControllerRevision") => {
            vec![name(), controller(object), count(&["revision"]), age()]
        }
        ("batch", "Job") => job(object, now),
        ("batch", "CronJob") => {
            let spec = ["spec", "jobTemplate", "spec"];
            let (names, images) = containers(object, &["spec", "jobTemplate", "spec", "template", "spec"]);
            let last = object.at(&["status", "lastScheduleTime"]);
            vec![
                name(),
                text(&["spec", "schedule"]),
                text_or(object, &["spec", "timeZone"], "<none>"),
                flag(object, &["spec", "suspend"])
                    .map_or("<unset>", |on| if on { "True" } else { "False" })
                    .into(),
                size(&["status", "active"]),
                last.map_or("<none>".to_owned(), |last| since(Some(last), now)).into(),
                age(),
                names,
                images,
                selector_cell(object.at(&spec).and_then(|spec| spec.get("selector"))),
            ]
        }
        ("", "Service") => service(object, age()),
        ("networking.k8s.io", "Ingress") => {
            let ports = if object.items_at(&["spec", "tls"]).is_empty() { "80" } else { "80, 443" };
            vec![
                name(),
                text_or(object, &["spec", "ingressClassName"], "<none>"),
                hosts(object).into(),
                balancer(object).into(),
                ports.into(),
                age(),
            ]
        }
        ("networking.k8s.io", "IngressClass") => {
            let marked = is_default(object, "ingressclass.kubernetes.io/is-default-class");
            vec![marked, text(&["spec", "controller"]), ingress_parameters(object), age()]
        }
        ("networking.k8s.io", "NetworkPolicy") => {
            vec![name(), selector_cell(object.at(&["spec", "podSelector"])), age()]
        }
        ("networking.k8s.io", "ServiceCIDR") => vec![name(), joined(object, &["spec", "cidrs"]), age()],
        ("networking.k8s.io", "IPAddress") => {
            let part = |field: &str| object.str_at(&["spec", "parentRef", field]).unwrap_or_default();
            let owner = [part("resource"), part("namespace"), part("name")].join("/");
            vec![name(), owner.into()]
        }
        ("", "Endpoints") => vec![name(), endpoints(object).into(), age()],
        ("discovery.k8s.io", "EndpointSlice") => {
            let ports = object.items_at(&["ports"]).iter().map(|port| match port.int_at(&["port"]) {
                Some(number) => number.to_string(),
                None => port.str_at(&["name"]).unwrap_or("*").to_owned(),
            });
            let addresses = object.items_at(&["endpoints"]).iter().flat_map(|endpoint| {
                endpoint.items_at(&["addresses"]).iter().filter_map(Value::as_str).map(str::to_owned)
            });
            vec![name(), text(&["addressType"]), some(ports).into(), some(addresses).into(), age()]
        }
        ("", "Node") => node(object, age()),
        ("", "Namespace") => vec![name(), text(&["status", "phase"]), age()],
        ("", "ConfigMap") => {
            let entries = size(&["data"]).as_int().unwrap_or(0) + size(&["binaryData"]).as_int().unwrap_or(0);
            vec![name(), entries.into(), age()]
        }
        ("", "Secret") => vec![name(), text(&["type"]), size(&["data"]), age()],
        ("", "ServiceAccount") => vec![name(), age()],
        ("", "PersistentVolume") => volume(object, age()),
        ("", "PersistentVolumeClaim") => claim(object, age()),
        ("", "ResourceQuota") => {
            let (requests, limits) = quota(object);
            vec![name(), requests.into(), limits.into(), age()]
        }
        ("", "Event") => event(object, now, false),
        ("events.k8s.io", "Event") => event(object, now, true),
        ("storage.k8s.io", "StorageClass") => vec![
            is_default(object, "storageclass.kubernetes.io/is-default-class"),
            text(&["provisioner"]),
            text_or(object, &["reclaimPolicy"], "Delete"),
            text_or(object, &["volumeBindingMode"], "Immediate"),
            flag(object, &["allowVolumeExpansion"]).unwrap_or(false).into(),
            age(),
        ],
        ("storage.k8s.io", "CSINode") => vec![name(), size(&["spec", "drivers"]), age()],
        ("storage.k8s.io", "CSIDriver") => csi_driver(object, age()),
        ("storage.k8s.io", "VolumeAttachment") => vec![
            name(),
            text(&["spec", "attacher"]),
            text(&["spec", "source", "persistentVolumeName"]),
            text(&["spec", "nodeName"]),
            flag(object, &["status", "attached"]).unwrap_or(false).into(),
            age(),
        ],
        ("storage.k8s.io", "VolumeAttributesClass") => vec![name(), text(&["driverName"]), age()],
        ("autoscaling", "HorizontalPodAutoscaler") => {
            let targets = if gvk.version == "v1" { autoscaler::targets_v1 } else { autoscaler::targets };
            let part = |field: &str| object.str_at(&["spec", "scaleTargetRef", field]).unwrap_or_default();
            let minimum = object.int_at(&["spec", "minReplicas"]);
            vec![
                name(),
                format!("{}/{}", part("kind"), part("name")).into(),
                targets(object).into(),
                minimum.map_or("<unset>".to_owned(), |minimum| minimum.to_string()).into(),
                count(&["spec", "maxReplicas"]),
                count(&["status", "currentReplicas"]),
                age(),
            ]
        }
        ("policy", "PodDisruptionBudget") => {
            let bound = |field: &str| match object.at(&["spec", field]) {
                Some(Value::Int(number)) => number.to_string().into(),
                Some(other) => other.clone(),
                None => "N/A".into(),
            };
            vec![
                name(),
                bound("minAvailable"),
                bound("maxUnavailable"),
                count(&["status", "disruptionsAllowed"]),
                age(),
            ]
        }
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            let part = |field: &str| object.str_at(&["roleRef", field]).unwrap_or_default();
            let role = format!("{}/{}", part("kind"), part("name"));
            let [users, groups, accounts] = subjects(object);
            vec![name(), role.into(), age(), users, groups, accounts]
        }
        ("coordination.k8s.io", "Lease") => vec![name(), text(&["spec", "holderIdentity"]), age()],
        ("scheduling.k8s.io", "PriorityClass") => vec![
            name(),
            count(&["value"]),
            flag(object, &["globalDefault"]).unwrap_or(false).into(),
            age(),
            text(&["preemptionPolicy"]),
        ],
        ("node.k8s.io", "RuntimeClass") => vec![name(), text(&["handler"]), age()],
        (
            "admissionregistration.k8s.io",
            "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration",
        ) => {
            vec![name(), size(&["webhooks"]), age()]
        }
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy" | "MutatingAdmissionPolicy") => {
            let list = if gvk.kind == "ValidatingAdmissionPolicy" { "validations" } else { "mutations" };
            let part = |field: &str| object.str_at(&["spec", "paramKind", field]).unwrap_or_default();
            let kind = match object.at(&["spec", "paramKind"]) {
                Some(_) => format!("{}/{}", part("apiVersion"), part("kind")),
                None => "<unset>".into(),
            };
            vec![name(), size(&["spec", list]), kind.into(), age()]
        }
        (
            "admissionregistration.k8s.io",
            "ValidatingAdmissionPolicyBinding" | "MutatingAdmissionPolicyBinding",
        ) => {
            let part =
                |field: &str| object.str_at(&["spec", "paramRef", field]).filter(|text| !text.is_empty());
            let parameter = match (part("name"), part("namespace")) {
                (Some(name), Some(namespace)) => format!("{namespace}/{name}"),
                (Some(name), None) => format!("*/{name}"),
                (None, _) => "<unset>".into(),
            };
            vec![name(), text(&["spec", "policyName"]), parameter.into(), age()]
        }
        ("certificates.k8s.io", "CertificateSigningRequest") => {
            let seconds = object.int_at(&["spec", "expirationSeconds"]);
            vec![
                name(),
                age(),
                text_or(object, &["spec", "signerName"], "<none>"),
                text(&["spec", "username"]),
                seconds.map_or("<none>".to_owned(), human_duration).into(),
                signing_state(object).into(),
            ]
        }
        ("apiregistration.k8s.io", "APIService") => {
            let part = |field: &str| object.str_at(&["spec", "service", field]).unwrap_or_default();
            let service = match object.at(&["spec", "service"]) {
                Some(_) => format!("{}/{}", part("namespace"), part("name")),
                None => "Local".into(),
            };
            vec![name(), service.into(), available(object).into(), age()]
        }
        _ => return None,
    })
}

/// The string under `path`, or something else where there is none or it is empty.
pub(super) fn text_or(object: &Value, path: &[&str], otherwise: &str) -> Value {
    object.str_at(path).filter(|text| !text.is_empty()).unwrap_or(otherwise).into()
}

fn flag(object: &Value, path: &[&str]) -> Option<bool> {
    object.bool_at(path)
}

fn length(object: &Value, path: &[&str]) -> Value {
    let length = match object.at(path) {
        Some(Value::Array(items)) => items.len(),
        Some(Value::Object(members)) => members.len(),
        _ => 0,
    };
    Value::Int(i64::try_from(length).unwrap_or(i64::MAX))
}

fn ready(object: &Value) -> Value {
    let count = |path: &[&str]| object.int_at(path).unwrap_or(0);
    format!("{}/{}", count(&["status", "readyReplicas"]), count(&["spec", "replicas"])).into()
}

fn containers(object: &Value, spec: &[&str]) -> (Value, Value) {
    let list = object.at(spec).map_or(&[][..], |spec| spec.items_at(&["containers"]));
    let all = |field: &str| {
        let texts: Vec<&str> =
            list.iter().map(|container| container.str_at(&[field]).unwrap_or_default()).collect();
        Value::from(texts.join(","))
    };
    (all("name"), all("image"))
}

fn joined(object: &Value, path: &[&str]) -> Value {
    let texts: Vec<&str> = object.items_at(path).iter().filter_map(Value::as_str).collect();
    texts.join(",").into()
}

/// `a=b,c=d`, or `<none>`.
fn labels(object: &Value, path: &[&str]) -> Value {
    let pairs: Vec<String> = object
        .at(path)
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|labels| labels.iter())
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    if pairs.is_empty() { "<none>".into() } else { pairs.join(",").into() }
}

/// A label selector as text; `<none>` for one that selects everything.
fn selector_cell(selector_value: Option<&Value>) -> Value {
    let text = selector_value.map(selector).unwrap_or_default();
    if text.is_empty() { "<none>".into() } else { text.into() }
}

/// A label selector as `labels.Selector` prints it: requirements by key.
fn selector(selector: &Value) -> String {
    let mut requirements: Vec<(String, String)> = Vec::new();
    for (key, value) in
        selector.get("matchLabels").and_then(Value::as_object).into_iter().flat_map(|l| l.iter())
    {
        requirements.push((key.to_string(), format!("{key}={}", value.as_str().unwrap_or_default())));
    }
    for expression in selector.items_at(&["matchExpressions"]) {
        let key = expression.str_at(&["key"]).unwrap_or_default();
        let values: BTreeSet<&str> =
            expression.items_at(&["values"]).iter().filter_map(Value::as_str).collect();
        let values = values.into_iter().collect::<Vec<_>>().join(",");
        let text = match expression.str_at(&["operator"]).unwrap_or_default() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => return "<error>".into(),
        };
        requirements.push((key.to_owned(), text));
    }
    requirements.sort_by(|a, b| a.0.cmp(&b.0));
    requirements.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(",")
}

fn controller(object: &Value) -> Value {
    let owners = object.items_at(&["metadata", "ownerReferences"]);
    let Some(owner) = owners.iter().find(|owner| owner.bool_at(&["controller"]) == Some(true)) else {
        return "<none>".into();
    };
    let part = |field: &str| owner.str_at(&[field]).unwrap_or_default();
    let kind = Gvk::from_api_version(part("apiVersion"), part("kind")).group_kind();
    format!("{}/{}", kind.to_string().to_lowercase(), part("name")).into()
}

fn has_condition(object: &Value, kind: &str) -> bool {
    object
        .items_at(&["status", "conditions"])
        .iter()
        .find(|condition| condition.str_at(&["type"]) == Some(kind))
        .is_some_and(|condition| condition.str_at(&["status"]) == Some("True"))
}

fn job(object: &Value, now: SystemTime) -> Vec<Value> {
    let succeeded = object.int_at(&["status", "succeeded"]).unwrap_or(0);
    let completions = match (object.int_at(&["spec", "completions"]), object.int_at(&["spec", "parallelism"]))
    {
        (Some(completions), _) => format!("{succeeded}/{completions}"),
        (None, Some(parallelism)) if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    };
    let start = seconds_of(object.at(&["status", "startTime"]));
    let end = seconds_of(object.at(&["status", "completionTime"])).unwrap_or_else(|| seconds_of_now(now));
    let duration = start.map(|start| human_duration(end.saturating_sub(start))).unwrap_or_default();
    let status = if has_condition(object, "Complete") {
        "Complete"
    } else if has_condition(object, "Failed") {
        "Failed"
    } else if object.at(&["metadata", "deletionTimestamp"]).is_some() {
        "Terminating"
    } else {
        let order = ["Suspended", "FailureTarget", "SuccessCriteriaMet"];
        order.into_iter().find(|kind| has_condition(object, kind)).unwrap_or("Running")
    };
    let (names, images) = containers(object, &["spec", "template", "spec"]);
    vec![
        text_or(object, &["metadata", "name"], ""),
        status.into(),
        completions.into(),
        duration.into(),
        since(object.at(&["metadata", "creationTimestamp"]), now).into(),
        names,
        images,
        selector_cell(object.at(&["spec", "selector"])),
    ]
}

/// The addresses a load balancer gave, sorted.
fn balancer(object: &Value) -> String {
    let addresses: BTreeSet<&str> = object
        .items_at(&["status", "loadBalancer", "ingress"])
        .iter()
        .filter_map(|ingress| {
            let part = |field: &str| ingress.str_at(&[field]).filter(|text| !text.is_empty());
            part("ip").or_else(|| part("hostname"))
        })
        .collect();
    addresses.into_iter().collect::<Vec<_>>().join(",")
}

fn service(object: &Value, age: Value) -> Vec<Value> {
    let kind = object.str_at(&["spec", "type"]).unwrap_or_default();
    let externals: Vec<&str> =
        object.items_at(&["spec", "externalIPs"]).iter().filter_map(Value::as_str).collect();
    let balancer = balancer(object);
    let external = match kind {
        "ClusterIP" | "NodePort" if externals.is_empty() => "<none>".to_owned(),
        "ClusterIP" | "NodePort" => externals.join(","),
        "LoadBalancer" if externals.is_empty() && balancer.is_empty() => "<pending>".to_owned(),
        "LoadBalancer" => {
            let first = Some(balancer.as_str()).filter(|text| !text.is_empty());
            first.into_iter().chain(externals).collect::<Vec<_>>().join(",")
        }
        "ExternalName" => object.str_at(&["spec", "externalName"]).unwrap_or_default().to_owned(),
        _ => "<unknown>".to_owned(),
    };
    let ports: Vec<String> = object
        .items_at(&["spec", "ports"])
        .iter()
        .map(|port| {
            let number = port.int_at(&["port"]).unwrap_or(0);
            let protocol = port.str_at(&["protocol"]).unwrap_or_default();
            match port.int_at(&["nodePort"]).filter(|number| *number > 0) {
                Some(node_port) => format!("{number}:{node_port}/{protocol}"),
                None => format!("{number}/{protocol}"),
            }
        })
        .collect();
    let address = object.items_at(&["spec", "clusterIPs"]).first().cloned();
    vec![
        text_or(object, &["metadata", "name"], ""),
        kind.into(),
        address.unwrap_or_else(|| "<none>".into()),
        external.into(),
        if ports.is_empty() { "<none>".into() } else { ports.join(",").into() },
        age,
        labels(object, &["spec", "selector"]),
    ]
}

fn hosts(object: &Value) -> String {
    const SHOWN: usize = 3;
    let rules = object.items_at(&["spec", "rules"]);
    let mut list: Vec<&str> = Vec::new();
    let mut more = false;
    for rule in rules {
        more |= list.len() == SHOWN;
        if let Some(host) = rule.str_at(&["host"]).filter(|host| !more && !host.is_empty()) {
            list.push(host);
        }
    }
    if list.is_empty() {
        "*".into()
    } else if more {
        format!("{} + {} more...", list.join(","), rules.len() - SHOWN)
    } else {
        list.join(",")
    }
}

fn is_default(object: &Value, annotation: &str) -> Value {
    let name = object.str_at(&["metadata", "name"]).unwrap_or_default();
    let default = object.str_at(&["metadata", "annotations", annotation]) == Some("true");
    if default { format!("{name} (default)").into() } else { name.into() }
}

fn ingress_parameters(object: &Value) -> Value {
    let part = |field: &str| object.str_at(&["spec", "parameters", field]);
    let Some(kind) = part("kind") else { return "<none>".into() };
    let group = part("apiGroup").map(|group| format!(".{group}")).unwrap_or_default();
    format!("{kind}{group}/{}", part("name").unwrap_or_default()).into()
}

fn endpoints(object: &Value) -> String {
    const SHOWN: usize = 3;
    let subsets = object.items_at(&["subsets"]);
    if subsets.is_empty() {
        return "<none>".into();
    }
    let mut list: Vec<String> = Vec::new();
    let mut total = 0;
    for subset in subsets {
        let addresses = subset.items_at(&["addresses"]);
        let ports = subset.items_at(&["ports"]);
        let one = [Value::Null];
        for port in if ports.is_empty() { &one[..] } else { ports } {
            total += addresses.len();
            for address in addresses {
                let ip = address.str_at(&["ip"]).unwrap_or_default();
                list.push(match port.int_at(&["port"]) {
                    Some(number) if ip.contains(':') => format!("[{ip}]:{number}"),
                    Some(number) => format!("{ip}:{number}"),
                    None => ip.to_owned(),
                });
            }
        }
    }
    let shown = list[..list.len().min(SHOWN)].join(",");
    if list.len() > SHOWN { format!("{shown} + {} more...", total - SHOWN) } else { shown }
}

/// The first three, and how many more there are.
fn some(texts: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 3;
    let texts: Vec<String> = texts.collect();
    let shown = texts[..texts.len().min(SHOWN)].join(",");
    if texts.len() > SHOWN {
        format!("{shown} + {} more...", texts.len() - SHOWN)
    } else if shown.is_empty() {
        "<unset>".into()
    } else {
        shown
    }
}

fn node(object: &Value, age: Value) -> Vec<Value> {
    let ready = object
        .items_at(&["status", "conditions"])
        .iter()
        .find(|condition| condition.str_at(&["type"]) == Some("Ready"))
        .map(|condition| condition.str_at(&["status"]) == Some("True"));
    let mut status = match ready {
        Some(true) => "Ready",
        Some(false) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if flag(object, &["spec", "unschedulable"]) == Some(true) {
        status.push_str(",SchedulingDisabled");
    }
    let roles: BTreeSet<&str> = object
        .at(&["metadata", "labels"])
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|labels| labels.iter())
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None if key == "kubernetes.io/role" => value.as_str(),
            None => None,
        })
        .filter(|role| !role.is_empty())
        .collect();
    let roles = roles.into_iter().collect::<Vec<_>>().join(",");
    let address = |kind: &str| {
        let found =
            object.items_at(&["status", "addresses"]).iter().find(|a| a.str_at(&["type"]) == Some(kind));
        Value::from(found.and_then(|address| address.str_at(&["address"])).unwrap_or("<none>"))
    };
    let info = |field: &str| object.str_at(&["status", "nodeInfo", field]).unwrap_or_default();
    let known = |field: &str| if info(field).is_empty() { "<unknown>" } else { info(field) };
    let mut kernel = known("kernelVersion").to_owned();
    if !info("architecture").is_empty() {
        kernel = format!("{kernel} ({})", info("architecture"));
    }
    vec![
        text_or(object, &["metadata", "name"], ""),
        status.into(),
        if roles.is_empty() { "<none>".into() } else { roles.into() },
        age,
        info("kubeletVersion").into(),
        address("InternalIP"),
        address("ExternalIP"),
        known("osImage").into(),
        kernel.into(),
        known("containerRuntimeVersion").into(),
    ]
}

fn access_modes(modes: &[Value]) -> Value {
    let has = |mode: &str| modes.iter().any(|have| have.as_str() == Some(mode));
    let short = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let list: Vec<&str> = short.into_iter().filter(|(mode, _)| has(mode)).map(|(_, short)| short).collect();
    list.join(",").into()
}

/// The class named by the old annotation, else by the field.
fn storage_class(object: &Value) -> Value {
    match object.str_at(&["metadata", "annotations", "volume.beta.kubernetes.io/storage-class"]) {
        Some(class) => class.into(),
        None => text_or(object, &["spec", "storageClassName"], ""),
    }
}

fn phase(object: &Value) -> Value {
    if object.at(&["metadata", "deletionTimestamp"]).is_some() {
        "Terminating".into()
    } else {
        text_or(object, &["status", "phase"], "")
    }
}

fn volume(object: &Value, age: Value) -> Vec<Value> {
    let claim = object.at(&["spec", "claimRef"]).map(|claim| {
        let part = |field: &str| claim.str_at(&[field]).unwrap_or_default();
        format!("{}/{}", part("namespace"), part("name"))
    });
    vec![
        text_or(object, &["metadata", "name"], ""),
        text_or(object, &["spec", "capacity", "storage"], "0"),
        access_modes(object.items_at(&["spec", "accessModes"])),
        text_or(object, &["spec", "persistentVolumeReclaimPolicy"], ""),
        phase(object),
        claim.unwrap_or_default().into(),
        storage_class(object),
        text_or(object, &["spec", "volumeAttributesClassName"], "<unset>"),
        text_or(object, &["status", "reason"], ""),
        age,
        text_or(object, &["spec", "volumeMode"], "<unset>"),
    ]
}

fn claim(object: &Value, age: Value) -> Vec<Value> {
    let bound = object.str_at(&["spec", "volumeName"]).is_some_and(|name| !name.is_empty());
    let (capacity, modes) = if bound {
        let modes = access_modes(object.items_at(&["status", "accessModes"]));
        (text_or(object, &["status", "capacity", "storage"], "0"), modes)
    } else {
        ("".into(), "".into())
    };
    vec![
        text_or(object, &["metadata", "name"], ""),
        phase(object),
        text_or(object, &["spec", "volumeName"], ""),
        capacity,
        modes,
        storage_class(object),
        text_or(object, &["spec", "volumeAttributesClassName"], "<unset>"),
        age,
        text_or(object, &["spec", "volumeMode"], "<unset>"),
    ]
}

fn quota(object: &Value) -> (String, String) {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (resource, hard) in
        object.at(&["status", "hard"]).and_then(Value::as_object).into_iter().flat_map(|h| h.iter())
    {
        let used = object.str_at(&["status", "used", resource]).unwrap_or("0");
        let text = format!("{resource}: {used}/{}", hard.as_str().unwrap_or_default());
        if resource.starts_with("limits.") { limits.push(text) } else { requests.push(text) }
    }
    (requests.join(", "), limits.join(", "))
}

fn event(object: &Value, now: SystemTime, new_group: bool) -> Vec<Value> {
    let field = |core: &'static str, event: &'static str| if new_group { event } else { core };
    let regarding = field("involvedObject", "regarding");
    let source = field("source", "deprecatedSource");
    let is_set = |value: Option<&Value>| value.is_some_and(|value| !value.is_null());
    let age =
        |path: &[&str]| object.at(path).filter(|time| !time.is_null()).map(|time| since(Some(time), now));
    let first = age(&[field("firstTimestamp", "deprecatedFirstTimestamp")])
        .unwrap_or_else(|| since(object.get("eventTime"), now));
    let mut last = age(&[field("lastTimestamp", "deprecatedLastTimestamp")]).unwrap_or_else(|| first.clone());
    let mut count = object.int_at(&[field("count", "deprecatedCount")]).unwrap_or(0).max(1);
    if is_set(object.get("series")) {
        last = since(object.at(&["series", "lastObservedTime"]), now);
        count = object.int_at(&["series", "count"]).unwrap_or(0);
    }
    let kind = object.str_at(&[regarding, "kind"]).unwrap_or_default().to_lowercase();
    let target = match object.str_at(&[regarding, "name"]).filter(|name| !name.is_empty()) {
        Some(name) => format!("{kind}/{name}"),
        None => kind,
    };
    let first_of = |paths: [&[&str]; 2]| {
        paths
            .into_iter()
            .filter_map(|path| object.str_at(path))
            .find(|text| !text.is_empty())
            .unwrap_or_default()
    };
    let component = first_of([&[source, "component"], &[field("reportingComponent", "reportingController")]]);
    let instance = first_of([&[source, "host"], &["reportingInstance"]]);
    let source = if instance.is_empty() { component.to_owned() } else { format!("{component}, {instance}") };
    let message = object.str_at(&[field("message", "note")]).unwrap_or_default().trim();
    vec![
        last.into(),
        text_or(object, &["type"], ""),
        text_or(object, &["reason"], ""),
        target.into(),
        text_or(object, &[regarding, "fieldPath"], ""),
        source.into(),
        message.into(),
        first.into(),
        count.into(),
        text_or(object, &["metadata", "name"], ""),
    ]
}

fn csi_driver(object: &Value, age: Value) -> Vec<Value> {
    let flag =
        |field: &str, otherwise: bool| Value::Bool(object.bool_at(&["spec", field]).unwrap_or(otherwise));
    let audiences: Option<Vec<&str>> =
        object.at(&["spec", "tokenRequests"]).and_then(Value::as_array).map(|requests| {
            requests.iter().map(|request| request.str_at(&["audience"]).unwrap_or_default()).collect()
        });
    let modes = joined(object, &["spec", "volumeLifecycleModes"]);
    vec![
        text_or(object, &["metadata", "name"], ""),
        flag("attachRequired", true),
        flag("podInfoOnMount", false),
        flag("storageCapacity", false),
        audiences.map_or("<unset>".to_owned(), |audiences| audiences.join(",")).into(),
        flag("requiresRepublish", false),
        if modes.as_str() == Some("") { "<none>".into() } else { modes },
        age,
    ]
}

fn subjects(object: &Value) -> [Value; 3] {
    let mut lists: [Vec<String>; 3] = Default::default();
    for subject in object.items_at(&["subjects"]) {
        let part = |field: &str| subject.str_at(&[field]).unwrap_or_default();
        match part("kind") {
            "User" => lists[0].push(part("name").into()),
            "Group" => lists[1].push(part("name").into()),
            "ServiceAccount" => lists[2].push(format!("{}/{}", part("namespace"), part("name"))),
            _ => {}
        }
    }
    lists.map(|list| list.join(", ").into())
}

fn signing_state(object: &Value) -> String {
    let has = |kind: &str| {
        object
            .items_at(&["status", "conditions"])
            .iter()
            .any(|condition| condition.str_at(&["type"]) == Some(kind))
    };
    let mut state = if has("Denied") {
        "Denied"
    } else if has("Approved") {
        "Approved"
    } else {
        "Pending"
    }
    .to_owned();
    if has("Failed") {
        state.push_str(",Failed");
    }
    if object.str_at(&["status", "certificate"]).is_some_and(|certificate| !certificate.is_empty()) {
        state.push_str(",Issued");
    }
    state
}

fn available(object: &Value) -> String {
    let found = object
        .items_at(&["status", "conditions"])
        .iter()
        .find(|condition| condition.str_at(&["type"]) == Some("Available"));
    let Some(condition) = found else { return "Unknown".into() };
    match condition.str_at(&["status"]).unwrap_or_default() {
        "True" => "True".into(),
        other => format!("{other} ({})", condition.str_at(&["reason"]).unwrap_or_default()),
    }
}
