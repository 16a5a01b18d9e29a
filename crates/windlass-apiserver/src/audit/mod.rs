//! The audit log: who asked for what, in Kubernetes' format.
//!
//! Facts: `k8s.io/apiserver` v0.36.3, packages `audit` and `endpoints/filters`.

mod log;
mod policy;

use std::any::Any;
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use http::{HeaderValue, Response, header};
use windlass_kube::{Map, Object, Value, value};

pub use log::{LogOptions, MAX_WAIT, MAX_WAITING_EVENTS};
pub use policy::Level;

use crate::api::UserInfo;
use crate::api::write::new_uid;
use crate::http::Body;
use crate::http::asked::asked;
use crate::status::Status;
use crate::time;
use log::Log;
pub(crate) use policy::{Asked, Target};
use policy::{Decision, Policy, Stage};

/// The longest user agent that is told in full, as kube-apiserver has it.
const MAX_USER_AGENT: usize = 1024;

/// Who tells of requests, by a policy, to a file. Clones share everything.
#[derive(Clone)]
pub struct Audit(Arc<Shared>);

struct Shared {
    policy: Policy,
    log: Log,
}

/// Why there is no audit log.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The policy could not be read.
    #[error("reading the audit policy {path:?} failed")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The policy is not one.
    #[error("the audit policy {path:?} cannot be used: {why}")]
    Policy {
        /// The file.
        path: PathBuf,
        /// What is wrong, field by field.
        why: String,
    },
    /// The log could not be opened.
    #[error("opening the audit log {path:?} failed")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").field("lost", &self.lost()).finish_non_exhaustive()
    }
}

impl Audit {
    /// Reads a policy and opens a log.
    ///
    /// # Errors
    ///
    /// [`AuditError`] says which file cannot be used, and for a policy which of its fields.
    pub fn open(policy: &Path, log: LogOptions) -> Result<Self, AuditError> {
        let text = std::fs::read_to_string(policy)
            .map_err(|source| AuditError::Read { path: policy.to_owned(), source })?;
        let policy =
            Policy::parse(&text).map_err(|why| AuditError::Policy { path: policy.to_owned(), why })?;
        let path = log.path.clone();
        let log = Log::open(log).map_err(|source| AuditError::Open { path, source })?;
        Ok(Self(Arc::new(Shared { policy, log })))
    }

    /// How many events were lost because the disk did not keep up.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.log.lost()
    }
}

