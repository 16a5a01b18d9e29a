//! The smallest client of a Kubernetes API that a test can arrange and assert with.
//!
//! It shares no code with what it tests. It opens a connection per request, so that it can be used from
//! any runtime and notices nothing of restarts.

use crate::{Error, Result, authority};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use serde_json::Value;
use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// No call of a test takes longer on a cluster that is well.
const LONGEST_CALL: Duration = Duration::from_secs(60);

/// Calls a Kubernetes API with JSON.
#[derive(Clone)]
pub struct ApiClient {
    address: SocketAddr,
    connector: TlsConnector,
    token: Arc<str>,
    authority: Arc<str>,
}

impl ApiClient {
    /// A client for the API on this loopback port.
    ///
    /// # Errors
    /// When `authority` is not the PEM text of a certificate.
    pub fn new(port: u16, authority: &str, token: &str) -> Result<Self> {
        let config = ClientConfig::builder_with_provider(authority::provider())
            .with_safe_default_protocol_versions()
            .expect("the provider supports the versions that the library was built with")
            .with_root_certificates(authority::roots(authority)?)
            .with_no_client_auth();
        Ok(Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            connector: TlsConnector::from(Arc::new(config)),
            token: token.into(),
            authority: authority.into(),
        })
    }

    /// A client that shows a certificate instead of a token; all three are PEM texts.
    ///
    /// # Errors
    /// When one of them is not what it should be.
    pub fn with_certificate(port: u16, authority: &str, certificate: &str, key: &str) -> Result<Self> {
        let failed = |reason: String| Error::Certificate { subject: "an API client".to_owned(), reason };
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| failed(error.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| failed(error.to_string()))?;
        let config = ClientConfig::builder_with_provider(authority::provider())
            .with_safe_default_protocol_versions()
            .expect("the provider supports the versions that the library was built with")
            .with_root_certificates(authority::roots(authority)?)
            .with_client_auth_cert(chain, key)
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            connector: TlsConnector::from(Arc::new(config)),
            token: "".into(),
            authority: authority.into(),
        })
    }

    /// The address of the API, without a slash at the end.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Reads an object or a list.
    ///
    /// # Errors
    /// When the API cannot be reached or refuses.
    pub async fn get(&self, path: &str) -> Result<Value, ApiError> {
        self.call(Method::GET, path, None).await
    }

    /// Creates an object; the path is the one of the collection.
    ///
    /// # Errors
    /// When the API cannot be reached or refuses.
    pub async fn create(&self, path: &str, object: &Value) -> Result<Value, ApiError> {
        self.call(Method::POST, path, Some(("application/json", object))).await
    }

    /// Replaces an object.
    ///
    /// # Errors
    /// When the API cannot be reached or refuses.
    pub async fn replace(&self, path: &str, object: &Value) -> Result<Value, ApiError> {
        self.call(Method::PUT, path, Some(("application/json", object))).await
    }

    /// Applies an object server-side, by force, under this field manager.
    ///
    /// # Errors
    /// When the API cannot be reached or refuses.
    pub async fn apply(&self, path: &str, manager: &str, object: &Value) -> Result<Value, ApiError> {
        let path = format!("{path}?fieldManager={manager}&force=true");
        self.call(Method::PATCH, &path, Some(("application/apply-patch+yaml", object))).await
    }

    /// Changes an object by a JSON merge patch.
    ///
    /// # Errors
    /// When the API cannot be reached or refuses.
    pub async fn merge(&self, path: &str, patch: &Value) -> Result<Value, ApiError> {
        self.call(Method::PATCH, path, Some(("application/merge-patch+json", patch))).await
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// When the API cannot be reached or refuses.
    pub async fn delete(&self, path: &str) -> Result<Value, ApiError> {
        self.call(Method::DELETE, path, None).await
    }

    /// Makes any call; the path may have a query, the body goes with its content type.
    ///
    /// # Errors
    /// When the API cannot be reached or refuses.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<Value, ApiError> {
        let failed =
            |reason: String| ApiError::Unreachable { method: method.clone(), path: path.to_owned(), reason };
        let answer = tokio::time::timeout(LONGEST_CALL, self.exchange(&method, path, body)).await;
        let (status, body) = answer
            .map_err(|_| failed(format!("no answer within {LONGEST_CALL:?}")))?
            .map_err(|error| failed(error.to_string()))?;
        let value = serde_json::from_slice::<Value>(&body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
        if status.is_success() {
            return Ok(value);
        }
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let message = value.as_str().map_or_else(|| text("message"), str::to_owned);
        Err(ApiError::Refused {
            method,
            path: path.to_owned(),
            code: status.as_u16(),
            reason: text("reason"),
            message,
        })
    }

    /// Sends a request as it is, as this client's user, and returns the answer while its body arrives.
    ///
    /// # Errors
    /// When the API cannot be reached.
    pub async fn open(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>, ApiError> {
        let (method, path) = (request.method().clone(), request.uri().to_string());
        let failed = |error: &dyn fmt::Display| ApiError::Unreachable {
            method: method.clone(),
            path: path.clone(),
            reason: error.to_string(),
        };
        let headers = request.headers_mut();
        let text = |text: String| HeaderValue::try_from(text).map_err(|error| failed(&error));
        headers.insert(HOST, text(self.address.to_string())?);
        if !self.token.is_empty() && !headers.contains_key(AUTHORIZATION) {
            headers.insert(AUTHORIZATION, text(format!("Bearer {}", self.token))?);
        }
        let stream = TcpStream::connect(self.address).await.map_err(|error| failed(&error))?;
        let name = ServerName::IpAddress(self.address.ip().into());
        let stream = self.connector.connect(name, stream).await.map_err(|error| failed(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(&error))?;
        // It ends when the answer has been read or dropped.
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(|error| failed(&error))
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// The certificate that the API is trusted by, as PEM text.
    pub fn authority_pem(&self) -> &str {
        &self.authority
    }

    async fn exchange(
        &self,
        method: &Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::IpAddress(self.address.ip().into());
        let stream = self.connector.connect(name, stream).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(ACCEPT, "application/json");
        if !self.token.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {}", self.token));
        }
        if let Some((content_type, _)) = body {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let body = body.map(|(_, value)| Bytes::from(value.to_string())).unwrap_or_default();
        let request = request.body(Full::new(body))?;
        // The connection is driven here and nowhere else, so a call that is dropped leaves nothing behind.
        let answer = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            Ok::<_, hyper::Error>((status, answer.into_body().collect().await?.to_bytes()))
        };
        tokio::select! {
            answer = answer => Ok(answer?),
            ended = async { connection.await?; std::future::pending().await } => ended,
        }
    }
}

impl fmt::Debug for ApiClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ApiClient").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Why a call to the API failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApiError {
    /// There was no answer.
    #[error("{method} {path}: cannot reach the API: {reason}")]
    Unreachable {
        /// The method of the call.
        method: Method,
        /// The path of the call.
        path: String,
        /// What went wrong.
        reason: String,
    },
    /// The answer was no.
    #[error("{method} {path}: {code} {reason}: {message}")]
    Refused {
        /// The method of the call.
        method: Method,
        /// The path of the call.
        path: String,
        /// The HTTP status.
        code: u16,
        /// The reason in the Kubernetes status object, for example `NotFound`.
        reason: String,
        /// The message in the Kubernetes status object.
        message: String,
    },
}

impl ApiError {
    /// The HTTP status, when there was an answer.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Unreachable { .. } => None,
            Self::Refused { code, .. } => Some(*code),
        }
    }
}
