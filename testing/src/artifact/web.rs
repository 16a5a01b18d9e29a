//! What the servers of artifacts have in common: sockets, TLS, a log of requests, faults on request.

use crate::{Authority, Error, Identity, Result, background};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response, StatusCode,
    body::{Frame, Incoming},
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::AbortHandle,
};
use tokio_rustls::TlsAcceptor;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What a server of artifacts does instead of answering well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebFault {
    /// Waits, then answers as usual.
    Delay(Duration),
    /// Answers with this status and a short text.
    Status(u16),
    /// Closes the connection without an answer.
    Disconnect,
    /// Never answers.
    Hang,
    /// Answers as usual, and closes the connection after this many bytes of the body.
    CutAfter(usize),
    /// Sends the body byte by byte, with this pause before each.
    Drip(Duration),
    /// Sends a body of the same length that differs in its last byte; its headers promise the right one.
    Alter,
    /// Announces another content type.
    ContentType(String),
    /// Sends the caller to the same path and query at this address.
    RedirectTo(String),
    /// Sends this body with status 200 and no other headers.
    Body(Vec<u8>),
}

/// A request that a server of artifacts got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebRequest {
    /// The method.
    pub method: String,
    /// The path, which begins with a slash.
    pub path: String,
    /// The query, without the question mark.
    pub query: String,
    /// What the `Authorization` header says; empty without one.
    pub authorization: String,
    /// What the `If-None-Match` header says; empty without one.
    pub if_none_match: String,
    /// The status it was answered with; zero when it was not answered.
    pub status: u16,
}

impl WebRequest {
    /// Whether credentials or a token came along, right or wrong.
    pub fn authenticated(&self) -> bool {
        !self.authorization.is_empty()
    }
}

/// What a handler answers.
pub(crate) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) body: Bytes,
}

impl Answer {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

/// Answers one request, whose body has arrived.
pub(crate) trait Handler: Send + Sync + 'static {
    fn answer(&self, request: &WebRequest, headers: &HeaderMap, body: Bytes) -> Answer;
}

/// A server on a loopback port.
pub(crate) struct Server<H> {
    address: SocketAddr,
    pub(super) state: Arc<State<H>>,
    client: Option<Identity>,
    acceptor: AbortHandle,
}

pub(crate) struct State<H> {
    pub(super) handler: H,
    tls: Option<(TlsAcceptor, Authority)>,
    log: Mutex<Vec<WebRequest>>,
    faults: Mutex<Vec<Trouble>>,
}

/// A fault, for which paths, and how many requests it is still for.
struct Trouble {
    part_of_path: String,
    fault: WebFault,
    left: usize,
}

impl<H: Handler> Server<H> {
    /// Starts a server; the handler is told the address that it will be reached at.
    pub(crate) fn start(
        tls: bool,
        client_certificates: bool,
        handler: impl FnOnce(String) -> H,
    ) -> Result<Self> {
        let (tls, client) = if tls || client_certificates {
            let authority = Authority::new("Windlass test authority")?;
            let config = authority.server_config(&["localhost", "127.0.0.1"], client_certificates)?;
            let client = authority.client("artifact-client", &[])?;
            (Some((TlsAcceptor::from(Arc::new(config)), authority)), Some(client))
        } else {
            (None, None)
        };
        let (listener, address) = background::listen()?;
        let handler = handler(base_url(address, tls.is_some()));
        let state = Arc::new(State { handler, tls, log: Mutex::default(), faults: Mutex::default() });
        let acceptor = background::runtime().spawn(accept(listener, Arc::clone(&state))).abort_handle();
        Ok(Self { address, state, client, acceptor })
    }

