//! What some kinds do beyond being stored: definitions make resources, services take addresses.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use windlass_kube::selector::LabelSelector;
use windlass_kube::{Object, Value, value};

use super::write::{Made, intake, invalid};
use super::{Api, ListOptions, Patch, Shared, UserInfo, WriteOptions, managed};
use crate::resource::{Gvr, Resource};
use crate::status::{Cause, Status};
use crate::store::Stored;

/// Where definitions of custom resources are stored.
pub(super) const DEFINITIONS: &str = "apiextensions.k8s.io/customresourcedefinitions";

/// Where roles that hold everywhere are stored.
const CLUSTER_ROLES: &str = "rbac.authorization.k8s.io/clusterroles";

/// The roles and bindings that every cluster has, as kube-apiserver 1.36.3 makes them.
const DEFAULT_ROLES: &str = include_str!("../../assets/rbac-1.36.3.json");

/// Who fills the roles that are sums of others.
const SUMMER: &str = "clusterrole-aggregation-controller";

/// Where services are stored.
const SERVICES: &str = "/services";

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
            self.definition_written(stored);
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
            DEFINITIONS => self.definition_gone(&stored.object()),
            SERVICES => self.release(resource, &stored.object()),
            CLUSTER_ROLES => self.sum_roles(),
            _ => {}
        }
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
            self.settle_all().await?;
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
            if object.at(&["aggregationRule"]).is_some() {
                return self.create_sum(&resource, &object).await;
            }
            self.create_on(&resource, &namespace, object.into_value(), &WriteOptions::default()).await?;
        }
        Ok(())
    }

    /// Creates a role that is a sum of others, with what it comes to: that is owned by who sums.
    async fn create_sum(&self, resource: &Arc<Resource>, role: &Object) -> Result<(), Status> {
        let options = WriteOptions { force: true, ..WriteOptions::default() };
        let mut bare = role.clone();
        let rules = bare.remove_at(&["rules"]).unwrap_or_default();
        let mut bare = intake(resource, bare.into_value(), options.field_validation, &mut Vec::new())?;
        managed::track(resource, None, &mut bare, &self.manager(&options), "", None);
        let applied = value!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": (role.name())}, "rules": rules
        });
        let applied = Object::try_new(applied).map_err(Status::internal)?;
        let merged = managed::apply(resource, Some(&bare), &applied, SUMMER, &options, None)?;
        let object = intake(resource, merged, options.field_validation, &mut Vec::new())?;
        self.create_made(resource, "", Made::Owned(object), &options, Vec::new()).await?;
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
            let options = WriteOptions { force: true, ..WriteOptions::default() }.manager(SUMMER);
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
