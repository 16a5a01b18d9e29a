//! A Git server over HTTP, with a lock on the door, a log of who came, and faults on request.

use super::{backend, repository::Repository};
use crate::{Authority, Error, Identity, Result, background};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response, StatusCode,
    body::{Frame, Incoming},
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fmt, io,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::AbortHandle,
};
use tokio_rustls::TlsAcceptor;

/// The body of an answer; it may break off on purpose.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A Git server over HTTP or HTTPS on a loopback port, backed by `git http-backend`.
///
/// Its repositories lie in a temporary directory. Dropping the server removes them.
#[derive(Debug)]
pub struct GitServer {
    address: SocketAddr,
    state: Arc<State>,
    repositories: Mutex<BTreeMap<String, Repository>>,
    client: Option<Identity>,
    acceptor: AbortHandle,
}

impl GitServer {
    /// Prepares a server; without further ado it lets everybody in, over plain HTTP.
    pub fn builder() -> GitServerBuilder {
        GitServerBuilder::default()
    }

    /// Starts a server that lets everybody in, over plain HTTP.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// The repository of this name (which may have slashes), made when it does not exist.
    ///
    /// # Errors
    /// When Git is not installed or refuses.
    pub fn repository(&self, name: &str) -> Result<Repository> {
        let mut repositories = self.repositories.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(repository) = repositories.get(name) {
            return Ok(repository.clone());
        }
        let repository = Repository::init(self.state.root.path().join(format!("{name}.git")))?;
        if self.state.push {
            repository.git(&["config", "http.receivepack", "true"])?;
        }
        repositories.insert(name.to_owned(), repository.clone());
        Ok(repository)
    }

    /// The address of a repository, without credentials.
    pub fn url(&self, name: &str) -> String {
        format!("{}/{name}.git", self.base_url())
    }

    /// The address of a repository, with the user and password that the server wants in it.
    pub fn url_with_credentials(&self, name: &str) -> String {
        match &self.state.access {
            Access::Anyone | Access::Bearer(_) | Access::GitHubApp(_) => self.url(name),
            Access::Basic { user, password } => {
                self.url(name).replacen("://", &format!("://{user}:{password}@"), 1)
            }
        }
    }

