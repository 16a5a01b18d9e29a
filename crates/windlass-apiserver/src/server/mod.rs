//! The API on a socket: TLS, users, shutdown.

mod kubeconfig;
mod tls;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use windlass_kube::{Object, Str};

use crate::api::{Api, UserInfo};
use crate::audit::{Audit, Peer};
use crate::controllers::{self, Controllers};
use crate::http::{ApiService, Body};
use crate::status::Status;
use crate::store::{BackendError, Store};
use tls::Identity;

/// How long a client may take over the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long open connections get at shutdown: watches never end by themselves.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// How many connections one HTTP/2 client may use for parallel requests: a client multiplexes all its watches.
const MAX_STREAMS: u32 = 1000;

/// Where objects are kept.
#[derive(Clone, Debug)]
pub enum Data {
    /// Nowhere: everything ends with the process.
    Memory,
    /// In this directory, together with the server's keys; it is created if absent.
    Dir(PathBuf),
}

/// How to serve.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where objects are kept.
    pub data: Data,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Further names and addresses that clients reach the server by, for its certificate.
    pub names: Vec<String>,
    /// Whether workloads become ready without anything running.
    pub simulate_workloads: bool,
    /// Who is told of requests.
    pub audit: Option<Audit>,
    /// What a new store holds from its first moment, beside what every cluster has: applied in this order.
    pub first: Vec<Object>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: Data::Memory,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            names: Vec::new(),
            simulate_workloads: false,
            audit: None,
            first: Vec::new(),
        }
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory could not be used.
    #[error("preparing the data directory {path:?} failed")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The store could not be opened.
    #[error("opening the store failed")]
    Store(#[from] BackendError),
    /// Keys or certificates could not be made or read.
    #[error("preparing the server's certificates failed: {0}")]
    Tls(String),
    /// The address could not be listened on.
    #[error("listening on {address} failed")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What every cluster has could not be created.
    #[error("creating the first objects failed")]
    Bootstrap(#[source] Status),
}

/// A running server. Dropping it stops listening; [`shutdown`](Self::shutdown) also waits for what is under way.
pub struct Server {
    address: SocketAddr,
    api: Api,
    service: ApiService,
    identity: Arc<Identity>,
    admin_token: String,
    stop: watch::Sender<bool>,
    accepting: tokio::task::JoinHandle<()>,
    controllers: Controllers,
}

impl Server {
    /// Opens the store, starts the controllers and listens.
    ///
    /// # Errors
    ///
    /// [`StartError`] says what could not be done.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let directory = match &config.data {
            Data::Memory => None,
            Data::Dir(path) => {
                std::fs::create_dir_all(path)
                    .map_err(|source| StartError::Directory { path: path.clone(), source })?;
                Some(path.clone())
            }
        };
        let store = match &directory {
            None => Store::in_memory(),
            Some(path) => Store::open(&path.join("store.db"))?,
        };
        if let Some(directory) = &directory {
            crate::backup::remove_leftovers(directory);
        }
        // New keys and new objects wait for the disk at the same time. Whoever holds the store makes the keys.
        let names = config.names.clone();
        let keys = tokio::task::spawn_blocking(move || -> Result<_, StartError> {
            let identity = Arc::new(Identity::load(directory.as_deref(), &names)?);
            let acceptor = identity.acceptor()?;
            let signing = directory.as_deref().map(tls::signing_key).transpose()?;
            Ok((identity, acceptor, signing))
        });
        let api = Api::start_with(store, config.first).await.map_err(StartError::Bootstrap)?;
        let (identity, acceptor, signing) =
            keys.await.map_err(|error| StartError::Tls(format!("making keys ended early: {error}")))??;
        if let Some(signing) = signing {
            api.tokens().sign_with(signing);
        }
        let admin_token = crate::tokens::random_token();
        api.tokens().accept(admin_token.clone(), UserInfo::admin("kubernetes-admin"));
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|source| StartError::Listen { address: config.listen, source })?;
        let address =
            listener.local_addr().map_err(|source| StartError::Listen { address: config.listen, source })?;
        let service = api.service().audited(config.audit);
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, acceptor, service.clone(), stopped));
        let options = controllers::Options {
            cluster_ca: Some(identity.ca_pem().to_owned()),
            simulate_workloads: config.simulate_workloads,
        };
        let controllers = Controllers::start(&api, &options);
        Ok(Self { address, api, service, identity, admin_token, stop, accepting, controllers })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address clients use.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The certificate authority of the server, in PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.identity.ca_pem()
    }

    /// The bearer token of an administrator; it ends with the process.
    #[must_use]
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// A kubeconfig of an administrator, who is known by a client certificate. It is good until the data
    /// directory goes, as long as the address stays the same.
    ///
    /// # Errors
    ///
    /// When the certificate could not be made.
    pub fn kubeconfig(&self) -> Result<String, StartError> {
        let (certificate, key) = self.identity.client_certificate("kubernetes-admin", "system:masters")?;
        Ok(kubeconfig::kubeconfig(&self.url(), self.ca_pem(), &certificate, &key))
    }

    /// The API in process, as an administrator.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The API as a service of HTTP requests, without the socket, as an administrator.
    #[must_use]
    pub fn service(&self) -> ApiService {
        self.service.clone()
    }

    /// Stops listening, ends connections, stops the controllers and closes the store.
    pub async fn shutdown(self) {
        let _ = self.stop.send(true);
        let _ = self.accepting.await;
        self.controllers.stop().await;
        self.api.store().close().await;
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    service: ApiService,
    mut stopped: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, most likely: others will close theirs.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            },
            _ = stopped.changed() => break,
        };
        let watcher = graceful.watcher();
        let (acceptor, service) = (acceptor.clone(), service.clone());
        connections.spawn(async move {
            if let Err(error) = serve(stream, acceptor, service, watcher).await {
                tracing::debug!(%error, "a connection ended");
            }
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(SHUTDOWN_GRACE, graceful.shutdown()).await;
    // What is still open now are watches.
    connections.shutdown().await;
}

async fn serve(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    service: ApiService,
    watcher: hyper_util::server::graceful::Watcher,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let peer = Peer(stream.peer_addr()?.ip());
    let stream = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await??;
    let by_certificate = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|certificates| certificates.first())
        .and_then(|certificate| tls::user_of(certificate));
    let service = service_fn(move |request: Request<Incoming>| {
        let (service, by_certificate) = (service.clone(), by_certificate.clone());
        async move { Ok::<_, std::convert::Infallible>(answer(service, by_certificate, peer, request).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(MAX_STREAMS).adaptive_window(true);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
    watcher.watch(connection).await
}

async fn answer(
    service: ApiService,
    by_certificate: Option<UserInfo>,
    peer: Peer,
    mut request: Request<Incoming>,
) -> Response<Body> {
    let token = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.strip_prefix("Bearer "));
    let known = match (token, by_certificate) {
        (Some(token), _) => service.with_token(token.trim()),
        (None, Some(user)) => Some(service.as_user(user)),
        (None, None) => is_public(request.uri().path()).then(|| service.as_user(anonymous())),
    };
    request.extensions_mut().insert(peer);
    match known {
        Some(service) => service.answer(request).await,
        None => service.refuse(request, &Status::unauthorized()).await,
    }
}

/// What may be asked without a name, as `system:public-info-viewer` has it.
fn is_public(path: &str) -> bool {
    matches!(path, "/healthz" | "/livez" | "/readyz" | "/version" | "/version/")
}

fn anonymous() -> UserInfo {
    let groups = vec![Str::new("system:unauthenticated")];
    UserInfo { name: "system:anonymous".into(), groups, ..UserInfo::default() }
}
