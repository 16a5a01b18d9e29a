//! What a client is warned of though it is accepted, in the words of kube-apiserver 1.36.

use windlass_kube::{Gvk, Value};

/// Labels of nodes that have had other names since 1.14 and 1.17.
const OLD_NODE_LABELS: [(&str, &str, &str); 4] = [
    ("beta.kubernetes.io/arch", "v1.14", "kubernetes.io/arch"),
    ("beta.kubernetes.io/os", "v1.14", "kubernetes.io/os"),
    ("failure-domain.beta.kubernetes.io/region", "v1.17", "topology.kubernetes.io/region"),
    ("failure-domain.beta.kubernetes.io/zone", "v1.17", "topology.kubernetes.io/zone"),
];

/// What is to be said of an object that is created, or that replaces `old`.
pub(crate) fn warnings(gvk: &Gvk, new: &Value, old: Option<&Value>) -> Vec<String> {
    let mut said = Vec::new();
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("", "Pod") if old.is_none() => pod(new, "", &mut said),
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet") | ("batch", "Job") => {
            let generation = |object: &Value| object.int_at(&["metadata", "generation"]);
            let changed = old.is_none_or(|old| generation(old) != generation(new));
            if let Some(template) = new.at(&["spec", "template"]).filter(|_| changed) {
                pod(template, "spec.template.", &mut said);
            }
        }
        ("", "Service") => {
            service(new, &mut said);
        }
        ("", "PersistentVolume") => {
            let class = "volume.beta.kubernetes.io/storage-class";
            if new.at(&["metadata", "annotations", class]).is_some() {
                said.push(format!(
                    "metadata.annotations[{class}]: deprecated since v1.8; use \"storageClassName\" attribute instead"
                ));
            }
            if new.str_at(&["spec", "persistentVolumeReclaimPolicy"]) == Some("Recycle") {
                said.push(
                    "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
                        .into(),
                );
            }
        }
        _ => {}
    }
    said
}

fn service(service: &Value, said: &mut Vec<String>) {
    let text = |key: &str| service.str_at(&["spec", key]).unwrap_or_default();
    let has_external = !service.items_at(&["spec", "externalIPs"]).is_empty();
    let is_named = text("type") == "ExternalName";
    let is_headless = text("type") == "ClusterIP" && text("clusterIP") == "None";
    if is_headless {
        if !text("loadBalancerIP").is_empty() {
            said.push("spec.loadBalancerIP is ignored for headless services".into());
        }
        if has_external {
            said.push("spec.externalIPs is ignored for headless services".into());
        }
        if !matches!(text("sessionAffinity"), "" | "None") {
            said.push("spec.SessionAffinity is ignored for headless services".into());
        }
    }
    if has_external && !is_headless && !is_named {
        said.push("spec.externalIPs is deprecated and may no longer be implemented in some clusters".into());
    }
    if is_named && has_external {
        said.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".into());
    }
    if !is_named && !text("externalName").is_empty() {
        said.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".into());
    }
    if text("trafficDistribution") == "PreferClose" {
        let why = "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"";
        said.push(why.into());
    }
}

/// A pod, or a template whose fields stand behind `path`.
fn pod(pod: &Value, path: &str, said: &mut Vec<String>) {
    for (label, since, now) in OLD_NODE_LABELS {
        if pod.at(&["spec", "nodeSelector", label]).is_some() {
            said.push(format!(
                "{path}spec.nodeSelector[{label}]: deprecated since {since}; use {now:?} instead"
            ));
        }
    }
    let seccomp = "seccomp.security.alpha.kubernetes.io/pod";
    if pod.at(&["metadata", "annotations", seccomp]).is_some() {
        said.push(format!(
            "{path}metadata.annotations[{seccomp}]: non-functional in v1.27+; use the \"seccompProfile\" field instead"
        ));
    }
    let mut ports: Vec<(Value, String)> = Vec::new();
    for (container, idx) in pod.items_at(&["spec", "containers"]).iter().zip(0..) {
        for (port, port_idx) in container.items_at(&["ports"]).iter().zip(0..) {
            let mut what = port.clone();
            what.object_mut().remove("name");
            let field = format!("{path}spec.containers[{idx}].ports[{port_idx}]");
            match ports.iter().find(|(known, _)| *known == what) {
                Some((_, first)) => said.push(format!("{field}: duplicate port definition with {first}")),
                None => ports.push((what, field)),
            }
        }
    }
}