/// What becomes known of a request while it is worked on.
#[derive(Debug, Default)]
struct Notes {
    annotations: Map,
    impersonated: Option<(UserInfo, &'static str)>,
    request_object: Option<Value>,
}

#[derive(Debug)]
struct Trail {
    level: Level,
    notes: Mutex<Notes>,
}

tokio::task_local! {
    static TRAIL: Arc<Trail>;
}

fn noted(level: Level, note: impl FnOnce(&mut Notes)) {
    let _ = TRAIL.try_with(|trail| {
        if trail.level >= level {
            note(&mut trail.notes.lock().expect("no panic under this lock"));
        }
    });
}

/// Adds to what is told of the present request; nothing is worked out where nobody is told.
pub(crate) fn annotate(key: impl FnOnce() -> String, text: impl FnOnce() -> String) {
    noted(Level::Metadata, |notes| {
        let key = key();
        // What was said first stands.
        if notes.annotations.get(&key).is_none() {
            notes.annotations.insert(key, text());
        }
    });
}

/// As [`annotate`], where what was sent is told, too.
pub(crate) fn annotate_request(key: impl FnOnce() -> String, text: impl FnOnce() -> String) {
    if TRAIL.try_with(|trail| trail.level >= Level::Request).unwrap_or(false) {
        annotate(key, text);
    }
}

/// The present request is worked on as another user, which `constraint` allows where it is not plain impersonation.
pub(crate) fn impersonated(user: &UserInfo, constraint: &'static str) {
    noted(Level::Metadata, |notes| notes.impersonated = Some((user.clone(), constraint)));
}

/// What the present request sent, read and completed.
pub(crate) fn request_object(object: impl FnOnce() -> Value) {
    noted(Level::Metadata, |notes| {
        if notes.request_object.is_none() {
            notes.request_object = Some(object());
        }
    });
}

/// Whether anybody is told of the present request.
pub(crate) fn is_on() -> bool {
    TRAIL.try_with(|_| ()).is_ok()
}

/// A request that is told of.
struct Told {
    audit: Audit,
    decision: Decision,
    trail: Arc<Trail>,
    /// What of its events is the same at each stage.
    common: Value,
    received: SystemTime,
    /// Whether a resource is asked for.
    has_target: bool,
}

impl Told {
    fn event(&self, stage: Stage, status: Option<Value>, response: Option<Value>) -> Option<Bytes> {
        if self.decision.omitted.contains(&stage) {
            return None;
        }
        let mut event = self.common.clone();
        let now = if stage == Stage::RequestReceived { self.received } else { SystemTime::now() };
        event.set_at(&["stage"], stage.as_str());
        event.set_at(&["stageTimestamp"], micro_time(now));
        let notes = self.trail.notes.lock().expect("no panic under this lock");
        if !notes.annotations.is_empty() {
            event.set_at(&["annotations"], notes.annotations.clone());
        }
        if let Some((user, constraint)) = &notes.impersonated {
            event.set_at(&["impersonatedUser"], user_value(user));
            if !constraint.is_empty() {
                event.set_at(&["authenticationMetadata", "impersonationConstraint"], *constraint);
            }
        }
        if let Some(object) = &notes.request_object {
            if self.has_target {
                complete_reference(&mut event, object);
            }
            if self.decision.level >= Level::Request {
                event.set_at(&["requestObject"], self.shown(object.clone()));
            }
        }
        if let Some(status) = status {
            event.set_at(&["responseStatus"], status);
        }
        if let Some(response) = response {
            event.set_at(&["responseObject"], self.shown(response));
        }
        let mut line = serde_json::to_vec(&event).ok()?;
        line.push(b'\n');
        Some(line.into())
    }

    fn shown(&self, mut object: Value) -> Value {
        if self.decision.omits_managed_fields {
            without_managed_fields(&mut object);
            if let Some(items) = object.get("items").and_then(Value::as_array).cloned() {
                let items: Vec<Value> = items
                    .iter()
                    .cloned()
                    .map(|mut item| {
                        without_managed_fields(&mut item);
                        item
                    })
                    .collect();
                object.set_at(&["items"], items);
            }
        }
        object
    }

