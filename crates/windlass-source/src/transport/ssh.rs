//! SSH without a program: russh on a small runtime, read and written by the blocking protocol code.

use std::borrow::Cow;
use std::future::Future;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes};
use gix::protocol::transport::Protocol;
use gix::protocol::transport::client::git::ConnectMode;
use gix::protocol::transport::client::git::blocking_io::Connection;
use russh::client::{self, AuthResult, Handle};
use russh::keys::key::PrivateKeyWithHashAlg;
use russh::keys::{Algorithm, HashAlg, PublicKeyBase64, PublicKeyOrCertificate};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};

use super::http::allowed_addresses;
use super::runtime::{IoRuntime, Stopped};
use super::{FailureSlot, known_hosts, private_key};
use crate::credentials::{Access, Authentication, KnownHosts};
use crate::error::{Message, SourceError};
use crate::policy::Policy;
use crate::url::RepositoryUrl;

/// Longest message of the server's standard error that is kept for an error.
const MAX_STDERR_BYTES: usize = 2 * 1024;

/// A Git conversation over SSH.
pub(crate) type SshConnection = Connection<SshReader, SshWriter>;

/// Connects, checks the host, authenticates, and starts `git-upload-pack`.
pub(crate) fn connect(
    io: &Arc<IoRuntime>,
    repository: &RepositoryUrl,
    access: &Access,
    policy: &Policy,
    failure: &FailureSlot,
) -> Result<SshConnection, SourceError> {
    let limit = access.timeouts.connect;
    let opened = io.wait(limit, open(repository, access, policy)).unwrap_or_else(|stopped| {
        Err(match stopped {
            Stopped::Silent(limit) => SourceError::Unreachable {
                repository: repository.to_string(),
                source: Message::cause(format!("no SSH session within {} seconds", limit.as_secs())),
            },
            other => other.into_error(repository),
        })
    })?;
    let shared = Arc::new(Session {
        io: io.clone(),
        _handle: opened.handle,
        repository: repository.clone(),
        silence: access.timeouts.silence,
        stderr: Mutex::default(),
        failure: failure.clone(),
    });
    let reader = SshReader { half: opened.reader, pending: Bytes::new(), session: shared.clone() };
    let writer = SshWriter { half: opened.writer, session: shared };
    Ok(Connection::new(
        reader,
        writer,
        Protocol::V2,
        repository.path(),
        None::<(String, Option<u16>)>,
        ConnectMode::Process,
        false,
    )
    .custom_url(Some(repository.to_string().into())))
}

/// What a command on the server came to.
pub(crate) struct Ran {
    /// What it wrote, cut off somewhere beyond the limit.
    pub(crate) output: Vec<u8>,
    /// The beginning of what it wrote to its standard error.
    pub(crate) errors: String,
    /// What it ended with, if the server says so.
    pub(crate) status: Option<u32>,
}

/// Connects, checks the host, authenticates, and runs one command to its end, or until it has written more than
/// `max_bytes`.
pub(crate) fn run(
    io: &Arc<IoRuntime>,
    repository: &RepositoryUrl,
    access: &Access,
    policy: &Policy,
    command: &str,
    max_bytes: usize,
) -> Result<Ran, SourceError> {
    let conversation = async {
        let handle = log_in(repository, access, policy).await?;
        let broken = |error: russh::Error| SourceError::Unreachable {
            repository: repository.to_string(),
            source: Arc::new(error),
        };
        let mut channel = handle.channel_open_session().await.map_err(broken)?;
        channel.exec(true, command).await.map_err(broken)?;
        let mut ran = Ran { output: Vec::new(), errors: String::new(), status: None };
        let mut errors = Vec::new();
        loop {
            match channel.wait().await {
                Some(ChannelMsg::Data { data }) => ran.output.extend_from_slice(&data),
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    let room = MAX_STDERR_BYTES.saturating_sub(errors.len());
                    errors.extend_from_slice(&data[..data.len().min(room)]);
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => ran.status = Some(exit_status),
                // What a shell says to the name of a program that it does not have.
                Some(ChannelMsg::Failure) => {
                    ran.status = Some(127);
                    break;
                }
                Some(ChannelMsg::Close) | None => break,
                Some(_) => {}
            }
            if ran.output.len() > max_bytes {
                ran.status.get_or_insert(0);
                break;
            }
        }
        ran.errors = String::from_utf8_lossy(&errors).into_owned();
        Ok(ran)
    };
    let limit = access.timeouts.connect.saturating_add(access.timeouts.silence);
    io.wait(limit, conversation).unwrap_or_else(|stopped| Err(stopped.into_error(repository)))
}

