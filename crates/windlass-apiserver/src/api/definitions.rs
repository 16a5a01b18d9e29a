//! What follows from definitions of custom resources: what they define is served, their names are accepted or not, and
//! what was written goes with them.
//!
//! The API server's own controllers do this in a cluster, a moment after the write; who waits until a definition is
//! established sees the same here.

use std::sync::Arc;

use windlass_kube::{Object, Value};

use super::effects::DEFINITIONS;
use super::write::Made;
use super::{Api, DeleteOptions, ListOptions, UserInfo, WriteOptions};
use crate::custom::{self, CLEANUP_FINALIZER};
use crate::resource::{Gvr, Resource};
use crate::status::Status;
use crate::store::{Key, Stored};

fn definitions() -> Gvr {
    Gvr::new("apiextensions.k8s.io", "v1", "customresourcedefinitions")
}

impl Api {
    /// A definition is there, or has changed.
    pub(super) fn definition_written(&self, stored: &Arc<Stored>) {
        let definition = stored.object();
        self.serve_definition(&definition);
        if stored.is_terminating() {
            self.clean_up(definition);
        } else {
            self.settle(&definition);
        }
    }

    /// A definition is gone: others may have its names.
    pub(super) fn definition_gone(&self, definition: &Object) {
        self.withdraw_definition(definition);
        self.settle_others(definition);
    }

    /// All definitions of the group but this one.
    fn others(&self, definition: &Object) -> Vec<Object> {
        let group = definition.str_at(&["spec", "group"]);
        let all = self.shared.store.table(DEFINITIONS).list(None).objects;
        let others = all.iter().filter(|stored| stored.key().name.as_str() != definition.name());
        others
            .map(|stored| stored.object())
            .filter(|other| other.str_at(&["spec", "group"]) == group)
            .collect()
    }

    /// What the definition's status should say of its names and of whether it is established.
    fn settled(&self, definition: &Object) -> Option<Value> {
        let value = definition.to_value();
        if value.at(&["spec", "names"]) == value.at(&["status", "acceptedNames"]) {
            return custom::establish(&value);
        }
        let others: Vec<Value> = self.others(definition).into_iter().map(Object::into_value).collect();
        custom::accept_names(&value, &others).or_else(|| custom::establish(&value))
    }

    /// As the API server's own controllers write.
    fn as_itself(&self) -> Self {
        Self { user: Arc::new(UserInfo::admin("system:apiserver")), ..self.clone() }
            .with_field_manager("kube-apiserver")
    }

