//! Target clusters: connection, kinds, watches and live index of each.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use windlass_assess::cel::CelChecks;
use windlass_cluster::{ClusterClient, ClusterSecret, Discovery, Resource, WatchEvent, WatchScope, watch};
use windlass_kube::{GroupKind, Object, ObjectRef, Str};
use windlass_model::{LiveRecord, UnitId};
use windlass_plan::Scope;

use crate::arrival::Lens;
use crate::core::Event;
use crate::extent::Extent;
use crate::live::LiveIndex;
use crate::metrics::Metrics;
use crate::target::ClusterTarget;
use crate::wanted::Wanted;

/// Names a target cluster by its server.
pub(crate) type ClusterKey = Str;

/// One target cluster.
pub(crate) struct ClusterState {
    pub(crate) key: ClusterKey,
    pub(crate) target: ClusterTarget,
    /// Counts discoveries: what was prepared with an older one may have to be prepared again.
    pub(crate) discovery_version: u64,
    /// Whether a discovery is under way.
    pub(crate) discovering: Asking,
    /// How many discoveries in a row brought nothing new.
    pub(crate) discoveries_without_news: u32,
    /// When discovery was last asked for on behalf of an unknown kind.
    pub(crate) last_discovery: Option<tokio::time::Instant>,
    pub(crate) live: LiveIndex,
    watches: HashMap<GroupKind, KindWatch>,
    /// Which Units declare an object, marked or not.
    pub(crate) wanted: Wanted,
    /// Which Units want to know of orphans, by the namespace in which they look for them.
    pub(crate) orphan_watchers: HashMap<Str, HashSet<Arc<UnitId>>>,
    /// Why it cannot be reached, if it cannot.
    pub(crate) problem: Option<String>,
    /// How many things are done there at once: a cluster that does not answer uses up its own share only.
    pub(crate) permits: Arc<Semaphore>,
    /// Which part of it is looked at.
    pub(crate) extent: Extent,
    /// How its objects are read. Reading one may run a script of somebody's: that is for the tasks that got it.
    pub(crate) lens: Arc<Lens>,
}

/// A question that is asked once at a time. What is asked for meanwhile is asked afterwards: the answer that is
/// under way may be older than the reason to ask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Asking {
    #[default]
    Idle,
    UnderWay,
    Again,
}

impl Asking {
    /// Whether the question is to be asked now.
    pub(crate) fn begin(&mut self) -> bool {
        let begins = *self == Self::Idle;
        *self = if begins { Self::UnderWay } else { Self::Again };
        begins
    }

    /// Takes note of the answer; whether the question is to be asked again.
    pub(crate) fn end(&mut self) -> bool {
        std::mem::take(self) == Self::Again
    }
}

struct KindWatch {
    /// One for each namespace that is watched, or one for all.
    tasks: Vec<AbortHandle>,
    /// The namespaces whose list is not complete yet.
    unlisted: HashSet<Str>,
    /// Why its state is not known yet, if that is known.
    problem: Option<String>,
}

/// What a watch of a target cluster tells the loop.
pub(crate) enum LiveEvent {
    /// A list begins, of this namespace or of all.
    Listing(Str),
    Upserted(Box<LiveRecord>),
    /// Gone, as of this version.
    Removed(ObjectRef, Str),
    /// The list of this namespace or of all is complete, as of this version.
    Listed(Str, Str),
    NotServed,
    Failing(String),
}

/// Events between a watch and the loop; a full channel slows the watch down.
const WATCH_BUFFER: usize = 256;

impl ClusterState {
    pub(crate) fn new(
        key: ClusterKey,
        client: ClusterClient,
        permits: Arc<Semaphore>,
        extent: Extent,
        lens: Lens,
    ) -> Self {
        Self {
            key,
            target: ClusterTarget::new(client, Discovery::default()),
            discovery_version: 0,
            discovering: Asking::default(),
            discoveries_without_news: 0,
            last_discovery: None,
            live: LiveIndex::default(),
            watches: HashMap::new(),
            wanted: Wanted::default(),
            orphan_watchers: HashMap::new(),
            problem: None,
            permits,
            extent,
            lens: Arc::new(lens),
        }
    }

    /// Whether objects of a kind live in namespaces.
    pub(crate) fn scope(discovery: &Discovery, gvk: &windlass_kube::Gvk) -> Scope {
        match discovery.serving(gvk) {
            Some(resource) if resource.namespaced => Scope::Namespaced,
            Some(_) => Scope::Cluster,
            None => Scope::Unknown,
        }
    }

    /// Sees to it that a kind is watched; answers whether its state is known by now.
    pub(crate) fn ensure_watch(
        &mut self,
        kind: &GroupKind,
        events: &mpsc::Sender<Event>,
        metrics: &Metrics,
    ) -> bool {
        if let Some(watch) = self.watches.get(kind) {
            return watch.unlisted.is_empty();
        }
        let Some(resource) = self.target.discovery.preferred(&kind.group, &kind.kind).cloned() else {
            // Not served: nothing of it can be live.
            return true;
        };
        if !resource.watchable {
            return true;
        }
        let scopes = self.extent.scopes(resource.namespaced);
        let start = |namespace: &Str| {
            let place = Place { cluster: self.key.clone(), namespace: namespace.clone() };
            let (client, lens) = (self.target.client.clone(), self.lens.clone());
            let watching = watch_kind(place, client, resource.clone(), lens, events.clone(), metrics.clone());
            tokio::spawn(watching).abort_handle()
        };
        let watch = KindWatch {
            tasks: scopes.iter().map(start).collect(),
            unlisted: scopes.into_iter().collect(),
            problem: None,
        };
        let is_known = watch.unlisted.is_empty();
        self.watches.insert(kind.clone(), watch);
        is_known
    }

