//! What repositories are reached with: Secrets and settings of the control plane.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use windlass_cluster::{SECRET_TYPE, secret_data};
use windlass_kube::{Object, Str, Value};
use windlass_model::{BucketAddress, archive_url};
use windlass_source::{
    AZURE_DEVOPS_SCOPE, AZURE_REGISTRY_SCOPE, AZURE_STORAGE_SCOPE, Access, AmazonLogin, AmazonSession,
    ArtifactUrl, Authentication, ClientCertificate, CredentialTemplates, GOOGLE_SCOPE, GOOGLE_STORAGE_SCOPE,
    GitHubApp, Identity, IdentitySource, KnownHosts, Proxy, RepositoryUrl, Secret, TrustedKeys,
    VerificationRule, Verifications,
};

use crate::fetching::Place;

/// The ConfigMap with the keys of SSH servers that are known without a repository's Secret saying so.
pub(crate) const KNOWN_HOSTS_MAP: &str = "argocd-ssh-known-hosts-cm";

/// The ConfigMap with the authorities of servers, by host.
pub(crate) const CERTIFICATES_MAP: &str = "argocd-tls-certs-cm";

/// The ConfigMap with the OpenPGP keys that commits and tags may be signed with.
pub(crate) const SIGNERS_MAP: &str = "argocd-gpg-keys-cm";

/// The ConfigMap with the parameters of Argo CD's programs.
pub(crate) const PARAMETERS_MAP: &str = "argocd-cmd-params-cm";

/// The ConfigMap with what is asked of the signatures of charts and artifacts.
pub(crate) const VERIFICATIONS_MAP: &str = "windlass-artifact-signatures";

/// Who may read which repository, by the rules of a running engine.
///
/// A repository's own Secret goes before one for all addresses that begin alike, and one for a project goes before
/// one for everybody.
#[derive(Clone, Default, PartialEq)]
pub struct Credentials {
    /// By place, with the project that each is for; empty is every project.
    own: HashMap<String, Vec<(Str, Access)>>,
    templates: CredentialTemplates,
    /// Addresses of repositories of charts by the names that their Secrets give them, with the project of each.
    names: BTreeMap<String, Vec<(Str, String)>>,
    known_hosts: KnownHosts,
    /// PEM certificates of the authorities of a host.
    certificates: BTreeMap<String, String>,
    /// Whose signatures are believed.
    signers: Arc<TrustedKeys>,
    /// Whose signatures artifacts must have.
    verifications: Verifications,
    /// Whether submodules stay empty folders (`reposerver.enable.git.submodule: "false"`).
    without_submodules: bool,
}

impl Credentials {
    /// The ConfigMaps of the control plane that are read.
    pub const SETTINGS: [&str; 5] =
        [KNOWN_HOSTS_MAP, CERTIFICATES_MAP, SIGNERS_MAP, VERIFICATIONS_MAP, PARAMETERS_MAP];

    /// Reads the Secrets of the control plane, and its ConfigMaps `argocd-ssh-known-hosts-cm`,
    /// `argocd-tls-certs-cm`, `argocd-gpg-keys-cm` and `windlass-artifact-signatures` among `settings`. Secrets that cannot be used count for nothing.
    #[must_use]
    pub fn read(secrets: &[Object], settings: &[Object]) -> Self {
        let read = |secret: &Object| {
            let kind = secret.label(SECRET_TYPE).unwrap_or_default();
            RepositorySecret::read(kind, &secret_data(secret).ok()?).ok()
        };
        let secrets: Vec<RepositorySecret> = secrets.iter().filter_map(read).collect();
        Self::new(secrets.iter(), settings)
    }

