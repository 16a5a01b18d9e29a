//! The history of StatefulSets and DaemonSets, which `kubectl rollout history` and `undo` read.

use windlass_kube::{Object, Value, value};

use super::Simulator;
use super::status::replicas;
use crate::controllers::change::{controller_reference, create, modify};
use crate::resource::Gvr;
use crate::status::Status;

const STORAGE: &str = "apps/controllerrevisions";

fn number(revision: &Object) -> i64 {
    revision.at(&["revision"]).and_then(Value::as_int).unwrap_or(0)
}

impl Simulator {
    /// Notes that a set's template is now the one called `name`, and forgets what is too old.
    pub(super) async fn record_revision(
        &self,
        set: &Object,
        template: &Value,
        name: &str,
    ) -> Result<(), Status> {
        let gvr = Gvr::new("apps", "v1", "controllerrevisions");
        let mut history = self.children(set, STORAGE);
        history.sort_by_key(number);
        let newest = history.last().map_or(0, number);
        match history.iter().find(|revision| revision.name() == name) {
            Some(revision) if number(revision) == newest => {}
            Some(revision) => {
                modify(&self.api, &gvr, set.namespace(), revision.name(), "", |revision| {
                    revision.set_at(&["revision"], newest + 1);
                })
                .await?;
            }
            None => {
                let mut data = value!({"spec": {"template": (template.clone())}});
                data.set_at(&["spec", "template", "$patch"], "replace");
                let hash = name.rsplit('-').next().unwrap_or(name);
                let mut labels = template.at(&["metadata", "labels"]).cloned().unwrap_or_else(Value::object);
                labels.set_at(&["controller.kubernetes.io/hash"], hash);
                let revision = value!({
                    "apiVersion": "apps/v1", "kind": "ControllerRevision",
                    "metadata": {
                        "name": name, "namespace": (set.namespace()), "labels": labels,
                        "ownerReferences": [(controller_reference(set))]
                    },
                    "data": data, "revision": (newest + 1)
                });
                if let Some(made) = create(&self.api, &gvr, revision).await? {
                    self.note_child(STORAGE, &made);
                }
            }
        }
        let limit = replicas(set, &["spec", "revisionHistoryLimit"], 10);
        // Beside the present one and the one pods may still be of.
        for revision in history.iter().filter(|revision| revision.name() != name).rev().skip(limit + 1) {
            self.delete(&gvr, revision).await?;
        }
        Ok(())
    }
}
