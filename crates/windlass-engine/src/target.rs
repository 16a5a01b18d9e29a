//! A cluster as the target of plans.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use windlass_apply::{CallError, CallErrorKind, Target};
use windlass_cluster::{
    ApiError, ApplyOptions, ClusterClient, DeleteOptions, Discovery, Resource, WriteOptions,
};
use windlass_diff::{Rules, added, removal, respected};
use windlass_kube::schema::{ObjectType, Types};
use windlass_kube::strategic::three_way;
use windlass_kube::{Gvk, Map, Object, ObjectRef, Value, merge_patch, value};
use windlass_model::{Identity, LiveRecord, Propagation, SyncPolicy};

use crate::unit_state::UnitState;

/// A cluster with the kinds it serves, as of one moment.
#[derive(Clone)]
pub(crate) struct ClusterTarget {
    /// The connection.
    pub(crate) client: ClusterClient,
    /// The kinds.
    pub(crate) discovery: Discovery,
    /// What does not count, and keeps its live value in whatever is written; `None` writes everything as it is
    /// declared.
    respected: Option<Arc<Rules>>,
    /// What does not count, and so is not taken away where others added it.
    ignored: Option<Arc<Rules>>,
    /// How the fields of kinds merge, by the path of their group; asked for when an object needs a three-way merge.
    schemas: Arc<Mutex<HashMap<String, Arc<Types>>>>,
}

impl ClusterTarget {
    /// A cluster that is written to as the engine itself, everything as it is declared.
    pub(crate) fn new(client: ClusterClient, discovery: Discovery) -> Self {
        Self { client, discovery, respected: None, ignored: None, schemas: Arc::default() }
    }

    /// The same cluster, written to as somebody, with what does not count left as it is live.
    pub(crate) fn written_by(
        &self,
        identity: &Identity,
        ignored: Option<Arc<Rules>>,
        respects: bool,
    ) -> Self {
        let client = match identity {
            Identity::Engine => self.client.clone(),
            Identity::User(user) => self.client.acting_as(Some(user)),
            Identity::Nobody => self.client.acting_as(None),
        };
        let respected = ignored.clone().filter(|_| respects);
        Self { client, discovery: self.discovery.clone(), respected, ignored, schemas: self.schemas.clone() }
    }

    fn resource(&self, gvk: &Gvk) -> Result<&Resource, CallError> {
        self.discovery.serving(gvk).ok_or_else(|| {
            let message =
                format!("the cluster does not serve {gvk}; is its CustomResourceDefinition installed?");
            CallError::new(CallErrorKind::UnknownKind, message)
        })
    }

    /// Takes a finalizer off an object, if it is still there.
    pub(crate) async fn release_hook(&self, live: &LiveRecord, finalizer: &str) -> Result<(), ApiError> {
        let Some(resource) = self.discovery.serving(&live.gvk) else { return Ok(()) };
        let (namespace, name) = (&live.key.namespace, &live.key.name);
        let now = match self.client.get(resource, namespace, name).await {
            Ok(now) if now.uid() == live.uid => now,
            Ok(_) => return Ok(()),
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error),
        };
        let left: Vec<Value> = now
            .to_value()
            .items_at(&["metadata", "finalizers"])
            .iter()
            .filter(|it| it.as_str() != Some(finalizer))
            .cloned()
            .collect();
        let patch = value!({
            "metadata": {"finalizers": (left), "resourceVersion": (now.resource_version())}
        });
        let options = writing(windlass_argo::FIELD_MANAGER, false);
        match self.client.merge_patch(resource, namespace, name, &patch, options).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// How the fields of a kind merge, as the cluster itself says; where it does not, maps do and lists do not.
    async fn object_type(&self, gvk: &Gvk) -> ObjectType {
        let path = match gvk.group.as_str() {
            "" => format!("/openapi/v3/api/{}", gvk.version),
            group => format!("/openapi/v3/apis/{group}/{}", gvk.version),
        };
        let known = self.schemas.lock().ok().and_then(|schemas| schemas.get(&path).cloned());
        let types = match known {
            Some(types) => Some(types),
            None => {
                let document = self.client.get_path(&path).await.ok();
                let types = document.and_then(|document| Types::from_openapi(&document).ok());
                if let (Some(types), Ok(mut schemas)) = (&types, self.schemas.lock()) {
                    schemas.insert(path, types.clone());
                }
                types
            }
        };
        types.and_then(|types| types.get(gvk)).unwrap_or_else(ObjectType::deduced)
    }

