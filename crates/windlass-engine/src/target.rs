//! A cluster as the target of plans.

use windlass_apply::{CallError, CallErrorKind, Target, is_empty, three_way_patch};
use windlass_cluster::{ApiError, ApplyOptions, ClusterClient, DeleteOptions, Discovery, Method, Resource};
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

/// The annotation in which `kubectl apply` keeps what it applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A write that is not server-side apply.
struct Write<'a> {
    method: Method,
    namespace: &'a str,
    /// Empty for one that creates.
    name: &'a str,
    content_type: &'static str,
    dry_run: bool,
}

impl<'a> Write<'a> {
    fn creating(namespace: &'a str, dry_run: bool) -> Self {
        Self { method: Method::POST, namespace, name: "", content_type: "application/json", dry_run }
    }
}

impl ClusterTarget {
    /// Writes, dropping fields that the kind does not have, and returns the object as it is then.
    async fn write(
        &self,
        resource: &Resource,
        request: &Write<'_>,
        body: &Value,
        manager: &str,
    ) -> Result<Object, CallError> {
        let mut path = resource.path(request.namespace);
        if !request.name.is_empty() {
            path = format!("{path}/{}", request.name);
        }
        let dry_run = if request.dry_run { "&dryRun=All" } else { "" };
        let path = format!("{path}?fieldManager={manager}&fieldValidation=Ignore{dry_run}");
        let body = serde_json::to_vec(body)
            .map_err(|error| CallError::new(CallErrorKind::Refused, error.to_string()))?;
        let answer = self.client.send(request.method.clone(), &path, request.content_type, body).await;
        let answer = answer.map_err(|error| call_error(&error))?;
        let read: Option<Value> = serde_json::from_slice(&answer).ok();
        read.and_then(|value| Object::try_new(value).ok()).ok_or_else(|| {
            CallError::new(CallErrorKind::Transient, format!("the answer to {path} is no object"))
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

    async fn replace(
        &self,
        gvk: &Gvk,
        object: &Object,
        manager: &str,
        dry_run: bool,
    ) -> Result<Object, CallError> {
        let resource = self.resource(gvk)?;
        match self.client.get(resource, object.namespace(), object.name()).await {
            Ok(live) => {
                let mut next = object.clone();
                next.set_at(&["metadata", "resourceVersion"], live.resource_version());
                let request = Write {
                    method: Method::PUT,
                    namespace: object.namespace(),
                    name: object.name(),
                    content_type: "application/json",
                    dry_run,
                };
                self.write(resource, &request, &next.to_value(), manager).await
            }
            Err(error) if error.is_not_found() => {
                let request = Write::creating(object.namespace(), dry_run);
                self.write(resource, &request, &object.to_value(), manager).await
            }
            Err(error) => Err(call_error(&error)),
        }
    }

    async fn merge(
        &self,
        gvk: &Gvk,
        object: &Object,
        manager: &str,
        dry_run: bool,
    ) -> Result<Object, CallError> {
        let resource = self.resource(gvk)?;
        let mut wanted = object.to_value();
        let said = serde_json::to_string(&wanted).unwrap_or_default();
        wanted.set_at(&["metadata", "annotations", LAST_APPLIED], said);
        let (namespace, name) = (object.namespace(), object.name());
        match self.client.get(resource, namespace, name).await {
            Ok(live) => {
                let before = live.annotation(LAST_APPLIED).and_then(|text| serde_json::from_str(text).ok());
                let patch = three_way_patch(&before.unwrap_or_else(Value::object), &wanted, &live.to_value());
                if is_empty(&patch) {
                    return Ok(live);
                }
                let content_type = "application/merge-patch+json";
                let request = Write { method: Method::PATCH, namespace, name, content_type, dry_run };
                self.write(resource, &request, &patch, manager).await
            }
            Err(error) if error.is_not_found() => {
                let request = Write::creating(namespace, dry_run);
                self.write(resource, &request, &wanted, manager).await
            }
            Err(error) => Err(call_error(&error)),
        }
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
            _ if message.contains("duplicate entries for key") => CallErrorKind::Duplicate,
            _ if message.contains("field not declared in schema") => CallErrorKind::UnknownField,
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
