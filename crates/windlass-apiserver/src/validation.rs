//! What the API server refuses of built-in kinds, in its words: the rules users meet.
//!
//! Compared with kube-apiserver 1.36.3 on invalid manifests (`tests/data/validation`). An object that a
//! cluster refuses for a rarer reason may be accepted here; none that a cluster accepts is refused.

mod config;
mod errors;
mod internal;
mod metadata;
mod network;
mod pods;
mod policies;
mod resources;
mod selectors;
mod services;
mod storage;
mod updates;
mod volumes;
mod warnings;
mod workloads;

pub(crate) use warnings::warnings;

use windlass_kube::{Gvk, Value};

use crate::status::Cause;
use errors::Errors;

/// What is wrong with a new object of a built-in kind, in no guaranteed order; empty when nothing is.
///
/// The object is normalized, defaulted and prepared, as it would be stored.
#[must_use]
pub fn validate_create(gvk: &Gvk, object: &Value) -> Vec<Cause> {
    let mut errors = Errors::default();
    metadata::check(gvk, object, &mut errors);
    content(gvk, object, &mut errors);
    errors.into_causes()
}

/// What is wrong with a change of an object of a built-in kind; empty when nothing is.
///
/// Both objects are as they would be, or are, stored.
#[must_use]
pub fn validate_update(gvk: &Gvk, new: &Value, old: &Value) -> Vec<Cause> {
    let mut errors = Errors::default();
    metadata::check(gvk, new, &mut errors);
    // What was accepted once, under whatever rules, may stay.
    if without_metadata(new) != without_metadata(old) {
        content(gvk, new, &mut errors);
    }
    updates::check(gvk, new, old, &mut errors);
    errors.into_causes()
}

/// What is wrong with how a definition of custom resources has its versions converted.
pub(crate) fn conversion(definition: &Value) -> Vec<Cause> {
    let mut errors = Errors::default();
    if let Some(conversion) = definition.at(&["spec", "conversion"]) {
        policies::conversion(conversion, &mut errors);
    }
    errors.into_causes()
}

fn without_metadata(object: &Value) -> Value {
    let mut object = object.clone();
    for member in ["metadata", "status"] {
        object.object_mut().remove(member);
    }
    object
}

fn content(gvk: &Gvk, object: &Value, errors: &mut Errors) {
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("", "Pod") => pods::pod(object, errors),
        ("", "LimitRange") => config::limit_range(object, errors),
        ("", "PodTemplate") => pods::template(object, "template", errors),
        ("", "ReplicationController") => workloads::replication_controller(object, errors),
        ("apps", "Deployment") => workloads::deployment(object, errors),
        ("apps", "ReplicaSet") => workloads::replica_set(object, errors),
        ("apps", "StatefulSet") => workloads::stateful_set(object, errors),
        ("apps", "DaemonSet") => workloads::daemon_set(object, errors),
        ("batch", "Job") => workloads::job(object, errors),
        ("batch", "CronJob") => workloads::cron_job(object, errors),
        ("autoscaling", "HorizontalPodAutoscaler") => workloads::autoscaler(object, errors),
        ("policy", "PodDisruptionBudget") => workloads::disruption_budget(object, errors),
        ("", "Service") => services::service(object, errors),
        ("", "ConfigMap") => config::config_map(object, errors),
        ("", "Secret") => config::secret(object, errors),
        ("", "ResourceQuota") => config::quota(object, errors),
        ("", "PersistentVolumeClaim") => storage::claim(object, "", errors),
        ("", "PersistentVolume") => storage::volume(object, errors),
        ("storage.k8s.io", "StorageClass") => storage::class(object, errors),
        ("networking.k8s.io", "Ingress") => network::ingress(object, errors),
        ("networking.k8s.io", "NetworkPolicy") => network::policy(object, errors),
        ("discovery.k8s.io", "EndpointSlice") => network::endpoint_slice(object, errors),
        ("rbac.authorization.k8s.io", "Role") => config::role(object, true, errors),
        ("rbac.authorization.k8s.io", "ClusterRole") => config::role(object, false, errors),
        ("rbac.authorization.k8s.io", "RoleBinding") => {
            config::role_binding(object, &["Role", "ClusterRole"], errors);
        }
        ("rbac.authorization.k8s.io", "ClusterRoleBinding") => {
            config::role_binding(object, &["ClusterRole"], errors);
        }
        ("scheduling.k8s.io", "PriorityClass") => config::priority_class(object, errors),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy") => {
            policies::validating_policy(object, errors);
        }
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding") => {
            policies::validating_binding(object, errors);
        }
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicy") => {
            policies::mutating_policy(object, errors);
        }
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding") => {
            policies::mutating_binding(object, errors);
        }
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration") => {
            policies::webhooks(object, false, errors);
        }
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration") => {
            policies::webhooks(object, true, errors);
        }
        ("coordination.k8s.io", "Lease") => config::lease(object, errors),
        _ => {}
    }
}
