//! The bare client: requests made beforehand, sent over connections that are open already.
//!
//! HTTP/1.1 over TLS, one request at a time a connection: nothing is cheaper for client and server.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How many connections the floor has; design and issue name this figure.
pub(crate) const CONNECTIONS: usize = 16;

/// How one API server is reached.
#[derive(Clone)]
pub(crate) struct Api {
    host: String,
    port: u16,
    tls: TlsConnector,
    authorization: Option<HeaderValue>,
}

/// A request that is ready to be sent.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
}

impl Call {
    /// Applies server-side, by force, as the field manager that Windlass is.
    pub(crate) fn apply(path: &str, object: &Value) -> Self {
        let path = format!("{path}?fieldManager={}&force=true", windlass_argo::FIELD_MANAGER);
        Self::new(Method::PATCH, path, "application/apply-patch+yaml", object)
    }

    /// Changes by a JSON merge patch.
    pub(crate) fn merge(path: &str, patch: &Value) -> Self {
        let path = format!("{path}?fieldManager={}", windlass_argo::FIELD_MANAGER);
        Self::new(Method::PATCH, path, "application/merge-patch+json", patch)
    }

    /// Creates in a collection.
    pub(crate) fn create(path: &str, object: &Value) -> Self {
        Self::new(Method::POST, path.to_owned(), "application/json", object)
    }

    /// Reads.
    pub(crate) fn get(path: &str) -> Self {
        Self {
            method: Method::GET,
            path: path.to_owned(),
            content_type: "application/json",
            body: Bytes::new(),
        }
    }

    /// Deletes one object, or all of a collection.
    pub(crate) fn delete(path: &str) -> Self {
        Self { method: Method::DELETE, ..Self::get(path) }
    }

    fn new(method: Method, path: String, content_type: &'static str, body: &Value) -> Self {
        Self { method, path, content_type, body: Bytes::from(body.to_string()) }
    }
}

/// One open connection.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    authorization: Option<HeaderValue>,
}

impl Api {
    /// Reads a kubeconfig with one cluster and one user, as both servers write it.
    pub(crate) fn from_kubeconfig(path: &Path) -> Result<Self> {
        let what = || format!("the kubeconfig {} is unusable", path.display());
        let text = std::fs::read_to_string(path).with_context(what)?;
        let config = windlass_yaml::load(&text).with_context(what)?;
        let part = |list: &str, path: &[&str]| -> Option<String> {
            config.items_at(&[list]).first()?.str_at(path).map(str::to_owned)
        };
        let pem = |list: &str, path: &[&str]| -> Result<Option<Vec<u8>>> {
            let engine = base64::engine::general_purpose::STANDARD;
            Ok(part(list, path).map(|text| engine.decode(text)).transpose()?)
        };
        let authority = pem("clusters", &["cluster", "certificate-authority-data"])?.with_context(what)?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&authority) {
            roots.add(certificate?)?;
        }
        let tls = ClientConfig::builder().with_root_certificates(roots);
        let certificate = pem("users", &["user", "client-certificate-data"])?;
        let key = pem("users", &["user", "client-key-data"])?;
        let mut tls = match (certificate, key) {
            (Some(certificate), Some(key)) => {
                let chain = CertificateDer::pem_slice_iter(&certificate).collect::<Result<Vec<_>, _>>()?;
                tls.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(&key)?)?
            }
            _ => tls.with_no_client_auth(),
        };
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let token = part("users", &["user", "token"]);
        let authorization =
            token.map(|token| HeaderValue::from_str(&format!("Bearer {token}"))).transpose()?;
        let url = part("clusters", &["cluster", "server"]).with_context(what)?;
        let url: http::Uri = url.parse().with_context(what)?;
        Ok(Self {
            host: url.host().unwrap_or("127.0.0.1").to_owned(),
            port: url.port_u16().unwrap_or(443),
            tls: TlsConnector::from(Arc::new(tls)),
            authorization,
        })
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(self.host.clone())?;
        let stream = self.tls.connect(name, stream).await?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // It ends with its sender.
        tokio::spawn(connection);
        let host = format!("{}:{}", self.host, self.port);
        Ok(Connection { sender, host, authorization: self.authorization.clone() })
    }

    /// Opens as many connections as the floor has.
    pub(crate) async fn pool(&self) -> Result<Pool> {
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            let mut connection = self.connect().await?;
            // The handshake's cost is not the floor's.
            connection.json(&Call::get("/version")).await?;
            connections.push(connection);
        }
        Ok(Pool(connections))
    }

    /// One call over a connection of its own.
    pub(crate) async fn once(&self, call: &Call) -> Result<Value> {
        self.connect().await?.json(call).await
    }
}

impl Connection {
    /// Sends a request and hands out the body as it comes.
    pub(crate) async fn open(&mut self, call: &Call) -> Result<(StatusCode, Incoming)> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(&call.path)
            .header(HOST, &self.host)
            .header(ACCEPT, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if !call.body.is_empty() {
            request = request.header(CONTENT_TYPE, call.content_type);
        }
        let request = request.body(Full::new(call.body.clone()))?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        Ok((answer.status(), answer.into_body()))
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&mut self, call: &Call) -> Result<Bytes> {
        let (status, body) = self.open(call).await?;
        let body = body.collect().await?.to_bytes();
        if !status.is_success() {
            let text: String = String::from_utf8_lossy(&body).chars().take(500).collect();
            bail!("{} {}: {status}: {text}", call.method, call.path);
        }
        Ok(body)
    }

    /// Sends a request and reads the answer as JSON.
    pub(crate) async fn json(&mut self, call: &Call) -> Result<Value> {
        let body = self.send(call).await?;
        serde_json::from_slice(&body)
            .with_context(|| format!("{} {} answered no JSON", call.method, call.path))
    }
}

/// Open connections that share work.
pub(crate) struct Pool(Vec<Connection>);

impl Pool {
    /// Sends every sequence of calls, each sequence in order on one connection, and says how long all took.
    pub(crate) async fn run(&mut self, sequences: Vec<Vec<Call>>) -> Result<Duration> {
        let sequences: Arc<[Vec<Call>]> = sequences.into();
        let next = Arc::new(AtomicUsize::new(0));
        let begun = Instant::now();
        let workers = self.0.drain(..).map(|mut connection| {
            let (sequences, next) = (sequences.clone(), next.clone());
            tokio::spawn(async move {
                while let Some(sequence) = sequences.get(next.fetch_add(1, Ordering::Relaxed)) {
                    for call in sequence {
                        connection.send(call).await?;
                    }
                }
                Ok::<_, anyhow::Error>(connection)
            })
        });
        let workers: Vec<_> = workers.collect();
        for worker in workers {
            self.0.push(worker.await??);
        }
        Ok(begun.elapsed())
    }
}
