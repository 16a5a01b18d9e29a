//! The loop: triggers, live index, and the wiring of the stages.
//!
//! [`Engine::run`] keeps every Application of a cluster in sync: it watches what is declared, follows the sources,
//! renders what changed, compares with the live index, plans, applies, assesses and writes one status per change.
//!
//! # Expected flow
//!
//! One task owns all state and handles events in synchronous functions; rendering, calls and waits happen in
//! tasks beside it and come back as events. A trigger only wakes a Unit: whatever woke it, the same look at the
//! whole of its state follows.
//!
//! # Guarantees
//!
//! - A newer revision supersedes what is being done at the next safe point, between two waves.
//! - A failure is a back-off, never a verdict: it is tried again without end, and at once when an input changes.
//! - While a source cannot be read, live state stays as it is, is healed from the last good revision, and nothing
//!   is pruned.
//! - Killed at any moment, the next start converges from the live state and the statuses alone.

mod arrival;
mod charts;
mod clusters;
mod config;
mod core;
mod credentials;
mod desired_objects;
mod extent;
mod fetching;
mod healed;
mod live;
mod metrics;
mod offline;
mod orphaned;
mod outcomes;
mod own_health;
mod packed;
mod preview;
mod reach;
mod recorder;
mod render_queue;
mod rendering;
mod scopes;
mod shared_renders;
mod signatures;
mod source_hub;
mod target;
mod unit_state;
mod wanted;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use windlass_cluster::{ClusterClient, LocalLogins, Resource, WatchEvent, WatchScope};
use windlass_model::Time;
use windlass_render::RenderCache;
use windlass_source::{Policy, SourceError, webhook};
use windlass_store::RecordStore;

pub use crate::core::Sharing;
pub use arrival::checks;
pub use charts::{ArtifactCharts, ChartAccess};
pub use config::{EngineConfig, StoreBucket};
pub use credentials::Credentials;
pub use fetching::{FetchError, FetchedSource, SourceStores, fetch_sources};
pub use metrics::Metrics;
pub use offline::{
    OfflineDeletion, OfflineDeletionPlan, OfflineInput, OfflinePlan, deletion_offline, deletion_plan_offline,
    plan_offline, renderer_of,
};
pub use orphaned::{OrphanedInput, orphaned};
pub use preview::{ObjectPreview, Preview, PreviewChange, PreviewError, PreviewInput, preview};
pub use reach::Reach;
pub use rendering::{SourceTree, SystemWorld, Tools, render_sources};

use crate::core::{Core, Event, Surroundings};

/// The field manager that statuses and objects are written as; the one Argo CD uses.
pub const FIELD_MANAGER: &str = windlass_argo::FIELD_MANAGER;

/// Keeps the Applications of one control plane in sync.
pub struct Engine {
    config: EngineConfig,
    client: ClusterClient,
    stores: Arc<SourceStores>,
    renders: Arc<RenderCache>,
    metrics: Metrics,
}

/// Pushes that wait for the engine; Git hosts send again what was not taken.
const PUSH_BUFFER: usize = 64;

/// Hands pushes of Git hosts to a running engine.
#[derive(Clone)]
pub struct PushSender(mpsc::Sender<webhook::Push>);

impl PushSender {
    /// Tells the engine about a push; `false` when it is not running or too many wait.
    #[must_use]
    pub fn send(&self, push: webhook::Push) -> bool {
        self.0.try_send(push).is_ok()
    }
}

/// The receiving end of a [`PushSender`]; outlives a single run of the engine.
pub struct PushReceiver(mpsc::Receiver<webhook::Push>);

/// A channel for the pushes that webhooks bring.
#[must_use]
pub fn push_channel() -> (PushSender, PushReceiver) {
    let (sender, receiver) = mpsc::channel(PUSH_BUFFER);
    (PushSender(sender), PushReceiver(receiver))
}

