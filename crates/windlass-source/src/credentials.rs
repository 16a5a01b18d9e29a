//! What a repository is reached with: credentials, certificates, proxies, known hosts, time limits.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use windlass_model::BucketAddress;

use crate::artifact::ArtifactUrl;
use crate::identity::Identity;
use crate::url::RepositoryUrl;
use crate::verification::Verifications;

/// A text that must not be seen: printing shows that it is there and nothing else.
#[derive(Clone, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps a secret text.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Takes the same time whether or not the texts are equal, their length aside.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.0.as_bytes(), other.0.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// Everything that decides how a repository's host is talked to.
///
/// Credentials go to the host and port of the repository's address only: a redirect to another one is followed
/// without them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Who we are.
    pub authentication: Authentication,
    /// How the server's certificate is checked, and ours.
    pub tls: Tls,
    /// The proxy for http and https.
    pub proxy: Option<Proxy>,
    /// How the host key of an SSH server is checked.
    pub known_hosts: KnownHosts,
    /// Whether credentials may go over plain `http://`. Off, because anyone on the way can read them there.
    pub credentials_over_http: bool,
    /// Talks to a registry over plain http (Argo CD's `insecureOCIForceHttp`, Flux's `insecure`, Helm's
    /// `--plain-http`).
    pub plain_http: bool,
    /// Whether files that Git LFS keeps beside a repository are wanted (Argo CD's `enableLfs`).
    pub lfs: bool,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// Whose signatures artifacts must have. Nothing of one that has none is handed out.
    pub verifications: Verifications,
}

/// Who we are to the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Nobody. A user and password inside the repository's address are still used.
    #[default]
    Anonymous,
    /// A user name with a password or an access token; over SSH, password authentication.
    Basic {
        /// The user name; hosts that want only a token take any.
        username: String,
        /// The password or token.
        password: Secret,
    },
    /// A token sent as `Authorization: Bearer`.
    Bearer(Secret),
    /// A token that a registry's token server takes in exchange for others (`identitytoken` of a docker
    /// configuration). For registries only.
    IdentityToken(Secret),
    /// A GitHub App, whose token is bought when it is needed and renewed before it ends.
    GitHubApp(Box<GitHubApp>),
    /// Tokens from a file, a program or a cloud, which are renewed before they end. Not for SSH.
    Identity(Box<Identity>),
    /// A key of S3 that holds for a session. For buckets only.
    Session(Box<AmazonSession>),
    /// A shared access signature of Azure's, as it stands in addresses. For containers only.
    SharedAccess(Secret),
    /// A private key for SSH: OpenSSH, PKCS#1, PKCS#8 or PuTTY format.
    SshKey {
        /// The key's text.
        private_key: Secret,
        /// What the key is encrypted with.
        passphrase: Option<Secret>,
    },
}

/// An access key of Amazon's that somebody was given for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmazonSession {
    /// The key's id.
    pub id: String,
    /// The key's secret.
    pub secret: Secret,
    /// What tells of the session (`x-amz-security-token`).
    pub token: Secret,
}

/// An App of GitHub, which buys tokens for an installation of it. Only for Git.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitHubApp {
    /// The App's id.
    pub app_id: u64,
    /// The installation's id; `None` asks for the one that the repository is in.
    pub installation_id: Option<u64>,
    /// The App's private key, PEM.
    pub private_key: Secret,
    /// Where the API is, such as `https://github.example.org/api/v3`; empty for github.com.
    pub api_url: String,
}

/// TLS settings of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// PEM certificates of the authorities to trust **instead of** the system's, as Argo CD's
    /// `argocd-tls-certs-cm` means them.
    pub authorities: Option<String>,
    /// Our own certificate, for servers that ask for one.
    pub client: Option<ClientCertificate>,
    /// Accepts any certificate. Only for test rigs.
    pub insecure_skip_verify: bool,
}

/// A client certificate with its key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, followed by the intermediate ones.
    pub certificate: String,
    /// Its private key.
    pub key: Secret,
}

/// An http proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Its address, with user and password where it wants them.
    pub url: Secret,
    /// Hosts that are reached directly: names, domains, addresses and networks, separated by commas.
    pub no_proxy: String,
}

/// How an SSH server proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownHosts {
    /// Its key must stand in this text, in the format of OpenSSH's `known_hosts`.
    Strict(String),
    /// Any key will do. Only for test rigs.
    AcceptAny,
}

/// Strict, with nobody known: an SSH repository needs its hosts stated.
impl Default for KnownHosts {
    fn default() -> Self {
        Self::Strict(String::new())
    }
}

/// How long to wait for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, its handshake included.
    pub connect: Duration,
    /// For the next byte. A long transfer that makes progress is never cut.
    pub silence: Duration,
}

