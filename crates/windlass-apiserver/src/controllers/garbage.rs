//! What is owned goes with its owner: in the background, before it, or is let go.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use windlass_kube::{Gvk, Object, Str, Value};

use super::change::{items, modify, read};
use super::follow::Change;
use super::protection::remove_finalizer;
use super::runner::Controller;
use crate::api::{Api, DeleteOptions, Propagation};
use crate::resource::Resource;
use crate::status::Status;
use crate::store::Key;

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// An object, by where it is stored.
pub(crate) type Node = (Str, Key);

pub(crate) struct GarbageCollector {
    api: Api,
    graph: Mutex<Graph>,
}

/// Who owns whom; only objects that have owners are in it.
#[derive(Default)]
struct Graph {
    resources: HashMap<Str, Arc<Resource>>,
    dependents: HashMap<Str, BTreeSet<Node>>,
    owners: HashMap<Node, Vec<Str>>,
    /// Owners whose deletion waits, by uid.
    waiting: HashMap<Str, Node>,
}

impl Graph {
    fn set_owners(&mut self, node: &Node, owners: Vec<Str>) {
        for owner in self.owners.remove(node).unwrap_or_default() {
            if let Some(dependents) = self.dependents.get_mut(&owner) {
                dependents.remove(node);
                if dependents.is_empty() {
                    self.dependents.remove(&owner);
                }
            }
        }
        for owner in &owners {
            self.dependents.entry(owner.clone()).or_default().insert(node.clone());
        }
        if !owners.is_empty() {
            self.owners.insert(node.clone(), owners);
        }
    }
}

fn owner_uids(object: &Object) -> Vec<Str> {
    items(object, &["metadata", "ownerReferences"])
        .iter()
        .filter_map(|owner| owner.str_at(&["uid"]))
        .map(Str::new)
        .collect()
}

fn has_finalizer(object: &Object, finalizer: &str) -> bool {
    items(object, &["metadata", "finalizers"]).iter().any(|have| have.as_str() == Some(finalizer))
}

fn mentions(json: &[u8], word: &[u8]) -> bool {
    json.windows(word.len()).any(|window| window == word)
}

impl GarbageCollector {
    pub(crate) fn new(api: Api) -> Self {
        Self { api, graph: Mutex::default() }
    }

    fn graph(&self) -> std::sync::MutexGuard<'_, Graph> {
        self.graph.lock().expect("no panic under this lock")
    }

    fn dependents(&self, uid: &str) -> Vec<Node> {
        self.graph().dependents.get(uid).map(|nodes| nodes.iter().cloned().collect()).unwrap_or_default()
    }

    fn resource(&self, storage: &str) -> Option<Arc<Resource>> {
        self.graph().resources.get(storage).cloned()
    }

    /// An owner as it is now; `None` when it is gone, an error when its kind is not served.
    fn owner(&self, reference: &Value, namespace: &str) -> Result<Option<Object>, ()> {
        let text = |key: &str| reference.str_at(&[key]).unwrap_or_default();
        let resource =
            self.api.resource_for(&Gvk::from_api_version(text("apiVersion"), text("kind"))).ok_or(())?;
        let namespace = if resource.namespaced { namespace } else { "" };
        let owner = read(&self.api, &resource, &Key::new(namespace, text("name")));
        Ok(owner.filter(|owner| owner.uid() == text("uid")))
    }

    /// An owner's deletion that waits for its dependents.
    async fn release(&self, resource: &Resource, object: &Object) -> Result<(), Status> {
        let dependents = self.dependents(object.uid());
        let (namespace, name) = (object.namespace(), object.name());
        if has_finalizer(object, ORPHAN) {
            for (storage, key) in &dependents {
                let Some(dependent) = self.resource(storage) else { continue };
                modify(&self.api, &dependent.gvr, &key.namespace, &key.name, "", |dependent| {
                    drop_owners(dependent, |reference| reference.str_at(&["uid"]) == Some(object.uid()));
                })
                .await?;
            }
            modify(&self.api, &resource.gvr, namespace, name, "", |object| remove_finalizer(object, ORPHAN))
                .await?;
            return Ok(());
        }
        let mut blocked = false;
        for (storage, key) in &dependents {
            let Some(dependent) = self.resource(storage) else { continue };
            let Some(child) = read(&self.api, &dependent, key) else { continue };
            let reference = items(&child, &["metadata", "ownerReferences"])
                .iter()
                .find(|reference| reference.str_at(&["uid"]) == Some(object.uid()))
                .cloned();
            let Some(reference) = reference else { continue };
            blocked |= reference.bool_at(&["blockOwnerDeletion"]) == Some(true);
            self.collect(&dependent, &child).await?;
        }
        if !blocked {
            modify(&self.api, &resource.gvr, namespace, name, "", |object| {
                remove_finalizer(object, FOREGROUND);
            })
            .await?;
        }
        Ok(())
    }

    /// Deletes an object none of whose owners is there to stay.
    async fn collect(&self, resource: &Resource, object: &Object) -> Result<(), Status> {
        let references = items(object, &["metadata", "ownerReferences"]);
        if references.is_empty() || object.is_terminating() {
            return Ok(());
        }
        let (mut solid, mut gone, mut waiting) = (0, Vec::new(), Vec::new());
        for reference in references {
            let uid = Str::new(reference.str_at(&["uid"]).unwrap_or_default());
            match self.owner(reference, object.namespace()) {
                Ok(None) => gone.push(uid),
                Ok(Some(owner)) if owner.is_terminating() && has_finalizer(&owner, FOREGROUND) => {
                    waiting.push(uid);
                }
                // Of an owner whose kind is not served nothing is known: it may well be there.
                Ok(Some(_)) | Err(()) => solid += 1,
            }
        }
        if gone.is_empty() && waiting.is_empty() {
            return Ok(());
        }
        let (namespace, name) = (object.namespace(), object.name());
        if solid > 0 {
            let leave = |reference: &Value| {
                let uid = reference.str_at(&["uid"]).unwrap_or_default();
                gone.iter().chain(&waiting).any(|left| left == uid)
            };
            modify(&self.api, &resource.gvr, namespace, name, "", |object| drop_owners(object, leave))
                .await?;
            return Ok(());
        }
        let propagation = if has_finalizer(object, ORPHAN) {
            Propagation::Orphan
        } else if has_finalizer(object, FOREGROUND)
            || (!waiting.is_empty() && !self.dependents(object.uid()).is_empty())
        {
            Propagation::Foreground
        } else {
            Propagation::Background
        };
        let options = DeleteOptions {
            propagation: Some(propagation),
            uid: Some(object.uid().into()),
            ..DeleteOptions::default()
        };
        match self.api.delete(&resource.gvr, namespace, name, &options).await {
            Err(status) if !matches!(status.reason, "NotFound" | "Conflict") => Err(status),
            _ => Ok(()),
        }
    }
}

