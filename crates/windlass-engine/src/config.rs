//! What can be set about the engine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use windlass_cluster::LocalLogins;
use windlass_kube::Str;
use windlass_render::Plugins;
use windlass_render::jsonnet::Engine;
use windlass_source::{Access, ArtifactUrl, BucketPart, Secret};

/// A bucket that replicas share renders through.
#[derive(Debug, Clone)]
pub struct StoreBucket {
    /// The server.
    pub url: ArtifactUrl,
    /// What it is reached with.
    pub access: Access,
    /// The bucket and the prefix of what is ours in it.
    pub part: BucketPart,
    /// What records are sealed with, of at least 32 bytes; the same for all replicas.
    pub secret: Secret,
}

/// How the engine runs. The default suits a cluster of a few thousand Units.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The namespace of the control plane's own objects: projects, repositories, clusters.
    pub control_plane_namespace: Str,
    /// The only namespace whose Units are acted on; empty is all.
    pub watch_namespace: Str,
    /// How often a repository is asked for news.
    pub poll_interval: Duration,
    /// Up to this much is added to each interval, so that repositories are not asked in step.
    pub poll_jitter: Duration,
    /// How many calls to target clusters are under way at once.
    pub concurrent_calls: usize,
    /// How many Units are rendered at once.
    pub concurrent_renders: usize,
    /// About how many bytes of rendered objects are kept for reuse.
    pub render_cache_bytes: usize,
    /// About how many bytes of rendered objects are kept on disk, over restarts.
    pub render_store_bytes: u64,
    /// Where renders are shared with other replicas, beside the disk.
    pub store_bucket: Option<StoreBucket>,
    /// Whether repositories on this machine may be used: `file://`, plain paths, loopback addresses.
    pub allow_local_repositories: bool,
    /// Folders of this machine that may be sources without being repositories, with all that is below them.
    pub local_folders: Vec<PathBuf>,
    /// Whether Secrets of clusters and repositories may have programs run, files read, or the machine's own identity
    /// used, to log in.
    pub cluster_logins: LocalLogins,
    /// What evaluates Jsonnet in sources; one that sets no limits leaves a render thread to each program without end.
    pub jsonnet: Option<Arc<dyn Engine>>,
    /// The plugins that the operator declares, if any, as they are now; Units that may use them are rendered again when
    /// others take their place.
    pub plugins: Option<watch::Receiver<Arc<dyn Plugins>>>,
    /// At most this many Events a second are written, so that they never crowd out the work.
    pub events_per_second: u32,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            control_plane_namespace: "argocd".into(),
            watch_namespace: Str::default(),
            // Argo CD 3's `timeout.reconciliation` and `timeout.reconciliation.jitter`.
            poll_interval: Duration::from_secs(120),
            poll_jitter: Duration::from_secs(60),
            concurrent_calls: 32,
            concurrent_renders: std::thread::available_parallelism().map_or(2, usize::from),
            // What is used again is what several Units share and what is expensive; plain files are read again in
            // less time than it takes to write a status.
            render_cache_bytes: 24 * 1024 * 1024,
            render_store_bytes: 256 * 1024 * 1024,
            store_bucket: None,
            allow_local_repositories: false,
            local_folders: Vec::new(),
            cluster_logins: LocalLogins::Refused,
            jsonnet: None,
            plugins: None,
            events_per_second: 10,
        }
    }
}