struct Opened {
    handle: Handle<HostCheck>,
    reader: ChannelReadHalf,
    writer: ChannelWriteHalf<client::Msg>,
}

async fn open(repository: &RepositoryUrl, access: &Access, policy: &Policy) -> Result<Opened, SourceError> {
    let handle = log_in(repository, access, policy).await?;
    let broken = |error: russh::Error| SourceError::Unreachable {
        repository: repository.to_string(),
        source: Arc::new(error),
    };
    let channel = handle.channel_open_session().await.map_err(broken)?;
    // Servers that do not accept the variable answer in the older protocol, which is understood too.
    channel.set_env(false, "GIT_PROTOCOL", "version=2").await.map_err(broken)?;
    channel.exec(true, upload_pack_command(repository.path())).await.map_err(broken)?;
    let (reader, writer) = channel.split();
    Ok(Opened { handle, reader, writer })
}

async fn log_in(
    repository: &RepositoryUrl,
    access: &Access,
    policy: &Policy,
) -> Result<Handle<HostCheck>, SourceError> {
    let unreachable =
        |source: crate::error::Cause| SourceError::Unreachable { repository: repository.to_string(), source };
    let (host, port) = (repository.host(), repository.port());
    let resolved: Vec<SocketAddr> =
        tokio::net::lookup_host((host, port)).await.map_err(|error| unreachable(Arc::new(error)))?.collect();
    let addresses = allowed_addresses(policy, host, resolved)
        .map_err(|source| SourceError::Refused { repository: repository.to_string(), source })?;
    let stream =
        tokio::net::TcpStream::connect(&addresses[..]).await.map_err(|error| unreachable(Arc::new(error)))?;
    let _ = stream.set_nodelay(true);

    let mut config = client::Config { nodelay: true, ..client::Config::default() };
    config.keepalive_interval = Some(Duration::from_secs(20));
    if let KnownHosts::Strict(text) = &access.known_hosts {
        prefer_known_key_types(&mut config, &known_hosts::key_types(text, host, port));
    }
    let problem = Arc::new(Mutex::new(None));
    let check = HostCheck {
        known_hosts: access.known_hosts.clone(),
        host: host.to_string(),
        port,
        problem: problem.clone(),
    };
    let connected = client::connect_stream(Arc::new(config), stream, check).await;
    let mut handle = match connected {
        Ok(handle) => handle,
        Err(error) => {
            let host_key = problem.lock().unwrap_or_else(PoisonError::into_inner).take();
            return Err(host_key.unwrap_or_else(|| unreachable(Arc::new(error))));
        }
    };
    authenticate(&mut handle, repository, access).await?;
    Ok(handle)
}

/// Asks for a key of a type that `known_hosts` lists, as OpenSSH does; otherwise a server with several keys could
/// show one that is not listed.
fn prefer_known_key_types(config: &mut client::Config, known: &[String]) {
    let is_known = |algorithm: &Algorithm| {
        known.iter().any(|known| match algorithm {
            Algorithm::Rsa { .. } => known == "ssh-rsa",
            other => known == other.as_str(),
        })
    };
    let (first, rest): (Vec<_>, Vec<_>) = config.preferred.key.iter().cloned().partition(is_known);
    if !first.is_empty() {
        config.preferred.key = Cow::Owned(first.into_iter().chain(rest).collect());
    }
}

