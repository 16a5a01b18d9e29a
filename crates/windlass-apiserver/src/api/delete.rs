//! Deleting: preconditions, finalizers, grace periods, collections.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use windlass_kube::{Object, Value, value};

use super::effects::DEFINITIONS;
use super::read::presented;
use super::write::may_go;
use super::{Api, DeleteOptions, Deleted, ListOptions, Propagation};
use crate::admission::{Attributes, Operation};
use crate::custom::{self, CLEANUP_FINALIZER};
use crate::resource::{GroupResource, Resource};
use crate::status::Status;
use crate::store::{Change, Expect, WriteError};
use crate::time;

/// Has the garbage collector release what an object owns before the object goes.
const ORPHAN: &str = "orphan";

/// Has the garbage collector delete what an object owns before the object goes.
const FOREGROUND: &str = "foregroundDeletion";

/// The namespaces that cannot be deleted.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

impl Api {
    pub(crate) async fn delete_on(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Deleted, Status> {
        self.delete_warning(resource, namespace, name, options, &mut Vec::new()).await
    }

    /// Deletes an object, and keeps what those say who were asked and let it pass; nobody is asked again about what
    /// follows from something that was admitted.
    pub(crate) async fn delete_warning(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
        warnings: &mut Vec<String>,
    ) -> Result<Deleted, Status> {
        let group_resource = resource.group_resource();
        if resource.storage == "/namespaces" && IMMORTAL.contains(&name) {
            return Err(Status::forbidden(&group_resource, name, "this namespace may not be deleted"));
        }
        loop {
            let stored = self.stored(resource, namespace, name)?;
            let shown = self.one_at_version(resource, &stored).await?;
            let current = stored.object();
            check_preconditions(resource, &current, options)?;
            if !options.is_admitted && (self.has_admission() || self.has_mutation()) {
                let name = (!options.of_many).then_some(name);
                let object = presented(resource, &shown);
                let said = self.admit_deletion(resource, namespace, name, &object, options).await?;
                for warning in said {
                    if !warnings.contains(&warning) {
                        warnings.push(warning);
                    }
                }
            }
            let mut object = current.clone();
            set_propagation(resource, &mut object, options);
            if resource.storage == DEFINITIONS && !object.is_terminating() {
                begin_clean_up(&mut object)?;
            } else {
                mark(resource, &mut object, options);
            }
            let finished = may_go(&object);
            if object == current && !finished {
                return Ok(Deleted::Terminating(presented(resource, &shown)));
            }
            if options.dry_run {
                let object = self.converted(resource, if finished { current } else { object }).await?;
                return Ok(if finished { Deleted::Gone(object) } else { Deleted::Terminating(object) });
            }
            let change = if finished {
                Change::Delete(unmarked(resource, &current, object))
            } else {
                Change::Put(object)
            };
            let key = stored.key().clone();
            match self.shared.store.write(&resource.storage, key, Expect::At(stored.revision()), change).await
            {
                Ok(stored) if finished => {
                    self.after_delete(resource, &stored);
                    let stored = self.one_at_version(resource, &stored).await?;
                    return Ok(Deleted::Gone(presented(resource, &stored)));
                }
                Ok(stored) => {
                    self.after_write(resource, &stored);
                    let stored = self.one_at_version(resource, &stored).await?;
                    return Ok(Deleted::Terminating(presented(resource, &stored)));
                }
                Err(WriteError::Conflict { .. }) => {}
                Err(error) => return Err(Status::internal(error)),
            }
        }
    }

    /// Asks those who may refuse a deletion; one of many has no name there.
    async fn admit_deletion(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        name: Option<&str>,
        object: &Object,
        options: &DeleteOptions,
    ) -> Result<Vec<String>, Status> {
        let mut warnings = Vec::new();
        let attributes = Attributes {
            resource,
            subresource: "",
            operation: Operation::Delete,
            kind: resource.gvk(),
            namespace: match name {
                Some(name) if resource.storage == "/namespaces" => name,
                _ => namespace,
            },
            name: name.unwrap_or_default(),
            object: None,
            old: Some(object.to_value()),
            dry_run: options.dry_run,
            options: said(options),
        };
        let asked = match self.mutate(attributes.clone(), &mut warnings).await {
            Ok(_) => self.admit(&attributes, &mut warnings).await.map(drop),
            Err(status) => Err(status),
        };
        match asked {
            Ok(()) => Ok(warnings),
            Err(status) => Err(status.warned(warnings)),
        }
    }

    pub(crate) async fn delete_collection_on(
        &self,
        resource: &Arc<Resource>,
        namespace: Option<&str>,
        which: &ListOptions,
        options: &DeleteOptions,
    ) -> Result<Vec<Object>, Status> {
        self.delete_collection_warning(resource, namespace, which, options, &mut Vec::new()).await
    }

    /// As `delete_warning`, of every object that a list would give.
    pub(crate) async fn delete_collection_warning(
        &self,
        resource: &Arc<Resource>,
        namespace: Option<&str>,
        which: &ListOptions,
        options: &DeleteOptions,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Object>, Status> {
        let page = self.page_at_version(resource, namespace, which).await?;
        let options = &DeleteOptions { of_many: true, ..options.clone() };
        let mut objects = Vec::with_capacity(page.objects.len());
        for stored in page.objects {
            let listed = presented(resource, &stored);
            let (namespace, name) = (&stored.key().namespace, &stored.key().name);
            match self.delete_warning(resource, namespace, name, options, warnings).await {
                Ok(_) => objects.push(listed),
                Err(status) if status.reason == "NotFound" => {}
                Err(status) => return Err(status),
            }
        }
        Ok(objects)
    }
}

/// The options as the client could have sent them.
fn said(options: &DeleteOptions) -> Value {
    let mut said = value!({"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"});
    if options.dry_run {
        said.set_at(&["dryRun"], value!(["All"]));
    }
    if let Some(propagation) = options.propagation {
        said.set_at(&["propagationPolicy"], format!("{propagation:?}"));
    }
    if let Some(seconds) = options.grace_period_seconds {
        said.set_at(&["gracePeriodSeconds"], seconds);
    }
    for (key, text) in [("uid", &options.uid), ("resourceVersion", &options.resource_version)] {
        if let Some(text) = text {
            said.set_at(&["preconditions", key], text.clone());
        }
    }
    said
}

/// A definition waits for its objects to go, and says so; it is marked in its own way.
fn begin_clean_up(object: &mut Object) -> Result<(), Status> {
    let mut waiting = finalizers(object);
    waiting.push(CLEANUP_FINALIZER.into());
    set_finalizers(object, waiting);
    object.set_at(&["metadata", "deletionTimestamp"], time::now());
    let mut value = object.to_value();
    custom::set_condition(
        &mut value,
        "Terminating",
        "True",
        "InstanceDeletionPending",
        "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    );
    *object = Object::try_new(value).map_err(Status::internal)?;
    Ok(())
}

fn check_preconditions(resource: &Resource, object: &Object, options: &DeleteOptions) -> Result<(), Status> {
    let why = match options {
        DeleteOptions { uid: Some(uid), .. } if uid != object.uid() => format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been deleted and then recreated",
            object.uid()
        ),
        DeleteOptions { resource_version: Some(version), .. } if version != object.resource_version() => {
            format!(
                "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({}). The object might have been modified",
                object.resource_version()
            )
        }
        _ => return Ok(()),
    };
    if resource.storage == "/namespaces" || resource.storage == DEFINITIONS {
        // These have words of their own.
        let why = match options {
            DeleteOptions { uid: Some(uid), .. } if uid != object.uid() => {
                format!(
                    "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                    object.uid()
                )
            }
            _ => format!(
                "Precondition failed: ResourceVersion in precondition: {}, ResourceVersion in object meta: {}",
                options.resource_version.as_deref().unwrap_or_default(),
                object.resource_version()
            ),
        };
        return Err(Status::conflict(&resource.group_resource(), object.name(), &why));
    }
    // The server names the kind here, not the resource.
    let kind = GroupResource::new(resource.gvr.group.clone(), resource.kind.clone());
    Err(Status::conflict(&kind, object.name(), &why))
}

/// The rule of a kind where the client has none: what used to be managed on the client's side is orphaned.
fn default_propagation(resource: &Resource) -> Propagation {
    match (resource.gvr.group.as_str(), resource.kind.as_str()) {
        ("", "ReplicationController") | ("batch", "Job") => Propagation::Orphan,
        _ => Propagation::Background,
    }
}

fn finalizers(object: &Object) -> Vec<Value> {
    object
        .at(&["metadata", "finalizers"])
        .and_then(Value::as_array)
        .map_or_else(Vec::new, |list| list.to_vec())
}

fn set_finalizers(object: &mut Object, finalizers: Vec<Value>) {
    if finalizers.is_empty() {
        object.remove_at(&["metadata", "finalizers"]);
    } else {
        object.set_at(&["metadata", "finalizers"], finalizers);
    }
}

/// Writes the propagation down as the finalizer the garbage collector acts on.
fn set_propagation(resource: &Resource, object: &mut Object, options: &DeleteOptions) {
    let before = finalizers(object);
    let has = |wanted: &str| before.iter().any(|finalizer| finalizer.as_str() == Some(wanted));
    let propagation = match options.propagation {
        Some(propagation) => propagation,
        // A choice made before, by finalizer, stands.
        None if has(ORPHAN) || has(FOREGROUND) => return,
        None => default_propagation(resource),
    };
    let wanted = match propagation {
        Propagation::Orphan => Some(ORPHAN),
        Propagation::Foreground => Some(FOREGROUND),
        Propagation::Background => None,
    };
    let mut after: Vec<Value> = before
        .iter()
        .filter(|finalizer| {
            !matches!(finalizer.as_str(), Some(ORPHAN | FOREGROUND)) || finalizer.as_str() == wanted
        })
        .cloned()
        .collect();
    if let Some(wanted) = wanted.filter(|wanted| !has(wanted)) {
        after.push(wanted.into());
    }
    if after != before {
        set_finalizers(object, after);
    }
}

/// How long the object gets: only pods that run somewhere get time.
fn grace_seconds(resource: &Resource, object: &Object, options: &DeleteOptions) -> i64 {
    if resource.storage != "/pods" {
        return 0;
    }
    let phase = object.str_at(&["status", "phase"]);
    if object.str_at(&["spec", "nodeName"]).is_empty() || matches!(phase, "Succeeded" | "Failed") {
        return 0;
    }
    let seconds = options
        .grace_period_seconds
        .or_else(|| object.at(&["spec", "terminationGracePeriodSeconds"]).and_then(Value::as_int))
        .unwrap_or(30);
    // Who asks for less than nothing gets a second.
    if seconds < 0 { 1 } else { seconds }
}

/// Begins the deletion, or shortens the time that is left.
fn mark(resource: &Resource, object: &mut Object, options: &DeleteOptions) {
    let grace = grace_seconds(resource, object, options);
    let path = ["metadata", "deletionGracePeriodSeconds"];
    if object.is_terminating() {
        if resource.storage == DEFINITIONS && object.at(&path).is_none() {
            object.set_at(&path, grace);
        }
        let left = object.at(&path).and_then(Value::as_int).unwrap_or(0);
        if options.grace_period_seconds.is_some() && grace < left {
            object.set_at(&path, grace);
        }
        return;
    }
    let seconds = Duration::from_secs(u64::try_from(grace).unwrap_or(0));
    object.set_at(&["metadata", "deletionTimestamp"], time::format(SystemTime::now() + seconds));
    if resource.storage != "/namespaces" {
        object.set_at(&path, grace);
    }
    if object.generation() > 0 {
        let generation = object.generation() + 1;
        object.set_at(&["metadata", "generation"], generation);
    }
    if resource.storage == "/namespaces" {
        object.set_at(&["status", "phase"], "Terminating");
    }
}

/// The last state of an object that goes at once: as it was, without the marks of a deletion that waits.
fn unmarked(resource: &Resource, current: &Object, marked: Object) -> Object {
    // Pods are marked first, even with no time to end.
    if current.is_terminating() || resource.storage == "/pods" { marked } else { current.clone() }
}
