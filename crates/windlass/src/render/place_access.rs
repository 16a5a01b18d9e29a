//! What the address on the command line of `windlass render` is reached with: flags, variables, Docker's and ssh's files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use windlass_source::{
    Access, ArtifactScheme, ArtifactUrl, Authentication, DockerConfig, KnownHosts, RepositoryUrl, Scheme,
    Secret,
};

/// Passwords are no flags: everybody on a machine sees those.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Access to the address")]
pub(crate) struct PlaceAccess {
    /// The user; also WINDLASS_RENDER_USERNAME. The password is in WINDLASS_RENDER_PASSWORD, or see --password-stdin.
    #[arg(long, value_name = "NAME", conflicts_with = "app")]
    username: Option<String>,
    /// Read the password, or an access token that a Git host takes as one, from standard input.
    #[arg(long, conflicts_with = "app")]
    password_stdin: bool,
    /// Read a token that is sent as a bearer from standard input; also WINDLASS_RENDER_TOKEN.
    #[arg(long, conflicts_with_all = ["app", "username", "password_stdin"])]
    token_stdin: bool,
    /// The private key for SSH, instead of the first in ~/.ssh; its passphrase is in WINDLASS_RENDER_SSH_PASSPHRASE.
    #[arg(long, value_name = "FILE", conflicts_with = "app")]
    ssh_key: Option<PathBuf>,
    /// The hosts that are known, as ssh keeps them; ~/.ssh/known_hosts by default.
    #[arg(long, value_name = "FILE", conflicts_with = "app")]
    known_hosts: Option<PathBuf>,
    /// The credentials for registries, as `docker login` keeps them; $DOCKER_CONFIG/config.json or ~/.docker/config.json
    /// by default. Programs that it names are not run.
    #[arg(long, value_name = "FILE", conflicts_with = "app")]
    docker_config: Option<PathBuf>,
    /// The certificates of the authorities to trust instead of the system's.
    #[arg(long, value_name = "FILE", conflicts_with = "app")]
    ca_file: Option<PathBuf>,
    /// Take any certificate of a server.
    #[arg(long, conflicts_with = "app")]
    insecure_skip_tls_verify: bool,
    /// Talk to registries over plain HTTP.
    #[arg(long, conflicts_with = "app")]
    pub(super) plain_http: bool,
}

/// What was said about access, read.
#[derive(Default)]
pub(super) struct KnownAccess {
    /// Who we are, where somebody said so.
    authentication: Option<Authentication>,
    ssh_key: Option<Authentication>,
    known_hosts: Option<String>,
    registries: DockerConfig,
    authorities: Option<String>,
    insecure_skip_verify: bool,
    plain_http: bool,
}

impl PlaceAccess {
    /// Reads what is named: variables, standard input, files.
    pub(super) fn read(&self) -> Result<KnownAccess> {
        let input = || -> Result<Secret> {
            let text = std::io::read_to_string(std::io::stdin()).context("standard input cannot be read")?;
            let text = text.trim_end_matches(['\r', '\n']);
            if text.is_empty() {
                bail!("standard input is empty, where a secret was to be read from it");
            }
            Ok(Secret::new(text))
        };
        let username = self.username.clone().or_else(|| variable("WINDLASS_RENDER_USERNAME"));
        let secret = |name: &str| variable(name).map(Secret::from);
        let authentication = if self.token_stdin {
            Some(Authentication::Bearer(input()?))
        } else if self.password_stdin {
            // What hosts that want only a token take as a name.
            let username = username.unwrap_or_else(|| "git".to_owned());
            Some(Authentication::Basic { username, password: input()? })
        } else {
            match (username, secret("WINDLASS_RENDER_PASSWORD"), secret("WINDLASS_RENDER_TOKEN")) {
                (Some(_), None, _) if self.username.is_some() => {
                    bail!("--username needs a password: --password-stdin, or WINDLASS_RENDER_PASSWORD")
                }
                (username, Some(password), _) => {
                    let username = username.unwrap_or_else(|| "git".to_owned());
                    Some(Authentication::Basic { username, password })
                }
                (_, None, Some(token)) => Some(Authentication::Bearer(token)),
                (_, None, None) => None,
            }
        };
        let ssh_key = self.ssh_key.as_deref().map(|path| -> Result<_> {
            let private_key = Secret::new(text(path)?);
            Ok(Authentication::SshKey { private_key, passphrase: secret("WINDLASS_RENDER_SSH_PASSPHRASE") })
        });
        let registries = match self.docker_config.clone().or_else(docker_config) {
            Some(path) => {
                let unusable = || format!("{} cannot be used", path.display());
                DockerConfig::parse(&text(&path)?).with_context(unusable)?
            }
            None => DockerConfig::default(),
        };
        Ok(KnownAccess {
            authentication,
            ssh_key: ssh_key.transpose()?,
            known_hosts: self.known_hosts.as_deref().map(text).transpose()?,
            registries,
            authorities: self.ca_file.as_deref().map(text).transpose()?,
            insecure_skip_verify: self.insecure_skip_tls_verify,
            plain_http: self.plain_http,
        })
    }
}

impl KnownAccess {
    /// What a repository is reached with; `access` says what is known without us.
    pub(super) fn for_repository(&self, url: &RepositoryUrl, access: Access) -> Access {
        let mut access = self.with_tls(access);
        if url.scheme() == Scheme::Ssh {
            if let Some(key) = self.ssh_key.clone().or_else(|| self.authentication.clone()) {
                access.authentication = key;
            }
            if let Some(known) = &self.known_hosts {
                access.known_hosts = KnownHosts::Strict(known.clone());
            }
        } else {
            self.authenticate(&mut access);
        }
        access
    }

    /// What an archive, a registry or a Helm repository is reached with.
    pub(super) fn for_artifact(&self, url: &ArtifactUrl) -> Access {
        let mut access = self.with_tls(Access { plain_http: self.plain_http, ..Access::default() });
        if self.authentication.is_none()
            && url.scheme() == ArtifactScheme::Oci
            && let Some(known) = self.registries.for_url(url)
        {
            access.authentication = known.clone();
            access.credentials_over_http = self.plain_http;
        }
        self.authenticate(&mut access);
        access
    }

    fn authenticate(&self, access: &mut Access) {
        if let Some(authentication) = &self.authentication {
            access.authentication = authentication.clone();
            // Whoever gives both to one command means it.
            access.credentials_over_http = true;
        }
    }

    fn with_tls(&self, mut access: Access) -> Access {
        access.tls.authorities.clone_from(&self.authorities);
        access.tls.insecure_skip_verify = self.insecure_skip_verify;
        access
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Docker's own file, if it is there.
fn docker_config() -> Option<PathBuf> {
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker")));
    folder.map(|folder| folder.join("config.json")).filter(|path| path.is_file())
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}
