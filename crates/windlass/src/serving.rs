//! What both ways of running share: the hub's port, webhook secrets, the engine, the end by signal.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use windlass_cluster::{
    ClusterClient, Messages, Resource, ShareOptions, WatchEvent, WatchScope, leave, share,
};
use windlass_engine::{Engine, EngineConfig, Metrics, Sharing, push_channel};
use windlass_kube::{Object, Value, value};
use windlass_plugin::{Finding, Registry};
use windlass_render::Plugins;
use windlass_server::Hub;
use windlass_source::webhook::{Provider, Push, Secrets};
use windlass_source::{FolderWatch, Secret};

use crate::cli::EngineOptions;

/// The Secret that webhook secrets stand in, as for Argo CD.
const WEBHOOK_SECRET: &str = "argocd-secret";

/// Pushes on their way to or from the other replicas.
const MESSAGES: usize = 16;

/// How long the end waits for our Lease to be deleted.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// Plugins whose files are watched for as long as this is there.
struct Declared {
    plugins: watch::Receiver<Arc<dyn Plugins>>,
    _watching: FolderWatch,
}

impl Declared {
    /// Reads the plugins again when something in their folder changes.
    fn follow(registry: Registry) -> std::io::Result<Self> {
        tell_of(&registry, &[]);
        let folder = registry.folder().to_owned();
        let mut current = Arc::new(registry);
        let (sender, plugins) = watch::channel(current.clone() as Arc<dyn Plugins>);
        let reread = move || match current.reread() {
            Ok(None) => {}
            Ok(Some((registry, findings))) => {
                tell_of(&registry, &findings);
                current = Arc::new(registry);
                let _ = sender.send(current.clone());
            }
            Err(error) => {
                let folder = current.folder().display();
                tracing::error!(%folder, %error, "plugins cannot be read again, and stay as they are");
            }
        };
        let reread = Arc::new(Mutex::new(reread));
        let again = reread.clone();
        let watching = FolderWatch::start(folder, move |_| {
            (again.lock().unwrap_or_else(PoisonError::into_inner))();
        })?;
        // What changed between the first look and the beginning of the watch.
        (reread.lock().unwrap_or_else(PoisonError::into_inner))();
        Ok(Self { plugins, _watching: watching })
    }
}

fn tell_of(registry: &Registry, findings: &[Finding]) {
    for finding in findings {
        tracing::error!("{finding}");
    }
    let names: Vec<&str> = registry.names().map(|name| name.as_str()).collect();
    tracing::info!(plugins = names.join(", "), "plugins read");
}

impl EngineOptions {
    /// The plugins, followed.
    fn declared(&self) -> Result<Option<Declared>> {
        let registry = self.plugins.registry(|finding| tracing::error!("{finding}"))?;
        registry.map(Declared::follow).transpose().context("the folder of the plugins cannot be watched")
    }

