//! A cluster as the target of plans.

use windlass_apply::{CallError, CallErrorKind, Target};
use windlass_cluster::{ApiError, ApplyOptions, ClusterClient, DeleteOptions, Discovery, Resource};
use windlass_kube::{Gvk, Object, ObjectRef, Value, value};
use windlass_model::Propagation;

/// A cluster with the kinds it serves, as of one moment.
#[derive(Clone)]
pub(crate) struct ClusterTarget {
    /// The connection.
    pub(crate) client: ClusterClient,
    /// The kinds.
    pub(crate) discovery: Discovery,
}

impl ClusterTarget {
    fn resource(&self, gvk: &Gvk) -> Result<&Resource, CallError> {
        self.discovery.serving(gvk).ok_or_else(|| {
            let message =
                format!("the cluster does not serve {gvk}; is its CustomResourceDefinition installed?");
            CallError::new(CallErrorKind::UnknownKind, message)
        })
    }
}

impl Target for ClusterTarget {
    async fn apply(
        &self,
        gvk: &Gvk,
        object: &Object,
        manager: &str,
        dry_run: bool,
    ) -> Result<Object, CallError> {
        let resource = self.resource(gvk)?;
        let options = ApplyOptions { manager: manager.into(), force: true, dry_run };
        self.client.apply(resource, object, &options).await.map_err(|error| call_error(&error))
    }

    async fn set_owners(&self, gvk: &Gvk, live: &Object, managed_fields: &Value) -> Result<(), CallError> {
        let resource = self.resource(gvk)?;
        // Writing a version that is not the current one is a conflict; testing it would be an invalid request.
        let patch = value!([
            {"op": "replace", "path": "/metadata/managedFields", "value": (managed_fields.clone())},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": (live.resource_version())},
        ]);
        let (namespace, name) = (live.namespace(), live.name());
        let patched =
            self.client.json_patch(resource, namespace, name, &patch, windlass_argo::FIELD_MANAGER).await;
        patched.map(|_| ()).map_err(|error| call_error(&error))
    }

    async fn delete(
        &self,
        gvk: &Gvk,
        key: &ObjectRef,
        uid: Option<&str>,
        propagation: Propagation,
        dry_run: bool,
    ) -> Result<(), CallError> {
        let resource = self.resource(gvk)?;
        let options = DeleteOptions { propagation: Some(propagation), uid: uid.map(Into::into), dry_run };
        let deleted = self.client.delete(resource, &key.namespace, &key.name, &options).await;
        deleted.map_err(|error| call_error(&error))
    }
}

/// What a plan can make of an API server's answer.
pub(crate) fn call_error(error: &ApiError) -> CallError {
    let message = error.to_string();
    let kind = match error {
        ApiError::Status(status) => match status.code {
            404 if message.starts_with("namespaces \"") => CallErrorKind::NamespaceMissing,
            404 => CallErrorKind::UnknownKind,
            409 => CallErrorKind::Conflict,
            429 | 500 | 502 | 503 | 504 => CallErrorKind::Transient,
            _ => CallErrorKind::Refused,
        },
        ApiError::Unreachable { .. } | ApiError::Decode { .. } => CallErrorKind::Transient,
        ApiError::Config(_) => CallErrorKind::Refused,
    };
    CallError::new(kind, message)
}
