//! What goes wrong between a client of a Kubernetes API and its server.
//!
//! [`ApiFaults`] decides, from a seed, which calls meet what; [`FaultProxy`] does that on a socket, in front of any API
//! server. What a client has in process can be led through [`ApiFaults::pass`] without one.

mod proxy;

pub use proxy::FaultProxy;

use crate::Seeded;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Frame},
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// The body of an answer that may break off.
pub type FaultyBody = UnsyncBoxBody<Bytes, BrokenOff>;

/// A connection that ended before the answer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenOff;

impl fmt::Display for BrokenOff {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the connection broke off")
    }
}

impl std::error::Error for BrokenOff {}

/// What a call meets instead of going well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiFault {
    /// The answer comes this much later, and is right.
    Latency(Duration),
    /// The server refuses with this status, and does nothing.
    Status(u16),
    /// 429: the server is too busy, does nothing, and asks to be left alone for so many seconds.
    Busy(u32),
    /// 409: somebody else wrote in between; nothing is done.
    Conflict,
    /// The connection breaks off before the server sees the call.
    Disconnect,
    /// The server does what it was asked to, and the connection breaks off before the answer.
    LostAnswer,
    /// The server does what it was asked to, and the answer ends after this many bytes of its body. A watch breaks
    /// off in the middle of an event.
    CutAfter(usize),
    /// The server does nothing, and nobody answers before [`ApiFaults::heal`].
    BlackHole,
}

/// Which calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// All of them.
    All,
    /// What only reads, and watches.
    Reads,
    /// What writes, dry runs included.
    Writes,
    /// Watches alone.
    Watches,
}

/// A fault, and what it is for.
#[derive(Clone, Debug)]
pub struct FaultRule {
    traffic: Traffic,
    part_of_path: String,
    chance: f64,
    left: usize,
    fault: ApiFault,
}

impl FaultRule {
    /// For every one of these calls, until it is taken away.
    pub fn new(traffic: Traffic, fault: ApiFault) -> Self {
        Self { traffic, part_of_path: String::new(), chance: 1.0, left: usize::MAX, fault }
    }

    /// Only for calls whose path or query has this in it.
    #[must_use]
    pub fn path(mut self, part: impl Into<String>) -> Self {
        self.part_of_path = part.into();
        self
    }

    /// Only for this share of the calls, between 0 and 1.
    #[must_use]
    pub fn chance(mut self, chance: f64) -> Self {
        self.chance = chance;
        self
    }

    /// Only this often.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.left = times;
        self
    }
}

/// A write that the server has answered.
#[derive(Clone, Debug)]
pub struct AnsweredWrite {
    /// The method.
    pub method: Method,
    /// The path with its query.
    pub path: String,
    /// What was sent.
    pub body: Bytes,
    /// What the server answered, whatever became of that on its way.
    pub status: StatusCode,
    /// With this body.
    pub answer: Bytes,
}

/// What goes wrong, for everybody who has a clone of it. Nothing does at first.
///
/// The same seed and the same order of calls give the same faults.
#[derive(Clone)]
pub struct ApiFaults {
    state: Arc<State>,
}

struct State {
    rules: Mutex<Vec<FaultRule>>,
    random: Mutex<Seeded>,
    writes: Mutex<Vec<AnsweredWrite>>,
    n_faults: Mutex<usize>,
    /// Counts how often everything was healed.
    healed: watch::Sender<u64>,
    /// Counts how often all watches were dropped.
    dropped: watch::Sender<u64>,
}