async fn authenticate(
    handle: &mut Handle<HostCheck>,
    repository: &RepositoryUrl,
    access: &Access,
) -> Result<(), SourceError> {
    let unreachable = |error: russh::Error| SourceError::Unreachable {
        repository: repository.to_string(),
        source: Arc::new(error),
    };
    let address_user = repository.user().unwrap_or("git");
    let (result, anonymous) = match &access.authentication {
        Authentication::SshKey { private_key: text, passphrase } => {
            let key = private_key::decode(text.expose(), passphrase.as_ref().map(|it| it.expose())).map_err(
                |error| SourceError::InvalidAccess {
                    repository: repository.to_string(),
                    what: "SSH private key",
                    source: Arc::new(error),
                },
            )?;
            let hash = match key.algorithm() {
                Algorithm::Rsa { .. } => {
                    handle.best_supported_rsa_hash().await.map_err(unreachable)?.flatten()
                }
                _ => None,
            };
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
            (handle.authenticate_publickey(address_user, key).await.map_err(unreachable)?, false)
        }
        Authentication::Basic { username, password } => {
            let user = if username.is_empty() { address_user } else { username };
            (handle.authenticate_password(user, password.expose()).await.map_err(unreachable)?, false)
        }
        Authentication::Bearer(_)
        | Authentication::IdentityToken(_)
        | Authentication::GitHubApp(_)
        | Authentication::Identity(_)
        | Authentication::Session(_)
        | Authentication::SharedAccess(_)
        | Authentication::Anonymous => match repository.password() {
            Some(password) => (
                handle.authenticate_password(address_user, password.expose()).await.map_err(unreachable)?,
                false,
            ),
            None => (handle.authenticate_none(address_user).await.map_err(unreachable)?, true),
        },
    };
    match result {
        AuthResult::Success => Ok(()),
        _ => Err(SourceError::AuthenticationFailed { repository: repository.to_string(), anonymous }),
    }
}

/// The command line for the server's shell: the path in single quotes, as Git sends it.
fn upload_pack_command(path: &str) -> String {
    format!("git-upload-pack {}", quoted(path))
}

/// The path for the server's shell, as Git LFS sends it: in quotes only where it needs them. Servers without a shell take
/// such commands apart themselves, and not all take the quotes off.
pub(crate) fn quoted_if_needed(path: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "/._-+@".contains(character);
    if path.chars().all(is_plain) { path.to_string() } else { quoted(path) }
}

fn quoted(path: &str) -> String {
    // `ssh://host/~user/x` means `~user/x`.
    let path = if path.starts_with("/~") { &path[1..] } else { path };
    let mut command = String::from("'");
    for character in path.chars() {
        match character {
            '\'' | '!' => command.extend(["'\\", character.encode_utf8(&mut [0; 4]), "'"]),
            _ => command.push(character),
        }
    }
    command.push('\'');
    command
}

/// Checks the server's key against `known_hosts`.
struct HostCheck {
    known_hosts: KnownHosts,
    host: String,
    port: u16,
    problem: Arc<Mutex<Option<SourceError>>>,
}

impl client::Handler for HostCheck {
    type Error = russh::Error;

    async fn check_server_key(&mut self, server_key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let KnownHosts::Strict(text) = &self.known_hosts else { return Ok(true) };
        let (fingerprint, problem) = match server_key {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                // The name of an RSA key does not depend on the hash it signs with.
                let key_type = match key.algorithm() {
                    Algorithm::Rsa { .. } => "ssh-rsa".to_string(),
                    other => other.as_str().to_string(),
                };
                let verdict =
                    known_hosts::check(text, &self.host, self.port, &key_type, &key.public_key_base64());
                if verdict == known_hosts::Verdict::Known {
                    return Ok(true);
                }
                (key.fingerprint(HashAlg::Sha256).to_string(), verdict.problem())
            }
            PublicKeyOrCertificate::Certificate(certificate) => (
                certificate.public_key().fingerprint(HashAlg::Sha256).to_string(),
                "is a certificate, which is not supported",
            ),
        };
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(SourceError::HostKey { host: format!("{}:{}", self.host, self.port), fingerprint, problem });
        Ok(false)
    }
}

