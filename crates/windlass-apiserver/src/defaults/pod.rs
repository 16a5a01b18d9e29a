//! Defaults of pods, pod templates, containers and volumes.

use windlass_kube::Value;

use super::quantity::Quantity;
use super::{default, each, is_unset};

/// Defaults of a Pod object beyond those of every pod template.
pub(super) fn pod(pod: &mut Value) {
    let Some(spec) = super::child(pod, "spec") else { return };
    for list in ["containers", "initContainers"] {
        each(spec, list, |container| {
            if let Some(resources) = super::child(container, "resources") {
                requests_from_limits(resources);
            }
        });
    }
    pod_level_requests(spec);
    default(spec, "enableServiceLinks", true);
    if spec.bool_at(&["hostNetwork"]) == Some(true) {
        for list in ["containers", "initContainers"] {
            each(spec, list, |container| {
                each(container, "ports", |port| {
                    if let Some(number) = port.int_at(&["containerPort"]) {
                        default(port, "hostPort", number);
                    }
                });
            });
        }
    }
    pod_spec(spec);
}

/// Defaults of a pod template.
pub(super) fn template(template: &mut Value) {
    pod_spec(super::made(template, "spec"));
}

fn pod_spec(spec: &mut Value) {
    default(spec, "dnsPolicy", "ClusterFirst");
    default(spec, "restartPolicy", "Always");
    default(spec, "securityContext", Value::object());
    default(spec, "terminationGracePeriodSeconds", 30_i64);
    default(spec, "schedulerName", "default-scheduler");
    // The old name of the same field is kept in step, whichever was given.
    let account = ["serviceAccountName", "serviceAccount"]
        .map(|key| spec.str_at(&[key]).unwrap_or_default().to_owned());
    if let Some(account) = account.into_iter().find(|name| !name.is_empty()) {
        spec.set_at(&["serviceAccountName"], account.as_str());
        spec.set_at(&["serviceAccount"], account.as_str());
    }
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        each(spec, list, container);
    }
    each(spec, "volumes", volume);
}

fn container(container: &mut Value) {
    if is_unset(container.get("imagePullPolicy")) {
        let policy = pull_policy(container.str_at(&["image"]).unwrap_or_default());
        container.set_at(&["imagePullPolicy"], policy);
    }
    default(container, "terminationMessagePath", "/dev/termination-log");
    default(container, "terminationMessagePolicy", "File");
    each(container, "ports", |port| default(port, "protocol", "TCP"));
    each(container, "env", |variable| {
        let Some(source) = super::child(variable, "valueFrom") else { return };
        if let Some(field) = super::child(source, "fieldRef") {
            default(field, "apiVersion", "v1");
        }
        if let Some(file) = super::child(source, "fileKeyRef") {
            default(file, "optional", false);
        }
    });
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = super::child(container, name) {
            default_number(probe, "timeoutSeconds", 1);
            default_number(probe, "periodSeconds", 10);
            default_number(probe, "successThreshold", 1);
            default_number(probe, "failureThreshold", 3);
            handler(probe);
        }
    }
    if let Some(lifecycle) = super::child(container, "lifecycle") {
        for name in ["postStart", "preStop"] {
            if let Some(hook) = super::child(lifecycle, name) {
                handler(hook);
            }
        }
    }
}

fn handler(handler: &mut Value) {
    if let Some(get) = super::child(handler, "httpGet") {
        default(get, "path", "/");
        default(get, "scheme", "HTTP");
    }
    if let Some(grpc) = super::child(handler, "grpc") {
        default(grpc, "service", "");
    }
}

fn volume(volume: &mut Value) {
    if volume.as_object().is_some_and(|members| members.len() == 1 && members.contains_key("name")) {
        volume.set_at(&["emptyDir"], Value::object());
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = super::child(volume, source) {
            default(source, "defaultMode", 0o644_i64);
            downward_items(source);
            each(source, "sources", |projection| {
                if let Some(token) = super::child(projection, "serviceAccountToken") {
                    default(token, "expirationSeconds", 3600_i64);
                }
                if let Some(downward) = super::child(projection, "downwardAPI") {
                    downward_items(downward);
                }
            });
        }
    }
    if let Some(path) = super::child(volume, "hostPath") {
        default_present(path, "type", "");
    }
    if let Some(image) = super::child(volume, "image") {
        let policy = pull_policy(image.str_at(&["reference"]).unwrap_or_default());
        default(image, "pullPolicy", policy);
    }
    if let Some(template) =
        super::child(volume, "ephemeral").and_then(|e| super::child(e, "volumeClaimTemplate"))
    {
        default(super::made(template, "spec"), "volumeMode", "Filesystem");
    }
    legacy_volume(volume);
}

