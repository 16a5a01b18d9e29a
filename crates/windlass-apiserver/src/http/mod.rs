//! The Kubernetes API as an HTTP service.

mod accept;
mod answer;
pub(crate) mod asked;
mod body;
mod calls;
mod columns;
mod discovery;
mod duplicates;
mod json_error;
mod open_api;
mod path;
mod present;
mod reviews;
mod verbs;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{Request, Response, header};
use http_body_util::{BodyExt, Limited};
use tokio::sync::{Semaphore, SemaphorePermit};
use windlass_kube::{Str, value};

pub use body::Body;

pub(crate) use json_error::in_go as go_json_error;

use crate::api::{Api, UserInfo};
use crate::audit::{self, Audit};
use crate::authorize::{Attributes, authorize_path, check};
use crate::status::Status;
use accept::{Endpoint, Media};
use discovery::Discovery;
use open_api::Documents;
use path::{Query, Target};
use verbs::Call;

/// How large a request may be: kube-apiserver's own limit.
pub const MAX_REQUEST_BYTES: usize = 3 << 20;

/// How many requests are worked on at once, watches not counted: kube-apiserver's 400 reads and 200 writes.
/// More wait for their turn.
pub const MAX_IN_FLIGHT: usize = 600;

/// How long a request waits for its turn before the client is told to come again: a quarter of a minute, as with
/// kube-apiserver's priority and fairness.
pub const MAX_QUEUE_WAIT: Duration = Duration::from_secs(15);

/// The API as a service of HTTP requests, as one user. Clones share everything.
#[derive(Clone)]
pub struct ApiService {
    api: Api,
    audit: Option<Audit>,
    shared: Arc<Shared>,
}

/// What all services of one API share.
struct Shared {
    in_flight: Semaphore,
    discovery: Discovery,
    documents: Documents,
}

impl ApiService {
    pub(crate) fn new(api: Api) -> Self {
        let shared = Shared {
            in_flight: Semaphore::new(MAX_IN_FLIGHT),
            discovery: Discovery::default(),
            documents: Documents::default(),
        };
        Self { api, audit: None, shared: Arc::new(shared) }
    }

    /// The same service as another user.
    pub(crate) fn as_user(&self, user: UserInfo) -> Self {
        Self { api: self.api.as_user(user), audit: self.audit.clone(), shared: self.shared.clone() }
    }

    /// The same service, which tells of its requests.
    #[must_use]
    pub fn audited(self, audit: Option<Audit>) -> Self {
        Self { audit, ..self }
    }

    /// Refuses a request by nobody who is known.
    pub(crate) async fn refuse<B>(&self, request: Request<B>, status: &Status) -> Response<Body> {
        if let Some(audit) = &self.audit {
            let (parts, _) = request.into_parts();
            audit::refused(audit, &parts, status).await;
        }
        answer::status(status)
    }