    /// Ends all watches of kinds that live in namespaces, to begin them anew: of what they have brought more is to be
    /// kept now.
    pub(crate) fn list_again(&mut self, events: &mpsc::Sender<Event>, metrics: &Metrics) {
        let kinds: Vec<GroupKind> = self.watches.keys().cloned().collect();
        for kind in kinds {
            let served = self.target.discovery.preferred(&kind.group, &kind.kind);
            if served.is_some_and(|resource| resource.namespaced) {
                self.drop_watch(&kind);
                self.ensure_watch(&kind, events, metrics);
            }
        }
    }

    /// Takes in what a Unit says of the health of its own objects. Where that is news, the kinds concerned are listed
    /// anew, if they are watched.
    pub(crate) fn check_health_by(
        &mut self,
        instance: &Str,
        checks: Option<&Arc<CelChecks>>,
        events: &mpsc::Sender<Event>,
        metrics: &Metrics,
    ) {
        for kind in self.lens.own_checks.set(instance, checks) {
            if self.watches.contains_key(&kind) {
                self.drop_watch(&kind);
                self.ensure_watch(&kind, events, metrics);
            }
        }
    }

    /// Forgets what a Unit has said of the health of its objects: it is gone.
    pub(crate) fn forget_checks_of(&self, instance: &Str) {
        self.lens.own_checks.set(instance, None);
    }

    /// Marks a kind's state in a namespace as known.
    pub(crate) fn set_synced(&mut self, kind: &GroupKind, namespace: &Str) {
        if let Some(watch) = self.watches.get_mut(kind) {
            watch.unlisted.remove(namespace);
            if watch.unlisted.is_empty() {
                watch.problem = None;
            }
        }
    }

    /// Notes why a kind cannot be watched; answers whether that is news to somebody who waits for its state.
    pub(crate) fn set_watch_problem(&mut self, kind: &GroupKind, problem: &str) -> bool {
        let Some(watch) = self.watches.get_mut(kind).filter(|watch| !watch.unlisted.is_empty()) else {
            return false;
        };
        let is_news = watch.problem.as_deref() != Some(problem);
        watch.problem = Some(problem.into());
        is_news
    }

    /// Why the state of a kind is not known.
    pub(crate) fn watch_problem(&self, kind: &GroupKind) -> Option<&str> {
        self.watches.get(kind)?.problem.as_deref()
    }

    /// Ends the watch of a kind that is not served any more.
    pub(crate) fn drop_watch(&mut self, kind: &GroupKind) {
        if let Some(watch) = self.watches.remove(kind) {
            watch.end();
        }
    }

    /// Takes in an object as a call returned it.
    pub(crate) fn take(&mut self, record: LiveRecord) {
        if !self.live.is_removed_since(&record) {
            let wanted = self.wanted.contains(&record.key);
            self.live.answered(record, wanted);
        }
    }
}

impl Drop for ClusterState {
    fn drop(&mut self) {
        self.watches.values().for_each(KindWatch::end);
    }
}

impl KindWatch {
    fn end(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Where a watch looks: one namespace of a cluster, or all (an empty name).
struct Place {
    cluster: ClusterKey,
    namespace: Str,
}

async fn watch_kind(
    Place { cluster, namespace }: Place,
    client: ClusterClient,
    resource: Resource,
    lens: Arc<Lens>,
    events: mpsc::Sender<Event>,
    metrics: Metrics,
) {
    let kind = resource.gvk.group_kind();
    let scope = WatchScope { namespace: namespace.clone(), ..WatchScope::default() };
    let (sender, mut received) = mpsc::channel(WATCH_BUFFER);
    let watching = watch(client, resource, scope, sender);
    let digesting = async {
        while let Some(event) = received.recv().await {
            metrics.live_events.inc();
            // The body ends here: only what was digested goes on.
            let event = match event {
                WatchEvent::Listing => LiveEvent::Listing(namespace.clone()),
                WatchEvent::Applied(object) => LiveEvent::Upserted(Box::new(lens.record(&object))),
                WatchEvent::Deleted(object) => {
                    LiveEvent::Removed(object.object_ref(), object.resource_version().into())
                }
                WatchEvent::Listed(version) => LiveEvent::Listed(namespace.clone(), version),
                WatchEvent::NotServed => LiveEvent::NotServed,
                WatchEvent::Failing(problem) => LiveEvent::Failing(problem),
            };
            if events.send(Event::Live(cluster.clone(), kind.clone(), event)).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = watching => {}
        () = digesting => {}
    }
}

/// A registered cluster, as Applications name it.
pub(crate) fn named(secret: &ClusterSecret) -> windlass_argo::Cluster {
    let ClusterSecret { name, server, project, .. } = secret.clone();
    windlass_argo::Cluster { server, name, project }
}

/// The cluster that a Secret registers, if it does and can be read.
pub(crate) fn cluster_secret(secret: &Object) -> Option<ClusterSecret> {
    ClusterSecret::of(secret)?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_meanwhile_is_asked_once_more() {
        let mut asking = Asking::default();
        assert!(asking.begin());
        assert!(!asking.begin() && !asking.begin());
        assert!(asking.end());
        assert!(asking.begin());
        assert!(!asking.end());
        assert_eq!(asking, Asking::Idle);
    }
}
