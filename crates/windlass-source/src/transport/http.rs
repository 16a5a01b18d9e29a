//! Smart HTTP: requests with our credentials, our certificates and our redirect rules.

use std::future::Future;
use std::io::{self, BufRead, BufReader, Cursor, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use bytes::{Buf, Bytes};
use gix::protocol::transport::client::blocking_io::http::{
    GetResponse, Http, PostBodyDataKind, PostResponse,
};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use reqwest::{Client, Method, Response, StatusCode, Url};

use super::runtime::{IoRuntime, Stopped};
use super::{FailureSlot, find_cause};
use crate::credentials::{Access, Authentication, Proxy, Timeouts, Tls};
use crate::error::{Message, SourceError};
use crate::policy::{Policy, Refused};
use crate::url::{RepositoryUrl, Scheme};

/// Redirects followed for one listing: renames and `.git` suffixes need one or two.
const MAX_REDIRECTS: usize = 5;

/// Clients kept. Each has a pool of connections; most installations need one or two.
const MAX_CLIENTS: usize = 64;

/// What some servers look for at the start of the user agent before they speak the smart protocol.
const AGENT: &str = concat!("git/windlass-", env!("CARGO_PKG_VERSION"));

/// HTTP clients by what tells them apart, so that repositories with equal settings share connections.
#[derive(Debug, Default)]
pub(crate) struct Clients(Mutex<Vec<(Settings, Client)>>);

#[derive(Clone, Debug, PartialEq)]
struct Settings {
    tls: Tls,
    proxy: Option<Proxy>,
    timeouts: Timeouts,
}

impl Clients {
    fn get(&self, url: &RepositoryUrl, access: &Access, policy: &Arc<Policy>) -> Result<Client, SourceError> {
        let settings =
            Settings { tls: access.tls.clone(), proxy: access.proxy.clone(), timeouts: access.timeouts };
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(known, _)| *known == settings) {
            return Ok(client.clone());
        }
        let client =
            build_client(&settings, policy).map_err(|(what, source)| SourceError::InvalidAccess {
                repository: url.to_string(),
                what,
                source: Arc::new(source.without_url()),
            })?;
        if clients.len() >= MAX_CLIENTS {
            clients.remove(0);
        }
        clients.push((settings, client.clone()));
        Ok(client)
    }
}

