//! What some kinds do beyond being stored: definitions make resources, services take addresses.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use windlass_kube::selector::LabelSelector;
use windlass_kube::{Object, Value, value};

use super::write::invalid;
use super::{Api, DeleteOptions, ListOptions, Patch, Shared, UserInfo, WriteOptions, managed};
use crate::custom::{self, CLEANUP_FINALIZER};
use crate::resource::{Gvr, Resource};
use crate::status::{Cause, Status};
use crate::store::Stored;

/// Where definitions of custom resources are stored.
pub(super) const DEFINITIONS: &str = "apiextensions.k8s.io/customresourcedefinitions";

/// Where roles that hold everywhere are stored.
const CLUSTER_ROLES: &str = "rbac.authorization.k8s.io/clusterroles";

/// The roles and bindings that every cluster has, as kube-apiserver 1.36.3 makes them.
const DEFAULT_ROLES: &str = include_str!("../../assets/rbac-1.36.3.json");

/// Where services are stored.
const SERVICES: &str = "/services";

/// Completes an object, at its storage version, before it is written.
pub(super) fn admit(resource: &Resource, old: Option<&Object>, object: Object) -> Result<Object, Status> {
    if resource.storage != DEFINITIONS {
        return Ok(object);
    }
    let mut value = object.to_value();
    custom::complete(&mut value, old.map(Object::to_value).as_ref());
    let mut completed = Object::try_new(value).map_err(|error| Status::bad_request(error.to_string()))?;
    if completed.at(&["status"]) != object.at(&["status"]) {
        managed::track(resource, Some(&object), &mut completed, "kube-apiserver", "status");
    }
    Ok(completed)
}

impl Api {
    /// Gives a service its addresses and ports.
    pub(super) fn allocate(
        &self,
        resource: &Resource,
        object: &mut Object,
        old: Option<&Object>,
    ) -> Result<(), Status> {
        if resource.storage != SERVICES {
            return Ok(());
        }
        let mut value = object.to_value();
        let mut services = self.shared.services.lock().expect("no panic under this lock");
        services.allocate(&mut value, old.map(Object::to_value).as_ref()).map_err(|error| {
            let cause = Cause {
                reason: "FieldValueInvalid",
                message: format!("Invalid value: {}: {}", error.value, error.detail),
                field: error.field,
            };
            invalid(resource, object.name(), vec![cause])
        })?;
        *object = Object::try_new(value).map_err(Status::internal)?;
        Ok(())
    }

    /// Takes back what was allocated for an object that is not written.
    pub(super) fn release(&self, resource: &Resource, object: &Object) {
        if resource.storage == SERVICES {
            let mut services = self.shared.services.lock().expect("no panic under this lock");
            services.release(&object.to_value());
        }
    }

    /// What follows from a write that has happened.
    pub(super) fn after_write(&self, resource: &Resource, stored: &Arc<Stored>) {
        if resource.storage == DEFINITIONS {
            self.serve_definition(&stored.object());
            if stored.is_terminating() {
                self.clean_up(stored.object());
            }
        }
        // A sum is written only when it changes, so that this ends.
        if resource.storage == CLUSTER_ROLES {
            self.sum_roles();
        }
    }

    /// What follows from a deletion that has happened.
    pub(super) fn after_delete(&self, resource: &Resource, stored: &Arc<Stored>) {
        self.compiled().forget(&resource.storage, &stored.key().name);
        match resource.storage.as_str() {
            DEFINITIONS => self.withdraw_definition(&stored.object()),
            SERVICES => self.release(resource, &stored.object()),
            CLUSTER_ROLES => self.sum_roles(),
            _ => {}
        }
    }

    /// Serves what a definition defines; nothing happens where it says nothing new.
    pub(super) fn serve_definition(&self, definition: &Object) {
        let spec = definition.at(&["spec"]).cloned().unwrap_or_default();
        let mut served = self.shared.served.lock().expect("no panic under this lock");
        if served.get(definition.name()) == Some(&spec) {
            return;
        }
        let (group, plural) =
            (definition.str_at(&["spec", "group"]), definition.str_at(&["spec", "names", "plural"]));
        self.shared.registry.replace(group, plural, custom::resources(definition));
        served.insert(definition.name().into(), spec);
    }

