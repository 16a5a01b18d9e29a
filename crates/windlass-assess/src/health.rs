//! The built-in checks, by kind.

mod autoscaling;
mod batch;
mod cluster;
mod network;
mod pod;
mod special;
mod table;
mod workload;

use windlass_kube::{Object, Value};
use windlass_model::{Health, HealthStatus};

/// The health of an object by the built-in checks; `None` for a kind that has none.
///
/// An object that is being deleted is Progressing, "Pending deletion". A version of a known kind that the check
/// does not understand is Unknown.
///
/// Where Argo CD's checks fail on what no API server stores (a field of the wrong type, a CRD without status), the
/// field is taken for absent here.
#[must_use]
pub fn health(object: &Object) -> Option<Health> {
    pending_deletion(object).or_else(|| built_in(object))
}

/// The finalizer that keeps a hook until its phase is over; a hook that only waits for that is not yet leaving.
const HOOK_FINALIZER: &str = "argocd.argoproj.io/hook-finalizer";

pub(crate) fn pending_deletion(object: &Object) -> Option<Health> {
    let holds_hook = |finalizer: &Value| finalizer.as_str() == Some(HOOK_FINALIZER);
    let is_leaving = object.is_terminating()
        && !crate::condition::items(object, &["metadata", "finalizers"]).iter().any(holds_hook);
    is_leaving.then(|| Health::new(HealthStatus::Progressing, "Pending deletion"))
}

pub(crate) fn built_in(object: &Object) -> Option<Health> {
    let gvk = object.gvk();
    let supported: &[&str] = match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("apiregistration.k8s.io", "APIService") => &["v1", "v1beta1"],
        ("autoscaling", "HorizontalPodAutoscaler") => &["v1", "v2"],
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch", "Job")
        | ("", "Pod" | "Service" | "PersistentVolumeClaim") => &["v1"],
        _ => &[],
    };
    if !supported.is_empty() && !supported.contains(&gvk.version.as_str()) {
        let kind = if gvk.kind == "HorizontalPodAutoscaler" { "HPA" } else { gvk.kind.as_str() };
        let message = format!("unsupported {kind} GVK: {}, Kind={}", gvk.api_version(), gvk.kind);
        return Some(Health::new(HealthStatus::Unknown, message));
    }
    Some(match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("apps", "Deployment") => workload::deployment(object),
        ("apps", "StatefulSet") => workload::stateful_set(object),
        ("apps", "DaemonSet") => workload::daemon_set(object),
        ("apps", "ReplicaSet") => workload::replica_set(object),
        ("", "Pod") => pod::pod(object),
        ("batch", "Job") => batch::job(object),
        ("batch", "CronJob") => batch::cron_job(object),
        ("argoproj.io", "Workflow") => batch::workflow(object),
        ("", "Service") => network::service(object),
        ("networking.k8s.io" | "extensions", "Ingress") => network::ingress(object),
        ("", "PersistentVolumeClaim") => cluster::persistent_volume_claim(object),
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaling::horizontal_pod_autoscaler(object),
        ("policy", "PodDisruptionBudget") => autoscaling::pod_disruption_budget(object),
        ("apiregistration.k8s.io", "APIService") => cluster::api_service(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => cluster::custom_resource_definition(object),
        (group, kind) => {
            return special::find(group, kind)
                .map(|check| check(object))
                .or_else(|| table::exact(object))
                .or_else(|| special::find_pattern(group).map(|check| check(object)))
                .or_else(|| table::pattern(object))
                .flatten();
        }
    })
}

/// The kinds that have a built-in check, as `group/Kind`; `_` stands for anything. Those of Kubernetes itself are
/// not among them.
pub fn known_kinds() -> Vec<String> {
    let special = special::kinds().map(|(group, kind)| format!("{group}/{kind}"));
    let mut kinds: Vec<String> = special.chain(table::kinds().map(str::to_owned)).collect();
    kinds.sort();
    kinds
}

fn healthy(message: impl Into<windlass_kube::Str>) -> Health {
    Health::new(HealthStatus::Healthy, message)
}

fn progressing(message: impl Into<windlass_kube::Str>) -> Health {
    Health::new(HealthStatus::Progressing, message)
}

fn degraded(message: impl Into<windlass_kube::Str>) -> Health {
    Health::new(HealthStatus::Degraded, message)
}

fn suspended(message: impl Into<windlass_kube::Str>) -> Health {
    Health::new(HealthStatus::Suspended, message)
}

fn unknown(message: impl Into<windlass_kube::Str>) -> Health {
    Health::new(HealthStatus::Unknown, message)
}
