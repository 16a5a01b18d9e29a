//! HTTP requests for artifacts: redirects by our rules, bodies under limits of size and time.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, USER_AGENT,
};
use reqwest::{Method, Response, StatusCode, Url};
use sha2::{Digest as _, Sha256};

use super::limits::ArtifactLimits;
use super::url::{ArtifactUrl, check_web};
use super::{ArtifactError, ContentDigest};
use crate::credentials::{Access, Authentication};
use crate::error::{Message, SourceError};
use crate::github_app::GitHubTokens;
use crate::identity::Purpose;
use crate::policy::{Policy, Refused};
use crate::store::Permits;
use crate::transport::http::Clients;
use crate::transport::runtime::{IoRuntime, Stopped};

/// Redirects followed for one request: from a front to a storage host takes one or two.
const MAX_REDIRECTS: usize = 5;

/// How we name ourselves.
const AGENT: &str = concat!("windlass/", env!("CARGO_PKG_VERSION"));

/// What all conversations share.
pub(crate) struct Web {
    pub(crate) clients: Clients,
    pub(crate) io: Arc<IoRuntime>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) limits: ArtifactLimits,
    pub(crate) permits: Permits,
    pub(crate) github: GitHubTokens,
}

/// One request.
pub(crate) struct Question<'a> {
    /// The repository, as errors name it.
    pub(crate) repository: &'a str,
    pub(crate) access: &'a Access,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    /// Sent to the scheme, host and port of `url` and nowhere else.
    pub(crate) authorization: Option<HeaderValue>,
    /// Whether everybody can have what is sent as authorization: a public registry's token.
    pub(crate) is_public: bool,
    /// Whether it is the metadata server of this machine that is asked. Policy keeps users away from that, so the
    /// asker has to know that the operator allows it; and it is not followed elsewhere.
    pub(crate) is_of_machine: bool,
    /// The media type and content of what is sent along.
    pub(crate) body: Option<(&'static str, Vec<u8>)>,
}

impl<'a> Question<'a> {
    pub(crate) fn get(repository: &'a str, access: &'a Access, url: Url) -> Self {
        Self {
            repository,
            access,
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            authorization: None,
            is_public: false,
            is_of_machine: false,
            body: None,
        }
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.append(name, value);
        }
        self
    }
}

/// An answer whose body has not been read.
pub(crate) struct Reply<'a> {
    web: &'a Web,
    repository: String,
    response: Response,
    silence: Duration,
    began: Instant,
    /// Whether it comes from another place than was asked first.
    pub(crate) redirected_away: bool,
}