    fn withdraw_definition(&self, definition: &Object) {
        let mut served = self.shared.served.lock().expect("no panic under this lock");
        served.remove(definition.name());
        let (group, plural) =
            (definition.str_at(&["spec", "group"]), definition.str_at(&["spec", "names", "plural"]));
        self.shared.registry.replace(group, plural, Vec::new());
    }

    /// Deletes the objects of a definition that is to go, then lets it go.
    pub(super) fn clean_up(&self, definition: Object) {
        let waits = definition
            .at(&["metadata", "finalizers"])
            .and_then(Value::as_array)
            .is_some_and(|finalizers| finalizers.iter().any(|one| one.as_str() == Some(CLEANUP_FINALIZER)));
        let Some(runtime) = waits.then(|| tokio::runtime::Handle::try_current().ok()).flatten() else {
            return;
        };
        let mut cleaning = self.shared.cleaning.lock().expect("no panic under this lock");
        if !cleaning.insert(definition.name().into()) {
            return;
        }
        drop(cleaning);
        let api = self.clone();
        runtime.spawn(async move {
            if let Err(error) = api.empty_definition(&definition).await {
                tracing::warn!(%error, definition = definition.name(), "the objects of a definition could not be deleted");
            }
            api.shared.cleaning.lock().expect("no panic under this lock").remove(definition.name());
        });
    }

    async fn empty_definition(&self, definition: &Object) -> Result<(), Status> {
        let version = definition
            .at(&["spec", "versions"])
            .and_then(Value::as_array)
            .and_then(|versions| versions.iter().find(|version| version.bool_at(&["served"]) == Some(true)))
            .and_then(|version| version.str_at(&["name"]))
            .unwrap_or_default();
        let gvr = Gvr::new(
            definition.str_at(&["spec", "group"]),
            version,
            definition.str_at(&["spec", "names", "plural"]),
        );
        if let Ok(resource) = self.resource(&gvr) {
            let table = self.shared.store.table(&resource.storage);
            let options = DeleteOptions::default();
            self.delete_collection_on(&resource, None, &ListOptions::default(), &options).await?;
            // Objects with finalizers take their time.
            let mut changes = table.subscribe(table.revision()).map_err(Status::internal)?;
            while !table.is_empty() {
                changes.next().await.map_err(Status::internal)?;
            }
        }
        let definitions = Gvr::new("apiextensions.k8s.io", "v1", "customresourcedefinitions");
        let resource = self.resource(&definitions)?;
        let options = WriteOptions::default();
        let name = definition.name();
        self.change(&resource, "", name, &options, Vec::new(), |old, _| {
            let mut new = old.clone();
            let mut finalizers = old.to_value().items_at(&["metadata", "finalizers"]).to_vec();
            finalizers.retain(|finalizer| finalizer.as_str() != Some(CLEANUP_FINALIZER));
            new.set_at(&["metadata", "finalizers"], finalizers);
            Ok(super::write::Made::Tracked(new))
        })
        .await?;
        Ok(())
    }