    /// The address that all repositories are under, without a slash at the end.
    ///
    /// With TLS the host is `localhost`, otherwise `127.0.0.1`.
    pub fn base_url(&self) -> String {
        let port = self.address.port();
        if self.state.tls.is_some() {
            format!("https://localhost:{port}")
        } else {
            format!("http://127.0.0.1:{port}")
        }
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate of the authority that signed the server's, as PEM. `None` without TLS.
    pub fn authority_pem(&self) -> Option<&str> {
        self.state.tls.as_ref().map(|tls| tls.authority.certificate_pem())
    }

    /// A client certificate that the server accepts. `None` without TLS.
    pub fn client_identity(&self) -> Option<&Identity> {
        self.client.as_ref()
    }

    /// Every request so far, in the order in which they came.
    pub fn requests(&self) -> Vec<GitRequest> {
        self.state.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests for `git-upload-pack` were answered: with protocol 2 one lists references and
    /// one (or more, when client and server negotiate) fetches.
    pub fn upload_packs(&self) -> usize {
        self.count(|request| request.method == "POST" && request.path.ends_with("/git-upload-pack"))
    }

    /// How many packs were sent: requests for `git-upload-pack` whose command was to fetch.
    ///
    /// A client that negotiates in several rounds counts once per round.
    pub fn fetches(&self) -> usize {
        self.count(|request| request.fetch)
    }

    /// How many times a client introduced itself (`GET …/info/refs`).
    pub fn handshakes(&self) -> usize {
        self.count(|request| request.path.ends_with("/info/refs"))
    }

    /// How many bytes of answers were sent so far.
    pub fn bytes_sent(&self) -> u64 {
        self.state.sent.load(Ordering::Relaxed)
    }

    /// Keeps content for Git LFS. Returns the pointer to it, which is what a repository has in its place.
    pub fn keep_lfs(&self, content: impl Into<Vec<u8>>) -> String {
        let content: Vec<u8> = content.into();
        let digits: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        let size = content.len();
        self.replace_lfs(&digits, content);
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{digits}\nsize {size}\n")
    }

    /// Puts other content in the place of what has the SHA-256 of these digits.
    pub fn replace_lfs(&self, digits: &str, content: impl Into<Vec<u8>>) {
        let mut kept = self.state.lfs.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(digits.to_owned(), Bytes::from(content.into()));
    }

    /// Sends those who ask for what Git LFS keeps to `/lfs/DIGITS` at this address, as hosts with a storage of their own
    /// do.
    pub fn keep_lfs_at(&self, base_url: &str) {
        *self.state.lfs_storage.lock().unwrap_or_else(PoisonError::into_inner) = base_url.to_owned();
    }

    /// The signed statements that the API of GitHub was shown, in the order in which they came.
    pub fn github_statements(&self) -> Vec<String> {
        self.state.github.lock().unwrap_or_else(PoisonError::into_inner).statements.clone()
    }

    /// Forgets the statements so far.
    pub fn forget_github_statements(&self) {
        self.state.github.lock().unwrap_or_else(PoisonError::into_inner).statements.clear();
    }

    /// Takes back every token that the API of GitHub gave.
    pub fn revoke_github_tokens(&self) {
        self.state.github.lock().unwrap_or_else(PoisonError::into_inner).tokens.clear();
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.state.log.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Does this to every request until told otherwise.
    pub fn set_fault(&self, fault: Option<Fault>) {
        *self.state.fault.lock().unwrap_or_else(PoisonError::into_inner) =
            fault.map(|fault| Trouble { fault, left: usize::MAX });
    }

    /// Does this to the next `n_requests` requests.
    pub fn fail_next(&self, n_requests: usize, fault: Fault) {
        *self.state.fault.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Trouble { fault, left: n_requests });
    }

    fn count(&self, matches: impl Fn(&GitRequest) -> bool) -> usize {
        let log = self.state.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().filter(|request| request.status == 200 && matches(request)).count()
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

/// How to start a [`GitServer`].
#[derive(Default)]
#[must_use = "a server is started by start()"]
pub struct GitServerBuilder {
    access: Access,
    tls: bool,
    client_certificates: bool,
    push: bool,
}

impl GitServerBuilder {
    /// Asks for this user and password.
    pub fn basic_auth(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.access = Access::Basic { user: user.into(), password: password.into() };
        self
    }

    /// Asks for this bearer token.
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.access = Access::Bearer(token.into());
        self
    }

    /// Plays GitHub: lets in who has a token of this installation of an App. The API that gives such tokens is under
    /// `/api/v3` of the same address; it takes any signed statement for a good one.
    pub fn github_app(mut self, installation: u64) -> Self {
        self.access = Access::GitHubApp(installation);
        self
    }

    /// Speaks TLS, with a certificate for `localhost` and `127.0.0.1` of an authority that nobody knows.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Speaks TLS, and only to clients that show a certificate of the same authority.
    pub fn client_certificates(mut self) -> Self {
        self.tls = true;
        self.client_certificates = true;
        self
    }

    /// Lets whoever gets in also push.
    pub fn allow_push(mut self) -> Self {
        self.push = true;
        self
    }

    /// Starts the server.
    ///
    /// # Errors
    /// When no port can be bound, or no certificate made.
    pub fn start(self) -> Result<GitServer> {
        let root = TempDir::with_prefix("windlass-git-").map_err(Error::io("make a temporary directory"))?;
        let (tls, client) = if self.tls {
            let authority = Authority::new("Windlass test authority")?;
            let config = authority.server_config(&["localhost", "127.0.0.1"], self.client_certificates)?;
            let client = authority.client("git-client", &[])?;
            (Some(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), authority }), Some(client))
        } else {
            (None, None)
        };
        let (listener, address) = background::listen()?;
        let state = Arc::new(State {
            root,
            access: self.access,
            tls,
            push: self.push,
            log: Mutex::default(),
            sent: AtomicU64::new(0),
            fault: Mutex::default(),
            lfs: Mutex::default(),
            lfs_storage: Mutex::default(),
            github: Mutex::default(),
        });
        let acceptor = background::runtime().spawn(accept(listener, Arc::clone(&state))).abort_handle();
        let server = GitServer { address, state, repositories: Mutex::default(), client, acceptor };
        server.keep_lfs_at(&server.base_url());
        Ok(server)
    }
}

/// What a [`GitServer`] does instead of answering well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Waits, then answers as usual.
    Delay(Duration),
    /// Answers with this status and a short text.
    Status(u16),
    /// Closes the connection without an answer, as a server that is gone does.
    Disconnect,
    /// Answers as usual, and closes the connection after this many bytes of the body.
    CutAfter(usize),
    /// Never answers.
    Hang,
}

/// A request that a [`GitServer`] got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitRequest {
    /// The method.
    pub method: String,
    /// The path, which begins with a slash.
    pub path: String,
    /// The query, without the question mark.
    pub query: String,
    /// What the `Git-Protocol` header says, for example `version=2`.
    pub protocol: String,
    /// What the `User-Agent` header says.
    pub user_agent: String,
    /// Whether credentials came along, right or wrong.
    pub authenticated: bool,
    /// Whether the request asks for a pack.
    pub fetch: bool,
    /// The status it was answered with; zero when it was not answered.
    pub status: u16,
}

