//! The loop that owns all state: every event is handled by a synchronous function, all waiting is elsewhere.

mod advance;
mod contest;
mod declared;
pub(crate) mod deletion;
mod dependencies;
mod elsewhere;
mod hooks;
pub(crate) mod jobs;
pub(crate) mod orphans;
mod reached;
mod reporting;
mod syncing;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tracing::Instrument;
use windlass_apply::{Refusal, StepResult};
use windlass_argo::{Project, Settings};
use windlass_cluster::{ApiError, Assignment, ClusterClient, ClusterSecret, Discovery, WatchEvent};
use windlass_kube::{GroupKind, Object, ObjectRef, Str};
use windlass_model::{
    Desired, DesiredHook, Diagnostic, Digest, Generation, LiveRecord, SourceType, Time, UnitId,
};
use windlass_render::RenderCache;
use windlass_source::webhook;

use crate::clusters::{Asking, ClusterKey, ClusterState, LiveEvent};
use crate::config::EngineConfig;
use crate::credentials::Credentials;
use crate::fetching::SourceStores;
use crate::metrics::Metrics;
use crate::reach::Address;
use crate::recorder::Recorder;
use crate::render_queue::RenderQueue;
use crate::source_hub::{SourceHub, SourceKey, SourceState, SourceUpdate};
use crate::unit_state::UnitState;
use elsewhere::Elsewhere;
pub use elsewhere::Sharing;

/// Everything that wakes the loop.
pub(crate) enum Event {
    /// A change of a declaring object.
    Application(WatchEvent),
    /// A change of a project.
    Project(WatchEvent),
    /// A change of a repository's or a cluster's Secret.
    Secret(WatchEvent),
    /// A change of the settings.
    Settings(WatchEvent),
    /// A change in a target cluster.
    Live(ClusterKey, GroupKind, LiveEvent),
    /// News of a source.
    Source(SourceUpdate),
    /// Other plugins have taken the place of those before.
    Plugins,
    /// A Git host says that something was pushed.
    Push(webhook::Push),
    /// What a cluster serves.
    Discovered(ClusterKey, Result<Discovery, ApiError>),
    /// A Unit's sources were rendered.
    Prepared(UnitId, u64, Box<PreparedUnit>),
    /// Dry runs of a Unit's objects are done.
    Checked(UnitId, u64, Vec<jobs::CheckedObject>),
    /// A plan was tried without effect.
    Verified(UnitId, Generation, Vec<Refusal>),
    /// A wave was carried out.
    /// With what is kept of the object that each step returned.
    WaveDone(UnitId, Generation, Vec<(StepResult, Option<LiveRecord>)>),
    /// A status was written, which gave the object this version, or could not be.
    Written(UnitId, Result<Str, ApiError>),
    /// Which Units are to be acted on from now on.
    Assigned(Assignment),
    /// All declaring objects, read after the assignment of this number.
    ReadAnew(u64, Result<Vec<Object>, ApiError>),
    /// A deleted declaring object was let go, or could not be.
    Released(UnitId, Result<(), ApiError>),
}

/// What rendering and preparing a Unit gives.
pub(crate) struct PreparedUnit {
    pub(crate) desired: Vec<Desired>,
    pub(crate) hooks: Vec<DesiredHook>,
    pub(crate) skipped: Vec<ObjectRef>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) source_types: Vec<SourceType>,
    pub(crate) revisions: Vec<Str>,
    /// What tells the contents of the sources from others: [`Fetched::identity`](crate::fetching::Fetched::identity).
    pub(crate) identities: Vec<Str>,
    /// The sources whose files turned out to be damaged on disk.
    pub(crate) damaged: Vec<SourceKey>,
    /// The revisions that the status says, if nothing that was read has changed since.
    pub(crate) unchanged_since: Option<Vec<Str>>,
    /// Paths outside of the sources' folders that were read: symbolic links lead there.
    pub(crate) read_paths: Vec<(SourceKey, Vec<Str>)>,
    /// Whether nothing could be rendered; the diagnostics say why.
    pub(crate) failed: bool,
    /// What was asked for by addresses.
    pub(crate) reached: Vec<Address>,
    /// What of that there was, by its identity, in the same order; nothing else is known of it.
    pub(crate) reached_identities: Vec<Str>,
    /// The digest of what was asked for when it was begun.
    pub(crate) asked: Digest,
    /// The version of the cluster's discovery that it was begun with.
    pub(crate) discovery: u64,
    /// The version of the names of repositories that it was begun with, if it depends on them.
    pub(crate) names: Option<u64>,
    /// Whether what is kept was passed by.
    pub(crate) anew: bool,
    /// Whether some of it is to be fetched first: nothing else here counts then.
    pub(crate) pending: bool,
}

