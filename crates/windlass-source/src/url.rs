//! Repository addresses: parsed once, compared as Argo CD compares them, printed without secrets.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::credentials::Secret;

/// Where a Git repository is.
///
/// Accepted forms: `https://…`, `http://…`, `ssh://…`, `user@host:path` as scp writes it, `file://…` and an absolute
/// local path. Two addresses that differ in case, in a trailing `.git`, or in the way `ssh` is written have the same
/// [`normalised`](Self::normalised) form, which is the one Argo CD compares by.
///
/// Printing never shows what stands before the `@` of an http address: people put tokens there.
#[derive(Clone)]
pub struct RepositoryUrl {
    scheme: Scheme,
    user: Option<String>,
    password: Option<Secret>,
    host: String,
    port: Option<u16>,
    /// With its leading `/` for URLs; as written for scp-like addresses.
    path: String,
    scp_like: bool,
    normalised: String,
}

/// How a repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// HTTP over TLS.
    Https,
    /// HTTP in clear text.
    Http,
    /// SSH.
    Ssh,
    /// A repository on this machine, read without a transport.
    Local,
}

impl Scheme {
    /// The port that is meant when an address names none; zero for local paths.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
            Self::Ssh => 22,
            Self::Local => 0,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Ssh => "ssh",
            Self::Local => "file",
        })
    }
}

/// Why a text is not a repository address. The text itself is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseUrlError {
    /// Nothing was given.
    #[error("the repository address is empty")]
    Empty,
    /// It is longer than any real address.
    #[error("the repository address is longer than the limit of {MAX_URL_BYTES} bytes")]
    TooLong,
    /// It holds a line break, a tab or another control character.
    #[error("the repository address holds a control character")]
    ControlCharacter,
    /// Its scheme is none of ours.
    #[error("the repository address has a scheme other than https, http, ssh and file")]
    UnknownScheme,
    /// It has no host.
    #[error("the repository address has no host")]
    NoHost,
    /// Its port is not a number from 1 to 65535.
    #[error("the repository address has an invalid port")]
    InvalidPort,
    /// It has no path below the host.
    #[error("the repository address has no path")]
    NoPath,
    /// It is a relative path, which means nothing to a server.
    #[error("the repository address is a relative path; give an absolute one")]
    RelativePath,
    /// A host or user begins with a dash or holds characters that no host name has.
    #[error("the repository address has an invalid host or user name")]
    InvalidHost,
    /// It is none of a bucket, although it begins as one.
    #[error("the address of the bucket cannot be used")]
    Bucket(#[source] windlass_model::BucketAddressError),
}

/// Longest address accepted; browsers and proxies stop at 8 kB or less.
pub const MAX_URL_BYTES: usize = 8 * 1024;