/// What a connection needs to know.
#[derive(Debug)]
pub(super) struct State {
    root: TempDir,
    access: Access,
    tls: Option<Tls>,
    push: bool,
    log: Mutex<Vec<GitRequest>>,
    sent: AtomicU64,
    fault: Mutex<Option<Trouble>>,
    /// What Git LFS keeps, by the digits of its SHA-256.
    lfs: Mutex<BTreeMap<String, Bytes>>,
    /// The address that it is downloaded below.
    lfs_storage: Mutex<String>,
    github: Mutex<GitHub>,
}

impl State {
    /// Who the caller is: `Err` with the challenge when they are not let in.
    fn check(&self, authorization: Option<&str>) -> Result<Option<String>, &'static str> {
        let github = self.github.lock().unwrap_or_else(PoisonError::into_inner);
        let is_token = github.tokens.iter().any(|token| {
            let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("x-access-token:{token}")));
            authorization == Some(expected.as_str())
        });
        if is_token { Ok(Some("x-access-token".to_owned())) } else { self.access.check(authorization) }
    }

    /// The fault for the next request.
    fn next_fault(&self) -> Option<Fault> {
        let mut trouble = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let current = trouble.as_mut().filter(|trouble| trouble.left > 0)?;
        if current.left != usize::MAX {
            current.left -= 1;
        }
        Some(current.fault)
    }

    fn record(&self, request: GitRequest) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }
}

