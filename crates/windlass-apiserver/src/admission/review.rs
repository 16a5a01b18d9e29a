//! Asking a webhook over HTTPS.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use windlass_kube::Value;

use crate::api::Api;
use crate::store::Key;

/// The largest answer of a webhook that is read: that of the largest request, with room for a patch of all of it.
const MAX_ANSWER_BYTES: usize = 2 * crate::MAX_REQUEST_BYTES;

/// Where a webhook is, and whom to believe that it is there.
#[derive(Debug)]
pub(crate) struct Client {
    place: Place,
    /// Nothing where the certificates cannot be read.
    tls: Option<Arc<rustls::ClientConfig>>,
}

#[derive(Debug)]
enum Place {
    Url(String),
    Service { namespace: String, name: String, path: String, port: u16 },
}

/// What a request came to that got no good answer.
pub(crate) struct Unanswered(pub(crate) String);

impl Client {
    /// Reads `clientConfig` of a webhook.
    pub(crate) fn new(config: &Value) -> Self {
        let place = match config.get("service") {
            Some(service) => {
                let text = |key: &str| service.str_at(&[key]).unwrap_or_default().to_owned();
                let port = service.int_at(&["port"]).and_then(|port| u16::try_from(port).ok()).unwrap_or(443);
                Place::Service { namespace: text("namespace"), name: text("name"), path: text("path"), port }
            }
            None => Place::Url(config.str_at(&["url"]).unwrap_or_default().to_owned()),
        };
        Self { place, tls: tls(config.str_at(&["caBundle"]).unwrap_or_default()) }
    }

    /// Sends a review and returns what was answered.
    ///
    /// # Errors
    ///
    /// Why there is no answer, as Go's HTTP client says it.
    pub(crate) async fn post(&self, api: &Api, body: &Value, timeout: Duration) -> Result<Value, Unanswered> {
        let seconds = timeout.as_secs();
        let base = match &self.place {
            Place::Url(url) => url.clone(),
            Place::Service { namespace, name, path, port } => {
                let slash = if path.starts_with('/') { "" } else { "/" };
                format!("https://{name}.{namespace}.svc:{port}{slash}{path}")
            }
        };
        let url = format!("{base}?timeout={seconds}s");
        let failed = |why: String| Unanswered(format!("Post {url:?}: {why}"));
        let uri: http::Uri = url.parse().map_err(|error| failed(format!("{error}")))?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let address = match &self.place {
            Place::Url(_) => (host.clone(), uri.port_u16().unwrap_or(443)),
            Place::Service { namespace, name, .. } => endpoint(api, namespace, name).map_err(failed)?,
        };
        let bytes = serde_json::to_vec(body).map_err(|error| failed(error.to_string()))?;
        match tokio::time::timeout(timeout, self.exchange(&uri, host, address, bytes)).await {
            Err(_) => Err(failed("context deadline exceeded".into())),
            Ok(Err(why)) => Err(failed(why)),
            Ok(Ok((code, answer))) => read(code, &answer),
        }
    }

    async fn exchange(
        &self,
        uri: &http::Uri,
        host: String,
        address: (String, u16),
        body: Vec<u8>,
    ) -> Result<(u16, Bytes), String> {
        let unknown = "tls: failed to verify certificate: x509: certificate signed by unknown authority";
        let tls =
            self.tls.clone().ok_or("unable to load root certificates: unable to parse bytes as PEM block")?;
        let stream = TcpStream::connect((address.0.as_str(), address.1)).await.map_err(|error| {
            let why = if error.kind() == std::io::ErrorKind::ConnectionRefused {
                "connect: connection refused".to_owned()
            } else {
                error.to_string()
            };
            format!("dial tcp {}:{}: {why}", address.0, address.1)
        })?;
        let name = ServerName::try_from(host.clone()).map_err(|error| error.to_string())?;
        let stream = TlsConnector::from(tls).connect(name, stream).await.map_err(|error| {
            let is_unknown = error.to_string().contains("UnknownIssuer");
            if is_unknown { unknown.to_owned() } else { format!("tls: {error}") }
        })?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        let connection = tokio::spawn(connection);
        let request = Request::post(uri.path_and_query().map_or("/", |path| path.as_str()))
            .header(header::HOST, uri.authority().map_or(host.as_str(), |authority| authority.as_str()))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, "kube-apiserver-admission")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        let answered = sender.send_request(request).await;
        let answer = match answered {
            Ok(response) => {
                let code = response.status().as_u16();
                let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
                body.map(|body| (code, body.to_bytes())).map_err(|error| error.to_string())
            }
            Err(_) => Err("EOF".to_owned()),
        };
        connection.abort();
        answer
    }
}

/// An address behind a service: there is no network of services here, so it must be one that is reached from here.
fn endpoint(api: &Api, namespace: &str, name: &str) -> Result<(String, u16), String> {
    let key = Key::new(namespace, name);
    if api.store().table("/services").get(&key).is_none() {
        return Err(format!("service {name:?} not found"));
    }
    let none = || format!("no endpoints available for service {name:?}");
    let endpoints = api.store().table("/endpoints").get(&key).ok_or_else(none)?.object().to_value();
    for subset in endpoints.items_at(&["subsets"]) {
        let address = subset.items_at(&["addresses"]).first().and_then(|address| address.str_at(&["ip"]));
        let port = subset.items_at(&["ports"]).first().and_then(|port| port.int_at(&["port"]));
        if let (Some(address), Some(port)) = (address, port.and_then(|port| u16::try_from(port).ok())) {
            return Ok((address.to_owned(), port));
        }
    }
    Err(none())
}

/// Trust in the authorities of a bundle, which is PEM in base64; nothing where it cannot be read.
fn tls(bundle: &str) -> Option<Arc<rustls::ClientConfig>> {
    let pem = STANDARD.decode(bundle).ok()?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.ok()?).ok()?;
    }
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Some(Arc::new(config))
}

/// Reads an answer, or says what client-go says of one that is none.
fn read(code: u16, body: &Bytes) -> Result<Value, Unanswered> {
    let text = String::from_utf8_lossy(body);
    if !(200..300).contains(&code) {
        return Err(Unanswered(match code {
            400 => "the server rejected our request for an unknown reason".to_owned(),
            401 => "the server has asked for the client to provide credentials".to_owned(),
            404 => "the server could not find the requested resource".to_owned(),
            405 => "the server does not allow this method on the requested resource".to_owned(),
            500.. => format!(
                "an error on the server ({:?}) has prevented the request from succeeding",
                if text.trim().is_empty() { "unknown" } else { text.trim() }
            ),
            _ => format!(
                "the server responded with the status code {code} but did not return more information"
            ),
        }));
    }
    serde_json::from_slice(body).map_err(|error| {
        let why = crate::http::go_json_error(body, &error);
        Unanswered(format!("couldn't get version/kind; json parse error: {why}"))
    })
}
