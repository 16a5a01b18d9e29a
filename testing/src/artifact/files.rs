//! A server of files: Helm repositories and archives.

use super::web::{Answer, Handler, Server, WebFault, WebRequest, basic};
use crate::{Identity, Result};
use bytes::Bytes;
use hyper::header::{CONTENT_ENCODING, ETAG, HeaderMap, WWW_AUTHENTICATE};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

/// A web server of files in memory, over HTTP or HTTPS on a loopback port.
///
/// Files have an `ETag` of their content, and are not sent to those who have them. A file whose path ends in `.gz`
/// is also served, compressed, under the name without it.
#[derive(Debug)]
pub struct FileServer {
    server: Server<Files>,
}

struct Files {
    basic: Option<String>,
    files: Mutex<BTreeMap<String, Bytes>>,
}

impl FileServer {
    /// Prepares a server; without further ado it lets everybody in, over plain HTTP.
    pub fn builder() -> FileServerBuilder {
        FileServerBuilder::default()
    }

    /// Starts a server that lets everybody in, over plain HTTP.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// Puts a file at a path, which begins without a slash, in the place of what was there.
    pub fn put(&self, path: &str, content: impl Into<Vec<u8>>) {
        self.files().insert(format!("/{path}"), content.into().into());
    }

    /// Takes a file away.
    pub fn remove(&self, path: &str) {
        self.files().remove(&format!("/{path}"));
    }

    /// The address that all files are under, without a slash at the end.
    pub fn base_url(&self) -> String {
        self.server.base_url()
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The certificate of the authority that signed the server's, as PEM. `None` without TLS.
    pub fn authority_pem(&self) -> Option<&str> {
        self.server.authority_pem()
    }

    /// A client certificate that the server accepts. `None` without TLS.
    pub fn client_identity(&self) -> Option<&Identity> {
        self.server.client_identity()
    }

    /// Every request so far, in the order in which they came.
    pub fn requests(&self) -> Vec<WebRequest> {
        self.server.requests()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.server.forget_requests();
    }

    /// Does this to the next `n_requests` requests whose path has `part_of_path` in it; `usize::MAX` is for ever.
    pub fn fault(&self, part_of_path: &str, n_requests: usize, fault: WebFault) {
        self.server.fault(part_of_path, n_requests, fault);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.server.clear_faults();
    }

    fn files(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.server.state.handler.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How to start a [`FileServer`].
#[derive(Default)]
#[must_use = "a server is started by start()"]
pub struct FileServerBuilder {
    basic: Option<String>,
    tls: bool,
    client_certificates: bool,
}

impl FileServerBuilder {
    /// Asks for this user and password.
    pub fn basic_auth(mut self, user: &str, password: &str) -> Self {
        self.basic = Some(basic(user, password));
        self
    }

    /// Speaks TLS, with a certificate for `localhost` and `127.0.0.1` of an authority that nobody knows.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Speaks TLS, and only to clients that show a certificate of the same authority.
    pub fn client_certificates(mut self) -> Self {
        self.client_certificates = true;
        self
    }

    /// Starts the server.
    ///
    /// # Errors
    /// When no port can be bound, or no certificate made.
    pub fn start(self) -> Result<FileServer> {
        let files = Files { basic: self.basic, files: Mutex::default() };
        Ok(FileServer { server: Server::start(self.tls, self.client_certificates, |_| files)? })
    }
}

impl Handler for Files {
    fn answer(&self, request: &WebRequest, headers: &HeaderMap, _body: Bytes) -> Answer {
        if self.basic.as_ref().is_some_and(|wanted| *wanted != request.authorization) {
            return Answer::new(401).header(WWW_AUTHENTICATE, "Basic realm=\"files\"");
        }
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let takes_gzip = headers.get("accept-encoding").is_some_and(|value| value == "gzip");
        let compressed = files.get(&format!("{}.gz", request.path)).filter(|_| takes_gzip);
        let Some(content) = compressed.or_else(|| files.get(&request.path)) else {
            return Answer::new(404).body("there is no such file\n");
        };
        let digest = Sha256::digest(content);
        let etag: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let etag = format!("\"{etag}\"");
        if request.if_none_match == etag {
            return Answer::new(304).header(ETAG, etag);
        }
        let answer = Answer::new(200).header(ETAG, etag).body(content.clone());
        if compressed.is_some() { answer.header(CONTENT_ENCODING, "gzip") } else { answer }
    }
}