/// What both directions of a conversation share.
struct Session {
    io: Arc<IoRuntime>,
    /// The session ends when this is dropped.
    _handle: Handle<HostCheck>,
    repository: RepositoryUrl,
    silence: Duration,
    stderr: Mutex<Vec<u8>>,
    failure: FailureSlot,
}

impl Session {
    fn within_limit<T>(&self, future: impl Future<Output = T>) -> io::Result<T> {
        self.io
            .wait(self.silence, future)
            .map_err(|stopped| self.failure.put(stopped.into_error(&self.repository)))
    }

    /// Why the server ended the conversation, from what it wrote to its standard error.
    fn account_for_end(&self, status: u32) {
        let stderr = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&stderr).trim().to_string();
        let error = known_failure(&self.repository, &text).unwrap_or_else(|| {
            let said = if text.is_empty() { String::new() } else { format!(": {text}") };
            SourceError::Protocol {
                repository: self.repository.to_string(),
                source: Message::cause(format!("git-upload-pack ended with status {status}{said}")),
            }
        });
        let _ = self.failure.put(error);
    }
}

/// What a server means that ended a command with these words on its standard error, if they are words that servers
/// use.
pub(crate) fn known_failure(url: &RepositoryUrl, errors: &str) -> Option<SourceError> {
    let lower = errors.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| lower.contains(words));
    let repository = url.to_string();
    if says(&["not found", "does not exist", "does not appear to be a git repository", "no such"]) {
        Some(SourceError::RepositoryNotFound { repository })
    } else if says(&["permission", "access denied", "forbidden"]) {
        Some(SourceError::Forbidden { repository })
    } else {
        None
    }
}

/// The server's standard output.
pub(crate) struct SshReader {
    half: ChannelReadHalf,
    pending: Bytes,
    session: Arc<Session>,
}

impl Read for SshReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.pending.is_empty() {
            let half = &mut self.half;
            match self.session.within_limit(half.wait())? {
                Some(ChannelMsg::Data { data }) => self.pending = data,
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    let mut stderr = self.session.stderr.lock().unwrap_or_else(PoisonError::into_inner);
                    let room = MAX_STDERR_BYTES.saturating_sub(stderr.len());
                    stderr.extend_from_slice(&data[..data.len().min(room)]);
                }
                Some(ChannelMsg::ExitStatus { exit_status }) if exit_status != 0 => {
                    self.session.account_for_end(exit_status);
                }
                Some(ChannelMsg::Failure) => self.session.account_for_end(127),
                Some(ChannelMsg::Close) | None => return Ok(0),
                Some(_) => {}
            }
        }
        let length = self.pending.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.pending[..length]);
        self.pending.advance(length);
        Ok(length)
    }
}

/// The server's standard input.
pub(crate) struct SshWriter {
    half: ChannelWriteHalf<client::Msg>,
    session: Arc<Session>,
}

impl Write for SshWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.session
            .within_limit(self.half.data_bytes(Bytes::copy_from_slice(bytes)))?
            .map_err(|error| io::Error::new(io::ErrorKind::BrokenPipe, error))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_leave_its_quotes() {
        for (path, command) in [
            ("/a/b.git", "git-upload-pack '/a/b.git'"),
            ("/~bob/b.git", "git-upload-pack '~bob/b.git'"),
            ("a'; rm -rf ~ #", r"git-upload-pack 'a'\''; rm -rf ~ #'"),
            ("a!b", r"git-upload-pack 'a'\!'b'"),
        ] {
            assert_eq!(upload_pack_command(path), command);
        }
        for (path, sent) in [("/a/b.git", "/a/b.git"), ("/~bob/b", "'~bob/b'"), ("a;b", "'a;b'")] {
            assert_eq!(quoted_if_needed(path), sent);
        }
    }
}
