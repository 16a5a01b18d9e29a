//! The faults on a socket, in front of an API server.

use super::{ApiFaults, BrokenOff};
use crate::{ApiClient, Authority, Error, Result, background};
use base64::{Engine, prelude::BASE64_STANDARD};
use http_body_util::{BodyExt, Full};
use hyper::{Request, header, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{net::SocketAddr, path::Path, sync::Arc};
use tokio::{net::TcpListener, task::AbortHandle};
use tokio_rustls::TlsAcceptor;

/// An API server as it looks from behind a bad network: calls go through it to a real one, and may meet
/// [`ApiFaults`].
///
/// Whoever comes through is the user of the client that the proxy was given, and may impersonate whom that one may.
pub struct FaultProxy {
    address: SocketAddr,
    authority: Authority,
    faults: ApiFaults,
    acceptor: AbortHandle,
}

impl FaultProxy {
    /// Starts a proxy to the server that `api` speaks to.
    ///
    /// # Errors
    /// When no port can be bound, or no certificate made.
    pub fn start(api: &ApiClient, faults: ApiFaults) -> Result<Self> {
        let authority = Authority::new("Windlass fault proxy")?;
        let mut config = authority.server_config(&["localhost", "127.0.0.1"], false)?;
        // One call at a time on a connection, so that breaking one off breaks no other.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let (listener, address) = background::listen()?;
        let accepting = accept(listener, TlsAcceptor::from(Arc::new(config)), api.clone(), faults.clone());
        let acceptor = background::runtime().spawn(accepting).abort_handle();
        Ok(Self { address, authority, faults, acceptor })
    }

    /// What goes wrong.
    pub fn faults(&self) -> &ApiFaults {
        &self.faults
    }

    /// The address of the API behind the proxy.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The certificate that it is trusted by, as PEM.
    pub fn authority_pem(&self) -> &str {
        self.authority.certificate_pem()
    }

    /// Writes a kubeconfig that leads through the proxy.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_kubeconfig(&self, path: &Path) -> Result<()> {
        let config = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "faults",
            "clusters": [{"name": "faults", "cluster": {
                "server": self.url(),
                "certificate-authority-data": BASE64_STANDARD.encode(self.authority_pem()),
            }}],
            "users": [{"name": "anybody", "user": {"token": "anybody"}}],
            "contexts": [{"name": "faults", "context": {"cluster": "faults", "user": "anybody"}}],
        });
        std::fs::write(path, config.to_string()).map_err(Error::io(format!("write {}", path.display())))
    }
}

impl std::fmt::Debug for FaultProxy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FaultProxy").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, api: ApiClient, faults: ApiFaults) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let (tls, api, faults) = (tls.clone(), api.clone(), faults.clone());
        connections.spawn(async move {
            let _ = stream.set_nodelay(true);
            let Ok(stream) = tls.accept(stream).await else { return };
            let service = service_fn(|request| answer(request, api.clone(), faults.clone()));
            // A handler that fails closes the connection without an answer, which is what is wanted.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    request: Request<hyper::body::Incoming>,
    api: ApiClient,
    faults: ApiFaults,
) -> std::result::Result<hyper::Response<super::FaultyBody>, BrokenOff> {
    let (mut head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| BrokenOff)?.to_bytes();
    for name in [header::AUTHORIZATION, header::HOST, header::CONNECTION, header::ACCEPT_ENCODING] {
        head.headers.remove(name);
    }
    faults
        .pass(Request::from_parts(head, body), |request| async move {
            api.open(request.map(Full::new)).await.map_err(|_| BrokenOff)
        })
        .await
}