    fn config(&self, declared: Option<&Declared>) -> Result<EngineConfig> {
        let store_bucket = self.store_bucket.as_deref().map(crate::bucket::store_bucket).transpose()?;
        Ok(EngineConfig {
            control_plane_namespace: self.namespace.as_str().into(),
            watch_namespace: self.watch_namespace.as_str().into(),
            poll_interval: self.poll_interval,
            poll_jitter: self.poll_interval / 2,
            allow_local_repositories: self.allow_local_repositories,
            local_folders: self.allow_local_folder.clone(),
            cluster_logins: self.logins.allowed(),
            jsonnet: Some(Arc::new(self.jsonnet.engine())),
            plugins: declared.map(|declared| declared.plugins.clone()),
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
    share_work: bool,
    stop: impl Future<Output = ()> + Send,
) -> Result<()> {
    let metrics = Metrics::default();
    let mut registry = prometheus_client::registry::Registry::default();
    metrics.register(&mut registry);
    windlass_server::register_process_metrics(&mut registry);
    let secrets: Arc<RwLock<Secrets>> = Arc::default();
    let (pushes, mut received) = push_channel();
    let (says, said) = mpsc::channel(MESSAGES);
    let (heard, mut hears) = mpsc::channel(MESSAGES);
    let for_others = pushes.clone();
    let take_push = move |push: Push| {
        if share_work && says.try_send(written_push(&push)).is_err() {
            tracing::warn!("the other replicas could not be told of a push; polling finds what it brought");
        }
        pushes.send(push)
    };
    let hub = Hub::new(Arc::new(RwLock::new(registry)), secrets.clone(), take_push);
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("cannot listen on {} (choose another with --listen)", options.listen))?;
    tracing::info!(address = %listener.local_addr()?, "serving metrics, health and webhooks");

    let declared = options.declared()?;
    let engine = Engine::new(options.config(declared.as_ref())?, client.clone(), data, metrics)
        .with_context(|| format!("the data directory {} cannot be used", data.display()))?;
    let (ready, mut readiness) = watch::channel(false);
    let hub_ready = hub.clone();
    let follow_readiness = async move {
        while readiness.changed().await.is_ok() {
            hub_ready.set_ready(*readiness.borrow());
        }
        std::future::pending::<()>().await;
    };
    let sharing_options = sharing_options(options);
    let (assignments, mut assigned) = watch::channel(None);
    let (settled, settling) = watch::channel(0);
    let sharing = async {
        if share_work {
            let messages = Messages { outgoing: said, incoming: heard };
            share(client.clone(), sharing_options.clone(), assignments, settling, messages).await;
        }
        std::future::pending::<()>().await;
    };
    let hearing = async {
        while let Some(message) = hears.recv().await {
            // Whoever heard of it first has checked it.
            if let Some(push) = read_push(&message)
                && !for_others.send(push)
            {
                tracing::warn!(
                    "a push that another replica heard of could not be taken; polling finds what it brought"
                );
            }
        }
        std::future::pending::<()>().await;
    };
    let running = async {
        if !share_work {
            tracing::info!("engine started");
            return engine.run(&mut received, &ready, None).await;
        }
        loop {
            // Whoever has no part of the work yet is ready to take it over.
            let _ = ready.send(true);
            if assigned.wait_for(Option::is_some).await.is_err() {
                return;
            }
            tracing::info!("engine started");
            let sharing = Sharing { assignments: assigned.clone(), settled: settled.clone() };
            engine.run(&mut received, &ready, Some(sharing)).await;
            tracing::warn!("engine stopped until the Lease of this replica is renewed");
        }
    };
    let ended = tokio::select! {
        served = windlass_server::serve(listener, hub, std::future::pending()) => served.context("the hub failed"),
        () = follow_readiness => Ok(()),
        () = sharing => Ok(()),
        () = hearing => Ok(()),
        () = follow_webhook_secrets(client.clone(), options.namespace.clone(), secrets) => Ok(()),
        () = running => Ok(()),
        () = stop => Ok(()),
    };
    if share_work {
        // The others need not wait for the Lease to run out; an API that does not answer does not hold up the end.
        let _ = tokio::time::timeout(LEAVE_WITHIN, leave(&client, &sharing_options)).await;
    }
    ended
}

fn sharing_options(options: &EngineOptions) -> ShareOptions {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "windlass".into());
    ShareOptions {
        namespace: options.namespace.as_str().into(),
        group: "windlass".into(),
        identity: format!("{host}_{}", std::process::id()).into(),
        // The figures of Kubernetes' own controllers.
        duration: Duration::from_secs(15),
        renew: Duration::from_secs(5),
    }
}

/// A push as the other replicas are told of it: what they need to look at the repository.
fn written_push(push: &Push) -> Value {
    let repositories: Vec<Value> = push.repositories.iter().map(|url| Value::from(url.as_str())).collect();
    let mut message = value!({"push": {"ref": (push.reference.as_str())}});
    message.set_at(&["push", "repositories"], repositories);
    message
}

fn read_push(message: &Value) -> Option<Push> {
    let repositories = message.items_at(&["push", "repositories"]);
    Some(Push {
        provider: Provider::Generic,
        repositories: repositories.iter().filter_map(|url| url.as_str().map(str::to_owned)).collect(),
        reference: message.str_at(&["push", "ref"])?.to_owned(),
        before: None,
        after: None,
        changed_files: None,
        is_default_branch: None,
    })
}

async fn follow_webhook_secrets(client: ClusterClient, namespace: String, secrets: Arc<RwLock<Secrets>>) {
    /// One Secret changes rarely.
    const BUFFER: usize = 8;
    let (sender, mut events) = mpsc::channel(BUFFER);
    let scope = WatchScope { namespace: namespace.into(), ..WatchScope::default() };
    let resource = Resource::new("", "v1", "Secret", "secrets", true);
    let follow = async {
        while let Some(event) = events.recv().await {
            let read = match event {
                WatchEvent::Applied(object) if object.name() == WEBHOOK_SECRET => read_secrets(&object),
                WatchEvent::Deleted(object) if object.name() == WEBHOOK_SECRET => Secrets::default(),
                _ => continue,
            };
            *secrets.write().unwrap_or_else(PoisonError::into_inner) = read;
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