    async fn tell(&self, stage: Stage, status: Option<Value>, response: Option<Value>) -> bool {
        match self.event(stage, status, response) {
            Some(event) => self.audit.0.log.write(event).await,
            None => true,
        }
    }
}

fn without_managed_fields(object: &mut Value) {
    if object.at(&["metadata", "managedFields"]).is_some() {
        let mut metadata = object.get("metadata").cloned().unwrap_or_default();
        metadata.object_mut().remove("managedFields");
        object.set_at(&["metadata"], metadata);
    }
}

/// Says of the object that is meant what only the request's body says.
fn complete_reference(event: &mut Value, object: &Value) {
    for (key, path) in [
        ("namespace", ["metadata", "namespace"]),
        ("name", ["metadata", "name"]),
        ("uid", ["metadata", "uid"]),
        ("resourceVersion", ["metadata", "resourceVersion"]),
    ] {
        let is_known = event.str_at(&["objectRef", key]).is_some_and(|text| !text.is_empty());
        if let Some(text) = object.str_at(&path).filter(|text| !is_known && !text.is_empty()) {
            event.set_at(&["objectRef", key], text);
        }
    }
}

/// A point in time as `metav1.MicroTime` prints it.
fn micro_time(at: SystemTime) -> String {
    let micros = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_micros();
    format!("{}.{micros:06}Z", time::format(at).trim_end_matches('Z'))
}

fn user_value(user: &UserInfo) -> Value {
    let mut value = value!({"username": (user.name.clone())});
    if !user.uid.is_empty() {
        value.set_at(&["uid"], user.uid.clone());
    }
    if !user.groups.is_empty() {
        value.set_at(&["groups"], user.groups.iter().cloned().map(Value::from).collect::<Vec<_>>());
    }
    for (key, texts) in &user.extra {
        value.set_at(&["extra", key], texts.iter().cloned().map(Value::from).collect::<Vec<_>>());
    }
    value
}

/// Whose address a connection has; put into requests by the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) std::net::IpAddr);

/// The addresses a request came through, the last one that of the connection.
fn source_addresses(parts: &http::request::Parts) -> Vec<Value> {
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut found: Vec<std::net::IpAddr> =
        text("x-forwarded-for").split(',').filter_map(|one| one.trim().parse().ok()).collect();
    if let Ok(real) = text("x-real-ip").trim().parse()
        && !found.contains(&real)
    {
        found.push(real);
    }
    if let Some(Peer(address)) = parts.extensions.get::<Peer>().copied()
        && found.last() != Some(&address)
    {
        found.push(address);
    }
    found.into_iter().map(|address| Value::from(address.to_string())).collect()
}

fn common(parts: &http::request::Parts, user: &UserInfo, asked: &Asked, level: Level, id: &str) -> Value {
    let uri = parts.uri.path_and_query().map_or_else(|| parts.uri.path(), |it| it.as_str());
    let mut event = value!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": (level.as_str()), "auditID": id,
        "requestURI": uri, "verb": (asked.verb.as_str()), "user": (user_value(user))
    });
    let sources = source_addresses(parts);
    if !sources.is_empty() {
        event.set_at(&["sourceIPs"], sources);
    }
    let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    if let Some(agent) = agent.filter(|agent| !agent.is_empty()) {
        let shown = match agent.get(..MAX_USER_AGENT) {
            Some(start) if agent.len() > MAX_USER_AGENT => format!("{start}...TRUNCATED"),
            _ => agent.to_owned(),
        };
        event.set_at(&["userAgent"], shown);
    }
    if let Some(target) = &asked.target {
        for (key, text) in [
            ("resource", &target.resource),
            ("namespace", &target.namespace),
            ("name", &target.name),
            ("apiGroup", &target.group),
            ("apiVersion", &target.version),
            ("subresource", &target.subresource),
        ] {
            if !text.is_empty() {
                event.set_at(&["objectRef", key], text.as_str());
            }
        }
    }
    event
}

/// Whether an answer goes on for long, so that its beginning is told by itself.
fn is_long(asked: &Asked) -> bool {
    let subresource = asked.target.as_ref().map_or("", |target| target.subresource.as_str());
    asked.verb == "watch" || matches!(subresource, "attach" | "exec" | "proxy" | "log" | "portforward")
}

/// What was answered, read again: where it is an object, and whole.
fn answered(response: &Response<Body>) -> Option<Value> {
    let body = response.body().whole_bytes()?;
    if body.starts_with(b"{") {
        return serde_json::from_slice(body).ok();
    }
    if body.starts_with(b"k8s\0") {
        return crate::protobuf::decode(body).ok();
    }
    let is_packed = response.headers().get(header::CONTENT_ENCODING).is_some_and(|it| it == "gzip");
    let mut plain = Vec::new();
    if is_packed && io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&body[..]), &mut plain).is_ok() {
        return serde_json::from_slice(&plain).ok();
    }
    None
}

/// `responseStatus` of an event.
fn response_status(code: u16, answered: Option<&Value>) -> Value {
    let mut status = value!({"metadata": (Map::new()), "code": (i64::from(code))});
    let said = answered.filter(|answer| answer.str_at(&["kind"]) == Some("Status"));
    for key in ["status", "message", "reason", "details"] {
        if let Some(member) = said.and_then(|said| said.get(key)) {
            status.set_at(&[key], member.clone());
        }
    }
    status
}

