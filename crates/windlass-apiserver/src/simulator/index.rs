//! Who controls whom, so that a workload's pods are found without a look at all pods.

use std::collections::{BTreeSet, HashMap};

use windlass_kube::{Object, Str, Value};

use super::Node;
use crate::controllers::change::{controller_of, items};
use crate::store::Key;

#[derive(Default)]
pub(super) struct Index {
    children: HashMap<Str, BTreeSet<Node>>,
    owners: HashMap<Node, (Str, Option<Node>)>,
}

impl Index {
    /// Notes who controls an object now.
    pub(super) fn put(&mut self, storage: &str, object: &Object) {
        let key = Key::new(object.namespace(), object.name());
        self.remove(storage, &key);
        let Some(uid) = controller_of(object) else { return };
        let node: Node = (storage.into(), key);
        self.children.entry(uid.into()).or_default().insert(node.clone());
        self.owners.insert(node, (uid.into(), owner_of(object)));
    }

    pub(super) fn remove(&mut self, storage: &str, key: &Key) {
        let node: Node = (storage.into(), key.clone());
        if let Some((uid, _)) = self.owners.remove(&node)
            && let Some(children) = self.children.get_mut(&uid)
        {
            children.remove(&node);
            if children.is_empty() {
                self.children.remove(&uid);
            }
        }
    }

    pub(super) fn children(&self, uid: &str, storage: &str) -> Vec<Key> {
        let nodes = self.children.get(uid).into_iter().flatten();
        nodes.filter(|(have, _)| have == storage).map(|(_, key)| key.clone()).collect()
    }

    pub(super) fn owner(&self, storage: &str, key: &Key) -> Option<Node> {
        self.owners.get(&(Str::new(storage), key.clone()))?.1.clone()
    }
}

/// Where the controller of an object is stored, if it is one the simulator knows.
pub(super) fn owner_of(object: &Object) -> Option<Node> {
    let owners = items(object, &["metadata", "ownerReferences"]);
    let owner = owners.iter().find(|owner| owner.bool_at(&["controller"]) == Some(true))?;
    let text = |key: &str| owner.get(key).and_then(Value::as_str).unwrap_or_default();
    let storage = match (text("apiVersion"), text("kind")) {
        ("apps/v1", "ReplicaSet") => "apps/replicasets",
        ("apps/v1", "Deployment") => "apps/deployments",
        ("apps/v1", "StatefulSet") => "apps/statefulsets",
        ("apps/v1", "DaemonSet") => "apps/daemonsets",
        ("v1", "ReplicationController") => "/replicationcontrollers",
        ("batch/v1", "Job") => "batch/jobs",
        ("batch/v1", "CronJob") => "batch/cronjobs",
        _ => return None,
    };
    Some((storage.into(), Key::new(object.namespace(), text("name"))))
}