impl Web {
    /// Sends a request and follows redirects; the status may be any.
    pub(crate) fn ask(&self, question: Question<'_>) -> Result<Reply<'_>, SourceError> {
        let Question { repository, access, method, mut url, .. } = question;
        let Question { headers, authorization, is_public, is_of_machine, body, .. } = question;
        let is_secret = authorization.is_some() && !is_public;
        let origin = url.origin();
        if is_secret && url.scheme() == "http" && !access.credentials_over_http {
            return Err(SourceError::ClearTextCredentials { repository: repository.to_string() });
        }
        let client = self.clients.get(repository, access, &self.policy)?;
        let protocol = |text: &str| protocol(repository, text);
        let began = Instant::now();
        for _ in 0..=MAX_REDIRECTS {
            if !is_of_machine {
                check_web(&self.policy, &url).map_err(|source| refused(repository, source))?;
            }
            let mut headers = headers.clone();
            headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
            if url.origin() == origin
                && let Some(authorization) = &authorization
            {
                headers.insert(AUTHORIZATION, authorization.clone());
            }
            if url.origin() != origin {
                // A session of somebody's, which is of no use without the key, and of nobody else's business.
                headers.remove("x-amz-security-token");
            }
            let mut request = client.request(method.clone(), url.clone()).headers(headers);
            if let Some((media_type, content)) = &body {
                // Servers that speak S3 want a length, which is left out for nothing otherwise.
                let length = content.len();
                request = request.header(CONTENT_TYPE, *media_type).header(CONTENT_LENGTH, length);
                request = request.body(content.clone());
            }
            let silence = access.timeouts.silence;
            let response = match self.io.wait(silence, request.send()) {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => return Err(SourceError::of_request(repository, error)),
                Err(stopped) => return Err(stopped.into_error(repository)),
            };
            let status = response.status();
            if status == StatusCode::UNAUTHORIZED
                && url.origin() == origin
                && is_secret
                && let Authentication::Identity(identity) = &access.authentication
            {
                identity.forget();
            }
            let is_redirect = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
            // What is sent along may hold a credential: it goes nowhere else.
            if !is_redirect || body.is_some() || is_of_machine {
                let redirected_away = url.origin() != origin;
                let repository = repository.to_string();
                return Ok(Reply { web: self, repository, response, silence, began, redirected_away });
            }
            let target = response
                .headers()
                .get(LOCATION)
                .and_then(|location| location.to_str().ok())
                .and_then(|location| url.join(location).ok())
                .ok_or_else(|| protocol("it redirected without saying where to"))?;
            if url.scheme() == "https" && target.scheme() != "https" {
                return Err(protocol("it redirected from https to an unprotected address"));
            }
            url = target;
        }
        Err(protocol(&format!("it redirected more than the limit of {MAX_REDIRECTS} times")))
    }
}

/// The header that the configured credentials make, and those in the address where none are configured.
pub(crate) fn authorization(
    web: &Web,
    url: &ArtifactUrl,
    access: &Access,
    purpose: Purpose,
) -> Result<Option<HeaderValue>, SourceError> {
    shown_as(url, &web.shown_for(&url.to_string(), access, purpose)?)
}

/// The header that credentials make which are no identity's.
pub(crate) fn shown_as(
    url: &ArtifactUrl,
    authentication: &Authentication,
) -> Result<Option<HeaderValue>, SourceError> {
    let text = match authentication {
        Authentication::Basic { username, password } => basic(username, password.expose()),
        Authentication::Bearer(token) => format!("Bearer {}", token.expose()),
        _ => match (url.user(), url.password()) {
            (None, None) => return Ok(None),
            (user, password) => {
                basic(user.unwrap_or_default(), password.map(|it| it.expose()).unwrap_or_default())
            }
        },
    };
    header(&url.to_string(), &text).map(Some)
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
}

/// A header value that is never printed.
pub(crate) fn header(repository: &str, text: &str) -> Result<HeaderValue, SourceError> {
    let mut value = HeaderValue::try_from(text).map_err(|_| SourceError::InvalidAccess {
        repository: repository.to_string(),
        what: "token",
        source: Message::cause("it holds characters that no http header may have"),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

pub(crate) fn protocol(repository: &str, text: &str) -> SourceError {
    SourceError::Protocol { repository: repository.to_string(), source: Message::cause(text) }
}

pub(crate) fn refused(repository: &str, source: Refused) -> SourceError {
    SourceError::Refused { repository: repository.to_string(), source }
}

/// Whether policy lets requests go to `url`.
pub(crate) fn check_place(web: &Web, repository: &str, url: &Url) -> Result<(), SourceError> {
    check_web(&web.policy, url).map_err(|source| refused(repository, source))
}

/// An error about one artifact.
pub(crate) fn wrong(repository: &str, artifact: &str, source: impl Into<ArtifactError>) -> SourceError {
    SourceError::Artifact {
        repository: repository.to_string(),
        artifact: artifact.to_string(),
        source: Arc::new(source.into()),
    }
}

impl Reply<'_> {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    pub(crate) fn headers(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        self.response.headers().get_all(name).iter().filter_map(|value| value.to_str().ok())
    }

    /// What a status other than success means; `missing` is what a 404 says is not there, `None` for the repository.
    pub(crate) fn failure(&self, anonymous: bool, missing: Option<&str>) -> SourceError {
        let repository = self.repository.clone();
        let status = self.status();
        match status {
            // A storage host that a redirect led to knows nothing of our credentials.
            StatusCode::UNAUTHORIZED if !self.redirected_away => {
                SourceError::AuthenticationFailed { repository, anonymous }
            }
            StatusCode::FORBIDDEN => SourceError::Forbidden { repository },
            StatusCode::NOT_FOUND | StatusCode::GONE => match missing {
                Some(what) => wrong(&repository, what, ArtifactError::NotFound { what: what.to_string() }),
                None => SourceError::RepositoryNotFound { repository },
            },
            _ if status.is_server_error()
                || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) =>
            {
                let source = Message::cause(format!("the server answered {status}"));
                SourceError::Unreachable { repository, source }
            }
            _ => protocol(&repository, &format!("the server answered {status}")),
        }
    }

    /// Reads the body to its end into memory.
    pub(crate) fn bytes(
        self,
        what: &str,
        limit_name: &'static str,
        limit: u64,
    ) -> Result<Vec<u8>, SourceError> {
        let mut bytes = Vec::new();
        let mut body = Body { reply: self, what, limit_name, limit, n_bytes: 0 };
        while let Some(piece) = body.next()? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// Reads the body to its end into a file, and tells its digest and length.
    pub(crate) fn save(
        self,
        into: &mut impl Write,
        what: &str,
        limit_name: &'static str,
        limit: u64,
    ) -> Result<(ContentDigest, u64), SourceError> {
        let mut hasher = Sha256::new();
        let mut body = Body { reply: self, what, limit_name, limit, n_bytes: 0 };
        while let Some(piece) = body.next()? {
            hasher.update(&piece);
            into.write_all(&piece).map_err(|error| SourceError::store("write", what, error))?;
        }
        into.flush().map_err(|error| SourceError::store("write", what, error))?;
        Ok((ContentDigest::finish(hasher), body.n_bytes))
    }
}

/// A body that is being read.
struct Body<'a, 'w> {
    reply: Reply<'w>,
    what: &'a str,
    limit_name: &'static str,
    limit: u64,
    n_bytes: u64,
}

impl Body<'_, '_> {
    fn next(&mut self) -> Result<Option<bytes::Bytes>, SourceError> {
        let reply = &mut self.reply;
        let transfer = reply.web.limits.transfer;
        let too_slow = |repository: &str| {
            let error = ArtifactError::TooSlow { what: self.what.into(), seconds: transfer.as_secs() };
            wrong(repository, self.what, error)
        };
        let left = transfer.saturating_sub(reply.began.elapsed());
        if left.is_zero() {
            return Err(too_slow(&reply.repository));
        }
        let wait = left.min(reply.silence);
        let piece = match reply.web.io.wait(wait, reply.response.chunk()) {
            Ok(Ok(piece)) => piece,
            Ok(Err(error)) => return Err(SourceError::of_request(&reply.repository, error)),
            Err(Stopped::Silent(_)) if left < reply.silence => return Err(too_slow(&reply.repository)),
            Err(stopped) => return Err(stopped.into_error(&reply.repository)),
        };
        self.n_bytes += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        if self.n_bytes > self.limit {
            let (limit_name, limit) = (self.limit_name, self.limit);
            let error = ArtifactError::TooLarge { what: self.what.into(), limit_name, limit };
            return Err(wrong(&reply.repository, self.what, error));
        }
        Ok(piece)
    }
}

/// Takes the gzip compression of a body off, under the same limit.
pub(crate) fn decompress(bytes: &[u8], limit: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).take(limit.saturating_add(1)).read_to_end(&mut out)?;
    Ok((out.len() as u64 <= limit).then_some(out))
}