    /// The same service as whom a bearer token names; `None` if it names nobody.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Option<Self> {
        self.api.authenticate(token, &[]).ok().map(|authenticated| self.as_user(authenticated.user))
    }

    /// Answers one request.
    pub async fn answer<B>(self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body,
        B::Data: Buf,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let refused = accept::negotiate(accept.unwrap_or_default(), Endpoint::Plain);
        let refused = refused.map_or(Media::Json, |it| it.media);
        let mut media = Media::Json;
        let response = match self.audit.clone() {
            None => self.answer_or_refuse(request, refused, &mut media).await,
            Some(audit) => {
                let (parts, body) = request.into_parts();
                let (seen, user) = (parts.clone(), self.api.user().clone());
                let work = self.answer_or_refuse(Request::from_parts(parts, body), refused, &mut media);
                audit::observed(&audit, &user, &seen, work).await
            }
        };
        answer::in_media(response, media).await
    }

    /// Answers as [`try_answer`](Self::try_answer), refusals included.
    async fn answer_or_refuse<B>(
        self,
        request: Request<B>,
        refused: Media,
        media: &mut Media,
    ) -> Response<Body>
    where
        B: http_body::Body,
        B::Data: Buf,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match self.try_answer(request, media).await {
            Ok(response) => response,
            Err(status) => {
                *media = refused;
                answer::status(&status)
            }
        }
    }

    /// Answers with what is JSON or in another form already; `media` becomes what it is to be written as.
    async fn try_answer<B>(self, request: Request<B>, media: &mut Media) -> Result<Response<Body>, Status>
    where
        B: http_body::Body,
        B::Data: Buf,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let mut query = Query::parse(parts.uri.query().unwrap_or_default());
        let path = parts.uri.path();
        let mut segments = path::segments(path).ok_or_else(Status::no_such_resource)?;
        if let Some((plain, name)) = path::watched(&segments) {
            segments = plain;
            query.set("watch", "true".to_owned());
            if let Some(name) = name {
                query.set("fieldSelector", format!("metadata.name={name}"));
            }
        }
        let api = self.impersonated(&parts.headers)?;
        let is_watch = query.flag("watch");
        // Bodies are read only behind this, so that those who wait cost little.
        let permit = if is_watch { None } else { turn(&self.shared.in_flight, MAX_QUEUE_WAIT).await? };
        let Some(target) = Target::parse(&segments) else {
            // What everybody may ask is decided only for those who are told why.
            if !is_health(path) || audit::is_on() {
                let decided = authorize_path(&api, &parts.method, path);
                if !is_health(path) {
                    decided?;
                }
            }
            if path == crate::BACKUP_PATH {
                return crate::backup::answer(api.store(), &parts.method).await;
            }
            if matches!(segments.first().map(String::as_str), Some("api" | "apis")) {
                *media = discovery::media(&parts)?;
            }
            let response = self.answer_about_itself(&parts, &query, &segments);
            drop(permit);
            return response;
        };
        let body = read_body(body).await?;
        let manager = user_agent_manager(&parts.headers);
        let custom = api.resource(&target.gvr).is_ok_and(|resource| resource.custom.is_some());
        let endpoint = if custom { Endpoint::Custom } else { Endpoint::BuiltIn };
        let accepted = accept::negotiate(header_text(&parts, header::ACCEPT), endpoint);
        *media = accepted.map_or(Media::Json, |accepted| accepted.media);
        let call = Call { api: api.with_field_manager(manager), target, query, parts, body, accepted };
        let response = call.answer().await;
        drop(permit);
        response
    }

    /// The user that the request says it acts as, if its own user may.
    fn impersonated(&self, headers: &http::HeaderMap) -> Result<Api, Status> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(name) = text("impersonate-user") else { return Ok(self.api.clone()) };
        let account = name.strip_prefix("system:serviceaccount:").and_then(|account| account.split_once(':'));
        let may_be = |group: &str, resource: &str, namespace: &str, name: &str| {
            let attributes =
                Attributes { verb: "impersonate", group, resource, subresource: "", namespace, name };
            check(&self.api, &attributes).map(drop)
        };
        match account {
            Some((namespace, name)) => may_be("", "serviceaccounts", namespace, name)?,
            None => may_be("", "users", "", name)?,
        }
        let mut groups: Vec<Str> = headers
            .get_all("impersonate-group")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .map(Str::new)
            .collect();
        for group in &groups {
            may_be("", "groups", "", group)?;
        }
        if let Some((namespace, _)) = account.filter(|_| groups.is_empty()) {
            groups.push("system:serviceaccounts".into());
            groups.push(format!("system:serviceaccounts:{namespace}").into());
        }
        groups.push("system:authenticated".into());
        let uid: Str = text("impersonate-uid").unwrap_or_default().into();
        if !uid.is_empty() {
            may_be("authentication.k8s.io", "uids", "", &uid)?;
        }
        let user = UserInfo { name: name.into(), uid, groups, ..UserInfo::default() };
        let constraint = match account {
            _ if !self.api.user().is_in("system:masters") => "",
            Some(_) => "impersonate:serviceaccount",
            None => "impersonate:user-info",
        };
        audit::impersonated(&user, constraint);
        Ok(self.api.as_user(user))
    }

    /// Discovery, documents, health: what is not a resource.
    fn answer_about_itself(
        &self,
        parts: &http::request::Parts,
        query: &Query,
        segments: &[String],
    ) -> Result<Response<Body>, Status> {
        let words: Vec<&str> = segments.iter().map(String::as_str).collect();
        if parts.method != http::Method::GET && parts.method != http::Method::HEAD {
            return Err(Status::new(
                405,
                "MethodNotAllowed",
                "the server does not allow this method on the requested resource",
            ));
        }
        let registry = self.api.registry();
        match words.as_slice() {
            [] => Ok(self.shared.discovery.root(registry)),
            ["healthz" | "livez" | "readyz", ..] => Ok(if query.has("verbose") {
                answer::text(200, format!("[+]ping ok\n[+]store ok\n{} check passed\n", words[0]))
            } else {
                answer::text(200, "ok")
            }),
            ["version"] => Ok(answer::json(200, discovery::version())),
            ["api" | "apis", ..] => self.shared.discovery.answer(registry, &words, parts),
            ["openapi", "v2"] => open_api::version_2(registry, header_text(parts, header::ACCEPT)),
            ["openapi", "v3", rest @ ..] => self.shared.documents.answer(registry, rest, parts),
            [".well-known", "openid-configuration"] => {
                let address = format!("https://{}/openid/v1/jwks", discovery::host(parts));
                Ok(answer::public(
                    "application/json",
                    &value!({
                        "issuer": (crate::tokens::ISSUER), "jwks_uri": address,
                        "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
                        "id_token_signing_alg_values_supported": ["ES256"]
                    }),
                ))
            }
            ["openid", "v1", "jwks"] => {
                const KEYS: &str = "application/jwk-set+json";
                let accept = header_text(parts, header::ACCEPT);
                let types = accept.split(',').map(|range| range.split(';').next().unwrap_or_default().trim());
                if !types.into_iter().any(|one| matches!(one, "" | "*/*" | KEYS)) {
                    return Err(Status::not_acceptable(&[KEYS]));
                }
                Ok(answer::public(KEYS, &self.api.tokens().key().key_set()))
            }
            _ => Ok(answer::text(404, "404 page not found\n")),
        }
    }
}

