//! A receiver of webhooks that remembers what it got.

use crate::{Overdue, Result, background};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, sync::watch, task::AbortHandle};

/// An HTTP server on a loopback port that records every request.
///
/// ```no_run
/// # async fn example() -> Result<(), windlass_testing::Error> {
/// let receiver = windlass_testing::WebhookReceiver::start()?;
/// // … have something call receiver.url("/deployed") …
/// let calls = receiver.wait_for(2, std::time::Duration::from_secs(10)).await?;
/// assert_eq!(calls[0].path, "/deployed");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct WebhookReceiver {
    address: SocketAddr,
    state: Arc<State>,
    acceptor: AbortHandle,
}

impl WebhookReceiver {
    /// Starts a receiver that answers `200 OK` to everything.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start() -> Result<Self> {
        let (listener, address) = background::listen()?;
        let state = Arc::new(State {
            requests: Mutex::default(),
            count: watch::Sender::new(0),
            status: AtomicU16::new(200),
        });
        let acceptor = background::runtime().spawn(accept(listener, Arc::clone(&state))).abort_handle();
        Ok(Self { address, state, acceptor })
    }

    /// The address of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers with this status from now on.
    pub fn answer_with(&self, status: u16) {
        self.state.status.store(status, Ordering::SeqCst);
    }

    /// Every request so far, in the order in which they came.
    pub fn requests(&self) -> Vec<WebhookRequest> {
        self.state.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until there have been at least `n_requests`, and returns all there are.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`Overdue`], which says how many there were.
    pub async fn wait_for(
        &self,
        n_requests: usize,
        timeout: Duration,
    ) -> Result<Vec<WebhookRequest>, Overdue> {
        let started = Instant::now();
        let mut count = self.state.count.subscribe();
        let enough = tokio::time::timeout(timeout, count.wait_for(|&count| count >= n_requests)).await;
        if matches!(enough, Ok(Ok(_))) {
            return Ok(self.requests());
        }
        let n_received = self.requests().len();
        Err(Overdue {
            waited: started.elapsed(),
            attempts: 1,
            last: format!("{n_received} of {n_requests} requests have come"),
        })
    }
}

impl Drop for WebhookReceiver {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

/// A request that a [`WebhookReceiver`] got.
#[derive(Clone, Debug)]
pub struct WebhookRequest {
    /// The method.
    pub method: String,
    /// The path, which begins with a slash.
    pub path: String,
    /// The query, without the question mark.
    pub query: String,
    /// The header, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl WebhookRequest {
    /// The first value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null when it is not.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

#[derive(Debug)]
struct State {
    requests: Mutex<Vec<WebhookRequest>>,
    count: watch::Sender<usize>,
    status: AtomicU16,
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let state = Arc::clone(&state);
        let service = service_fn(move |request| answer(request, Arc::clone(&state)));
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(request: Request<Incoming>, state: Arc<State>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    // A body that breaks off is recorded as far as it would have come: empty.
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let headers = head.headers.iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()));
    let request = WebhookRequest {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body,
    };
    state.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    state.count.send_modify(|count| *count += 1);
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::from_u16(state.status.load(Ordering::SeqCst)).unwrap_or_default();
    Ok(response)
}