impl RepositoryUrl {
    /// Parses an address.
    ///
    /// # Errors
    ///
    /// [`ParseUrlError`] says what is wrong without repeating the address.
    pub fn parse(text: &str) -> Result<Self, ParseUrlError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ParseUrlError::Empty);
        }
        if text.len() > MAX_URL_BYTES {
            return Err(ParseUrlError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(ParseUrlError::ControlCharacter);
        }
        let mut url = match text.split_once("://") {
            Some((scheme, rest)) => Self::parse_with_scheme(scheme, rest)?,
            None => Self::parse_without_scheme(text)?,
        };
        url.normalised = url.normalise();
        Ok(url)
    }

    fn parse_with_scheme(scheme: &str, rest: &str) -> Result<Self, ParseUrlError> {
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            "ssh" | "git+ssh" | "ssh+git" => Scheme::Ssh,
            "file" => {
                let path = rest
                    .strip_prefix("localhost/")
                    .map_or_else(|| rest.to_string(), |path| format!("/{path}"));
                return Self::local(&path);
            }
            _ => return Err(ParseUrlError::UnknownScheme),
        };
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (user_info, host_port) = match authority.rsplit_once('@') {
            Some((user_info, host_port)) => (Some(user_info), host_port),
            None => (None, authority),
        };
        let (user, password) = match user_info {
            None => (None, None),
            Some(info) => match info.split_once(':') {
                Some((user, password)) => {
                    (Some(percent_decode(user)), Some(Secret::new(percent_decode(password))))
                }
                None => (Some(percent_decode(info)), None),
            },
        };
        let (host, port) = split_port(host_port)?;
        check_names(&host, user.as_deref(), scheme)?;
        if path.trim_end_matches('/').is_empty() {
            return Err(ParseUrlError::NoPath);
        }
        Ok(Self {
            scheme,
            user: user.filter(|user| !user.is_empty()),
            password,
            host,
            port: port.filter(|port| *port != scheme.default_port()),
            path: path.trim_end_matches('/').to_string(),
            scp_like: false,
            normalised: String::new(),
        })
    }

    fn parse_without_scheme(text: &str) -> Result<Self, ParseUrlError> {
        if text.starts_with('/') {
            return Self::local(text);
        }
        // Like Git: a colon before the first slash makes it an address of another machine.
        let bracket_end = if text.contains("[") { text.find(']').unwrap_or(0) } else { 0 };
        let Some(colon) = text[bracket_end..].find(':').map(|at| at + bracket_end) else {
            return Err(ParseUrlError::RelativePath);
        };
        let (before, path) = (&text[..colon], &text[colon + 1..]);
        if before.contains('/') {
            return Err(ParseUrlError::RelativePath);
        }
        // `ext::…` and its like name a program that Git would run.
        if path.starts_with(':') {
            return Err(ParseUrlError::UnknownScheme);
        }
        let (user, host) = match before.rsplit_once('@') {
            Some((user, host)) => (Some(user.to_string()), host),
            None => (None, before),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        check_names(&host, user.as_deref(), Scheme::Ssh)?;
        if path.trim_matches('/').is_empty() {
            return Err(ParseUrlError::NoPath);
        }
        Ok(Self {
            scheme: Scheme::Ssh,
            user: user.filter(|user| !user.is_empty()),
            password: None,
            host,
            port: None,
            path: path.trim_end_matches('/').to_string(),
            scp_like: true,
            normalised: String::new(),
        })
    }

    fn local(path: &str) -> Result<Self, ParseUrlError> {
        if !path.starts_with('/') {
            return Err(ParseUrlError::RelativePath);
        }
        let trimmed = path.trim_end_matches('/');
        Ok(Self {
            scheme: Scheme::Local,
            user: None,
            password: None,
            host: String::new(),
            port: None,
            path: if trimmed.is_empty() { "/".to_string() } else { trimmed.to_string() },
            scp_like: false,
            normalised: String::new(),
        })
    }

    /// The form by which two addresses are compared, and which names the store's folder.
    ///
    /// Lower case, without a trailing `.git`, and without `ssh://`, so that `git@host:a/b.git` and
    /// `ssh://git@host/a/b` are one (Argo CD 3.x, `NormalizeGitURL`). A password is left out. Local paths keep
    /// their case, because there two cases are two folders.
    #[must_use]
    pub fn normalised(&self) -> &str {
        &self.normalised
    }

    fn normalise(&self) -> String {
        if self.scheme == Scheme::Local {
            return format!("file://{}", self.path.strip_suffix(".git").unwrap_or(&self.path));
        }
        let mut text = match self.scheme {
            Scheme::Ssh => String::new(),
            scheme => format!("{scheme}://"),
        };
        if let Some(user) = &self.user {
            text.push_str(user);
            text.push('@');
        }
        text.push_str(&self.host_and_port());
        if !self.path.starts_with('/') {
            text.push('/');
        }
        text.push_str(&percent_decode(self.path.strip_suffix(".git").unwrap_or(&self.path)));
        text.to_lowercase().trim_end_matches(".git").to_string()
    }

    fn host_and_port(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }

    /// How the repository is reached.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host, in lower case and without brackets; empty for local paths.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's own where the address names none.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(self.scheme.default_port())
    }

    /// The user that the address names.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password that the address holds, if someone put one there.
    #[must_use]
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// The path on the host, as the server is asked for it.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path on this machine, for local repositories.
    #[must_use]
    pub fn local_path(&self) -> Option<PathBuf> {
        (self.scheme == Scheme::Local).then(|| Path::new(&self.path).to_path_buf())
    }

    /// The address to send requests to: without user and password.
    #[must_use]
    pub fn bare(&self) -> String {
        format!("{}://{}{}", self.scheme, self.host_and_port(), self.path)
    }

    /// The address with everything in it, the password too: to derive others from, never to print.
    pub(crate) fn with_credentials(&self) -> String {
        if self.scheme == Scheme::Local || self.scheme == Scheme::Ssh {
            return self.to_string();
        }
        let user = percent_encode(self.user().unwrap_or_default());
        let password = self.password.as_ref().map(|it| format!(":{}", percent_encode(it.expose())));
        let info = format!("{user}{}", password.unwrap_or_default());
        let at = if info.is_empty() { "" } else { "@" };
        format!("{}://{info}{at}{}{}", self.scheme, self.host_and_port(), self.path)
    }

    /// Whether `host` and `path` name this repository, whatever the scheme, port, user and `.git`.
    ///
    /// A repository reached at `ssh.host` or `altssh.host` counts as `host`'s: large hosts offer SSH on port 443
    /// there (Argo CD 3.x, `GetWebURLRegex`).
    #[must_use]
    pub fn is_at(&self, host: &str, path: &str) -> bool {
        if self.scheme == Scheme::Local {
            return false;
        }
        let same_host = |own: &str| own.eq_ignore_ascii_case(host);
        let host_matches = same_host(&self.host)
            || self.host.strip_prefix("ssh.").is_some_and(same_host)
            || self.host.strip_prefix("altssh.").is_some_and(same_host);
        let own_path = percent_decode(plain_path(&self.path));
        // Azure DevOps has a path of its own for SSH: v3/organisation/project/repository.
        let own_path =
            match own_path.strip_prefix("v3/").map(|rest| rest.split('/').collect::<Vec<_>>()).as_deref() {
                Some([organisation, project, repository]) if self.host == "ssh.dev.azure.com" => {
                    format!("{organisation}/{project}/_git/{repository}")
                }
                _ => own_path,
            };
        host_matches && own_path.eq_ignore_ascii_case(&percent_decode(plain_path(path)))
    }
}