fn drop_owners(object: &mut Object, leave: impl Fn(&Value) -> bool) {
    let kept: Vec<Value> = items(object, &["metadata", "ownerReferences"])
        .iter()
        .filter(|reference| !leave(reference))
        .cloned()
        .collect();
    if kept.is_empty() {
        object.remove_at(&["metadata", "ownerReferences"]);
    } else {
        object.set_at(&["metadata", "ownerReferences"], kept);
    }
}

impl Controller for GarbageCollector {
    type Key = Node;

    const NAME: &'static str = "garbage-collector";

    fn observe(&self, change: &Change) -> Vec<Node> {
        let node: Node = (change.resource.storage.clone(), change.key().clone());
        let mut graph = self.graph();
        if !graph.resources.contains_key(&node.0) {
            graph.resources.insert(node.0.clone(), change.resource.clone());
        }
        if change.deleted {
            let uid = Str::new(change.object.object().uid());
            let mut affected: Vec<Node> = Vec::new();
            for owner in graph.owners.get(&node).cloned().unwrap_or_default() {
                affected.extend(graph.waiting.get(&owner).cloned());
            }
            graph.waiting.remove(&uid);
            graph.set_owners(&node, Vec::new());
            affected.extend(graph.dependents.get(&uid).into_iter().flatten().cloned());
            return affected;
        }
        // Most objects neither own nor are owned: their JSON says so without being read.
        let json = change.object.json();
        let owned = mentions(&json, b"\"ownerReferences\"");
        let ending = change.object.is_terminating();
        if !owned && !ending && !graph.owners.contains_key(&node) {
            return Vec::new();
        }
        let object = change.object.object();
        let owners = owner_uids(&object);
        let mut keys = Vec::new();
        if graph.owners.get(&node).map_or(&[][..], Vec::as_slice) != owners.as_slice() {
            // An owner that waits may wait for this no more.
            for owner in graph.owners.get(&node).cloned().unwrap_or_default() {
                keys.extend(graph.waiting.get(&owner).cloned());
            }
            graph.set_owners(&node, owners);
            keys.push(node.clone());
        }
        if ending && (has_finalizer(&object, ORPHAN) || has_finalizer(&object, FOREGROUND)) {
            graph.waiting.insert(object.uid().into(), node.clone());
            keys.push(node);
        }
        keys
    }

    async fn reconcile(&self, (storage, key): Node) -> Result<Option<Duration>, Status> {
        let Some(resource) = self.resource(&storage) else { return Ok(None) };
        let Some(object) = read(&self.api, &resource, &key) else { return Ok(None) };
        if object.is_terminating() && (has_finalizer(&object, ORPHAN) || has_finalizer(&object, FOREGROUND)) {
            self.release(&resource, &object).await?;
        } else {
            self.collect(&resource, &object).await?;
        }
        Ok(None)
    }
}
