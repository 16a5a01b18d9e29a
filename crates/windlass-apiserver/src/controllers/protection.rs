//! Claims and volumes go only when nothing uses them any more.

use std::time::Duration;

use windlass_kube::{Object, Value};

use super::change::{items, modify, read};
use super::follow::Change;
use super::runner::Controller;
use crate::api::Api;
use crate::resource::Gvr;
use crate::status::Status;
use crate::store::Key;

const CLAIM: &str = "kubernetes.io/pvc-protection";
const VOLUME: &str = "kubernetes.io/pv-protection";

pub(crate) struct Protection {
    api: Api,
}

impl Protection {
    pub(crate) fn new(api: Api) -> Self {
        Self { api }
    }

    fn in_use(&self, claim: &Key) -> bool {
        self.api.store().table("/pods").list(Some(&claim.namespace)).objects.iter().any(|pod| {
            let pod = pod.object();
            let done = matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed");
            !done && claims(&pod).any(|name| name == claim.name)
        })
    }
}

fn claims(pod: &Object) -> impl Iterator<Item = &str> {
    items(pod, &["spec", "volumes"])
        .iter()
        .filter_map(|volume| volume.str_at(&["persistentVolumeClaim", "claimName"]))
}

/// A claim (with a namespace) or a volume (without).
impl Controller for Protection {
    type Key = Key;

    const NAME: &'static str = "storage-protection";

    fn observe(&self, change: &Change) -> Vec<Key> {
        match change.storage() {
            "/persistentvolumeclaims" | "/persistentvolumes"
                if !change.deleted && change.object.is_terminating() =>
            {
                vec![change.key().clone()]
            }
            "/pods" if change.deleted => {
                let pod = change.object.object();
                claims(&pod).map(|name| Key::new(change.key().namespace.clone(), name)).collect()
            }
            _ => Vec::new(),
        }
    }

    async fn reconcile(&self, key: Key) -> Result<Option<Duration>, Status> {
        let is_volume = key.namespace.is_empty();
        let plural = if is_volume { "persistentvolumes" } else { "persistentvolumeclaims" };
        let gvr = Gvr::new("", "v1", plural);
        let Some(resource) = self.api.resources().into_iter().find(|resource| resource.gvr == gvr) else {
            return Ok(None);
        };
        let Some(object) = read(&self.api, &resource, &key) else { return Ok(None) };
        let used = if is_volume { object.str_at(&["status", "phase"]) == "Bound" } else { self.in_use(&key) };
        if !object.is_terminating() || used {
            return Ok(None);
        }
        let finalizer = if is_volume { VOLUME } else { CLAIM };
        modify(&self.api, &gvr, &key.namespace, &key.name, "", |object| remove_finalizer(object, finalizer))
            .await?;
        Ok(None)
    }
}

/// Removes a finalizer, and the list with the last one.
pub(super) fn remove_finalizer(object: &mut Object, finalizer: &str) {
    let left: Vec<Value> = items(object, &["metadata", "finalizers"])
        .iter()
        .filter(|have| have.as_str() != Some(finalizer))
        .cloned()
        .collect();
    if left.is_empty() {
        object.remove_at(&["metadata", "finalizers"]);
    } else {
        object.set_at(&["metadata", "finalizers"], left);
    }
}