/// Events handled before the Units they touch are looked at: one look then serves many events.
const EVENTS_PER_ROUND: usize = 512;

/// After as long without a render, what readers of repositories left for each other is given back.
pub(crate) const REST_AFTER: std::time::Duration = std::time::Duration::from_secs(5);

/// Events that wait for the loop; a full channel slows down whoever sends.
const EVENT_BUFFER: usize = 1024;

/// Everything the engine knows.
pub(crate) struct Core {
    pub(crate) config: EngineConfig,
    pub(crate) settings: Settings,
    /// The ConfigMaps that settings are read from.
    pub(crate) setting_maps: HashMap<Str, Object>,
    pub(crate) metrics: Metrics,
    pub(crate) recorder: Recorder,
    pub(crate) home: ClusterClient,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) units: HashMap<UnitId, Box<UnitState>>,
    pub(crate) projects: HashMap<Str, Project>,
    /// The AppProjects as declared, without what they inherit from each other.
    pub(crate) declared_projects: HashMap<Str, Object>,
    /// What repositories are reached with.
    pub(crate) credentials: Arc<Credentials>,
    /// Counts changes of what repositories are called.
    pub(crate) names_version: u64,
    /// Counts changes of the plugins.
    pub(crate) plugins_version: u64,
    /// The ConfigMaps that are part of it.
    pub(crate) credential_maps: BTreeMap<Str, Object>,
    /// Secrets of repositories and clusters, so that a change can be told from a repetition.
    pub(crate) secrets: BTreeMap<Str, declared::ReadSecret>,
    pub(crate) cluster_secrets: HashMap<Str, ClusterSecret>,
    pub(crate) cluster_problems: HashMap<Str, String>,
    pub(crate) clusters: HashMap<ClusterKey, ClusterState>,
    pub(crate) hub: SourceHub,
    pub(crate) sources: HashMap<SourceKey, SourceState>,
    /// Which Units read below a folder of a source.
    pub(crate) readers: HashMap<SourceKey, BTreeMap<Str, HashSet<Arc<UnitId>>>>,
    /// Units that wait for the answer to a refresh they asked for.
    pub(crate) refreshing: HashSet<UnitId>,
    pub(crate) renders: Arc<RenderCache>,
    pub(crate) render_queue: RenderQueue,
    /// How many things are done at once in the cluster that holds the declaring objects.
    pub(crate) home_permits: Arc<Semaphore>,
    pub(crate) dirty: BTreeSet<UnitId>,
    /// Units that are still to be looked at in this round.
    pub(crate) round: BTreeSet<UnitId>,
    /// Who waits for a Unit to be done.
    pub(crate) waiters: HashMap<UnitId, BTreeSet<UnitId>>,
    pub(crate) timers: BTreeSet<(Instant, UnitId)>,
    /// When memory is given back that rendering needed, if nothing is rendered until then.
    pub(crate) rest_at: Option<Instant>,
    pub(crate) tickets: u64,
    /// What must be listed before anything is acted on.
    pub(crate) listed: Listed,
    /// Declaring objects seen during a list.
    pub(crate) seen: HashSet<UnitId>,
    /// How the work is shared with other replicas.
    elsewhere: Elsewhere,
    /// How often a Unit of our own came or went.
    n_neighbour_changes: u64,
    /// Secrets seen during a list.
    pub(crate) seen_secrets: HashSet<Str>,
    /// Now, as of the beginning of the round.
    pub(crate) now: Time,
}