struct Tls {
    acceptor: TlsAcceptor,
    authority: Authority,
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// A fault, and how many requests it is still for.
#[derive(Debug)]
struct Trouble {
    fault: Fault,
    left: usize,
}

/// Who is let in.
#[derive(Default)]
enum Access {
    #[default]
    Anyone,
    Basic {
        user: String,
        password: String,
    },
    Bearer(String),
    /// Who has a token of this installation of a GitHub App.
    GitHubApp(u64),
}

/// What the API of GitHub that a server plays knows.
#[derive(Debug, Default)]
struct GitHub {
    /// The signed statements that came.
    statements: Vec<String>,
    tokens: Vec<String>,
    n_tokens: usize,
}

impl Access {
    /// Who the caller is: `Err` with the challenge when they are not let in.
    fn check(&self, authorization: Option<&str>) -> Result<Option<String>, &'static str> {
        match self {
            Self::Anyone => Ok(None),
            Self::Basic { user, password } => {
                let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
                let right = authorization == Some(expected.as_str());
                right.then(|| Some(user.clone())).ok_or("Basic realm=\"git\"")
            }
            Self::Bearer(token) => {
                let right = authorization.and_then(|value| value.strip_prefix("Bearer ")) == Some(token);
                right.then(|| Some("bearer".to_owned())).ok_or("Bearer realm=\"git\"")
            }
            // Tokens come and go: the state knows them.
            Self::GitHubApp(_) => Err("Basic realm=\"git\""),
        }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Anyone => "Anyone",
            Self::Basic { .. } => "Basic",
            Self::Bearer(_) => "Bearer",
            Self::GitHubApp(_) => "GitHubApp",
        })
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        // Reap what has ended, so that the set does not grow; it aborts the rest when it is dropped.
        while connections.try_join_next().is_some() {}
        let state = Arc::clone(&state);
        connections.spawn(async move {
            match state.tls.as_ref().map(|tls| tls.acceptor.clone()) {
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

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, state: Arc<State>) {
    let service = service_fn(move |request| answer(request, Arc::clone(&state)));
    let connection = auto::Builder::new(TokioExecutor::new());
    // A connection that ends in an error is the client's affair, or a fault that was asked for.
    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
}

/// Answers one request. An error closes the connection.
async fn answer(request: Request<Incoming>, state: Arc<State>) -> io::Result<Response<Body>> {
    let header = |name: &str| {
        let value = request.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let mut record = GitRequest {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        protocol: header("git-protocol"),
        user_agent: header("user-agent"),
        authenticated: request.headers().contains_key(AUTHORIZATION),
        fetch: false,
        status: 0,
    };
    let fault = state.next_fault();
    match fault {
        Some(Fault::Delay(delay)) => tokio::time::sleep(delay).await,
        Some(Fault::Disconnect) => {
            state.record(record);
            return Err(io::Error::other("disconnected on request"));
        }
        Some(Fault::Hang) => {
            state.record(record);
            return std::future::pending().await;
        }
        Some(Fault::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            record.status = status.as_u16();
            state.record(record);
            return Ok(plain(status, "a fault that was asked for\n"));
        }
        Some(Fault::CutAfter(_)) | None => {}
    }
    if let Some(call) = request.uri().path().strip_prefix("/api/v3").map(str::to_owned) {
        let response = github_api(&state, &call, &header("authorization"));
        record.status = response.status().as_u16();
        state.record(record);
        return Ok(response);
    }
    let user = match state.check(Some(header("authorization").as_str())) {
        Ok(user) => user,
        Err(challenge) => {
            record.status = 401;
            state.record(record);
            let mut response = plain(StatusCode::UNAUTHORIZED, "authentication is required\n");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge.parse().map_err(io::Error::other)?);
            return Ok(response);
        }
    };
    if let Some(kept) = request.uri().path().strip_prefix("/lfs/").map(str::to_owned) {
        let content = state.lfs.lock().unwrap_or_else(PoisonError::into_inner).get(&kept).cloned();
        let response = match content {
            Some(content) => whole(StatusCode::OK, content),
            None => plain(StatusCode::NOT_FOUND, "there is no such object\n"),
        };
        record.status = response.status().as_u16();
        state.record(record);
        return Ok(response);
    }
    if request.uri().path().ends_with("/info/lfs/objects/batch") {
        let asked = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        record.status = 200;
        state.record(record);
        return Ok(whole(StatusCode::OK, lfs_batch(&asked, &state)));
    }
    let root: &Path = state.root.path();
    let outcome = backend::run(root, request, user.as_deref()).await?;
    record.fetch = outcome.fetch;
    record.status = outcome.response.status().as_u16();
    state.record(record);
    let response = match fault {
        Some(Fault::CutAfter(n_bytes)) => cut_after(n_bytes, outcome.response),
        _ => outcome.response,
    };
    Ok(response.map(|body| {
        let counted = body.map_frame(move |frame| {
            let n_bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
            state.sent.fetch_add(n_bytes, Ordering::Relaxed);
            frame
        });
        counted.boxed_unsync()
    }))
}

/// The part of GitHub's API that gives tokens to Apps.
fn github_api(state: &State, call: &str, authorization: &str) -> Response<Body> {
    let Access::GitHubApp(installation) = state.access else {
        return plain(StatusCode::NOT_FOUND, "this is not GitHub\n");
    };
    let mut github = state.github.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(statement) = authorization.strip_prefix("Bearer ") else {
        return plain(StatusCode::UNAUTHORIZED, "a statement is required\n");
    };
    github.statements.push(statement.to_owned());
    if call.starts_with("/repos/") && call.ends_with("/installation") {
        return whole(StatusCode::OK, json!({"id": installation}).to_string().into());
    }
    if call != format!("/app/installations/{installation}/access_tokens") {
        return plain(StatusCode::NOT_FOUND, "there is no such installation\n");
    }
    github.n_tokens += 1;
    let token = format!("ghs_{}", github.n_tokens);
    github.tokens.push(token.clone());
    whole(
        StatusCode::CREATED,
        json!({"token": token, "expires_at": "2100-01-01T00:00:00Z"}).to_string().into(),
    )
}

/// What the batch API of Git LFS answers: where each object is, or that there is none.
fn lfs_batch(asked: &[u8], state: &State) -> Bytes {
    let asked: Value = serde_json::from_slice(asked).unwrap_or_default();
    let kept = state.lfs.lock().unwrap_or_else(PoisonError::into_inner);
    let base = state.lfs_storage.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let objects: Vec<Value> = asked["objects"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|object| {
            let oid = object["oid"].as_str().unwrap_or_default();
            let known = json!({"download": {"href": format!("{base}/lfs/{oid}")}});
            let missing = json!({"code": 404, "message": "there is no such object"});
            match kept.contains_key(oid) {
                true => json!({"oid": oid, "size": object["size"], "actions": known}),
                false => json!({"oid": oid, "size": object["size"], "error": missing}),
            }
        })
        .collect();
    json!({"transfer": "basic", "objects": objects}).to_string().into()
}

fn whole(status: StatusCode, content: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(content).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response
}

/// An answer of one short text.
pub(super) fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    whole(status, Bytes::from_static(text.as_bytes()))
}

/// The same answer, whose body breaks off.
fn cut_after(n_bytes: usize, response: Response<Body>) -> Response<Body> {
    response.map(|body| {
        let pieces = stream::unfold((body, Some(n_bytes)), |(mut body, left)| async move {
            let Some(left) = left else {
                return Some((Err(io::Error::other("cut on request")), (body, None)));
            };
            let mut data = match body.frame().await? {
                Ok(frame) => frame.into_data().unwrap_or_default(),
                Err(error) => return Some((Err(error), (body, None))),
            };
            let still_left = left.checked_sub(data.len());
            data.truncate(left);
            Some((Ok(Frame::data(data)), (body, still_left)))
        });
        StreamBody::new(pieces).boxed_unsync()
    })
}
