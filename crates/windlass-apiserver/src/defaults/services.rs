//! Defaults of services, storage, network, access and the cluster's own kinds.

use windlass_kube::{Map, Value};

use super::{child, default, each, is_unset, made};

pub(super) fn service(object: &mut Value) {
    let spec = made(object, "spec");
    default(spec, "sessionAffinity", "None");
    if spec.str_at(&["sessionAffinity"]) == Some("None") {
        spec.remove_at(&["sessionAffinityConfig"]);
    } else if is_unset(spec.at(&["sessionAffinityConfig", "clientIP", "timeoutSeconds"])) {
        // Three hours.
        spec.set_at(&["sessionAffinityConfig", "clientIP", "timeoutSeconds"], 10_800_i64);
    }
    default(spec, "type", "ClusterIP");
    each(spec, "ports", |port| {
        default(port, "protocol", "TCP");
        let target = port.get("targetPort");
        if is_unset(target) || target.and_then(Value::as_int) == Some(0) {
            let number = port.int_at(&["port"]).unwrap_or(0);
            port.set_at(&["targetPort"], number);
        }
    });
    let kind = spec.str_at(&["type"]).unwrap_or_default().to_owned();
    let external = matches!(kind.as_str(), "NodePort" | "LoadBalancer")
        || (kind == "ClusterIP" && !spec.items_at(&["externalIPs"]).is_empty());
    if external {
        default(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind != "ExternalName" {
        default(spec, "internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", true);
        if let Some(balancer) = child(object, "status").and_then(|status| child(status, "loadBalancer")) {
            each(balancer, "ingress", |ingress| {
                if !is_unset(ingress.get("ip")) {
                    default(ingress, "ipMode", "VIP");
                }
            });
        }
    }
}

pub(super) fn endpoints(object: &mut Value) {
    each(object, "subsets", |subset| each(subset, "ports", |port| default(port, "protocol", "TCP")));
}

pub(super) fn endpoint_slice(object: &mut Value) {
    each(object, "ports", |port| {
        if port.get("name").is_none_or(Value::is_null) {
            port.set_at(&["name"], "");
        }
        default(port, "protocol", "TCP");
    });
}

pub(super) fn claim(object: &mut Value) {
    default(made(object, "status"), "phase", "Pending");
    default(made(object, "spec"), "volumeMode", "Filesystem");
}

pub(super) fn volume(object: &mut Value) {
    default(made(object, "status"), "phase", "Pending");
    let spec = made(object, "spec");
    default(spec, "persistentVolumeReclaimPolicy", "Retain");
    default(spec, "volumeMode", "Filesystem");
    if let Some(path) = child(spec, "hostPath")
        && path.get("type").is_none_or(Value::is_null)
    {
        path.set_at(&["type"], "");
    }
    super::pod::legacy_volume(spec);
}

pub(super) fn storage_class(object: &mut Value) {
    default(object, "reclaimPolicy", "Delete");
    default(object, "volumeBindingMode", "Immediate");
}

pub(super) fn csi_driver(object: &mut Value) {
    let spec = made(object, "spec");
    default(spec, "attachRequired", true);
    default(spec, "podInfoOnMount", false);
    default(spec, "storageCapacity", false);
    default(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
    default(spec, "volumeLifecycleModes", vec![Value::from("Persistent")]);
    default(spec, "requiresRepublish", false);
    default(spec, "seLinuxMount", false);
}

pub(super) fn network_policy(object: &mut Value) {
    let spec = made(object, "spec");
    if spec.items_at(&["policyTypes"]).is_empty() {
        let mut types = vec![Value::from("Ingress")];
        if !spec.items_at(&["egress"]).is_empty() {
            types.push("Egress".into());
        }
        spec.set_at(&["policyTypes"], types);
    }
    for direction in ["ingress", "egress"] {
        each(spec, direction, |rule| each(rule, "ports", |port| default(port, "protocol", "TCP")));
    }
}

pub(super) fn ingress_class(object: &mut Value) {
    if let Some(parameters) = child(object, "spec").and_then(|spec| child(spec, "parameters")) {
        default(parameters, "scope", "Cluster");
    }
}

pub(super) fn role_binding(object: &mut Value) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    default(made(object, "roleRef"), "apiGroup", GROUP);
    each(object, "subjects", |subject| {
        if matches!(subject.str_at(&["kind"]), Some("User" | "Group")) {
            default(subject, "apiGroup", GROUP);
        }
    });
}

pub(super) fn webhooks(object: &mut Value, mutating: bool) {
    each(object, "webhooks", |webhook| {
        default(webhook, "failurePolicy", "Fail");
        match_resources(webhook);
        default(webhook, "timeoutSeconds", 10_i64);
        if mutating {
            default(webhook, "reinvocationPolicy", "Never");
        }
        each(webhook, "rules", |rule| default(rule, "scope", "*"));
        if let Some(service) = child(webhook, "clientConfig").and_then(|config| child(config, "service")) {
            default(service, "port", 443_i64);
        }
    });
}

pub(super) fn admission_policy(object: &mut Value) {
    let spec = made(object, "spec");
    default(spec, "failurePolicy", "Fail");
    if let Some(constraints) = child(spec, "matchConstraints") {
        match_resources(constraints);
        rules(constraints);
    }
}

pub(super) fn admission_policy_binding(object: &mut Value) {
    if let Some(resources) = child(object, "spec").and_then(|spec| child(spec, "matchResources")) {
        match_resources(resources);
        rules(resources);
    }
}

fn match_resources(resources: &mut Value) {
    default(resources, "matchPolicy", "Equivalent");
    default(resources, "namespaceSelector", Value::object());
    default(resources, "objectSelector", Value::object());
}

fn rules(resources: &mut Value) {
    for list in ["resourceRules", "excludeResourceRules"] {
        each(resources, list, |rule| default(rule, "scope", "*"));
    }
}

pub(super) fn definition(object: &mut Value) {
    let spec = made(object, "spec");
    let names = made(spec, "names");
    let kind = names.str_at(&["kind"]).unwrap_or_default().to_owned();
    default(names, "singular", kind.to_lowercase());
    if !kind.is_empty() {
        default(names, "listKind", format!("{kind}List"));
    }
    let conversion = made(spec, "conversion");
    default(conversion, "strategy", "None");
    if let Some(service) = child(conversion, "webhook")
        .and_then(|webhook| child(webhook, "clientConfig"))
        .and_then(|config| child(config, "service"))
    {
        default(service, "port", 443_i64);
    }
    let stored = spec
        .items_at(&["versions"])
        .iter()
        .find(|version| version.bool_at(&["storage"]) == Some(true))
        .and_then(|version| version.get("name"))
        .cloned();
    if let Some(stored) = stored {
        default(made(object, "status"), "storedVersions", vec![stored]);
    }
}

pub(super) fn api_service(object: &mut Value) {
    if let Some(service) = child(object, "spec").and_then(|spec| child(spec, "service")) {
        default(service, "port", 443_i64);
    }
}

pub(super) fn namespace(object: &mut Value) {
    default(made(object, "status"), "phase", "Active");
    let name = object.str_at(&["metadata", "name"]).unwrap_or_default().to_owned();
    if !name.is_empty() {
        object.set_at(&["metadata", "labels", "kubernetes.io/metadata.name"], name);
    }
}

pub(super) fn node(object: &mut Value) {
    if let Some(status) = child(object, "status")
        && let Some(capacity) = status.get("capacity").cloned()
    {
        default(status, "allocatable", capacity);
    }
}

pub(super) fn limit_range(object: &mut Value) {
    each(made(object, "spec"), "limits", |limit| {
        if limit.str_at(&["type"]) != Some("Container") {
            return;
        }
        let list =
            |limit: &Value, key: &str| limit.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
        let fill = |into: &mut Map, from: Map| {
            for (name, quantity) in from {
                if !into.contains_key(&name) {
                    into.insert(name, quantity);
                }
            }
        };
        let (mut defaults, mut requests) = (list(limit, "default"), list(limit, "defaultRequest"));
        fill(&mut defaults, list(limit, "max"));
        fill(&mut requests, defaults.clone());
        fill(&mut requests, list(limit, "min"));
        limit.set_at(&["default"], defaults);
        limit.set_at(&["defaultRequest"], requests);
    });
}