    /// Has the status of a definition say what is so, if it does not.
    fn settle(&self, definition: &Object) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.settled(definition).is_none() {
            return;
        }
        let api = self.as_itself();
        let name = definition.name().to_owned();
        runtime.spawn(async move {
            if let Err(error) = api.settle_now(&name).await {
                tracing::warn!(%error, definition = name, "the status of a definition could not be written");
            }
        });
    }

    /// As `settle`, of all definitions, and waits until they say it.
    pub(super) async fn settle_all(&self) -> Result<(), Status> {
        /// Names are accepted by one write, and the definition is established by the next.
        const WRITES: usize = 2;
        let api = self.with_field_manager("kube-apiserver");
        for stored in self.shared.store.table(DEFINITIONS).list(None).objects {
            for _ in 0..WRITES {
                api.settle_now(&stored.key().name).await?;
            }
        }
        Ok(())
    }

    fn settle_others(&self, definition: &Object) {
        for other in self.others(definition) {
            self.settle(&other);
        }
    }

    async fn settle_now(&self, name: &str) -> Result<(), Status> {
        // Two definitions must not take one name.
        let _turn = self.shared.naming.lock().await;
        let resource = self.resource(&definitions())?;
        let Ok(stored) = self.stored(&resource, "", name) else { return Ok(()) };
        let before = stored.object().at(&["status", "acceptedNames"]).cloned();
        let options = WriteOptions::status();
        let outcome = self
            .change(&resource, "", name, &options, Vec::new(), |old, _, _| {
                let changed = self.settled(old).map(Object::try_new);
                let changed = changed.transpose().map_err(Status::internal)?;
                Ok(Made::Tracked(changed.unwrap_or_else(|| old.clone())))
            })
            .await;
        match outcome {
            // The write has this look at the definition again.
            Ok(written) => {
                if written.object.at(&["status", "acceptedNames"]) != before.as_ref() {
                    self.settle_others(&written.object);
                }
                Ok(())
            }
            Err(status) if matches!(status.reason, "NotFound" | "Conflict") => Ok(()),
            Err(status) => Err(status),
        }
    }

    /// New objects need a definition that is there to stay.
    pub(super) fn check_definition(&self, resource: &Resource, name: &str) -> Result<(), Status> {
        if resource.custom.is_none() {
            return Ok(());
        }
        let definition = format!("{}.{}", resource.gvr.resource, resource.gvr.group);
        let stored = self.shared.store.table(DEFINITIONS).get(&Key::new("", definition));
        if stored.is_some_and(|stored| stored.is_terminating()) {
            let why = "create not allowed while custom resource definition is terminating";
            return Err(Status::forbidden(&resource.group_resource(), name, why));
        }
        Ok(())
    }

    /// Serves what a definition defines; nothing happens where it says nothing new.
    fn serve_definition(&self, definition: &Object) {
        let spec = definition.at(&["spec"]).cloned().unwrap_or_default();
        let value = definition.to_value();
        // Its names may still be found to be those of others.
        let serves = custom::is_true(&value, "Established") || {
            let settled = self.settled(definition).unwrap_or(value);
            custom::is_true(&settled, "NamesAccepted")
        };
        let shown = serves.then_some(spec);
        let mut served = self.shared.served.lock().expect("no panic under this lock");
        if served.get(definition.name()) == shown.as_ref() {
            return;
        }
        let (group, plural) =
            (definition.str_at(&["spec", "group"]), definition.str_at(&["spec", "names", "plural"]));
        let resources = if serves { custom::resources(definition) } else { Vec::new() };
        self.shared.registry.replace(group, plural, resources);
        match shown {
            Some(spec) => served.insert(definition.name().into(), spec),
            None => served.remove(definition.name()),
        };
    }

    fn withdraw_definition(&self, definition: &Object) {
        let mut served = self.shared.served.lock().expect("no panic under this lock");
        served.remove(definition.name());
        let (group, plural) =
            (definition.str_at(&["spec", "group"]), definition.str_at(&["spec", "names", "plural"]));
        self.shared.registry.replace(group, plural, Vec::new());
    }

    /// Deletes the objects of a definition that is to go, then lets it go.
    fn clean_up(&self, definition: Object) {
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
        let api = self.as_itself();
        runtime.spawn(async move {
            if let Err(error) = api.empty_definition(&definition).await {
                tracing::warn!(%error, definition = definition.name(), "the objects of a definition could not be deleted");
            }
            api.shared.cleaning.lock().expect("no panic under this lock").remove(definition.name());
        });
    }

    async fn empty_definition(&self, definition: &Object) -> Result<(), Status> {
        let name = definition.name();
        let in_progress = ("True", "InstanceDeletionInProgress", "CustomResource deletion is in progress");
        self.terminating(name, in_progress, false).await?;
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
        self.terminating(name, ("False", "InstanceDeletionCompleted", "removed all instances"), true).await
    }

    /// Says how far the deletion of a definition is, and lets it go when it is done.
    async fn terminating(
        &self,
        name: &str,
        (status, reason, message): (&str, &str, &str),
        is_done: bool,
    ) -> Result<(), Status> {
        let resource = self.resource(&definitions())?;
        let options = WriteOptions::status();
        self.change(&resource, "", name, &options, Vec::new(), |old, _, _| {
            let mut value = old.to_value();
            custom::set_condition(&mut value, "Terminating", status, reason, message);
            if is_done {
                let mut finalizers = value.items_at(&["metadata", "finalizers"]).to_vec();
                finalizers.retain(|finalizer| finalizer.as_str() != Some(CLEANUP_FINALIZER));
                value.set_at(&["metadata", "finalizers"], finalizers);
            }
            Ok(Made::Tracked(Object::try_new(value).map_err(Status::internal)?))
        })
        .await?;
        Ok(())
    }
}