fn plain_path(path: &str) -> &str {
    let path = path.trim_matches('/');
    path.strip_suffix(".git").unwrap_or(path)
}

fn split_port(text: &str) -> Result<(String, Option<u16>), ParseUrlError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(ParseUrlError::InvalidHost)?;
            (host, after.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None | Some("") => None,
        Some(digits) => match digits.parse::<u16>() {
            Ok(0) | Err(_) => return Err(ParseUrlError::InvalidPort),
            Ok(port) => Some(port),
        },
    };
    Ok((host.to_ascii_lowercase(), port))
}

/// Refuses names that a later layer could take for something else.
fn check_names(host: &str, user: Option<&str>, scheme: Scheme) -> Result<(), ParseUrlError> {
    if host.is_empty() {
        return Err(ParseUrlError::NoHost);
    }
    let host_fits = host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%'));
    let user_fits =
        scheme != Scheme::Ssh || user.is_none_or(|user| !user.starts_with('-') && !user.contains([' ', '/']));
    if host.starts_with('-') || !host_fits || !user_fits {
        return Err(ParseUrlError::InvalidHost);
    }
    Ok(())
}

/// Escapes everything that could be taken for a part of an address.
fn percent_encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

pub(crate) fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match escaped {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl FromStr for RepositoryUrl {
    type Err = ParseUrlError;

    fn from_str(text: &str) -> Result<Self, ParseUrlError> {
        Self::parse(text)
    }
}

/// Prints the address as its user wrote it, less the user and password of http addresses.
impl fmt::Display for RepositoryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::Local => f.write_str(&self.path),
            Scheme::Http | Scheme::Https => f.write_str(&self.bare()),
            Scheme::Ssh => {
                if !self.scp_like {
                    f.write_str("ssh://")?;
                }
                if let Some(user) = &self.user {
                    write!(f, "{user}@")?;
                }
                write!(f, "{}{}{}", self.host_and_port(), if self.scp_like { ":" } else { "" }, self.path)
            }
        }
    }
}

impl fmt::Debug for RepositoryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RepositoryUrl({self})")
    }
}

impl PartialEq for RepositoryUrl {
    fn eq(&self, other: &Self) -> bool {
        self.normalised == other.normalised
    }
}

impl Eq for RepositoryUrl {}

impl std::hash::Hash for RepositoryUrl {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.normalised.hash(state);
    }
}

#[cfg(test)]
mod tests;