/// Which lists are complete.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Listed {
    pub(crate) applications: bool,
    pub(crate) projects: bool,
    pub(crate) secrets: bool,
    pub(crate) settings: bool,
}

impl Listed {
    fn all(self) -> bool {
        self.applications && self.projects && self.secrets && self.settings
    }
}

/// What the loop needs from outside.
pub(crate) struct Surroundings {
    pub(crate) config: EngineConfig,
    pub(crate) home: ClusterClient,
    pub(crate) stores: Arc<SourceStores>,
    pub(crate) renders: Arc<RenderCache>,
    pub(crate) metrics: Metrics,
    /// How the work is shared, if it is.
    pub(crate) sharing: Option<Sharing>,
}

impl Core {
    /// Prepares the loop; events go through the sender.
    pub(crate) fn new(surroundings: Surroundings) -> (Self, mpsc::Receiver<Event>) {
        let Surroundings { config, home, stores, renders, metrics, sharing } = surroundings;
        let (events, received) = mpsc::channel(EVENT_BUFFER);
        let (updates, mut source_updates) = mpsc::channel(EVENT_BUFFER);
        let forward = events.clone();
        tokio::spawn(async move {
            while let Some(update) = source_updates.recv().await {
                if forward.send(Event::Source(update)).await.is_err() {
                    return;
                }
            }
        });
        let polling =
            windlass_source::PollInterval { interval: config.poll_interval, jitter: config.poll_jitter };
        let settings = Settings {
            control_plane_namespace: config.control_plane_namespace.clone(),
            ..Settings::default()
        };
        let core = Self {
            recorder: Recorder::start(home.clone(), config.events_per_second, metrics.clone()),
            renders,
            render_queue: RenderQueue::new(config.concurrent_renders),
            home_permits: Arc::new(Semaphore::new(config.concurrent_calls.max(1))),
            hub: SourceHub::new(stores, polling, updates),
            config,
            settings,
            setting_maps: HashMap::new(),
            metrics,
            home,
            events,
            units: HashMap::new(),
            projects: HashMap::new(),
            declared_projects: HashMap::new(),
            credentials: Arc::default(),
            credential_maps: BTreeMap::new(),
            names_version: 0,
            plugins_version: 0,
            secrets: BTreeMap::new(),
            cluster_secrets: HashMap::new(),
            cluster_problems: HashMap::new(),
            clusters: HashMap::new(),
            sources: HashMap::new(),
            readers: HashMap::new(),
            refreshing: HashSet::new(),
            dirty: BTreeSet::new(),
            round: BTreeSet::new(),
            waiters: HashMap::new(),
            timers: BTreeSet::new(),
            rest_at: None,
            tickets: 0,
            listed: Listed::default(),
            seen: HashSet::new(),
            elsewhere: Elsewhere::new(sharing.map(|sharing| sharing.settled)),
            n_neighbour_changes: 0,
            seen_secrets: HashSet::new(),
            now: Time::from_unix(0),
        };
        (core, received)
    }