    pub(crate) fn new<'a>(
        secrets: impl Iterator<Item = &'a RepositorySecret>,
        settings: impl IntoIterator<Item = &'a Object>,
    ) -> Self {
        let mut credentials = Self::default();
        for secret in secrets {
            if secret.is_template {
                credentials.templates.insert(&secret.url, secret.access.clone());
                continue;
            }
            if !secret.name.is_empty() {
                // Charts name registries with a scheme, Secrets without.
                let scheme = if secret.url.contains("://") { "" } else { "oci://" };
                let named = (secret.project.clone(), format!("{scheme}{}", secret.url));
                credentials.names.entry(secret.name.clone()).or_default().push(named);
            }
            for place in places(&secret.url) {
                let own = (secret.project.clone(), secret.access.clone());
                credentials.own.entry(place).or_default().push(own);
            }
        }
        for map in settings {
            match map.name() {
                KNOWN_HOSTS_MAP => {
                    credentials.known_hosts =
                        KnownHosts::Strict(map.str_at(&["data", "ssh_known_hosts"]).into());
                }
                CERTIFICATES_MAP => {
                    let data = map.at(&["data"]).and_then(Value::as_object);
                    let pairs = data.into_iter().flat_map(windlass_kube::Map::iter);
                    credentials.certificates = pairs
                        .filter_map(|(host, pem)| Some((host.to_lowercase(), pem.as_str()?.to_string())))
                        .collect();
                }
                SIGNERS_MAP => {
                    let data = map.at(&["data"]).and_then(Value::as_object);
                    let texts = data.into_iter().flat_map(windlass_kube::Map::values);
                    credentials.signers = Arc::new(TrustedKeys::read(texts.filter_map(Value::as_str), []));
                }
                PARAMETERS_MAP => {
                    let said = map.str_at(&["data", "reposerver.enable.git.submodule"]);
                    credentials.without_submodules = said == "false";
                }
                VERIFICATIONS_MAP => credentials.verifications = verifications(map),
                _ => {}
            }
        }
        credentials
    }

    /// Whose signatures are believed.
    pub(crate) fn signers(&self) -> &Arc<TrustedKeys> {
        &self.signers
    }

    /// Whether the files of submodules are wanted.
    pub(crate) fn with_submodules(&self) -> bool {
        !self.without_submodules
    }

    /// Whether a place is reached with credentials that only Applications of `project` may use. What they read is
    /// followed by itself then: others may not read it, or only with what is theirs.
    pub(crate) fn are_of_project(&self, place: &Place, project: &str) -> bool {
        let name = match place {
            Place::Git(url) => git_place(url),
            Place::Artifacts { url, .. } | Place::File(url) => artifact_place(url),
            Place::Bucket(bucket) => artifact_place(&bucket.url),
        };
        let mut own = self.own.get(&name).into_iter().flatten();
        !project.is_empty() && own.any(|(of, _)| of == project)
    }

    /// What Applications of `project` reach a place with.
    pub(crate) fn for_place(&self, place: &Place, project: &str) -> Access {
        let (name, template) = match place {
            Place::Git(url) => (git_place(url), self.templates.for_url(url)),
            Place::Artifacts { url, .. } | Place::File(url) => {
                (artifact_place(url), self.templates.for_artifact(url))
            }
            Place::Bucket(bucket) => (artifact_place(&bucket.url), self.templates.for_artifact(&bucket.url)),
        };
        let found = self.own(&name, project).or(template).cloned();
        self.at_place(place, found.unwrap_or_default())
    }

    /// What a place is reached with by those who have no credentials for it.
    pub(crate) fn for_anybody(&self, place: &Place) -> Access {
        self.at_place(place, Access::default())
    }

    /// What the submodule at `url` is reached with, where `inherited` would be used otherwise. Only credentials for
    /// every project count: a repository is fetched once for all of them.
    pub(crate) fn for_submodule(&self, url: &RepositoryUrl, inherited: Access) -> Access {
        let found = self.own(&git_place(url), "").or_else(|| self.templates.for_url(url)).cloned();
        self.at_host(url.host(), found.unwrap_or(inherited))
    }

    /// What is known of hosts, without anybody's credentials.
    pub(crate) fn of_nobody(&self) -> Self {
        let (known_hosts, certificates) = (self.known_hosts.clone(), self.certificates.clone());
        let verifications = self.verifications.clone();
        let without_submodules = self.without_submodules;
        Self { known_hosts, certificates, verifications, without_submodules, ..Self::default() }
    }

    /// The address of the repository of charts that is called `name`, of those that Applications of `project` may use:
    /// one of the project goes before one for everybody.
    pub(crate) fn named(&self, name: &str, project: &str) -> Option<&str> {
        let named = self.names.get(name)?;
        let of = |wanted: &str| named.iter().find(|(project, _)| project == wanted);
        of(project).or_else(|| of("")).map(|(_, url)| url.as_str())
    }

    /// Whether repositories have the same names.
    pub(crate) fn has_names_of(&self, other: &Self) -> bool {
        self.names == other.names
    }

    fn own(&self, place: &str, project: &str) -> Option<&Access> {
        let own = self.own.get(place)?;
        let of = |wanted: &str| own.iter().find(|(project, _)| project == wanted).map(|(_, access)| access);
        of(project).or_else(|| of(""))
    }

    /// As [`at_host`](Self::at_host), with what is asked of artifacts.
    fn at_place(&self, place: &Place, access: Access) -> Access {
        let mut access = self.at_host(place.host(), access);
        // A Git repository is not looked at again because policies for artifacts have changed.
        if !matches!(place, Place::Git(_)) {
            access.verifications = self.verifications.clone();
        }
        access
    }

    /// Where access knows no hosts and no authorities of its own, those everyone knows.
    fn at_host(&self, host: &str, mut access: Access) -> Access {
        if access.known_hosts == KnownHosts::default() {
            access.known_hosts = self.known_hosts.clone();
        }
        if access.tls.authorities.is_none() {
            access.tls.authorities = self.certificates.get(host).cloned();
        }
        access
    }
}