    /// What is there before anybody writes anything: the namespaces and objects every cluster has.
    pub(super) async fn bootstrap(&self, first: Vec<Object>) -> Result<(), Status> {
        let is_new = self.store().counts().is_empty();
        let api = self.with_field_manager("kube-apiserver");
        let objects = [
            value!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}),
            value!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-public"}}),
            value!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-node-lease"}}),
            value!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}),
            value!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": {
                    "name": "kubernetes", "namespace": "default",
                    "labels": {"component": "apiserver", "provider": "kubernetes"}
                },
                "spec": {
                    "clusterIP": "10.96.0.1", "type": "ClusterIP",
                    "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]
                }
            }),
            value!({
                "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
                "metadata": {"name": "system-node-critical"}, "value": 2000001000,
                "description": "Used for system critical pods that must not be moved from their current node."
            }),
            value!({
                "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
                "metadata": {"name": "system-cluster-critical"}, "value": 2000000000,
                "description": "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."
            }),
        ];
        let roles: Value = serde_json::from_str(DEFAULT_ROLES).map_err(Status::internal)?;
        // Their namespaces have to be there.
        for object in
            objects.into_iter().chain(roles.as_array().into_iter().flat_map(|list| list.iter().cloned()))
        {
            api.create_if_absent(object).await?;
        }
        if is_new {
            for object in first {
                self.apply_first(object).await?;
            }
        }
        Ok(())
    }

    async fn apply_first(&self, object: Object) -> Result<(), Status> {
        let resource = self.resource_for(&object.gvk()).ok_or_else(Status::no_such_resource)?;
        let (namespace, name) = (object.namespace().to_owned(), object.name().to_owned());
        let options = WriteOptions { force: true, ..WriteOptions::default() }.manager("windlass");
        let patch = Patch::Apply(object.into_value());
        Box::pin(self.patch_on(&resource, &namespace, &name, &patch, &options)).await?;
        Ok(())
    }

    async fn create_if_absent(&self, object: Value) -> Result<(), Status> {
        let object = Object::try_new(object).map_err(Status::internal)?;
        let Some(resource) = self.resource_for(&object.gvk()) else { return Ok(()) };
        let namespace = object.namespace().to_owned();
        if self.stored(&resource, &namespace, object.name()).is_err() {
            self.create_on(&resource, &namespace, object.into_value(), &WriteOptions::default()).await?;
        }
        Ok(())
    }

    /// Fills the roles that are sums of others, after a role has changed: once for all changes until then, and by one at
    /// a time.
    fn sum_roles(&self) {
        /// Somebody may write the same roles meanwhile, but not for ever.
        const TRIES: usize = 16;
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.shared.sums_wanted.swap(true, Ordering::AcqRel) {
            return;
        }
        let api = Self {
            user: Arc::new(UserInfo::admin(
                "system:serviceaccount:kube-system:clusterrole-aggregation-controller",
            )),
            ..self.clone()
        };
        let wanted = SumsWanted(api.shared.clone());
        runtime.spawn(async move {
            let _turn = api.shared.summing.lock().await;
            // What changes from here on is for the next one.
            drop(wanted);
            let mut outcome = api.sum_roles_now().await;
            for _ in 1..TRIES {
                if !outcome.as_ref().is_err_and(|error| error.code == 409) {
                    break;
                }
                outcome = api.sum_roles_now().await;
            }
            if let Err(error) = outcome {
                tracing::warn!(%error, "the roles that are sums of others could not be filled");
            }
        });
    }

    async fn sum_roles_now(&self) -> Result<(), Status> {
        let gvr = Gvr::new("rbac.authorization.k8s.io", "v1", "clusterroles");
        let roles = self.list(&gvr, None, &ListOptions::default())?.items;
        for sum in roles.iter().filter(|role| role.at(&["aggregationRule"]).is_some()) {
            let value = sum.to_value();
            let selectors: Vec<LabelSelector> = value
                .items_at(&["aggregationRule", "clusterRoleSelectors"])
                .iter()
                .filter_map(|selector| LabelSelector::from_object(Some(selector)).ok())
                .collect();
            let mut rules: Vec<Value> = Vec::new();
            for part in roles.iter().filter(|part| part.name() != sum.name()) {
                if !selectors.iter().any(|selector| selector.matches_object(part)) {
                    continue;
                }
                let part = part.to_value();
                for rule in part.items_at(&["rules"]) {
                    if !rules.contains(rule) {
                        rules.push(rule.clone());
                    }
                }
            }
            if value.items_at(&["rules"]) == rules.as_slice() {
                continue;
            }
            let applied = value!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                "metadata": {"name": (sum.name())}, "rules": rules
            });
            let options = WriteOptions { force: true, ..WriteOptions::default() }
                .manager("clusterrole-aggregation-controller");
            Box::pin(self.patch(&gvr, "", sum.name(), Patch::Apply(applied), &options)).await?;
        }
        Ok(())
    }
}

/// That sums of roles are wanted, until somebody begins, or will not.
struct SumsWanted(Arc<Shared>);

impl Drop for SumsWanted {
    fn drop(&mut self) {
        self.0.sums_wanted.store(false, Ordering::Release);
    }
}
