//! What charts are reached with from the command line: flags as `helm template` has them, and Helm's own files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use windlass_engine::ChartAccess;
use windlass_kube::Value;
use windlass_source::{
    Access, ArtifactOptions, ArtifactScheme, ArtifactUrl, Authentication, ClientCertificate, DockerConfig,
    Secret,
};

use super::verify::VerifyOptions;

/// How charts are reached.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AccessOptions {
    /// The user for the repository of --repo, and for registries.
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// The password for --username.
    #[arg(long, value_name = "PASSWORD", value_parser = secret)]
    password: Option<Secret>,
    /// The certificates of the authorities to trust instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Our certificate, for servers that ask for one.
    #[arg(long, value_name = "FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,
    /// The key of --cert-file.
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,
    /// Take any certificate of a server.
    #[arg(long)]
    insecure_skip_tls_verify: bool,
    /// Send the credentials of --repo to other hosts that its index names.
    #[arg(long)]
    pass_credentials: bool,
    /// Talk to registries over plain HTTP.
    #[arg(long)]
    plain_http: bool,
    /// The credentials for registries, as `helm registry login` and Docker keep them.
    #[arg(long, value_name = "FILE")]
    registry_config: Option<PathBuf>,
    /// The repositories that Helm knows by name, as `helm repo add` keeps them.
    #[arg(long, value_name = "FILE")]
    repository_config: Option<PathBuf>,
    #[command(flatten)]
    verify: VerifyOptions,
}

fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// What every address is reached with.
#[derive(Default)]
pub(crate) struct ChartReach {
    /// By the flags.
    flags: ChartAccess,
    /// Whether the flags name a user.
    has_user: bool,
    plain_http: bool,
    registries: DockerConfig,
    repositories: Vec<KnownRepository>,
}

/// A repository that Helm knows.
struct KnownRepository {
    name: String,
    url: String,
    access: ChartAccess,
}

impl AccessOptions {
    /// Reads the files that are named, and those that Helm reads when none are.
    pub(crate) fn read(&self) -> Result<ChartReach> {
        let mut reach = self.flags()?;
        let registries =
            file(self.registry_config.as_deref(), "HELM_REGISTRY_CONFIG", "registry/config.json");
        if let Some(path) = registries {
            let unusable = || format!("{} cannot be used", path.display());
            reach.registries = DockerConfig::parse(&text(&path)?).with_context(unusable)?;
        }
        let repositories =
            file(self.repository_config.as_deref(), "HELM_REPOSITORY_CONFIG", "repositories.yaml");
        if let Some(path) = repositories {
            let unusable = || format!("{} cannot be used", path.display());
            reach.repositories = known(&text(&path)?).with_context(unusable)?;
        }
        Ok(reach)
    }

    /// What the flags say without those files.
    fn flags(&self) -> Result<ChartReach> {
        let mut access = Access { plain_http: self.plain_http, ..Access::default() };
        let has_user = self.username.is_some() || self.password.is_some();
        if has_user {
            let username = self.username.clone().unwrap_or_default();
            let password = self.password.clone().unwrap_or_else(|| Secret::new(""));
            access.authentication = Authentication::Basic { username, password };
            // Whoever writes both into one command line means it.
            access.credentials_over_http = true;
        }
        access.verifications = self.verify.read()?;
        access.tls.insecure_skip_verify = self.insecure_skip_tls_verify;
        access.tls.authorities = self.ca_file.as_deref().map(text).transpose()?;
        if let (Some(certificate), Some(key)) = (&self.cert_file, &self.key_file) {
            access.tls.client = Some(client(certificate, key)?);
        }
        let options =
            ArtifactOptions { pass_credentials: self.pass_credentials, ..ArtifactOptions::default() };
        let flags = ChartAccess { access, options };
        Ok(ChartReach { flags, has_user, plain_http: self.plain_http, ..ChartReach::default() })
    }
}

impl ChartReach {
    /// What the repository of the chart itself is reached with: the flags say it. Registries may have given us
    /// credentials before, and so may repositories that are known by name.
    pub(crate) fn for_chart(&self, url: &ArtifactUrl) -> ChartAccess {
        if url.scheme() == ArtifactScheme::Oci {
            return self.for_registry(url);
        }
        match self.known(url).filter(|_| !self.has_user) {
            Some(known) => self.asking(known.access.clone()),
            None => self.flags.clone(),
        }
    }

    /// What the repository of a dependency is reached with: as with Helm, the flags' user is for registries only.
    pub(crate) fn for_dependency(&self, url: &ArtifactUrl) -> ChartAccess {
        if url.scheme() == ArtifactScheme::Oci {
            return self.for_registry(url);
        }
        if let Some(known) = self.known(url) {
            return self.asking(known.access.clone());
        }
        let mut access = self.flags.access.clone();
        access.authentication = Authentication::Anonymous;
        ChartAccess { access, options: ArtifactOptions::default() }
    }

    /// With the signatures that the flags ask for.
    fn asking(&self, mut access: ChartAccess) -> ChartAccess {
        access.access.verifications = self.flags.access.verifications.clone();
        access
    }

    /// The address of a repository that is known by name.
    pub(crate) fn address_of(&self, name: &str) -> Option<String> {
        let known = self.repositories.iter().find(|known| known.name == name);
        known.map(|known| known.url.clone())
    }