/// Defaults of network volumes, shared by pods and persistent volumes.
pub(super) fn legacy_volume(volume: &mut Value) {
    if let Some(disk) = super::child(volume, "azureDisk") {
        default(disk, "cachingMode", "ReadWrite");
        default(disk, "fsType", "ext4");
        default(disk, "readOnly", false);
        default(disk, "kind", "Shared");
    }
    if let Some(rbd) = super::child(volume, "rbd") {
        default(rbd, "pool", "rbd");
        default(rbd, "user", "admin");
        default(rbd, "keyring", "/etc/ceph/keyring");
    }
    if let Some(iscsi) = super::child(volume, "iscsi") {
        default(iscsi, "iscsiInterface", "default");
    }
    if let Some(scale_io) = super::child(volume, "scaleIO") {
        default(scale_io, "storageMode", "ThinProvisioned");
        default(scale_io, "fsType", "xfs");
    }
}

fn downward_items(source: &mut Value) {
    each(source, "items", |item| {
        if let Some(field) = super::child(item, "fieldRef") {
            default(field, "apiVersion", "v1");
        }
    });
}

/// `Always` for the tag `latest`, which is also what a name without tag or digest means.
fn pull_policy(image: &str) -> &'static str {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let tag = name.rsplit('/').next().and_then(|last| last.split_once(':')).map(|(_, tag)| tag);
    // A reference that cannot be parsed has no tag at all.
    let valid = !name.is_empty()
        && tag != Some("")
        && !name.bytes().any(|byte| byte.is_ascii_uppercase())
        && digest.is_none_or(|digest| digest.split_once(':').is_some_and(|(_, hex)| hex.len() >= 32));
    match tag {
        _ if !valid => "IfNotPresent",
        Some("latest") => "Always",
        None if digest.is_none() => "Always",
        _ => "IfNotPresent",
    }
}

fn requests_from_limits(resources: &mut Value) {
    let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else { return };
    for (name, limit) in limits {
        let requests = super::made(resources, "requests").object_mut();
        if !requests.contains_key(&name) {
            requests.insert(name, limit);
        }
    }
}

/// Where a pod limits its resources as a whole, its requests are those of its containers, else the limit.
fn pod_level_requests(spec: &mut Value) {
    let Some(limits) = spec.at(&["resources", "limits"]).and_then(Value::as_object).cloned() else { return };
    let supported = |name: &str| matches!(name, "cpu" | "memory") || name.starts_with("hugepages-");
    let mut requests =
        spec.at(&["resources", "requests"]).and_then(Value::as_object).cloned().unwrap_or_default();
    for name in ["cpu", "memory"] {
        if requests.contains_key(name) {
            continue;
        }
        let of = |container: &Value| Quantity::parse(container.str_at(&["resources", "requests", name])?);
        let total = spec.items_at(&["containers"]).iter().filter_map(of).reduce(Quantity::plus);
        if let Some(total) = total {
            requests.insert(name, total.to_string());
        }
    }
    for (name, limit) in limits {
        if supported(&name) && !requests.contains_key(&name) {
            requests.insert(name, limit);
        }
    }
    spec.set_at(&["resources", "requests"], requests);
}

fn default_number(value: &mut Value, key: &str, number: i64) {
    if value.int_at(&[key]).unwrap_or(0) == 0 {
        value.set_at(&[key], number);
    }
}

fn default_present(value: &mut Value, key: &str, text: &str) {
    if value.get(key).is_none_or(Value::is_null) {
        value.set_at(&[key], text);
    }
}

/// The quality-of-service class that a new pod's status carries.
pub(super) fn quality_of_service(spec: &Value) -> &'static str {
    let containers = || spec.items_at(&["containers"]).iter().chain(spec.items_at(&["initContainers"]));
    let empty = Value::object();
    let quantity = |resources: &Value, list: &str, name: &str| {
        resources.str_at(&[list, name]).and_then(Quantity::parse).filter(|quantity| !quantity.is_zero())
    };
    let whole =
        spec.get("resources").filter(|resources| resources.as_object().is_some_and(|r| !r.is_empty()));
    let resources: Vec<&Value> = match whole {
        Some(whole) => vec![whole],
        None => containers().map(|container| container.get("resources").unwrap_or(&empty)).collect(),
    };
    let names = ["cpu", "memory"];
    let any = resources.iter().any(|r| {
        names.iter().any(|n| quantity(r, "requests", n).is_some() || quantity(r, "limits", n).is_some())
    });
    if !any {
        return "BestEffort";
    }
    let guaranteed = resources.iter().all(|r| {
        names.iter().all(|name| {
            let limit = quantity(r, "limits", name);
            limit.is_some()
                && limit.map(Quantity::nanos) == quantity(r, "requests", name).map(Quantity::nanos)
        })
    });
    if guaranteed { "Guaranteed" } else { "Burstable" }
}