fn build_client(settings: &Settings, policy: &Arc<Policy>) -> Result<Client, (&'static str, reqwest::Error)> {
    let mut builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(settings.timeouts.connect)
        .no_proxy();
    if let Some(pem) = &settings.tls.authorities {
        let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
            .map_err(|error| ("certificate authority", error))?;
        builder = builder.tls_certs_only(certificates);
    }
    if let Some(client) = &settings.tls.client {
        let pem = format!("{}\n{}", client.certificate, client.key.expose());
        let identity =
            reqwest::Identity::from_pem(pem.as_bytes()).map_err(|error| ("client certificate", error))?;
        builder = builder.identity(identity);
    }
    if settings.tls.insecure_skip_verify {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    let mut proxy_host = None;
    if let Some(proxy) = &settings.proxy {
        let rule = reqwest::Proxy::all(proxy.url.expose())
            .map_err(|error| ("proxy", error))?
            .no_proxy(reqwest::NoProxy::from_string(&proxy.no_proxy));
        proxy_host = Url::parse(proxy.url.expose()).ok().and_then(|url| url.host_str().map(str::to_string));
        builder = builder.proxy(rule);
    }
    builder
        .dns_resolver(Arc::new(CheckedResolver { policy: policy.clone(), proxy_host }))
        .build()
        .map_err(|error| ("http client", error))
}

/// Resolves names and leaves out the addresses that policy refuses, so that no name can lead inside.
struct CheckedResolver {
    policy: Arc<Policy>,
    /// The proxy is the operator's choice and may be anywhere.
    proxy_host: Option<String>,
}

impl reqwest::dns::Resolve for CheckedResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let host = name.as_str().to_string();
        let policy = self.policy.clone();
        let is_proxy = self.proxy_host.as_deref() == Some(host.as_str());
        Box::pin(async move {
            let resolved: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            if is_proxy {
                return Ok(Box::new(resolved.into_iter()) as reqwest::dns::Addrs);
            }
            let allowed = allowed_addresses(&policy, &host, resolved)?;
            Ok(Box::new(allowed.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

/// The addresses that may be connected to; the refusal of the last one when there are none.
pub(crate) fn allowed_addresses(
    policy: &Policy,
    host: &str,
    resolved: Vec<SocketAddr>,
) -> Result<Vec<SocketAddr>, Refused> {
    let mut refused = None;
    let mut allowed = Vec::with_capacity(resolved.len());
    for address in resolved {
        match policy.check_address(host, address.ip()) {
            Ok(()) => allowed.push(address),
            Err(reason) => refused = Some(reason),
        }
    }
    match refused {
        Some(reason) if allowed.is_empty() => Err(reason),
        _ => Ok(allowed),
    }
}

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
}

impl HttpLink {
    /// Prepares a conversation; nothing is sent yet.
    pub(crate) fn new(
        clients: &Clients,
        io: &Arc<IoRuntime>,
        repository: &RepositoryUrl,
        access: &Access,
        policy: &Arc<Policy>,
        failure: FailureSlot,
    ) -> Result<Self, SourceError> {
        let authorization = authorization(repository, access)?;
        if authorization.is_some() && repository.scheme() == Scheme::Http && !access.credentials_over_http {
            return Err(SourceError::ClearTextCredentials { repository: repository.to_string() });
        }
        Ok(Self {
            client: clients.get(repository, access, policy)?,
            repository: repository.clone(),
            policy: policy.clone(),
            authorization,
            failure,
            redirected: None,
            limit: access.timeouts.silence,
            io: io.clone(),
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

/// What is needed to tell a failed request apart from others.
#[derive(Clone)]
struct Account {
    repository: RepositoryUrl,
    anonymous: bool,
    failure: FailureSlot,
    limit: Duration,
    io: Arc<IoRuntime>,
}

impl Account {
    /// Waits for one step of a request, and tells its failure.
    fn wait<T>(&self, step: impl Future<Output = reqwest::Result<T>>) -> io::Result<T> {
        match self.io.wait(self.limit, step) {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(error)) => Err(self.of_request(error)),
            Err(stopped) => Err(self.of_stop(stopped)),
        }
    }

    fn of_stop(&self, stopped: Stopped) -> io::Error {
        self.failure.put(stopped.into_error(&self.repository))
    }

    fn of_request(&self, error: reqwest::Error) -> io::Error {
        let repository = self.repository.to_string();
        let error = error.without_url();
        if let Some(refused) = find_cause::<Refused>(&error) {
            return self.failure.put(SourceError::Refused { repository, source: refused.clone() });
        }
        self.failure.put(SourceError::Unreachable { repository, source: Arc::new(error) })
    }

    fn of_status(&self, status: StatusCode) -> Option<io::Error> {
        if status.is_success() {
            return None;
        }
        let repository = self.repository.to_string();
        let error = match status {
            StatusCode::UNAUTHORIZED => {
                SourceError::AuthenticationFailed { repository, anonymous: self.anonymous }
            }
            StatusCode::FORBIDDEN => SourceError::Forbidden { repository },
            StatusCode::NOT_FOUND | StatusCode::GONE => SourceError::RepositoryNotFound { repository },
            _ if status.is_server_error()
                || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) =>
            {
                SourceError::Unreachable {
                    repository,
                    source: Message::cause(format!("the server answered {status}")),
                }
            }
            _ => SourceError::Protocol {
                repository,
                source: Message::cause(format!("the server answered {status}")),
            },
        };
        Some(self.failure.put(error))
    }

    fn of_protocol(&self, text: impl Into<String>) -> io::Error {
        self.failure.put(SourceError::Protocol {
            repository: self.repository.to_string(),
            source: Message::cause(text),
        })
    }
}

fn authorization(repository: &RepositoryUrl, access: &Access) -> Result<Option<HeaderValue>, SourceError> {
    let basic = |user: &str, password: &str| {
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
    };
    let text = match &access.authentication {
        Authentication::Basic { username, password } => basic(username, password.expose()),
        Authentication::Bearer(token) => format!("Bearer {}", token.expose()),
        Authentication::SshKey { .. } | Authentication::Anonymous => {
            match (repository.user(), repository.password()) {
                (None, None) => return Ok(None),
                (user, password) => {
                    basic(user.unwrap_or_default(), password.map(|it| it.expose()).unwrap_or_default())
                }
            }
        }
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
        let headers = header_map(headers);
        let tail = url.strip_prefix(base_url).unwrap_or_default().to_string();
        let response = self.follow(url, &tail, &headers).map_err(gix::Error::from_error)?;
        let exchange = Shared::new(Exchange::Answered(Answer::new(response)), self.account());
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

/// An answer, and what of its body has arrived and is not read yet.
struct Answer {
    response: Response,
    pending: Bytes,
}

impl Answer {
    fn new(response: Response) -> Self {
        Self { response, pending: Bytes::new() }
    }
}

/// A request that is sent when its answer is first read: by then gix has written the whole body.
enum Exchange {
    Pending { client: Client, url: Url, headers: HeaderMap, body: Vec<u8> },
    Answered(Answer),
    Failed,
}

#[derive(Clone)]
struct Shared {
    exchange: Arc<Mutex<Exchange>>,
    account: Account,
}

impl Shared {
    fn new(exchange: Exchange, account: Account) -> Self {
        Self { exchange: Arc::new(Mutex::new(exchange)), account }
    }

    fn with_answer<R>(&self, read: impl FnOnce(&mut Answer) -> io::Result<R>) -> io::Result<R> {
        let mut exchange = self.exchange.lock().unwrap_or_else(PoisonError::into_inner);
        if let Exchange::Pending { .. } = &*exchange
            && let Exchange::Pending { client, url, headers, body } =
                std::mem::replace(&mut *exchange, Exchange::Failed)
        {
            let request = client.request(Method::POST, url).headers(headers).body(body);
            let response = self.account.wait(request.send())?;
            if let Some(error) = self.account.of_status(response.status()) {
                return Err(error);
            }
            *exchange = Exchange::Answered(Answer::new(response));
        }
        match &mut *exchange {
            Exchange::Answered(answer) => read(answer),
            Exchange::Pending { .. } | Exchange::Failed => {
                Err(io::Error::other("the request has failed before"))
            }
        }
    }
}

/// The header lines of an answer.
pub(crate) struct Head {
    shared: Shared,
    lines: Option<Cursor<Vec<u8>>>,
}

impl Head {
    fn of(shared: &Shared) -> Self {
        Self { shared: shared.clone(), lines: None }
    }

    fn lines(&mut self) -> io::Result<&mut Cursor<Vec<u8>>> {
        if self.lines.is_none() {
            let lines = self.shared.with_answer(|answer| {
                let mut lines = Vec::new();
                for (name, value) in answer.response.headers() {
                    lines.extend_from_slice(name.as_str().as_bytes());
                    lines.push(b':');
                    lines.extend_from_slice(value.as_bytes());
                    lines.push(b'\n');
                }
                Ok(lines)
            })?;
            self.lines = Some(Cursor::new(lines));
        }
        Ok(self.lines.get_or_insert_default())
    }
}

impl Read for Head {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.lines()?.read(buffer)
    }
}

impl BufRead for Head {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.lines()?.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        if let Some(lines) = &mut self.lines {
            lines.consume(amount);
        }
    }
}

/// The body of an answer.
pub(crate) struct Body(Shared);

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let account = &self.0.account;
        self.0.with_answer(|Answer { response, pending }| {
            while pending.is_empty() {
                match account.wait(response.chunk())? {
                    Some(piece) => *pending = piece,
                    None => return Ok(0),
                }
            }
            let length = pending.len().min(buffer.len());
            buffer[..length].copy_from_slice(&pending[..length]);
            pending.advance(length);
            Ok(length)
        })
    }
}

/// The body of a request, collected until it is sent: what we ask for is a few lines.
pub(crate) struct PostBody(Shared);

impl Write for PostBody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut exchange = self.0.exchange.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *exchange {
            Exchange::Pending { body, .. } => {
                body.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            Exchange::Answered(_) | Exchange::Failed => {
                Err(io::Error::other("the request has been sent already"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_inside_does_not_resolve() {
        let resolve = |policy: Policy, proxy_host: Option<&str>| {
            let resolver =
                CheckedResolver { policy: Arc::new(policy), proxy_host: proxy_host.map(str::to_string) };
            reqwest::dns::Resolve::resolve(&resolver, "localhost".parse().expect("a host name"))
        };
        let refused = resolve(Policy::default(), None).await.err().expect("localhost is this machine");
        assert!(find_cause::<Refused>(&*refused).is_some(), "{refused}");
        let proxied = resolve(Policy::default(), Some("localhost")).await;
        assert!(
            proxied.is_ok_and(|mut addresses| addresses.next().is_some()),
            "the operator's proxy may be inside"
        );
        assert!(resolve(Policy::trusting(), None).await.is_ok());
    }
}