/// 15 s to connect, as Argo CD; 90 s of silence, because a large repository is counted and packed before the
/// first byte leaves some servers.
impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(15), silence: Duration::from_secs(90) }
    }
}

/// Credentials for many repositories, found by the longest prefix of the address.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CredentialTemplates {
    templates: Vec<(String, Access)>,
}

impl CredentialTemplates {
    /// Adds credentials for every repository whose address begins with `prefix`, such as `https://github.com/org`.
    pub fn insert(&mut self, prefix: &str, access: Access) {
        let on_the_web = BucketAddress::parse(prefix).ok().map(|address| address.on_the_web());
        let prefix = on_the_web.as_deref().unwrap_or(prefix).trim();
        // A prefix that is only a host is no repository address, and neither is one of a registry.
        let place = prefix.trim_end_matches('/').trim_start_matches("ssh://").trim_start_matches("oci://");
        let place = place.to_lowercase();
        match RepositoryUrl::parse(prefix) {
            Ok(url) => {
                let normalised = url.normalised().to_string();
                // `localhost:5000/charts` may be a place in a registry as well as one that scp would reach.
                if !place.contains("://") && !place.contains('@') && place != normalised {
                    self.templates.push((place, access.clone()));
                }
                self.templates.push((normalised, access));
            }
            Err(_) => self.templates.push((place, access)),
        }
    }

    /// The credentials of the longest prefix that fits `url`.
    ///
    /// The host must be equal as a whole, so that `https://github.com` never matches `https://github.com.evil.org`.
    #[must_use]
    pub fn for_url(&self, url: &RepositoryUrl) -> Option<&Access> {
        self.longest(url.normalised())
    }

    fn longest(&self, normalised: &str) -> Option<&Access> {
        self.templates
            .iter()
            .filter(|(prefix, _)| {
                let Some(rest) = normalised.strip_prefix(prefix.as_str()) else { return false };
                let after_scheme = prefix.split_once("://").map_or(prefix.as_str(), |(_, rest)| rest);
                after_scheme.contains('/') || rest.is_empty() || rest.starts_with('/')
            })
            .max_by_key(|(prefix, _)| prefix.len())
            .map(|(_, access)| access)
    }

    /// As [`for_url`](Self::for_url), for the address of a chart repository or a registry.
    #[must_use]
    pub fn for_artifact(&self, url: &ArtifactUrl) -> Option<&Access> {
        self.longest(&url.normalised().to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_prints_a_secret() {
        let access = Access {
            authentication: Authentication::Basic { username: "bob".into(), password: "hunter2".into() },
            tls: Tls {
                client: Some(ClientCertificate { certificate: "C".into(), key: "hunter2".into() }),
                ..Tls::default()
            },
            proxy: Some(Proxy { url: "http://u:hunter2@p".into(), no_proxy: String::new() }),
            ..Access::default()
        };
        assert!(!format!("{access:?}").contains("hunter2"));
        assert_eq!(Secret::from("hunter2").to_string(), "[redacted]");
    }

    #[test]
    fn the_longest_prefix_wins_and_hosts_are_whole() {
        let named = |name: &str| Access {
            authentication: Authentication::Basic { username: name.into(), password: "".into() },
            ..Access::default()
        };
        let mut templates = CredentialTemplates::default();
        templates.insert("https://h", named("host"));
        templates.insert("https://h/org", named("org"));
        templates.insert("git@h:org", named("ssh"));
        for (url, expected) in [
            ("https://h/x", Some("host")),
            ("https://h/org/x.git", Some("org")),
            ("https://H/Org/x", Some("org")),
            ("https://h.evil.org/org/x", None),
            ("https://h:8443/org/x", None),
            ("git@h:org/x", Some("ssh")),
            ("ssh://git@h/org/x", Some("ssh")),
            ("http://h/org/x", None),
        ] {
            let found = templates.for_url(&url.parse().unwrap()).map(|access| match &access.authentication {
                Authentication::Basic { username, .. } => username.as_str(),
                _ => unreachable!(),
            });
            assert_eq!(found, expected, "{url}");
        }
        templates.insert("oci://r.example/Org", named("registry"));
        templates.insert("localhost:5000/charts", named("local"));
        for (url, expected) in [
            ("https://H/Org/charts", Some("org")),
            ("oci://r.example/Org/web", Some("registry")),
            ("oci://r.example/other/web", None),
            ("oci://localhost:5000/charts", Some("local")),
            ("oci://h/org", None),
        ] {
            let found = templates.for_artifact(&url.parse().unwrap()).map(|access| {
                let Authentication::Basic { username, .. } = &access.authentication else { unreachable!() };
                username.as_str()
            });
            assert_eq!(found, expected, "{url}");
        }
    }
}