    fn for_registry(&self, url: &ArtifactUrl) -> ChartAccess {
        let mut access = self.flags.access.clone();
        if !self.has_user
            && let Some(authentication) = self.registries.for_url(url)
        {
            access.authentication = authentication.clone();
            access.credentials_over_http = self.plain_http;
        }
        ChartAccess { access, options: self.flags.options.clone() }
    }

    fn known(&self, url: &ArtifactUrl) -> Option<&KnownRepository> {
        let is_same = |known: &&KnownRepository| {
            ArtifactUrl::parse(&known.url).is_ok_and(|known| known.normalised() == url.normalised())
        };
        self.repositories.iter().find(is_same)
    }
}

/// The file that is given, or that of Helm, if it is there.
fn file(given: Option<&Path>, variable: &str, name: &str) -> Option<PathBuf> {
    if let Some(given) = given {
        return Some(given.to_owned());
    }
    let filled = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty());
    let path = filled(variable).map(PathBuf::from).or_else(|| {
        let home = || Some(PathBuf::from(filled("HOME")?).join(".config"));
        let config = || filled("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home);
        let folder = filled("HELM_CONFIG_HOME").map(PathBuf::from);
        Some(folder.or_else(|| Some(config()?.join("helm")))?.join(name))
    });
    path.filter(|path| path.is_file())
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn client(certificate: &Path, key: &Path) -> Result<ClientCertificate> {
    Ok(ClientCertificate { certificate: text(certificate)?, key: Secret::new(text(key)?) })
}

/// The repositories in a `repositories.yaml`.
fn known(text: &str) -> Result<Vec<KnownRepository>> {
    // What a parser says may quote what it read.
    let Ok(file) = windlass_yaml::load(text) else { bail!("it is no YAML") };
    file.items_at(&["repositories"]).iter().map(one).collect()
}

fn one(entry: &Value) -> Result<KnownRepository> {
    let string = |key: &str| entry.str_at(&[key]).unwrap_or_default().to_owned();
    let is_true = |key: &str| entry.bool_at(&[key]).unwrap_or_default();
    let file = |key: &str| Some(string(key)).filter(|path| !path.is_empty()).map(PathBuf::from);
    let (name, url) = (string("name"), string("url"));
    let mut access = Access::default();
    let (username, password) = (string("username"), string("password"));
    if !(username.is_empty() && password.is_empty()) {
        access.authentication = Authentication::Basic { username, password: Secret::new(password) };
        // Whoever added it so has sent them before.
        access.credentials_over_http = true;
    }
    access.tls.insecure_skip_verify = is_true("insecure_skip_tls_verify");
    access.tls.authorities = file("caFile").as_deref().map(text).transpose()?;
    if let (Some(certificate), Some(key)) = (file("certFile"), file("keyFile")) {
        access.tls.client = Some(client(&certificate, &key)?);
    }
    let pass_credentials = is_true("pass_credentials_all");
    let options = ArtifactOptions { pass_credentials, ..ArtifactOptions::default() };
    Ok(KnownRepository { name, url, access: ChartAccess { access, options } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(access: &ChartAccess) -> &str {
        match &access.access.authentication {
            Authentication::Basic { username, .. } => username,
            _ => "",
        }
    }

    #[test]
    fn credentials_go_where_helm_sends_them() {
        let text = "apiVersion: ''\nrepositories:\n\
            - {name: own, url: 'https://own.example/charts/', username: ada, password: hidden}\n\
            - {name: open, url: 'https://open.example', pass_credentials_all: true}\n";
        let registries =
            DockerConfig::parse(r#"{"auths": {"r.example": {"username": "rita", "password": "hidden"}}}"#);
        let reach = |flags: AccessOptions| ChartReach {
            repositories: known(text).unwrap(),
            registries: registries.clone().unwrap(),
            ..flags.flags().unwrap()
        };
        let without = reach(AccessOptions::default());
        let with = reach(AccessOptions {
            username: Some("flag".to_owned()),
            password: Some(Secret::new("hidden")),
            ..AccessOptions::default()
        });
        // An address, who is sent for the chart and for a dependency: without flags, and with them.
        for (url, expected) in [
            ("https://own.example/charts", ["ada", "ada", "flag", "ada"]),
            ("https://open.example", ["", "", "flag", ""]),
            ("https://other.example", ["", "", "flag", ""]),
            ("oci://r.example/charts", ["rita", "rita", "flag", "flag"]),
            ("oci://s.example/charts", ["", "", "flag", "flag"]),
        ] {
            let url = ArtifactUrl::parse(url).unwrap();
            let accesses = [
                without.for_chart(&url),
                without.for_dependency(&url),
                with.for_chart(&url),
                with.for_dependency(&url),
            ];
            assert_eq!(accesses.each_ref().map(user), expected, "{url}");
        }
        assert_eq!(without.address_of("own").as_deref(), Some("https://own.example/charts/"));
        assert_eq!(without.address_of("none"), None);
        let open = ArtifactUrl::parse("https://open.example").unwrap();
        assert!(without.for_dependency(&open).options.pass_credentials);
    }

    #[test]
    fn no_password_is_shown() {
        let options = AccessOptions { password: Some(Secret::new("hidden")), ..AccessOptions::default() };
        assert!(!format!("{options:?}").contains("hidden"));
        let error = known("repositories: [{password: hidden, caFile: /not/there}]").map(|_| ()).unwrap_err();
        assert!(!format!("{error:?}").contains("hidden"));
        let error = known("repositories: [{password: hidden").map(|_| ()).unwrap_err();
        assert!(!format!("{error:?}").contains("hidden"));
    }
}