    pub(crate) fn base_url(&self) -> String {
        base_url(self.address, self.state.tls.is_some())
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn authority_pem(&self) -> Option<&str> {
        self.state.tls.as_ref().map(|(_, authority)| authority.certificate_pem())
    }

    pub(super) fn client_identity(&self) -> Option<&Identity> {
        self.client.as_ref()
    }

    pub(crate) fn requests(&self) -> Vec<WebRequest> {
        self.state.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn forget_requests(&self) {
        self.state.log.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn fault(&self, part_of_path: &str, left: usize, fault: WebFault) {
        let mut faults = self.state.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.push(Trouble { part_of_path: part_of_path.to_owned(), fault, left });
    }

    pub(super) fn clear_faults(&self) {
        self.state.faults.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl<H> Drop for Server<H> {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

impl<H> fmt::Debug for Server<H> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

fn base_url(address: SocketAddr, tls: bool) -> String {
    let port = address.port();
    if tls { format!("https://localhost:{port}") } else { format!("http://127.0.0.1:{port}") }
}

async fn accept<H: Handler>(listener: TcpListener, state: Arc<State<H>>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let state = Arc::clone(&state);
        connections.spawn(async move {
            match state.tls.as_ref().map(|(acceptor, _)| acceptor.clone()) {
                None => serve(stream, state).await,
                // A client that does not like the certificate hangs up; that is its right.
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, state).await;
                    }
                }
            }
        });
    }
}

async fn serve<H: Handler>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    state: Arc<State<H>>,
) {
    let service = service_fn(move |request| answer(request, Arc::clone(&state)));
    // A connection that ends in an error is the client's affair, or a fault that was asked for.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

/// Answers one request. An error closes the connection.
async fn answer<H: Handler>(request: Request<Incoming>, state: Arc<State<H>>) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| {
        let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let mut record = WebRequest {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        authorization: header("authorization"),
        if_none_match: header("if-none-match"),
        status: 0,
    };
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let fault = next_fault(&state.faults, &record.path);
    let log = |record: WebRequest| state.log.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    let mut answer = match &fault {
        Some(WebFault::Disconnect) => {
            log(record);
            return Err(io::Error::other("disconnected on request"));
        }
        Some(WebFault::Hang) => {
            log(record);
            return std::future::pending().await;
        }
        Some(WebFault::Status(status)) => Answer::new(*status).body("a fault that was asked for\n"),
        Some(WebFault::Body(body)) => Answer::new(200).body(body.clone()),
        Some(WebFault::RedirectTo(base)) => {
            let query = if record.query.is_empty() { String::new() } else { format!("?{}", record.query) };
            Answer::new(307).header(LOCATION, format!("{base}{}{query}", record.path))
        }
        _ => state.handler.answer(&record, &parts.headers, body),
    };
    record.status = answer.status;
    let is_head = record.method == "HEAD";
    log(record);
    match &fault {
        Some(WebFault::Delay(delay)) => tokio::time::sleep(*delay).await,
        Some(WebFault::ContentType(kind)) => {
            answer.headers.retain(|(name, _)| name != CONTENT_TYPE);
            answer.headers.push((CONTENT_TYPE, kind.clone()));
        }
        Some(WebFault::Alter) => {
            let mut bytes = answer.body.to_vec();
            if let Some(last) = bytes.last_mut() {
                *last ^= 1;
            }
            answer.body = bytes.into();
        }
        _ => {}
    }
    let length = answer.body.len();
    let body = match fault {
        Some(WebFault::CutAfter(n_bytes)) if n_bytes < length => cut_after(answer.body.slice(..n_bytes)),
        Some(WebFault::Drip(pause)) => drip(answer.body, pause),
        _ => Full::new(answer.body).map_err(|never| match never {}).boxed_unsync(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        response.headers_mut().append(name, HeaderValue::try_from(value).map_err(io::Error::other)?);
    }
    if is_head {
        *response.body_mut() = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
    }
    Ok(response)
}

fn next_fault(faults: &Mutex<Vec<Trouble>>, path: &str) -> Option<WebFault> {
    let mut faults = faults.lock().unwrap_or_else(PoisonError::into_inner);
    let trouble = faults.iter_mut().find(|it| it.left > 0 && path.contains(&it.part_of_path))?;
    if trouble.left != usize::MAX {
        trouble.left -= 1;
    }
    Some(trouble.fault.clone())
}

fn cut_after(bytes: Bytes) -> Body {
    let pieces = [Ok(Frame::data(bytes)), Err(io::Error::other("cut on request"))];
    StreamBody::new(stream::iter(pieces)).boxed_unsync()
}

fn drip(bytes: Bytes, pause: Duration) -> Body {
    let pieces = stream::unfold(bytes, move |mut bytes| async move {
        if bytes.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let first = bytes.split_to(1);
        Some((Ok(Frame::data(first)), bytes))
    });
    StreamBody::new(pieces).boxed_unsync()
}

/// The header that this user and password make.
pub(super) fn basic(user: &str, password: &str) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

/// An error for a bad argument of a test.
pub(super) fn bad(what: &str) -> Error {
    Error::io(what)(io::ErrorKind::InvalidInput.into())
}