    /// Runs until all senders of events are gone, which is until it is dropped.
    pub(crate) async fn run(mut self, mut received: mpsc::Receiver<Event>, clock: impl Fn() -> Time) {
        let mut batch = Vec::with_capacity(EVENTS_PER_ROUND);
        loop {
            let timer = self.timers.first().map(|(at, _)| *at).into_iter().chain(self.rest_at).min();
            tokio::select! {
                n_events = received.recv_many(&mut batch, EVENTS_PER_ROUND) => if n_events == 0 { return },
                () = tokio::time::sleep_until(timer.unwrap_or_else(far_future)), if timer.is_some() => {}
                // A look may ask for another look: that one does not wait until something else happens.
                () = std::future::ready(()), if self.listed.all() && !self.dirty.is_empty() => {}
            }
            self.now = clock();
            for event in batch.drain(..) {
                self.handle(event);
            }
            self.fire_timers();
            if self.listed.all() {
                self.hear_of_residents();
                self.round = std::mem::take(&mut self.dirty);
                while let Some(id) = self.round.pop_first() {
                    self.look_at(&id);
                }
            }
            self.metrics.units.set(i64::try_from(self.units.len()).unwrap_or(i64::MAX));
            let n_live: usize = self.clusters.values().map(|cluster| cluster.live.len()).sum();
            self.metrics.live_objects.set(i64::try_from(n_live).unwrap_or(i64::MAX));
        }
    }

    fn handle(&mut self, event: Event) {
        if let Some(id) = event.called_for().cloned()
            && self.call_ended(&id)
        {
            return;
        }
        match event {
            Event::Application(event) => self.on_application(event),
            Event::Project(event) => self.on_project(event),
            Event::Secret(event) => self.on_secret(event),
            Event::Settings(event) => self.on_settings(event),
            Event::Live(cluster, kind, event) => self.on_live(&cluster, &kind, event),
            Event::Source(update) => self.on_source(update),
            Event::Plugins => {
                self.plugins_version += 1;
                self.dirty.extend(self.units.keys().cloned());
            }
            Event::Push(push) => self.on_push(&push),
            Event::Discovered(cluster, result) => self.on_discovered(&cluster, result),
            Event::Prepared(id, ticket, prepared) => self.on_prepared(&id, ticket, *prepared),
            Event::Checked(id, ticket, objects) => self.on_checked(&id, ticket, objects),
            Event::Verified(id, generation, refusals) => self.on_verified(&id, generation, refusals),
            Event::WaveDone(id, generation, results) => self.on_wave_done(&id, generation, results),
            Event::Written(id, result) => self.on_written(&id, result),
            Event::Released(id, result) => self.on_released(&id, result),
            Event::Assigned(assignment) => self.on_assigned(assignment),
            Event::ReadAnew(number, listed) => self.on_read_anew(number, listed),
        }
    }