/// Waits until a request may be worked on.
///
/// # Errors
///
/// `TooManyRequests` after `patience`.
async fn turn(in_flight: &Semaphore, patience: Duration) -> Result<Option<SemaphorePermit<'_>>, Status> {
    if let Ok(permit) = in_flight.try_acquire() {
        return Ok(Some(permit));
    }
    match tokio::time::timeout(patience, in_flight.acquire()).await {
        Ok(permit) => Ok(permit.ok()),
        Err(_) => {
            let why = format!(
                "too many requests are worked on at once (MAX_IN_FLIGHT, {MAX_IN_FLIGHT}), please try again later"
            );
            let mut status = Status::new(429, "TooManyRequests", why);
            status.details.retry_after_seconds = 1;
            Err(status)
        }
    }
}

/// What may be asked before anybody is known.
fn is_health(path: &str) -> bool {
    matches!(path, "/healthz" | "/livez" | "/readyz" | "/version" | "/version/")
}

/// The answer to a request that is refused before it is read.
pub(crate) fn refusal(status: &Status) -> Response<Body> {
    answer::status(status)
}

fn header_text(parts: &http::request::Parts, name: header::HeaderName) -> &str {
    parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Who owns the fields a client writes where it does not say: the program's name in its user agent.
fn user_agent_manager(headers: &http::HeaderMap) -> Str {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let manager = agent.split('/').next().unwrap_or_default();
    if manager.is_empty() { "unknown".into() } else { manager.chars().take(128).collect::<String>().into() }
}

async fn read_body<B>(body: B) -> Result<Bytes, Status>
where
    B: http_body::Body,
    B::Data: Buf,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let limited = std::pin::pin!(Limited::new(body, MAX_REQUEST_BYTES));
    match limited.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Status::too_large(MAX_REQUEST_BYTES))
        }
        Err(error) => Err(Status::bad_request(format!("the body of the request could not be read: {error}"))),
    }
}

impl<B> tower::Service<Request<B>> for ApiService
where
    B: http_body::Body + Send + 'static,
    B::Data: Buf + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_too_long_is_told_to_come_again() {
        let in_flight = Semaphore::new(1);
        let first = turn(&in_flight, MAX_QUEUE_WAIT).await.unwrap();
        let refused = turn(&in_flight, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!((refused.code, refused.details.retry_after_seconds), (429, 1));
        assert!(refused.message.contains("MAX_IN_FLIGHT"), "{refused}");
        drop(first);
        assert!(turn(&in_flight, MAX_QUEUE_WAIT).await.is_ok());
    }
}