/// What the ConfigMap asks for, one rule for each of its keys.
fn verifications(map: &Object) -> Verifications {
    let data = map.at(&["data"]).and_then(Value::as_object);
    let rules = data.into_iter().flat_map(windlass_kube::Map::iter).map(|(key, text)| {
        let rule = VerificationRule::read(text.as_str().unwrap_or_default());
        if let Some(problem) = rule.problem() {
            tracing::warn!(policy = %key, %problem, "a policy for signatures cannot be used, and refuses what it is for");
        }
        rule
    });
    Verifications::new(rules.collect())
}

/// The names that a repository at `url` is looked up by.
fn places(url: &str) -> Vec<String> {
    if BucketAddress::is_meant(url) {
        let on_the_web = BucketAddress::parse(url).ok().map(|address| address.on_the_web());
        let url = on_the_web.and_then(|url| ArtifactUrl::parse(&url).ok());
        return url.iter().map(artifact_place).collect();
    }
    let git = RepositoryUrl::parse(url).ok().map(|url| git_place(&url));
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    let artifacts = if is_web { ArtifactUrl::parse(url) } else { ArtifactUrl::parse_registry(url) };
    git.into_iter().chain(artifacts.ok().map(|url| artifact_place(&url))).collect()
}

fn git_place(url: &RepositoryUrl) -> String {
    format!("git {}", url.normalised())
}

fn artifact_place(url: &ArtifactUrl) -> String {
    format!("artifacts {}", url.normalised().to_lowercase())
}

/// A Secret for one repository, or for every repository below an address.
#[derive(Clone, PartialEq)]
pub(crate) struct RepositorySecret {
    url: String,
    /// What charts may call it; empty where it is none of charts.
    name: String,
    /// Empty is every project.
    project: Str,
    is_template: bool,
    access: Access,
}

impl RepositorySecret {
    /// Reads a Secret's decoded data; `kind` is its [`SECRET_TYPE`].
    pub(crate) fn read(kind: &str, data: &HashMap<Str, Arc<[u8]>>) -> Result<Self, String> {
        let text = |key: &str| {
            let text = data.get(key).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            text.filter(|text| !text.is_empty())
        };
        if !matches!(kind, "repository" | "repo-creds") {
            return Err(format!("a secret of type {kind:?} is not used"));
        }
        let is_template = kind == "repo-creds";
        let url = text("url").ok_or("it has no url")?;
        let url = archive_url(&url).unwrap_or(url.trim()).to_string();
        if !is_template && places(&url).is_empty() {
            return Err("its url cannot be used".into());
        }
        let is_true = |key: &str| text(key).as_deref() == Some("true");
        let github_app = match text("githubAppPrivateKey") {
            None => None,
            Some(private_key) => {
                let number = |key: &str| match text(key) {
                    None => Ok(None),
                    Some(text) => {
                        text.trim().parse().map(Some).map_err(|_| format!("its {key} is no number"))
                    }
                };
                Some(Authentication::GitHubApp(Box::new(GitHubApp {
                    app_id: number("githubAppID")?
                        .ok_or("it has a githubAppPrivateKey and no githubAppID")?,
                    installation_id: number("githubAppInstallationID")?.filter(|id| *id != 0),
                    private_key: Secret::new(private_key),
                    api_url: text("githubAppEnterpriseBaseUrl").unwrap_or_default(),
                })))
            }
        };
        let of_bucket = bucket_authentication(&url, &text)?;
        let authentication = match (text("sshPrivateKey"), text("bearerToken"), text("password")) {
            _ if of_bucket.is_some() => of_bucket.unwrap_or_default(),
            // An App counts where there is nothing else, as in Argo CD 3.6.
            (None, None, None) if github_app.is_some() => github_app.unwrap_or_default(),
            (Some(key), _, _) => Authentication::SshKey { private_key: Secret::new(key), passphrase: None },
            (None, Some(token), _) => Authentication::Bearer(Secret::new(token)),
            (None, None, Some(password)) => Authentication::Basic {
                username: text("username").unwrap_or_default(),
                password: Secret::new(password),
            },
            (None, None, None) => match identity(&url, &text)? {
                None => Authentication::Anonymous,
                Some(source) => {
                    let identity = Identity::new(source).with_username(text("username"));
                    Authentication::Identity(Box::new(identity))
                }
            },
        };
        let mut access = Access { authentication, ..Access::default() };
        access.tls.insecure_skip_verify = is_true("insecure");
        access.plain_http = is_true("insecureOCIForceHttp");
        access.lfs = is_true("enableLfs");
        access.credentials_over_http = is_true("insecure") || access.plain_http;
        if let (Some(certificate), Some(key)) = (text("tlsClientCertData"), text("tlsClientCertKey")) {
            access.tls.client = Some(ClientCertificate { certificate, key: Secret::new(key) });
        }
        access.tls.authorities = text("tlsCaData");
        if let Some(proxy) = text("proxy") {
            let no_proxy = text("noProxy").unwrap_or_default();
            access.proxy = Some(Proxy { url: Secret::new(proxy), no_proxy });
        }
        if let Some(known) = text("sshKnownHosts") {
            access.known_hosts = KnownHosts::Strict(known);
        } else if is_true("insecure") || is_true("insecureIgnoreHostKey") {
            access.known_hosts = KnownHosts::AcceptAny;
        }
        let project = text("project").unwrap_or_default().into();
        let is_of_charts = matches!(text("type").as_deref(), Some("helm" | "oci"));
        let name = text("name").filter(|_| is_of_charts).unwrap_or_default();
        Ok(Self { url, name, project, is_template, access })
    }
}

