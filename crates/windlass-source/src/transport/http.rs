//! Smart HTTP: requests with our credentials, our certificates and our redirect rules.

mod clients;
mod exchange;
mod greeting;

use std::io::{self, BufReader};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use gix::protocol::transport::client::blocking_io::http::{
    GetResponse, Http, PostBodyDataKind, PostResponse,
};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use reqwest::{Client, Method, Response, Url};

use super::FailureSlot;
use super::runtime::IoRuntime;
use crate::credentials::{Access, Authentication};
use crate::error::{Message, SourceError};
use crate::policy::{Policy, Refused};
use crate::url::{RepositoryUrl, Scheme};

pub(crate) use clients::{Clients, allowed_addresses};
use exchange::{Account, Answer, Body, Exchange, Head, PostBody, Shared};
pub(crate) use greeting::Greeting;
use greeting::Listener;

/// Redirects followed for one listing: renames and `.git` suffixes need one or two.
const MAX_REDIRECTS: usize = 5;

/// What some servers look for at the start of the user agent before they speak the smart protocol.
const AGENT: &str = concat!("git/windlass-", env!("CARGO_PKG_VERSION"));

/// One conversation with one repository over HTTP.
pub(crate) struct HttpLink {
    client: Client,
    repository: RepositoryUrl,
    policy: Arc<Policy>,
    authorization: Option<HeaderValue>,
    failure: FailureSlot,
    redirected: Option<String>,
    limit: Duration,
    io: Arc<IoRuntime>,
    greeting: Arc<Greeting>,
}

impl HttpLink {
    /// Prepares a conversation; nothing is sent yet.
    pub(crate) fn new(
        clients: &Clients,
        io: &Arc<IoRuntime>,
        repository: &RepositoryUrl,
        access: &Access,
        policy: &Arc<Policy>,
        greeting: &Arc<Greeting>,
        failure: FailureSlot,
    ) -> Result<Self, SourceError> {
        let authorization = authorization(repository, access)?;
        if authorization.is_some() && repository.scheme() == Scheme::Http && !access.credentials_over_http {
            return Err(SourceError::ClearTextCredentials { repository: repository.to_string() });
        }
        Ok(Self {
            client: clients.get(&repository.to_string(), access, policy)?,
            repository: repository.clone(),
            policy: policy.clone(),
            authorization,
            failure,
            redirected: None,
            limit: access.timeouts.silence,
            io: io.clone(),
            greeting: greeting.clone(),
        })
    }