    /// An object as it is to be written. What is live is read for it where the rules are about it, and else not.
    async fn respecting<'a>(&self, gvk: &Gvk, object: &'a Object) -> Result<Cow<'a, Object>, CallError> {
        let Some(rules) = self.respected.as_ref().filter(|rules| rules.concern(&object.object_ref())) else {
            return Ok(Cow::Borrowed(object));
        };
        let resource = self.resource(gvk)?;
        match self.client.get(resource, object.namespace(), object.name()).await {
            Ok(live) => Ok(Cow::Owned(respected(object, &live, rules))),
            Err(error) if error.is_not_found() => Ok(Cow::Borrowed(object)),
            Err(error) => Err(call_error(&error)),
        }
    }
}

impl UnitState {
    /// A cluster, as this Unit writes to it now: as its identity, by the policy of the operation that runs, where it
    /// has its own.
    pub(crate) fn writing_to(&self, target: &ClusterTarget) -> ClusterTarget {
        let own = self.operation.as_ref().and_then(|operation| operation.request.policy.as_deref());
        let policy: &SyncPolicy = own.unwrap_or(&self.lowered.unit.policy);
        target.written_by(&self.lowered.unit.target.identity, self.rules.clone(), policy.respect_ignored)
    }
}

/// The annotation in which `kubectl apply` keeps what it applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A write that is not server-side apply drops fields that the kind does not have.
fn writing(manager: &str, dry_run: bool) -> WriteOptions {
    WriteOptions { manager: manager.into(), drops_unknown_fields: true, dry_run }
}

impl Target for ClusterTarget {
    async fn apply(
        &self,
        gvk: &Gvk,
        object: &Object,
        manager: &str,
        dry_run: bool,
    ) -> Result<Object, CallError> {
        let object = &*self.respecting(gvk, object).await?;
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
        let object = &*self.respecting(gvk, object).await?;
        let resource = self.resource(gvk)?;
        let options = writing(manager, dry_run);
        let written = match self.client.get(resource, object.namespace(), object.name()).await {
            Ok(live) => {
                let mut next = object.clone();
                next.set_at(&["metadata", "resourceVersion"], live.resource_version());
                self.client.replace(resource, &next, options).await
            }
            Err(error) if error.is_not_found() => self.client.create(resource, object, options).await,
            Err(error) => Err(error),
        };
        written.map_err(|error| call_error(&error))
    }

    async fn merge(
        &self,
        gvk: &Gvk,
        object: &Object,
        manager: &str,
        dry_run: bool,
    ) -> Result<Object, CallError> {
        let object = &*self.respecting(gvk, object).await?;
        let resource = self.resource(gvk)?;
        let mut wanted = object.clone();
        let said = serde_json::to_string(object.as_map()).unwrap_or_default();
        wanted.set_at(&["metadata", "annotations", LAST_APPLIED], said);
        let options = writing(manager, dry_run);
        let (namespace, name) = (object.namespace(), object.name());
        let written = match self.client.get(resource, namespace, name).await {
            Ok(live) => {
                let before = live.annotation(LAST_APPLIED).and_then(|text| serde_json::from_str(text).ok());
                let before = before.unwrap_or_else(Value::object);
                let object_type = self.object_type(gvk).await;
                let there = live.to_value();
                let merged = three_way(&object_type, &before, &wanted.to_value(), &there);
                let mut patch = merge_patch::diff(&there, &merged);
                if patch.as_object().is_none_or(Map::is_empty) {
                    return Ok(live);
                }
                // Lists are written as a whole, so nobody may have written in between.
                patch.set_at(&["metadata", "resourceVersion"], live.resource_version());
                self.client.merge_patch(resource, namespace, name, &patch, options).await
            }
            Err(error) if error.is_not_found() => self.client.create(resource, &wanted, options).await,
            Err(error) => Err(error),
        };
        written.map_err(|error| call_error(&error))
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

    async fn remove_added(&self, gvk: &Gvk, live: Object, manager: &str) -> Result<Object, CallError> {
        let rules = self.ignored.clone().unwrap_or_default();
        let found = added(&live, manager, &rules);
        if found.is_empty() {
            return Ok(live);
        }
        let resource = self.resource(gvk)?;
        let (namespace, name) = (live.namespace(), live.name());
        let patch = removal(&live, &found);
        let patched = self.client.json_patch(resource, namespace, name, &patch, manager).await;
        patched.map_err(|error| call_error(&error))
    }

    async fn delete(
        &self,
        gvk: &Gvk,
        key: &ObjectRef,
        uid: Option<&str>,
        propagation: Propagation,
        dry_run: bool,
    ) -> Result<bool, CallError> {
        let resource = self.resource(gvk)?;
        let options = DeleteOptions { propagation: Some(propagation), uid: uid.map(Into::into), dry_run };
        let deleted = self.client.delete_known(resource, &key.namespace, &key.name, &options).await;
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
            // kube-apiserver 1.36 answers 500 where a value is of another type than its field.
            500 if message.contains("failed to create typed patch object") => CallErrorKind::Refused,
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
