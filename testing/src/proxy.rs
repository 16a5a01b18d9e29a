//! An HTTP proxy that remembers where it was asked to go.

use crate::{Result, background};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// A proxy on a loopback port, for `CONNECT` (what clients use for `https://`) and for plain requests.
///
/// Wherever it is asked to go, it goes to a place on this machine: a host that it is
/// [told about](Proxy::route), or the loopback address that the client named. So a test may use a name that
/// does not resolve, and a client that gets there has used the proxy.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    acceptor: AbortHandle,
}

#[derive(Debug, Default)]
struct State {
    credentials: Option<String>,
    routes: Mutex<Vec<(String, SocketAddr)>>,
    targets: Mutex<Vec<String>>,
}

impl Proxy {
    /// Starts a proxy for everybody.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start() -> Result<Self> {
        Self::start_with(State::default())
    }

    /// Starts a proxy that asks for a user and a password.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start_with_auth(user: &str, password: &str) -> Result<Self> {
        let credentials = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
        Self::start_with(State { credentials: Some(credentials), ..State::default() })
    }

    /// The address of the proxy.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Leads those who ask for `host` (with or without a port) to this address.
    pub fn route(&self, host: &str, to: SocketAddr) {
        self.state.routes.lock().unwrap_or_else(PoisonError::into_inner).push((host.to_owned(), to));
    }

    /// Where it was asked to go so far, as `host:port`. Those who were not let in are not counted.
    pub fn targets(&self) -> Vec<String> {
        self.state.targets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn start_with(state: State) -> Result<Self> {
        let (listener, address) = background::listen()?;
        let state = Arc::new(state);
        let acceptor = background::runtime().spawn(accept(listener, Arc::clone(&state))).abort_handle();
        Ok(Self { address, state, acceptor })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        // A connection that breaks is the affair of its two ends.
        connections.spawn(serve(stream, Arc::clone(&state)));
    }
}

/// Serves one connection: one `CONNECT`, or one plain request.
async fn serve(stream: TcpStream, state: Arc<State>) -> std::io::Result<()> {
    let mut client = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if client.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    let header = |name: &str| {
        let lines = head.iter().skip(1).filter_map(|line| line.split_once(": "));
        lines
            .into_iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    };
    if state.credentials.is_some() && header("proxy-authorization") != state.credentials {
        let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"proxy\"\r\n\
                      Content-Length: 0\r\nConnection: close\r\n\r\n";
        return client.write_all(answer.as_bytes()).await;
    }
    let mut words = head.first().map(String::as_str).unwrap_or_default().split(' ');
    let (method, uri) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (target, path) = if method == "CONNECT" {
        (uri.to_owned(), None)
    } else {
        let rest = uri.strip_prefix("http://").unwrap_or(uri);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let port = if host.contains(':') { "" } else { ":80" };
        (format!("{host}{port}"), Some(format!("/{path}")))
    };
    state.targets.lock().unwrap_or_else(PoisonError::into_inner).push(target.clone());
    let route = {
        let routes = state.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let host = target.rsplit_once(':').map_or(target.as_str(), |(host, _)| host);
        routes.iter().find(|(name, _)| *name == target || name == host).map(|&(_, address)| address)
    };
    let Some(address) = route.or_else(|| target.parse().ok()).filter(|address| address.ip().is_loopback())
    else {
        let answer = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return client.write_all(answer.as_bytes()).await;
    };
    let mut server = TcpStream::connect(address).await?;
    match path {
        None => client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?,
        Some(path) => {
            // One request per connection, so that what follows need not be read.
            let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
            let hop = |line: &&String| {
                let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
                !name.starts_with("proxy-") && name != "connection"
            };
            for line in head.iter().skip(1).filter(hop) {
                request.extend([line, "\r\n"]);
            }
            request.push_str("\r\n");
            server.write_all(request.as_bytes()).await?;
        }
    }
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