/// What the fields say that only buckets have: Flux's names of them, and those of sessions and roles.
fn bucket_authentication(
    url: &str,
    text: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Authentication>, String> {
    let is_bucket = BucketAddress::is_meant(url);
    if let Some(signature) = text("sasKey") {
        return Ok(Some(Authentication::SharedAccess(Secret::new(signature))));
    }
    if let Some(key) = text("accountKey") {
        // The account is in the address: az://ACCOUNT/…, https://ACCOUNT.blob.core.windows.net.
        let of_address = BucketAddress::parse(url).ok().map(|address| address.account);
        let of_host = || registry_host(url).split('.').next().map(str::to_owned);
        let account = text("accountName").or_else(|| text("username")).or(of_address).or_else(of_host);
        let (username, password) = (account.unwrap_or_default(), Secret::new(key));
        return Ok(Some(Authentication::Basic { username, password }));
    }
    if let Some(json) = text("serviceaccount") {
        let source = IdentitySource::of_google(Secret::new(json), GOOGLE_STORAGE_SCOPE);
        return Ok(Some(Authentication::Identity(Box::new(Identity::new(source)))));
    }
    if let Some(client_secret) = text("clientSecret").filter(|_| is_bucket) {
        let needed = |key: &str| text(key).ok_or_else(|| format!("it has a clientSecret and no {key}"));
        let source = IdentitySource::AzureServicePrincipal {
            authority: text("authorityHost").unwrap_or_default(),
            tenant: needed("tenantId")?,
            client_id: needed("clientId")?,
            client_secret: Secret::new(client_secret),
            scope: AZURE_STORAGE_SCOPE.to_owned(),
        };
        return Ok(Some(Authentication::Identity(Box::new(Identity::new(source)))));
    }
    let named = |id: &str, secret: &str| text(id).zip(text(secret));
    let own = || named("username", "password").or_else(|| named("awsAccessKeyID", "awsSecretAccessKey"));
    if let Some((id, secret)) = named("accesskey", "secretkey").or_else(|| own().filter(|_| is_bucket)) {
        let secret = Secret::new(secret);
        return Ok(Some(match text("sessionToken") {
            Some(token) => {
                let token = Secret::new(token);
                Authentication::Session(Box::new(AmazonSession { id, secret, token }))
            }
            None => Authentication::Basic { username: id, password: secret },
        }));
    }
    let role = text("awsRoleARN");
    if is_bucket && (role.is_some() || text("machineIdentity").as_deref() == Some("aws")) {
        let of_address = BucketAddress::parse(url).ok().map(|address| address.region);
        let region = text("awsRegion").or(of_address.filter(|region| !region.is_empty()));
        let login = AmazonLogin::Role {
            role: role.unwrap_or_default(),
            token_file: text("tokenFile").unwrap_or_default().trim().into(),
            endpoint: text("stsEndpoint").unwrap_or_default(),
        };
        let source =
            IdentitySource::AmazonBuckets { region: region.unwrap_or_else(|| "us-east-1".into()), login };
        return Ok(Some(Authentication::Identity(Box::new(Identity::new(source)))));
    }
    Ok(None)
}

/// Where the fields of a Secret for `url` say that tokens are had from; of several, the first of this order counts.
fn identity(url: &str, text: &dyn Fn(&str) -> Option<String>) -> Result<Option<IdentitySource>, String> {
    if let Some(json) = text("gcpServiceAccountKey") {
        return Ok(Some(IdentitySource::of_google(Secret::new(json), GOOGLE_SCOPE)));
    }
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    let is_registry =
        !is_web && (text("type").as_deref() == Some("oci") || text("enableOCI").as_deref() == Some("true"));
    let scope = match () {
        () if is_registry => AZURE_REGISTRY_SCOPE,
        () if BucketAddress::is_meant(url) => AZURE_STORAGE_SCOPE,
        () => AZURE_DEVOPS_SCOPE,
    };
    let scope = scope.to_owned();
    // Registries of Azure's take no tokens but their own.
    let exchanged = |source: IdentitySource| match is_registry {
        false => source,
        true => {
            let is_plain = text("insecureOCIForceHttp").as_deref() == Some("true");
            let scheme = if is_plain { "http" } else { "https" };
            let registry = format!("{scheme}://{}", registry_host(url));
            IdentitySource::AzureRegistry { registry, of: Box::new(source) }
        }
    };
    let authority = text("azureActiveDirectoryEndpoint").unwrap_or_default();
    if let Some(client_secret) = text("azureServicePrincipalClientSecret") {
        let needed = |key: &str| {
            text(key).ok_or_else(|| format!("it has an azureServicePrincipalClientSecret and no {key}"))
        };
        return Ok(Some(exchanged(IdentitySource::AzureServicePrincipal {
            authority,
            tenant: needed("azureServicePrincipalTenantId")?,
            client_id: needed("azureServicePrincipalClientId")?,
            client_secret: Secret::new(client_secret),
            scope,
        })));
    }
    let token_file = text("tokenFile").map(|path| path.trim().into());
    if text("useAzureWorkloadIdentity").as_deref() == Some("true") {
        return Ok(Some(exchanged(IdentitySource::AzureWorkload {
            authority,
            tenant: text("azureServicePrincipalTenantId").unwrap_or_default(),
            client_id: text("azureServicePrincipalClientId").unwrap_or_default(),
            token_file: token_file.unwrap_or_default(),
            scope,
        })));
    }
    let machine = text("machineIdentity");
    let machine = machine.as_deref().map(str::trim);
    let key = text("awsAccessKeyID").zip(text("awsSecretAccessKey"));
    let role = text("awsRoleARN");
    if key.is_some() || role.is_some() || machine == Some("aws") {
        let login = match key {
            Some((id, secret)) => AmazonLogin::Key { id, secret: Secret::new(secret) },
            None => AmazonLogin::Role {
                role: role.unwrap_or_default(),
                token_file: token_file.unwrap_or_default(),
                endpoint: String::new(),
            },
        };
        let region = text("awsRegion").or_else(|| amazon_region(registry_host(url)).map(str::to_owned));
        let region = region.ok_or("it is for Amazon, and neither awsRegion nor its url names a region")?;
        return Ok(Some(IdentitySource::AmazonRegistry { region, endpoint: String::new(), login }));
    }
    if let Some(path) = token_file {
        return Ok(Some(IdentitySource::File(path)));
    }
    if let Some(command) = text("tokenCommand") {
        let command: Vec<String> = serde_json::from_str(&command)
            .ok()
            .filter(|command: &Vec<String>| !command.is_empty())
            .ok_or("its tokenCommand is no JSON list of a program and its arguments")?;
        return Ok(Some(IdentitySource::Command(command)));
    }
    match machine {
        None => Ok(None),
        Some("gcp") => Ok(Some(IdentitySource::GoogleMachine { address: String::new() })),
        Some("azure") => {
            let client_id = text("azureServicePrincipalClientId").unwrap_or_default();
            Ok(Some(exchanged(IdentitySource::AzureMachine { address: String::new(), client_id, scope })))
        }
        Some(_) => Err("its machineIdentity is none of aws, azure and gcp".into()),
    }
}

/// The host, and port, of a registry's address with or without its scheme.
fn registry_host(url: &str) -> &str {
    let place = url.split_once("://").map_or(url, |(_, place)| place);
    place.split('/').next().unwrap_or_default()
}

/// The region of a registry of Amazon's: `ACCOUNT.dkr.ecr.REGION.amazonaws.com`.
fn amazon_region(host: &str) -> Option<&str> {
    let (_, rest) = host.split_once(".dkr.ecr.")?;
    let (region, domain) = rest.split_once('.')?;
    matches!(domain, "amazonaws.com" | "amazonaws.com.cn").then_some(region)
}

#[cfg(test)]
mod tests {
    use windlass_model::{SourceKind, SourceSpec};

    use super::*;
    use crate::fetching::locate;

    fn secret(kind: &str, data: &[(&str, &str)]) -> RepositorySecret {
        let data = data.iter().map(|(key, value)| (Str::from(*key), value.as_bytes().into())).collect();
        RepositorySecret::read(kind, &data).unwrap()
    }

    fn place(repository: &str, chart: Option<&str>) -> Place {
        let is_web = repository.starts_with("http");
        let kind = match chart {
            Some(name) => SourceKind::Chart { name: name.into(), registry: !is_web, pass_credentials: false },
            None if repository.starts_with("oci://") => SourceKind::Artifact,
            None => SourceKind::Git,
        };
        place_of(repository, kind)
    }

    fn place_of(repository: &str, kind: SourceKind) -> Place {
        let spec = SourceSpec {
            repository: repository.into(),
            kind,
            revision: Str::default(),
            tag_prefix: Str::default(),
            path: Str::default(),
            reference: Str::default(),
            renderer: windlass_model::Renderer::Detect,
            signatures: None,
        };
        locate(&spec, "").unwrap().0
    }

    #[test]
    fn the_most_particular_secret_is_used() {
        let named = |name, url| vec![("url", url), ("username", name), ("password", "p")];
        let mut of_project = named("project", "https://h/org/app.git");
        of_project.push(("project", "shop"));
        let secrets = [
            secret("repository", &of_project),
            secret("repository", &named("own", "https://h/org/app.git")),
            secret("repository", &named("charts", "https://charts.example.org/Stable/")),
            secret("repository", &named("bare", "registry.example.org/Charts")),
            secret("repository", &named("oci", "oci://r.example.org/app")),
            secret("repo-creds", &named("template", "https://h")),
            secret("repo-creds", &named("registries", "r.example.org")),
        ];
        let credentials = Credentials::new(secrets.iter(), []);
        for (url, chart, project, expected) in [
            ("https://h/org/app", None, "shop", "project"),
            ("https://h/org/app", None, "other", "own"),
            ("https://h/org/other", None, "shop", "template"),
            ("https://h/org/charts", Some("web"), "shop", "template"),
            ("https://charts.example.org/Stable", Some("web"), "", "charts"),
            ("https://charts.example.org/else", Some("web"), "", "nobody"),
            ("registry.example.org/Charts", Some("web"), "", "bare"),
            ("oci://registry.example.org/Charts", Some("web"), "", "bare"),
            ("oci://r.example.org/app", None, "", "oci"),
            ("oci://r.example.org/other", None, "", "registries"),
        ] {
            let found = credentials.for_place(&place(url, chart), project);
            let name = match &found.authentication {
                Authentication::Basic { username, .. } => username.as_str(),
                _ => "nobody",
            };
            assert_eq!(name, expected, "{url} {chart:?} {project}");
            let of_project = credentials.are_of_project(&place(url, chart), project);
            assert_eq!(of_project, expected == "project", "{url} {chart:?} {project}");
        }
    }

    #[test]
    fn buckets_are_found_by_their_server_and_folder() {
        let place = |repository: &str| place_of(repository, SourceKind::Bucket);
        let named = |kind: &str, url: &str, name: &str| {
            secret(kind, &[("url", url), ("username", name), ("password", "p")])
        };
        let secrets = [
            named("repository", "s3://apps/team", "own"),
            named("repo-creds", "s3://apps", "all"),
            named("repo-creds", "https://minio.example.org/", "minio"),
            named("repo-creds", "az://shop/apps", "azure"),
        ];
        let credentials = Credentials::new(secrets.iter(), []);
        for (address, expected) in [
            ("s3://apps/team/", Some("own")),
            ("s3://apps/team/deploy", Some("all")),
            ("s3://apps", Some("all")),
            // Another server's, whatever the bucket is called.
            ("s3://apps?endpoint=https://evil.example.org", None),
            ("s3://apps?region=eu-west-1", None),
            ("s3://any/x?endpoint=https://minio.example.org", Some("minio")),
            ("az://shop/apps/a", Some("azure")),
            ("az://other/apps/a", None),
        ] {
            let found = credentials.for_place(&place(address), "").authentication;
            let name = match &found {
                Authentication::Basic { username, .. } => Some(username.as_str()),
                _ => None,
            };
            assert_eq!(name, expected, "{address}");
        }
    }

    #[test]
    fn identities_of_clouds_are_read() {
        let of = |fields: &[(&str, &str)]| match secret("repository", fields).access.authentication {
            Authentication::Identity(identity) => format!("{identity:?}"),
            other => panic!("{other:?}"),
        };
        let workload = ("useAzureWorkloadIdentity", "true");
        let ecr = ("url", "7.dkr.ecr.eu-west-1.amazonaws.com/apps");
        let key = [("awsAccessKeyID", "AKIA"), ("awsSecretAccessKey", "s3cret")];
        for (fields, parts) in [
            (
                vec![("url", "https://dev.azure.com/o/p/_git/r"), workload],
                ["AzureWorkload", AZURE_DEVOPS_SCOPE],
            ),
            (vec![("url", "az://shop/apps"), workload], ["AzureWorkload", AZURE_STORAGE_SCOPE]),
            (
                vec![("url", "oci://shop.azurecr.io/a"), ("type", "oci"), workload],
                ["AzureRegistry { registry: \"https://shop.azurecr.io\"", AZURE_REGISTRY_SCOPE],
            ),
            (
                vec![("url", "shop.azurecr.io/a"), ("enableOCI", "true"), ("machineIdentity", "azure")],
                ["AzureRegistry { registry: \"https://shop.azurecr.io\"", "AzureMachine"],
            ),
            (
                vec![("url", "https://h/r"), ("gcpServiceAccountKey", r#"{"type": "external_account"}"#)],
                ["GoogleExternal", GOOGLE_SCOPE],
            ),
            ([&[ecr][..], &key].concat(), ["AmazonRegistry { region: \"eu-west-1\"", "Key { id: \"AKIA\""]),
            (
                vec![ecr, ("machineIdentity", "aws"), ("tokenFile", "/t")],
                ["AmazonRegistry", "token_file: \"/t\""],
            ),
            (vec![ecr, ("awsRoleARN", "arn:x"), ("awsRegion", "x")], ["region: \"x\"", "role: \"arn:x\""]),
        ] {
            let read = of(&fields);
            assert!(parts.iter().all(|part| read.contains(part)) && !read.contains("s3cret"), "{read}");
        }
    }

    #[test]
    fn a_github_app_is_read() {
        let url = ("url", "https://github.example.org/org");
        let app = [("githubAppID", "7"), ("githubAppInstallationID", "42"), ("githubAppPrivateKey", "PEM")];
        let read = secret("repo-creds", &[&[url], &app[..]].concat());
        let Authentication::GitHubApp(found) = &read.access.authentication else { panic!("no App") };
        assert_eq!((found.app_id, found.installation_id, found.api_url.as_str()), (7, Some(42), ""));
        let data = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| (Str::from(*key), value.as_bytes().into())).collect()
        };
        for (pairs, problem) in [
            (vec![url, app[2]], "it has a githubAppPrivateKey and no githubAppID"),
            (vec![url, app[2], ("githubAppID", "seven")], "its githubAppID is no number"),
        ] {
            let refused = RepositorySecret::read("repo-creds", &data(&pairs)).err();
            assert_eq!(refused.as_deref(), Some(problem));
        }
    }

    #[test]
    fn authorities_are_found_by_host() {
        let map = windlass_kube::value!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-tls-certs-cm"},
            "data": {"charts.example.org": "PEM"},
        });
        let map = Object::try_new(map).unwrap();
        let own = secret("repository", &[("url", "https://charts.example.org/own"), ("tlsCaData", "OWN")]);
        let credentials = Credentials::new([own].iter(), [&map]);
        for (url, expected) in [
            ("https://charts.example.org/x", Some("PEM")),
            ("https://charts.example.org:8443/x", Some("PEM")),
            ("https://charts.example.org/own", Some("OWN")),
            ("https://other.example.org/x", None),
        ] {
            let found = credentials.for_place(&place(url, Some("web")), "");
            assert_eq!(found.tls.authorities.as_deref(), expected, "{url}");
            let found = credentials.for_place(&place(url, None), "");
            assert_eq!(found.tls.authorities.as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn signatures_are_asked_for_whoever_asks() {
        let map = windlass_kube::value!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "windlass-artifact-signatures"},
            "data": {"broken": "repositories: ['oci://r.example.org/*']", "unreadable": "{"},
        });
        let map = Object::try_new(map).unwrap();
        let credentials = Credentials::new([].iter(), [&map]);
        let place = place("oci://r.example.org/app", None);
        for access in [
            credentials.for_place(&place, ""),
            credentials.for_anybody(&place),
            credentials.of_nobody().for_anybody(&place),
        ] {
            assert!(!access.verifications.is_empty());
        }
        assert!(credentials != Credentials::default());
    }

    #[test]
    fn submodules_can_be_switched_off() {
        for (said, wanted) in [("true", true), ("false", false), ("", true)] {
            let map = windlass_kube::value!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cmd-params-cm"},
                "data": {"reposerver.enable.git.submodule": said},
            });
            let map = Object::try_new(map).unwrap();
            let credentials = Credentials::new([].iter(), [&map]);
            assert_eq!(credentials.with_submodules(), wanted, "{said}");
            assert_eq!(credentials.of_nobody().with_submodules(), wanted, "{said}");
        }
    }

    #[test]
    fn repositories_of_charts_have_the_names_that_their_secrets_give_them() {
        let secrets = [
            secret("repository", &[("type", "helm"), ("name", "all"), ("url", "https://h/all")]),
            secret(
                "repository",
                &[("type", "helm"), ("name", "all"), ("url", "https://h/a"), ("project", "a")],
            ),
            secret("repository", &[("type", "helm"), ("name", "own"), ("url", "r/charts"), ("project", "b")]),
            secret("repository", &[("type", "git"), ("name", "git"), ("url", "https://h/git")]),
        ];
        let credentials = Credentials::new(secrets.iter(), []);
        for (name, project, expected) in [
            ("all", "", Some("https://h/all")),
            ("all", "a", Some("https://h/a")),
            ("all", "b", Some("https://h/all")),
            ("own", "b", Some("oci://r/charts")),
            ("own", "a", None),
            ("git", "", None),
            ("none", "", None),
        ] {
            assert_eq!(credentials.named(name, project), expected, "{name} for {project}");
        }
        assert!(!credentials.has_names_of(&Credentials::default()));
        assert!(credentials.of_nobody().named("all", "").is_none());
    }

    #[test]
    fn buckets_have_fields_of_their_own() {
        let of = |url: &str, data: &[(&str, &str)]| {
            let data = data.iter().copied().chain([("url", url)]);
            let data = data.map(|(key, value)| (Str::from(key), value.as_bytes().into())).collect();
            RepositorySecret::read("repo-creds", &data).map(|secret| secret.access.authentication)
        };
        let basic = |username: &str| {
            Ok(Authentication::Basic { username: username.into(), password: Secret::new("s") })
        };
        let is = |source| Ok(Authentication::Identity(Box::new(Identity::new(source))));
        let session = |id: &str| {
            let (id, secret, token) = (id.into(), Secret::new("s"), Secret::new("t"));
            Ok(Authentication::Session(Box::new(AmazonSession { id, secret, token })))
        };
        let minio = "https://minio.example.org";
        assert_eq!(of(minio, &[("accesskey", "k"), ("secretkey", "s")]), basic("k"));
        let flux = [("accesskey", "k"), ("secretkey", "s"), ("sessionToken", "t")];
        assert_eq!(of(minio, &flux), session("k"));
        let ours = [("username", "k"), ("password", "s"), ("sessionToken", "t")];
        assert_eq!(of("s3://apps", &ours), session("k"));
        assert_eq!(of("https://h/x", &ours), basic("k"));
        assert_eq!(of("s3://apps", &[("awsAccessKeyID", "k"), ("awsSecretAccessKey", "s")]), basic("k"));
        assert_eq!(of("az://shop/apps", &[("accountKey", "s")]), basic("shop"));
        assert_eq!(of("https://shop.blob.core.windows.net", &[("accountKey", "s")]), basic("shop"));
        assert_eq!(of("az://shop/apps", &[("accountKey", "s"), ("accountName", "other")]), basic("other"));
        let sas = Ok(Authentication::SharedAccess(Secret::new("?sig=s")));
        assert_eq!(of("az://shop/apps", &[("sasKey", "?sig=s")]), sas);
        let google =
            IdentitySource::GoogleServiceAccount { key: "{}".into(), scope: GOOGLE_STORAGE_SCOPE.into() };
        assert_eq!(of("gs://apps", &[("serviceaccount", "{}")]), is(google));
        let role = IdentitySource::AmazonBuckets {
            region: "eu-west-1".into(),
            login: AmazonLogin::Role {
                role: "r".into(),
                token_file: "/t".into(),
                endpoint: "https://sts".into(),
            },
        };
        let fields = [("awsRoleARN", "r"), ("tokenFile", "/t"), ("stsEndpoint", "https://sts")];
        assert_eq!(of("s3://apps?region=eu-west-1", &fields), is(role));
        let azure = [("clientSecret", "s"), ("clientId", "c"), ("tenantId", "t")];
        assert!(matches!(of("az://shop/apps", &azure), Ok(Authentication::Identity(_))));
        assert!(of("az://shop/apps", &azure[..1]).is_err());
    }

    #[test]
    fn identities_are_read_where_there_is_no_password() {
        let of = |data: &[(&str, &str)]| {
            let mut data: Vec<_> = data.to_vec();
            data.push(("url", "https://h/x"));
            let data = data.iter().map(|(key, value)| (Str::from(*key), value.as_bytes().into())).collect();
            RepositorySecret::read("repository", &data).map(|secret| secret.access.authentication)
        };
        let is = |source| Ok(Authentication::Identity(Box::new(Identity::new(source))));
        assert_eq!(of(&[("tokenFile", "/t")]), is(IdentitySource::File("/t".into())));
        let command = IdentitySource::Command(vec!["gcloud".into(), "auth".into()]);
        assert_eq!(of(&[("tokenCommand", r#"["gcloud", "auth"]"#)]), is(command));
        let key = IdentitySource::GoogleServiceAccount { key: "{}".into(), scope: GOOGLE_SCOPE.into() };
        assert_eq!(of(&[("gcpServiceAccountKey", "{}"), ("tokenFile", "/t")]), is(key));
        let machine = IdentitySource::GoogleMachine { address: String::new() };
        assert_eq!(of(&[("machineIdentity", "gcp")]), is(machine));
        let principal = IdentitySource::AzureServicePrincipal {
            authority: "https://login.example.org".into(),
            tenant: "t".into(),
            client_id: "c".into(),
            client_secret: "s".into(),
            scope: AZURE_DEVOPS_SCOPE.into(),
        };
        let fields = [
            ("azureServicePrincipalClientSecret", "s"),
            ("azureServicePrincipalClientId", "c"),
            ("azureServicePrincipalTenantId", "t"),
            ("azureActiveDirectoryEndpoint", "https://login.example.org"),
        ];
        assert_eq!(of(&fields), is(principal));
        let with_password = of(&[("tokenFile", "/t"), ("password", "p"), ("username", "u")]);
        assert!(matches!(with_password, Ok(Authentication::Basic { .. })));
        for wrong in
            [("tokenCommand", "gcloud"), ("tokenCommand", "[]"), ("machineIdentity", "vax"), fields[0]]
        {
            assert!(of(&[wrong]).is_err(), "{wrong:?}");
        }
    }
}
