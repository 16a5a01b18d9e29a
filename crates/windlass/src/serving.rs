//! What both ways of running share: the hub's port, webhook secrets, the engine, the end by signal.

use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::sync::watch;
use windlass_cluster::{ClusterClient, Leadership, LeaseOptions, Resource, WatchEvent, WatchScope, lead};
use windlass_engine::{Engine, EngineConfig, Metrics, push_channel};
use windlass_kube::Object;
use windlass_render::Plugins;
use windlass_server::Hub;
use windlass_source::Secret;
use windlass_source::webhook::Secrets;

use crate::cli::EngineOptions;

/// The Secret that webhook secrets stand in, as for Argo CD.
const WEBHOOK_SECRET: &str = "argocd-secret";

impl EngineOptions {
    fn config(&self) -> Result<EngineConfig> {
        let plugins = self.plugins.registry(|finding| tracing::error!("{finding}"))?;
        if let Some(plugins) = &plugins {
            let names: Vec<&str> = plugins.names().map(|name| name.as_str()).collect();
            tracing::info!(plugins = names.join(", "), "plugins read");
        }
        let store_bucket = self.store_bucket.as_deref().map(crate::bucket::store_bucket).transpose()?;
        Ok(EngineConfig {
            control_plane_namespace: self.namespace.as_str().into(),
            watch_namespace: self.watch_namespace.as_str().into(),
            poll_interval: self.poll_interval,
            poll_jitter: self.poll_interval / 2,
            allow_local_repositories: self.allow_local_repositories,
            cluster_logins: self.logins.allowed(),
            jsonnet: Some(Arc::new(self.jsonnet.engine())),
            plugins: plugins.map(|plugins| Arc::new(plugins) as Arc<dyn Plugins>),
            store_bucket,
            ..EngineConfig::default()
        })
    }
}

/// Runs the hub and the engine until `stop` is done.
pub(crate) async fn run(
    options: &EngineOptions,
    client: ClusterClient,
    data: &Path,
    leader_elect: bool,
    stop: impl Future<Output = ()> + Send,
) -> Result<()> {
    let metrics = Metrics::default();
    let mut registry = prometheus_client::registry::Registry::default();
    metrics.register(&mut registry);
    windlass_server::register_process_metrics(&mut registry);
    let secrets: Arc<RwLock<Secrets>> = Arc::default();
    let (pushes, mut received) = push_channel();
    let hub = Hub::new(Arc::new(RwLock::new(registry)), secrets.clone(), move |push| pushes.send(push));
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("cannot listen on {} (choose another with --listen)", options.listen))?;
    tracing::info!(address = %listener.local_addr()?, "serving metrics, health and webhooks");

    let engine = Engine::new(options.config()?, client.clone(), data, metrics)
        .with_context(|| format!("the data directory {} cannot be used", data.display()))?;
    let (ready, mut readiness) = watch::channel(false);
    let hub_ready = hub.clone();
    let follow_readiness = async move {
        while readiness.changed().await.is_ok() {
            hub_ready.set_ready(*readiness.borrow());
        }
        std::future::pending::<()>().await;
    };
    // Who competes follows until told otherwise.
    let at_first = if leader_elect { Leadership::Following } else { Leadership::Leading };
    let (leadership, mut leading) = watch::channel(at_first);
    let electing = async {
        if leader_elect {
            lead(client.clone(), lease(options), leadership).await;
        }
        std::future::pending::<()>().await;
    };
    let running = async {
        loop {
            if *leading.borrow_and_update() == Leadership::Following {
                // A follower is ready to take over.
                let _ = ready.send(true);
                if leading.changed().await.is_err() {
                    return;
                }
                continue;
            }
            tracing::info!("engine started");
            tokio::select! {
                () = engine.run(&mut received, &ready) => return,
                changed = leading.changed() => {
                    tracing::warn!("leadership lost, engine stopped");
                    if changed.is_err() {
                        return;
                    }
                }
            }
        }
    };
    tokio::select! {
        served = windlass_server::serve(listener, hub, std::future::pending()) => served.context("the hub failed"),
        () = follow_readiness => Ok(()),
        () = electing => Ok(()),
        () = follow_webhook_secrets(client.clone(), options.namespace.clone(), secrets) => Ok(()),
        () = running => Ok(()),
        () = stop => Ok(()),
    }
}

fn lease(options: &EngineOptions) -> LeaseOptions {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "windlass".into());
    LeaseOptions {
        namespace: options.namespace.as_str().into(),
        name: "windlass".into(),
        identity: format!("{host}_{}", std::process::id()).into(),
        // The figures of Kubernetes' own controllers.
        duration: Duration::from_secs(15),
        renew: Duration::from_secs(5),
    }
}

async fn follow_webhook_secrets(client: ClusterClient, namespace: String, secrets: Arc<RwLock<Secrets>>) {
    /// One Secret changes rarely.
    const BUFFER: usize = 8;
    let (sender, mut events) = tokio::sync::mpsc::channel(BUFFER);
    let scope = WatchScope { namespace: namespace.into(), ..WatchScope::default() };
    let resource = Resource::new("", "v1", "Secret", "secrets", true);
    let follow = async {
        while let Some(event) = events.recv().await {
            let read = match event {
                WatchEvent::Applied(object) if object.name() == WEBHOOK_SECRET => read_secrets(&object),
                WatchEvent::Deleted(object) if object.name() == WEBHOOK_SECRET => Secrets::default(),
                _ => continue,
            };
            *secrets.write().unwrap_or_else(std::sync::PoisonError::into_inner) = read;
        }
    };
    tokio::join!(windlass_cluster::watch(client, resource, scope, sender), follow);
}

fn read_secrets(object: &Object) -> Secrets {
    let secret = |key: &str| {
        let encoded = object.at(&["data", key])?.as_str()?;
        let bytes = base64_decode(encoded)?;
        String::from_utf8(bytes).ok().filter(|text| !text.is_empty()).map(Secret::new)
    };
    Secrets {
        github: secret("webhook.github.secret"),
        gitlab: secret("webhook.gitlab.secret"),
        gitea: secret("webhook.gogs.secret"),
        bitbucket_cloud: secret("webhook.bitbucket.uuid"),
        bitbucket_server: secret("webhook.bitbucketserver.secret"),
        azure_devops: None,
        generic: secret("webhook.generic.secret"),
        allow_unauthenticated: false,
    }
}

fn base64_decode(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// Done when the process is told to stop: Ctrl-C, or a termination signal.
pub(crate) async fn stopped() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

/// The user's data directory for Windlass.
pub(crate) fn default_data_dir() -> std::path::PathBuf {
    let base =
        std::env::var_os("XDG_DATA_HOME").filter(|path| !path.is_empty()).map(std::path::PathBuf::from);
    let base = base.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/share")));
    base.unwrap_or_else(|| "/var/lib".into()).join("windlass")
}