    /// What one more cluster may be asked at once.
    pub(crate) fn new_permits(&self) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(self.config.concurrent_calls.max(1)))
    }

    /// Makes calls for a Unit beside the loop, which hears of their end, once there is a permit for them. When the loop ends they
    /// end, too: whoever goes on after it must not meet calls of its predecessor.
    pub(crate) fn call_beside(
        &mut self,
        id: &UnitId,
        permits: Arc<Semaphore>,
        span: tracing::Span,
        calls: impl Future<Output = Event> + Send + 'static,
    ) {
        self.elsewhere.call_begins(id);
        let events = self.events.clone();
        let all = async move {
            let work = async {
                let _permit = permits.acquire().await;
                calls.await
            };
            tokio::select! {
                event = work => {
                    let _ = events.send(event).await;
                }
                () = events.closed() => {}
            }
        };
        tokio::spawn(all.instrument(span));
    }

    /// Looks at a Unit again at `at`.
    pub(crate) fn wake_at(&mut self, at: Instant, id: &UnitId) {
        self.timers.insert((at, id.clone()));
    }

    fn fire_timers(&mut self) {
        let now = Instant::now();
        if self.rest_at.is_some_and(|at| at <= now) {
            self.rest_at = None;
            self.hub.release_readers();
        }
        while let Some((at, _)) = self.timers.first()
            && *at <= now
        {
            if let Some((_, id)) = self.timers.pop_first() {
                self.dirty.insert(id);
            }
        }
    }

    fn look_at(&mut self, id: &UnitId) {
        if self.elsewhere.is_leaving(id) {
            return;
        }
        // Taken out while it is looked at, so that it and the rest can be changed side by side.
        let Some(mut unit) = self.units.remove(id) else { return };
        self.metrics.reconciles.inc();
        self.advance(&mut unit);
        self.units.insert(id.clone(), unit);
        self.wake_waiters(id);
    }

    fn on_live(&mut self, cluster: &ClusterKey, kind: &GroupKind, event: LiveEvent) {
        let Some(state) = self.clusters.get_mut(cluster) else { return };
        let touched = match event {
            LiveEvent::Listing(namespace) => {
                state.problem = None;
                state.live.begin_listing(kind.clone(), namespace);
                Vec::new()
            }
            LiveEvent::Upserted(record) => {
                let keep = state.wanted.contains(&record.key);
                vec![state.live.upsert(*record, keep)]
            }
            LiveEvent::Removed(key, version) => {
                self.observe_removed(cluster, &key);
                let Some(state) = self.clusters.get_mut(cluster) else { return };
                vec![state.live.removed_at(&key, &version)]
            }
            LiveEvent::Listed(namespace, version) => {
                state.set_synced(kind, &namespace);
                let touched = state.live.end_listing(kind, &namespace, &version);
                // Whoever waited for this list is looked at: it cannot be told from here who did.
                self.touch_cluster(cluster);
                touched
            }
            LiveEvent::NotServed => {
                state.drop_watch(kind);
                let touched = state.live.forget_kind(kind);
                self.discover(cluster);
                touched
            }
            LiveEvent::Failing(problem) => {
                let is_news = state.set_watch_problem(kind, &problem);
                state.problem = Some(problem);
                if is_news {
                    self.touch_cluster(cluster);
                }
                Vec::new()
            }
        };
        for touched in touched {
            self.touch(cluster, touched.key.as_ref(), &touched.instances);
        }
        if kind.kind == "CustomResourceDefinition" && kind.group == "apiextensions.k8s.io" {
            self.discover(cluster);
        }
    }

    /// Marks all Units that go to a cluster for a look.
    fn touch_cluster(&mut self, cluster: &ClusterKey) {
        let of_cluster = self.units.values().filter(|unit| self.cluster_key(unit).as_ref() == Some(cluster));
        let ids: Vec<UnitId> = of_cluster.map(|unit| unit.id.clone()).collect();
        self.dirty.extend(ids);
    }

    /// Marks the Units of an object for a look.
    pub(crate) fn touch(&mut self, cluster: &ClusterKey, key: Option<&ObjectRef>, instances: &[Str]) {
        let Some(state) = self.clusters.get(cluster) else { return };
        if let Some(key) = key {
            self.dirty.extend(state.wanted.units(key).iter().map(|unit| UnitId::clone(unit)));
        }
        for instance in instances {
            if let Some(id) = self.unit_of_instance(instance) {
                self.dirty.insert(id);
            }
        }
    }

    /// The Unit whose tracking name is `instance`: its name, or `<namespace>_<name>`.
    pub(crate) fn unit_of_instance(&self, instance: &str) -> Option<UnitId> {
        let (namespace, name) =
            instance.split_once('_').unwrap_or((self.config.control_plane_namespace.as_str(), instance));
        let id = UnitId(ObjectRef::new(windlass_argo::GROUP, declared::APPLICATION_KIND, namespace, name));
        (self.units.contains_key(&id) || self.is_elsewhere(&id)).then_some(id)
    }

    fn on_discovered(&mut self, cluster: &ClusterKey, result: Result<Discovery, ApiError>) {
        /// A cluster that could not be asked is asked again after this.
        const RETRY: std::time::Duration = std::time::Duration::from_secs(2);
        let Some(state) = self.clusters.get_mut(cluster) else { return };
        let again = state.discovering.end();
        match result {
            Ok(discovery) => {
                let had_problem = state.problem.take().is_some();
                if state.discovery_version > 0 && state.target.discovery == discovery {
                    state.discoveries_without_news = state.discoveries_without_news.saturating_add(1);
                    if !had_problem {
                        if again {
                            self.discover(cluster);
                        }
                        return;
                    }
                } else {
                    state.discoveries_without_news = 0;
                    state.target.discovery = discovery;
                    state.discovery_version += 1;
                }
            }
            Err(error) => {
                tracing::warn!(%cluster, %error, "cluster could not be asked what it serves");
                state.problem = Some(error.to_string());
                let events = self.events.clone();
                let (key, client) = (cluster.clone(), state.target.client.clone());
                state.discovering = Asking::UnderWay;
                tokio::spawn(async move {
                    tokio::time::sleep(RETRY).await;
                    let result = client.discover().await;
                    let _ = events.send(Event::Discovered(key, result)).await;
                });
            }
        }
        self.touch_cluster(cluster);
        if again {
            self.discover(cluster);
        }
    }

    /// Asks a cluster what it serves, after the answer that is under way if there is one.
    pub(crate) fn discover(&mut self, cluster: &ClusterKey) {
        let Some(state) = self.clusters.get_mut(cluster) else { return };
        if !state.discovering.begin() {
            return;
        }
        state.last_discovery = Some(Instant::now());
        let events = self.events.clone();
        let (key, client) = (cluster.clone(), state.target.client.clone());
        tokio::spawn(async move {
            let result = client.discover().await;
            let _ = events.send(Event::Discovered(key, result)).await;
        });
    }

    fn on_source(&mut self, update: SourceUpdate) {
        if !self.hub.is_current(&update) {
            return;
        }
        self.metrics
            .source_updates
            .get_or_create(&crate::metrics::ResultLabel::of(update.news.is_ok()))
            .inc();
        let state = self.sources.entry(update.key.clone()).or_default();
        let readers = self.readers.get(&update.key);
        if state.answered < update.answered {
            state.answered = update.answered;
            // Whoever asked is looked at, whatever the answer.
            let (units, dirty) = (&self.units, &mut self.dirty);
            self.refreshing.retain(|id| {
                let Some(unit) = units.get(id) else { return false };
                if unit.followed().any(|key| *key == update.key) {
                    dirty.insert(id.clone());
                }
                unit.refresh_taken && unit.lowered.refresh.is_some()
            });
        }
        match update.news {
            Ok(news) => {
                let had_problem = state.problem.take().is_some();
                state.latest = Some(news.resolved);
                let Some(readers) = readers else { return };
                if had_problem || (news.changed.is_none() && news.is_new) {
                    self.dirty.extend(readers.values().flatten().map(|id| UnitId::clone(id)));
                    return;
                }
                for path in news.changed.iter().flatten() {
                    self.dirty.extend(readers_of(readers, path).map(|id| UnitId::clone(id)));
                }
                self.touch_awaited(&update.key);
            }
            Err(problem) => {
                if state.problem.as_ref() != Some(&problem) {
                    tracing::warn!(
                        repository = %update.key.repository,
                        revision = %update.key.target.as_text(),
                        %problem,
                        "source could not be updated"
                    );
                    state.problem = Some(problem);
                    let readers = readers.into_iter().flat_map(BTreeMap::values).flatten();
                    self.dirty.extend(readers.map(|id| UnitId::clone(id)));
                }
            }
        }
    }

    fn on_push(&mut self, push: &webhook::Push) {
        let pushed: Vec<Str> = self
            .hub
            .repositories()
            .filter(|(_, url)| push.is_to(url))
            .map(|(name, _)| name.clone())
            .collect();
        for repository in pushed {
            self.hub.refresh(&repository);
        }
    }
}

/// The Units that read `path` or a folder above it.
fn readers_of<'a>(
    readers: &'a BTreeMap<Str, HashSet<Arc<UnitId>>>,
    path: &'a str,
) -> impl Iterator<Item = &'a Arc<UnitId>> {
    let above = path.match_indices('/').map(|(at, _)| &path[..at]);
    above.chain(["", path]).filter_map(|folder| readers.get(folder)).flatten()
}

/// A moment that does not come.
fn far_future() -> Instant {
    Instant::now() + std::time::Duration::from_secs(86_400 * 365)
}