/// Works on a request, and tells of it.
pub(crate) async fn observed<F>(
    audit: &Audit,
    user: &UserInfo,
    parts: &http::request::Parts,
    work: F,
) -> Response<Body>
where
    F: Future<Output = Response<Body>>,
{
    let received = SystemTime::now();
    let asked = asked(&parts.method, &parts.uri);
    let decision = audit.0.policy.decide(user, &asked);
    let given = parts.headers.get("audit-id").and_then(|value| value.to_str().ok());
    let id = given.filter(|id| !id.is_empty()).map_or_else(|| new_uid().to_string(), str::to_owned);
    let audit_id = HeaderValue::from_str(&id).ok();
    let named = |mut response: Response<Body>| {
        if let Some(id) = audit_id {
            response.headers_mut().insert("audit-id", id);
        }
        response
    };
    if decision.level == Level::None {
        return named(work.await);
    }
    let trail = Arc::new(Trail { level: decision.level, notes: Mutex::default() });
    let mut common = common(parts, user, &asked, decision.level, &id);
    common.set_at(&["requestReceivedTimestamp"], micro_time(received));
    let told = Told {
        audit: audit.clone(),
        decision,
        trail: trail.clone(),
        common,
        received,
        has_target: asked.target.is_some(),
    };
    if !told.tell(Stage::RequestReceived, None, None).await {
        return named(crate::http::refusal(&Status::internal("failed to store audit event")));
    }
    let outcome = AssertUnwindSafe(TRAIL.scope(trail, work)).catch_unwind().await;
    let response = match outcome {
        Ok(response) => response,
        Err(panic) => {
            let status = value!({
                "metadata": (Map::new()), "status": "Failure", "reason": "InternalError", "code": 500,
                "message": (format!("APIServer panic'd: {}", panic_text(&*panic)))
            });
            told.tell(Stage::Panic, Some(status), None).await;
            std::panic::resume_unwind(panic);
        }
    };
    named(tell_of_answer(told, is_long(&asked), response).await)
}

/// Tells of a request by nobody who is known, which is refused.
pub(crate) async fn refused(audit: &Audit, parts: &http::request::Parts, status: &Status) {
    let nobody = UserInfo::default();
    let received = SystemTime::now();
    let asked = asked(&parts.method, &parts.uri);
    let decision = audit.0.policy.decide(&nobody, &asked);
    if decision.level == Level::None {
        return;
    }
    let mut common = common(parts, &nobody, &asked, decision.level, &new_uid());
    common.set_at(&["requestReceivedTimestamp"], micro_time(received));
    let trail = Arc::new(Trail { level: decision.level, notes: Mutex::default() });
    let told =
        Told { audit: audit.clone(), decision, trail, common, received, has_target: asked.target.is_some() };
    let answer = status.to_value();
    told.tell(Stage::ResponseStarted, Some(response_status(status.code, Some(&answer))), None).await;
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    match panic.downcast_ref::<&str>() {
        Some(text) => text,
        None => panic.downcast_ref::<String>().map_or("", String::as_str),
    }
}

async fn tell_of_answer(told: Told, is_long: bool, response: Response<Body>) -> Response<Body> {
    let code = response.status().as_u16();
    let wants_object = told.decision.level == Level::RequestResponse && told.has_target;
    let is_small = response.body().whole_bytes().is_some_and(|body| body.len() < 16 << 10);
    let answer = if wants_object || code >= 400 || is_small { answered(&response) } else { None };
    let status = response_status(code, answer.as_ref());
    let object = answer.filter(|answer| wants_object && answer.get("kind").is_some());
    if is_long {
        told.tell(Stage::ResponseStarted, Some(status.clone()), object.clone()).await;
    }
    if response.body().whole_bytes().is_some() || response.body().is_empty() {
        told.tell(Stage::ResponseComplete, Some(status), object).await;
        return response;
    }
    // It is over when its stream is, or nobody reads it any more.
    let end = End(Some((told, status)));
    let (parts, body) = response.into_parts();
    let pieces = http_body_util::BodyStream::new(body).filter_map(move |frame| {
        let _kept = &end;
        let piece = frame.ok().and_then(|frame| frame.into_data().ok());
        std::future::ready(piece)
    });
    Response::from_parts(parts, Body::stream(pieces))
}

/// Tells of the end of an answer when it is dropped.
struct End(Option<(Told, Value)>);

impl Drop for End {
    fn drop(&mut self) {
        if let Some((told, status)) = self.0.take()
            && let Some(event) = told.event(Stage::ResponseComplete, Some(status), None)
        {
            told.audit.0.log.write_now(event);
        }
    }
}

/// The object that a request sent, as it is read before anything is added by others.
pub(crate) fn sent(object: &Object) {
    if is_on() {
        request_object(|| object.to_value());
    }
}
