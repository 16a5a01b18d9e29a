//! What the API server makes of an object before it is stored: Go's reading of it, Kubernetes' defaults,
//! and what each kind's strategy sets or keeps.
//!
//! A create runs [`normalize`], [`apply_defaults`], [`prepare_for_create`] and, for Services, the
//! [`ServiceAllocator`]; an update runs [`normalize`], [`apply_defaults`] and [`prepare_for_update`]. All of
//! it is pure. Verified against kube-apiserver 1.36.3: `tests/data/defaults`.

mod allocator;
mod convert;
mod pod;
pub mod quantity;
mod services;
mod shape;
mod strategy;
mod workloads;

pub use allocator::{AllocationError, ServiceAllocator};
pub use convert::convert;
pub use shape::{DecodeError, built_in_kinds, decode, is_built_in, normalize};
pub use strategy::{
    CreateContext, has_generation, has_status, needs_resource_version, prepare_for_create,
    prepare_for_status_update, prepare_for_update,
};

use windlass_kube::{Gvk, Value};

/// Sets what Kubernetes' defaulting sets on an object of a built-in kind; other kinds are left alone.
///
/// Expects an object that went through [`normalize`]. Applying it twice changes nothing more.
pub fn apply_defaults(gvk: &Gvk, object: &mut Value) {
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("", "Pod") => pod::pod(object),
        ("", "PodTemplate") => pod::template(made(object, "template")),
        ("", "ReplicationController") => workloads::replication_controller(object),
        ("", "Service") => services::service(object),
        ("", "Endpoints") => services::endpoints(object),
        ("", "PersistentVolumeClaim") => services::claim(object),
        ("", "PersistentVolume") => services::volume(object),
        ("", "Namespace") => services::namespace(object),
        ("", "Node") => services::node(object),
        ("", "LimitRange") => services::limit_range(object),
        ("", "Secret") => default(object, "type", "Opaque"),
        ("apps", "Deployment") => workloads::deployment(object),
        ("apps", "ReplicaSet") => workloads::replica_set(object),
        ("apps", "StatefulSet") => workloads::stateful_set(object),
        ("apps", "DaemonSet") => workloads::daemon_set(object),
        ("batch", "Job") => workloads::job(object),
        ("batch", "CronJob") => workloads::cron_job(object),
        ("autoscaling", "HorizontalPodAutoscaler") if gvk.version == "v1" => workloads::autoscaler_v1(object),
        ("autoscaling", "HorizontalPodAutoscaler") => workloads::autoscaler_v2(object),
        ("networking.k8s.io", "NetworkPolicy") => services::network_policy(object),
        ("networking.k8s.io", "IngressClass") => services::ingress_class(object),
        ("discovery.k8s.io", "EndpointSlice") => services::endpoint_slice(object),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => services::role_binding(object),
        ("scheduling.k8s.io", "PriorityClass") => default(object, "preemptionPolicy", "PreemptLowerPriority"),
        ("storage.k8s.io", "StorageClass") => services::storage_class(object),
        ("storage.k8s.io", "CSIDriver") => services::csi_driver(object),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration") => {
            services::webhooks(object, false);
        }
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration") => services::webhooks(object, true),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy" | "MutatingAdmissionPolicy") => {
            services::admission_policy(object);
        }
        (
            "admissionregistration.k8s.io",
            "ValidatingAdmissionPolicyBinding" | "MutatingAdmissionPolicyBinding",
        ) => services::admission_policy_binding(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => services::definition(object),
        ("apiregistration.k8s.io", "APIService") => services::api_service(object),
        _ => {}
    }
}

/// Absent, null or an empty string: what Go's defaulting functions take for not set.
fn is_unset(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    }
}

/// Sets a member that is not set.
fn default(value: &mut Value, key: &str, default: impl Into<Value>) {
    if is_unset(value.get(key)) {
        value.set_at(&[key], default);
    }
}

/// The member `key`, if it is an object.
fn child<'a>(value: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    value.as_object_mut()?.get_mut(key).filter(|member| member.as_object().is_some())
}

/// The member `key`, made an empty object if it is not set.
fn made<'a>(value: &'a mut Value, key: &str) -> &'a mut Value {
    let member = value.object_mut().entry(key);
    if member.is_null() {
        *member = Value::object();
    }
    member
}

/// Runs `change` on every item of the list `key`.
fn each(value: &mut Value, key: &str, mut change: impl FnMut(&mut Value)) {
    if let Some(Value::Array(items)) = value.as_object_mut().and_then(|members| members.get_mut(key))
        && !items.is_empty()
    {
        items.as_mut().iter_mut().for_each(&mut change);
    }
}
