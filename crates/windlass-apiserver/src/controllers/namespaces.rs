//! A namespace that is being deleted empties itself, then goes.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use windlass_kube::{Object, Str, Value, value};

use super::change::{get, items, modify};
use super::follow::{Change, stored_resources};
use super::runner::Controller;
use crate::api::{Api, DeleteOptions, Propagation};
use crate::resource::Gvr;
use crate::status::Status;
use crate::time;

/// How long until content that stays is looked at again, beside the look at every deletion.
const AGAIN: Duration = Duration::from_secs(10);

pub(crate) struct Namespaces {
    api: Api,
    /// Whether something ends pods within their grace period.
    pods_end: bool,
    terminating: Mutex<HashSet<Str>>,
}

/// What is left of one resource in a namespace.
struct Remaining {
    counts: BTreeMap<String, usize>,
    finalizers: BTreeMap<String, usize>,
}

impl Namespaces {
    pub(crate) fn new(api: Api, pods_end: bool) -> Self {
        Self { api, pods_end, terminating: Mutex::default() }
    }

    fn terminating(&self) -> std::sync::MutexGuard<'_, HashSet<Str>> {
        self.terminating.lock().expect("no panic under this lock")
    }

    /// Deletes what is there and says what stays.
    async fn empty(&self, namespace: &str) -> Result<Remaining, Status> {
        let mut remaining = Remaining { counts: BTreeMap::new(), finalizers: BTreeMap::new() };
        let resources = stored_resources(&self.api);
        for resource in resources.iter().filter(|resource| resource.namespaced && resource.has_verb("delete"))
        {
            let table = self.api.store().table(&resource.storage);
            for stored in table.list(Some(namespace)).objects {
                let grace_period_seconds = (resource.storage == "/pods" && !self.pods_end).then_some(0);
                let options = DeleteOptions {
                    propagation: Some(Propagation::Background),
                    grace_period_seconds,
                    ..DeleteOptions::default()
                };
                if stored.is_terminating() && grace_period_seconds.is_none() {
                    continue;
                }
                match self.api.delete(&resource.gvr, namespace, &stored.key().name, &options).await {
                    Err(status) if !matches!(status.reason, "NotFound" | "Conflict") => return Err(status),
                    _ => {}
                }
            }
            for stored in table.list(Some(namespace)).objects {
                let group_resource = resource.group_resource();
                let group = if group_resource.group.is_empty() { "" } else { group_resource.group.as_str() };
                *remaining.counts.entry(format!("{}.{group}", group_resource.resource)).or_default() += 1;
                for finalizer in items(&stored.object(), &["metadata", "finalizers"]) {
                    *remaining
                        .finalizers
                        .entry(finalizer.as_str().unwrap_or_default().to_owned())
                        .or_default() += 1;
                }
            }
        }
        Ok(remaining)
    }
}

impl Controller for Namespaces {
    type Key = Str;

    const NAME: &'static str = "namespaces";

    fn observe(&self, change: &Change) -> Vec<Str> {
        let key = change.key();
        if change.storage() == "/namespaces" {
            let terminating = !change.deleted && change.object.is_terminating();
            if terminating {
                self.terminating().insert(key.name.clone());
                return vec![key.name.clone()];
            }
            self.terminating().remove(&key.name);
        } else if !key.namespace.is_empty() && self.terminating().contains(&key.namespace) {
            return vec![key.namespace.clone()];
        }
        Vec::new()
    }

    async fn reconcile(&self, name: Str) -> Result<Option<Duration>, Status> {
        let namespaces = Gvr::new("", "v1", "namespaces");
        let Some(namespace) = get(&self.api, &namespaces, "", &name) else { return Ok(None) };
        if !namespace.is_terminating() || items(&namespace, &["spec", "finalizers"]).is_empty() {
            return Ok(None);
        }
        let remaining = self.empty(&name).await?;
        if remaining.counts.is_empty() {
            modify(&self.api, &namespaces, "", &name, "finalize", |namespace| {
                let left: Vec<Value> = items(namespace, &["spec", "finalizers"])
                    .iter()
                    .filter(|finalizer| finalizer.as_str() != Some("kubernetes"))
                    .cloned()
                    .collect();
                namespace.set_at(&["spec", "finalizers"], left);
            })
            .await?;
            return Ok(None);
        }
        modify(&self.api, &namespaces, "", &name, "status", |namespace| tell(namespace, &remaining)).await?;
        Ok(Some(AGAIN))
    }
}

/// The conditions that say what a namespace waits for.
fn tell(namespace: &mut Object, remaining: &Remaining) {
    let list = |counts: &BTreeMap<String, usize>, join: &str| {
        let parts: Vec<String> =
            counts.iter().map(|(name, count)| format!("{name}{join}{count} resource instances")).collect();
        parts.join(", ")
    };
    let content = format!("Some resources are remaining: {}", list(&remaining.counts, " has "));
    let finalizers = format!(
        "Some content in the namespace has finalizers remaining: {}",
        list(&remaining.finalizers, " in ")
    );
    let waits = !remaining.finalizers.is_empty();
    let conditions = [
        (
            "NamespaceDeletionDiscoveryFailure",
            "False",
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        ("NamespaceContentRemaining", "True", "SomeResourcesRemain", content.as_str()),
        if waits {
            ("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", finalizers.as_str())
        } else {
            (
                "NamespaceFinalizersRemaining",
                "False",
                "ContentHasNoFinalizers",
                "All content-preserving finalizers finished",
            )
        },
    ];
    let before = items(namespace, &["status", "conditions"]).to_vec();
    let now = time::now();
    let after: Vec<Value> = conditions
        .into_iter()
        .map(|(kind, status, reason, message)| {
            let same = before.iter().find(|condition| condition.str_at(&["type"]) == Some(kind));
            let since = same
                .filter(|condition| condition.str_at(&["status"]) == Some(status))
                .and_then(|condition| condition.str_at(&["lastTransitionTime"]))
                .unwrap_or(&now);
            value!({
                "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since
            })
        })
        .collect();
    namespace.set_at(&["status", "conditions"], after);
}