impl Engine {
    /// Prepares an engine on the cluster that `client` speaks to; what is fetched is kept below `data`.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when the folder cannot be used.
    pub fn new(
        config: EngineConfig,
        client: ClusterClient,
        data: &Path,
        metrics: Metrics,
    ) -> Result<Self, SourceError> {
        let mut policy = if config.allow_local_repositories { Policy::trusting() } else { Policy::default() };
        policy.local_logins = config.cluster_logins == LocalLogins::Allowed;
        policy.folders.clone_from(&config.local_folders);
        let stores = Arc::new(SourceStores::open(data, policy)?);
        let folder = data.join("renders");
        let renders = RenderCache::new(config.render_cache_bytes);
        let renders = match RecordStore::open(&folder, config.render_store_bytes) {
            Ok(records) => {
                renders.with_store(shared_renders::store(records, config.store_bucket.as_ref(), &stores))
            }
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "renders are kept in memory only");
                renders
            }
        };
        Ok(Self { config, client, stores, renders: Arc::new(renders), metrics })
    }

    /// Runs until the future is dropped, or, where the work is shared, until nothing is to be acted on any more. `pushes`
    /// come from webhooks.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the engine; calls that were sent are not taken back. A later run converges.
    pub async fn run(
        &self,
        pushes: &mut PushReceiver,
        ready: &watch::Sender<bool>,
        sharing: Option<Sharing>,
    ) {
        let (core, received) = Core::new(Surroundings {
            config: self.config.clone(),
            home: self.client.clone(),
            stores: self.stores.clone(),
            renders: self.renders.clone(),
            metrics: self.metrics.clone(),
            sharing: sharing.clone(),
        });
        let events = core.events.clone();
        let namespace = self.config.control_plane_namespace.clone();
        let everywhere =
            WatchScope { namespace: self.config.watch_namespace.clone(), ..WatchScope::default() };
        let here = WatchScope { namespace: namespace.clone(), ..WatchScope::default() };
        let secrets =
            WatchScope { namespace: namespace.clone(), label_selector: windlass_cluster::SECRET_TYPE.into() };
        let group = windlass_argo::GROUP;
        let version = windlass_argo::VERSION;
        let applications = Resource::new(group, version, "Application", "applications", true);
        let projects = Resource::new(group, version, "AppProject", "appprojects", true);
        let secret = Resource::new("", "v1", "Secret", "secrets", true);
        let config_map = Resource::new("", "v1", "ConfigMap", "configmaps", true);
        let pushing = async {
            while let Some(push) = pushes.0.recv().await {
                if events.send(Event::Push(push)).await.is_err() {
                    return;
                }
            }
        };
        let assigning = async {
            let Some(Sharing { mut assignments, settled: _ }) = sharing else {
                return std::future::pending().await;
            };
            loop {
                let Some(assignment) = assignments.borrow_and_update().clone() else { return };
                if events.send(Event::Assigned(assignment)).await.is_err()
                    || assignments.changed().await.is_err()
                {
                    return;
                }
            }
        };
        let declaring = async {
            let Some(mut plugins) = self.config.plugins.clone() else { return };
            // Those that are there are what the first render uses.
            plugins.mark_unchanged();
            while plugins.changed().await.is_ok() {
                if events.send(Event::Plugins).await.is_err() {
                    return;
                }
            }
        };
        let _ = ready.send(true);
        tokio::select! {
            () = assigning => {}
            () = core.run(received, now) => {}
            () = self.forward(applications, everywhere, &events, Event::Application) => {}
            () = self.forward(projects, here.clone(), &events, Event::Project) => {}
            () = self.forward(secret, secrets, &events, Event::Secret) => {}
            () = self.forward(config_map, here, &events, Event::Settings) => {}
            () = async { tokio::join!(pushing, declaring); std::future::pending().await } => {}
        }
    }

    async fn forward(
        &self,
        resource: Resource,
        scope: WatchScope,
        events: &mpsc::Sender<Event>,
        wrap: impl Fn(WatchEvent) -> Event,
    ) {
        /// Few objects of each kind; what waits here waits in memory.
        const BUFFER: usize = 64;
        let (sender, mut received) = mpsc::channel(BUFFER);
        let forwarding = async {
            while let Some(event) = received.recv().await {
                if events.send(wrap(event)).await.is_err() {
                    return;
                }
            }
        };
        tokio::join!(windlass_cluster::watch(self.client.clone(), resource, scope, sender), forwarding);
    }
}

/// Now, to the second.
fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Time::from_unix(i64::try_from(since.as_secs()).unwrap_or(0))
}