    /// The headers of a request to `url`: credentials only for the repository's own scheme, host and port.
    fn headers_for(&self, url: &Url, mut headers: HeaderMap) -> HeaderMap {
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let own = Url::parse(&self.repository.bare()).ok();
        if own.is_some_and(|own| own.origin() == url.origin())
            && let Some(authorization) = &self.authorization
        {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        headers
    }

    fn account(&self) -> Account {
        Account {
            repository: self.repository.clone(),
            anonymous: self.authorization.is_none(),
            failure: self.failure.clone(),
            limit: self.limit,
            io: self.io.clone(),
        }
    }
}

/// The header that the configured credentials make, and those in the address where none are configured.
pub(crate) fn authorization(
    repository: &RepositoryUrl,
    access: &Access,
) -> Result<Option<HeaderValue>, SourceError> {
    let basic = |user: &str, password: &str| {
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
    };
    let text = match &access.authentication {
        Authentication::Basic { username, password } => basic(username, password.expose()),
        Authentication::Bearer(token) => format!("Bearer {}", token.expose()),
        Authentication::SshKey { .. }
        | Authentication::IdentityToken(_)
        | Authentication::GitHubApp(_)
        | Authentication::Identity(_)
        | Authentication::Session(_)
        | Authentication::SharedAccess(_)
        | Authentication::Anonymous => match (repository.user(), repository.password()) {
            (None, None) => return Ok(None),
            (user, password) => {
                basic(user.unwrap_or_default(), password.map(|it| it.expose()).unwrap_or_default())
            }
        },
    };
    let mut value = HeaderValue::try_from(text).map_err(|_| SourceError::InvalidAccess {
        repository: repository.to_string(),
        what: "token",
        source: Message::cause("it holds characters that no http header may have"),
    })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

impl Http for HttpLink {
    type Headers = Head;
    type ResponseBody = BufReader<Body>;
    type PostBody = PostBody;

    fn get(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> gix::Result<GetResponse<Self::Headers, Self::ResponseBody>> {
        if let Some(kept) = self.greeting.get() {
            self.redirected = kept.redirected;
            let exchange = Shared::new(Exchange::Answered(Answer::remembered(kept.body)), self.account());
            return Ok(GetResponse { headers: Head::of(&exchange), body: BufReader::new(Body(exchange)) });
        }
        let headers = header_map(headers);
        let tail = url.strip_prefix(base_url).unwrap_or_default().to_string();
        let response = self.follow(url, &tail, &headers).map_err(gix::Error::from_error)?;
        let listener = Listener::new(&self.greeting, self.redirected.clone());
        let exchange = Shared::new(Exchange::Answered(Answer::heard(response, listener)), self.account());
        Ok(GetResponse { headers: Head::of(&exchange), body: BufReader::new(Body(exchange)) })
    }

    fn post(
        &mut self,
        url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        _kind: PostBodyDataKind,
    ) -> gix::Result<PostResponse<Self::Headers, Self::ResponseBody, Self::PostBody>> {
        let account = self.account();
        let url = Url::parse(url)
            .map_err(|_| account.of_protocol("it redirected to an invalid address"))
            .map_err(gix::Error::from_error)?;
        let headers = self.headers_for(&url, header_map(headers));
        let exchange = Shared::new(
            Exchange::Pending { client: self.client.clone(), url, headers, body: Vec::new() },
            account,
        );
        Ok(PostResponse {
            post_body: PostBody(exchange.clone()),
            headers: Head::of(&exchange),
            body: BufReader::new(Body(exchange)),
        })
    }

    fn configure(&mut self, _config: &dyn std::any::Any) -> gix::Result {
        Ok(())
    }

    fn redirected_base_url(&self) -> Option<String> {
        self.redirected.clone()
    }
}

impl HttpLink {
    /// Sends the first request of a conversation, following redirects as Git does for it and for no other.
    ///
    /// A redirect must keep the end of the address, may not leave TLS, and is checked against policy. Credentials
    /// stay with the repository's own host.
    fn follow(&mut self, url: &str, tail: &str, headers: &HeaderMap) -> io::Result<Response> {
        let account = self.account();
        let mut url = Url::parse(url).map_err(|_| account.of_protocol("the address cannot be requested"))?;
        for _ in 0..=MAX_REDIRECTS {
            let request = self.client.request(Method::GET, url.clone());
            let response = account.wait(request.headers(self.headers_for(&url, headers.clone())).send())?;
            if !response.status().is_redirection() {
                return match account.of_status(response.status()) {
                    Some(error) => Err(error),
                    None => Ok(response),
                };
            }
            let target = response
                .headers()
                .get(LOCATION)
                .and_then(|location| location.to_str().ok())
                .and_then(|location| url.join(location).ok())
                .ok_or_else(|| account.of_protocol("it redirected without saying where to"))?;
            if url.scheme() == "https" && target.scheme() != "https" {
                return Err(account.of_protocol("it redirected from https to an unprotected address"));
            }
            let host = target.host_str().unwrap_or_default().trim_matches(['[', ']']);
            let scheme = if target.scheme() == "https" { Scheme::Https } else { Scheme::Http };
            let refused =
                if !matches!(target.scheme(), "http" | "https") || !self.policy.schemes.contains(&scheme) {
                    Some(Refused::Scheme { scheme })
                } else {
                    self.policy.check_host(host).err()
                };
            if let Some(source) = refused {
                return Err(account
                    .failure
                    .put(SourceError::Refused { repository: self.repository.to_string(), source }));
            }
            let Some(base) = target.as_str().strip_suffix(tail) else {
                return Err(account.of_protocol("it redirected to something that is no Git repository"));
            };
            self.redirected = Some(base.to_string());
            url = target;
        }
        Err(account.of_protocol(format!("it redirected more than the limit of {MAX_REDIRECTS} times")))
    }
}

fn header_map(lines: impl IntoIterator<Item = impl AsRef<str>>) -> HeaderMap {
    lines
        .into_iter()
        .filter_map(|line| {
            let (name, value) = line.as_ref().split_once(':')?;
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value.trim()).ok()?))
        })
        .collect()
}