impl fmt::Debug for ApiFaults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ApiFaults").field("rules", &lock(&self.state.rules)).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ApiFaults {
    /// No faults yet; chances are drawn from `seed`.
    pub fn new(seed: u64) -> Self {
        let state = State {
            rules: Mutex::default(),
            random: Mutex::new(Seeded::new(seed)),
            writes: Mutex::default(),
            n_faults: Mutex::default(),
            healed: watch::Sender::new(0),
            dropped: watch::Sender::new(0),
        };
        Self { state: Arc::new(state) }
    }

    /// From now on this goes wrong, too. Of several rules for one call the first that is drawn counts.
    pub fn add(&self, rule: FaultRule) {
        lock(&self.state.rules).push(rule);
    }

    /// From now on everything goes well; what hangs breaks off.
    pub fn heal(&self) {
        lock(&self.state.rules).clear();
        self.state.healed.send_modify(|times| *times += 1);
    }

    /// Every watch that is open breaks off now.
    pub fn drop_watches(&self) {
        self.state.dropped.send_modify(|times| *times += 1);
    }

    /// How many calls met a fault so far.
    pub fn count(&self) -> usize {
        *lock(&self.state.n_faults)
    }

    /// The writes that the server has answered so far, in the order of its answers. Dry runs are among them.
    pub fn writes(&self) -> Vec<AnsweredWrite> {
        lock(&self.state.writes).clone()
    }

    fn draw(&self, method: &Method, path: &str) -> Option<ApiFault> {
        let is_watch = is_watch(method, path);
        let is_read = method == Method::GET;
        let mut rules = lock(&self.state.rules);
        let mut random = lock(&self.state.random);
        let drawn = rules.iter_mut().find(|rule| {
            let concerned = match rule.traffic {
                Traffic::All => true,
                Traffic::Reads => is_read,
                Traffic::Writes => !is_read,
                Traffic::Watches => is_watch,
            };
            concerned && rule.left > 0 && path.contains(&rule.part_of_path) && random.chance(rule.chance)
        })?;
        drawn.left -= 1;
        *lock(&self.state.n_faults) += 1;
        Some(drawn.fault.clone())
    }

    /// Leads one call through, to what `forward` answers unless a fault is in its way.
    ///
    /// # Errors
    /// [`BrokenOff`] when there is no answer: the connection is to be closed without a word.
    pub async fn pass<F, A, B>(
        &self,
        request: Request<Bytes>,
        forward: F,
    ) -> Result<Response<FaultyBody>, BrokenOff>
    where
        F: FnOnce(Request<Bytes>) -> A,
        A: Future<Output = Result<Response<B>, BrokenOff>>,
        B: Body<Data = Bytes> + Send + 'static,
    {
        let method = request.method().clone();
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let sent = request.body().clone();
        let mut cut = None;
        let mut lost = false;
        match self.draw(&method, &path) {
            None => {}
            Some(ApiFault::Latency(pause)) => tokio::time::sleep(pause).await,
            Some(ApiFault::Status(code)) => {
                return Ok(refusal(code, "InternalError", "an injected fault", None));
            }
            Some(ApiFault::Busy(seconds)) => {
                return Ok(refusal(
                    429,
                    "TooManyRequests",
                    "too many requests, please try again later",
                    Some(seconds),
                ));
            }
            Some(ApiFault::Conflict) => {
                let message = "Operation cannot be fulfilled: the object has been modified; please apply your changes \
                               to the latest version and try again";
                return Ok(refusal(409, "Conflict", message, None));
            }
            Some(ApiFault::Disconnect) => return Err(BrokenOff),
            Some(ApiFault::LostAnswer) => lost = true,
            Some(ApiFault::CutAfter(n_bytes)) => cut = Some(n_bytes),
            Some(ApiFault::BlackHole) => {
                // Also when everything was healed between the draw and this.
                let mut healed = self.state.healed.subscribe();
                if !lock(&self.state.rules).is_empty() {
                    let _ = healed.changed().await;
                }
                return Err(BrokenOff);
            }
        }
        let (head, body) = forward(request).await?.into_parts();
        if is_watch(&method, &path) {
            if lost {
                return Err(BrokenOff);
            }
            let dropped = self.state.dropped.subscribe();
            return Ok(Response::from_parts(head, streamed(body, cut, Some(dropped))));
        }
        let answer = body.collect().await.map_err(|_| BrokenOff)?.to_bytes();
        if method != Method::GET {
            let status = head.status;
            let write = AnsweredWrite { method, path, body: sent, status, answer: answer.clone() };
            lock(&self.state.writes).push(write);
        }
        if lost {
            return Err(BrokenOff);
        }
        let whole = Full::new(answer).map_err(|never| match never {});
        Ok(Response::from_parts(head, streamed(whole, cut, None)))
    }
}

/// Whether the answer has no end: a watch, or a log that is followed.
fn is_watch(method: &Method, path: &str) -> bool {
    method == Method::GET && ["watch=true", "watch=1", "follow=true"].iter().any(|query| path.contains(query))
}

/// An answer that Kubernetes would give.
fn refusal(code: u16, reason: &str, message: &str, retry_after: Option<u32>) -> Response<FaultyBody> {
    let status = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "reason": reason, "message": message, "code": code,
    });
    let body = Full::new(Bytes::from(status.to_string())).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, "application/json".parse().expect("a constant"));
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// A body as it comes, until it has brought so many bytes or all watches are dropped.
fn streamed<B>(body: B, cut: Option<usize>, dropped: Option<watch::Receiver<u64>>) -> FaultyBody
where
    B: Body<Data = Bytes> + Send + 'static,
{
    let begin = Some((Box::pin(body), cut, dropped));
    let frames = stream::unfold(begin, |state| async move {
        let (mut body, left, mut dropped) = state?;
        let broken = Some((Err(BrokenOff), None));
        if left == Some(0) {
            // At once, and not when there would be more: a watch of quiet objects would stay as it is. But what came
            // before goes out first: that happens when nothing more is there for a moment.
            tokio::task::yield_now().await;
            return broken;
        }
        let drop = async {
            match &mut dropped {
                Some(dropped) => drop(dropped.changed().await),
                None => std::future::pending().await,
            }
        };
        let frame = tokio::select! {
            frame = body.frame() => frame?,
            () = drop => return broken,
        };
        let Ok(frame) = frame else { return broken };
        let (Some(n_left), Some(data)) = (left, frame.data_ref()) else {
            return Some((Ok(frame), Some((body, left, dropped))));
        };
        let first = data.slice(..data.len().min(n_left));
        let n_left = n_left - first.len();
        Some((Ok(Frame::data(first)), Some((body, Some(n_left), dropped))))
    });
    StreamBody::new(Box::pin(frames)).boxed_unsync()
}
