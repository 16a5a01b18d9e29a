//! Identities that are no passwords: tokens from files, programs and clouds, renewed before they end.

mod amazon;
mod federated;
mod local;
mod servers;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::artifact::web::Web;
use crate::credentials::{Access, Authentication, Secret};
use crate::error::{Message, SourceError};

/// What a Google service account asks for to read anything that it may read; what Argo CD asks for.
pub const GOOGLE_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// What a Google service account asks for to read buckets and nothing else.
pub const GOOGLE_STORAGE_SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_only";

/// What Azure DevOps' Git is called in tokens, as Argo CD names it.
pub const AZURE_DEVOPS_SCOPE: &str = "499b84ac-1321-427f-aa17-267ca6975798/.default";

/// What Azure's Blob service is called in tokens.
pub const AZURE_STORAGE_SCOPE: &str = "https://storage.azure.com/.default";

/// What Azure's registries are called in tokens that are exchanged there, as Argo CD names them.
pub const AZURE_REGISTRY_SCOPE: &str = "https://management.core.windows.net/.default";

/// A token is replaced this long before it ends, so that a request that has begun does not outlive it.
const RENEW_BEFORE: Duration = Duration::from_secs(60);

/// How long a token is used of which nobody says when it ends.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// Longest token, file of a token, and answer that holds one: tokens of many groups take some kilobytes.
const MAX_TOKEN_BYTES: u64 = 64 << 10;

/// Where a token is had from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentitySource {
    /// A file that holds the token and nothing else, read again when it changes. Needs
    /// [`Policy::local_logins`](crate::Policy::local_logins).
    File(PathBuf),
    /// A program with its arguments, which prints the token, or JSON with `token` and `expiry` (RFC 3339). Needs
    /// [`Policy::local_logins`](crate::Policy::local_logins).
    Command(Vec<String>),
    /// The key of a Google service account.
    GoogleServiceAccount {
        /// The JSON that Google hands out.
        key: Secret,
        /// What the token is for, such as [`GOOGLE_SCOPE`].
        scope: String,
    },
    /// A service principal of Azure (Entra ID).
    AzureServicePrincipal {
        /// Who tokens are asked of; empty is the public cloud.
        authority: String,
        /// The tenant's id.
        tenant: String,
        /// The client's id.
        client_id: String,
        /// The client's secret.
        client_secret: Secret,
        /// What the token is for, such as [`AZURE_DEVOPS_SCOPE`].
        scope: String,
    },
    /// A service principal or managed identity of Azure that the token in a file stands for (workload identity). What is empty
    /// is what the variables `AZURE_AUTHORITY_HOST`, `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_FEDERATED_TOKEN_FILE`
    /// say. Needs [`Policy::local_logins`](crate::Policy::local_logins).
    AzureWorkload {
        /// Who tokens are asked of.
        authority: String,
        /// The tenant's id.
        tenant: String,
        /// The client's id.
        client_id: String,
        /// The file of the token that a cluster issues.
        token_file: PathBuf,
        /// What the token is for, such as [`AZURE_DEVOPS_SCOPE`].
        scope: String,
    },
    /// A registry of Azure's: somebody's token, in exchange for the registry's own.
    AzureRegistry {
        /// The registry's address, such as `https://shop.azurecr.io`.
        registry: String,
        /// Whose token; for [`AZURE_REGISTRY_SCOPE`].
        of: Box<IdentitySource>,
    },
    /// Somebody whom Google believes because another issuer says so (workload identity federation). Needs
    /// [`Policy::local_logins`](crate::Policy::local_logins).
    GoogleExternal {
        /// The JSON of type `external_account`, whose source is a file or a URL.
        config: Secret,
        /// What the token is for, such as [`GOOGLE_SCOPE`].
        scope: String,
    },
    /// The password of a registry of Amazon's (ECR), for a role or an access key.
    AmazonRegistry {
        /// The region of the registry.
        region: String,
        /// Who is asked for the password; empty is Amazon's server of the region.
        endpoint: String,
        /// Who asks.
        login: AmazonLogin,
    },
    /// Sessions of a role of Amazon's, for buckets.
    AmazonBuckets {
        /// The region whose server gives them.
        region: String,
        /// Who asks; a key of its own needs no session.
        login: AmazonLogin,
    },
    /// The service account of the machine that Windlass runs on, in Google's cloud. Needs
    /// [`Policy::local_logins`](crate::Policy::local_logins).
    GoogleMachine {
        /// The address of the metadata server; empty is Google's.
        address: String,
    },
    /// The managed identity of the machine that Windlass runs on, in Azure. Needs
    /// [`Policy::local_logins`](crate::Policy::local_logins).
    AzureMachine {
        /// The address of the metadata server; empty is Azure's.
        address: String,
        /// Which identity, where the machine has several; may be empty.
        client_id: String,
        /// What the token is for, such as [`AZURE_DEVOPS_SCOPE`].
        scope: String,
    },
}

/// Who asks something of Amazon's servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AmazonLogin {
    /// An access key.
    Key {
        /// Its id.
        id: String,
        /// Its secret.
        secret: Secret,
    },
    /// A role that the token in a file may take on. What is empty is what the variables `AWS_ROLE_ARN` and
    /// `AWS_WEB_IDENTITY_TOKEN_FILE` say. Needs [`Policy::local_logins`](crate::Policy::local_logins).
    Role {
        /// The role's name (ARN).
        role: String,
        /// The file of the token that a cluster issues.
        token_file: PathBuf,
        /// Who gives keys for tokens; empty is Amazon's server of the region.
        endpoint: String,
    },
}

/// Somebody who shows tokens that end. Clones share the token.
#[derive(Clone)]
pub struct Identity {
    source: IdentitySource,
    username: Option<String>,
    kept: Arc<Mutex<Option<Kept>>>,
}

/// A token, and what the source looked like when it was had.
struct Kept {
    token: Token,
    stamp: Stamp,
}

/// A token as it was had.
struct Token {
    text: Secret,
    /// `None` is when the source changes.
    ends: Option<SystemTime>,
}

/// What tells that a source has changed.
type Stamp = Option<(SystemTime, u64)>;

/// What a token is shown for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Git,
    Registry,
    /// Where only bearer tokens count.
    Bucket,
    /// Archives and Helm repositories.
    Other,
}

/// Who wants a token, and the means to ask for it.
struct Asking<'a> {
    web: &'a Web,
    repository: &'a str,
    /// For conversations with token servers: the proxy and the patience of the repository, the system's authorities.
    access: Access,
    now: SystemTime,
}

/// Something that tokens are had from.
trait TokenSource {
    /// What it is called in errors.
    fn name(&self) -> &'static str;

    /// Whether it uses the machine that Windlass runs on, which the operator has to allow.
    fn is_local(&self) -> bool {
        false
    }

    /// Differs from before when a token that was had is not the one to use any more.
    fn stamp(&self) -> Stamp {
        None
    }

    /// The user name that goes with the token; `None` is a bearer token.
    fn user(&self, _purpose: Purpose) -> Option<String> {
        None
    }

    /// A new token.
    fn token(&self, asking: &Asking<'_>) -> Result<Token, SourceError>;
}

impl Identity {
    /// The identity of a source. Nothing is asked yet.
    #[must_use]
    pub fn new(source: IdentitySource) -> Self {
        Self { source, username: None, kept: Arc::default() }
    }

    /// Sends its tokens as passwords of a user; without, as is usual where the token is from.
    #[must_use]
    pub fn with_username(mut self, username: Option<String>) -> Self {
        self.username = username;
        self
    }

    /// Asks for a new token the next time: the one there is was not accepted.
    pub(crate) fn forget(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Web {
    /// What is shown for `access`, whose token is had first if it is an identity's.
    pub(crate) fn shown_for(
        &self,
        repository: &str,
        access: &Access,
        purpose: Purpose,
    ) -> Result<Authentication, SourceError> {
        let Authentication::Identity(identity) = &access.authentication else {
            return Ok(access.authentication.clone());
        };
        let source = identity.source.as_source();
        if source.is_local() && !self.policy.local_logins {
            let text = "it uses the machine that Windlass runs on, which --allow-cluster-programs allows";
            return Err(unusable(repository, source.name(), text));
        }
        let text = self.identity_token(repository, access, identity, source)?;
        if let IdentitySource::AmazonBuckets { .. } = &identity.source {
            let session = amazon::read_session(&text).filter(|_| purpose == Purpose::Bucket);
            return session
                .map(|session| Authentication::Session(Box::new(session)))
                .ok_or_else(|| unusable(repository, source.name(), "it is for buckets of S3"));
        }
        let user = identity.username.clone().or_else(|| source.user(purpose));
        Ok(match user.filter(|_| purpose != Purpose::Bucket) {
            Some(username) => Authentication::Basic { username, password: text },
            None => Authentication::Bearer(text),
        })
    }

    fn identity_token(
        &self,
        repository: &str,
        access: &Access,
        identity: &Identity,
        source: &dyn TokenSource,
    ) -> Result<Secret, SourceError> {
        // Held while a token is had, so that all who wait for one get the same.
        let mut kept = identity.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, stamp) = (SystemTime::now(), source.stamp());
        if let Some(Kept { token, stamp: before }) = &*kept
            && *before == stamp
            && token.ends.is_none_or(|ends| now + RENEW_BEFORE < ends)
        {
            return Ok(token.text.clone());
        }
        let access = Access {
            proxy: access.proxy.clone(),
            timeouts: access.timeouts,
            credentials_over_http: access.credentials_over_http,
            ..Access::default()
        };
        let token = source.token(&Asking { web: self, repository, access, now })?;
        let text = token.text.clone();
        *kept = Some(Kept { token, stamp });
        Ok(text)
    }
}

impl IdentitySource {
    /// What a JSON file of credentials of Google's stands for: a service account's key, or an external account.
    #[must_use]
    pub fn of_google(json: Secret, scope: &str) -> Self {
        let scope = scope.to_owned();
        if federated::is_external(&json) {
            return Self::GoogleExternal { config: json, scope };
        }
        Self::GoogleServiceAccount { key: json, scope }
    }

    fn as_source(&self) -> &dyn TokenSource {
        self
    }
}

impl TokenSource for IdentitySource {
    fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "token file",
            Self::Command(_) => "token command",
            Self::GoogleServiceAccount { .. } => "key of a Google service account",
            Self::AzureServicePrincipal { .. } => "Azure service principal",
            Self::GoogleMachine { .. } | Self::AzureMachine { .. } => "identity of the machine",
            Self::AzureWorkload { .. } => "Azure workload identity",
            Self::AzureRegistry { of, .. } => of.name(),
            Self::GoogleExternal { .. } => "external account of Google",
            Self::AmazonRegistry { .. } => "login of an Amazon registry",
            Self::AmazonBuckets { .. } => "role for Amazon's buckets",
        }
    }

    fn is_local(&self) -> bool {
        match self {
            Self::GoogleServiceAccount { .. } | Self::AzureServicePrincipal { .. } => false,
            Self::AzureRegistry { of, .. } => of.is_local(),
            Self::AmazonRegistry { login, .. } | Self::AmazonBuckets { login, .. } => {
                matches!(login, AmazonLogin::Role { .. })
            }
            Self::File(_)
            | Self::Command(_)
            | Self::GoogleMachine { .. }
            | Self::AzureMachine { .. }
            | Self::AzureWorkload { .. }
            | Self::GoogleExternal { .. } => true,
        }
    }

    fn stamp(&self) -> Stamp {
        match self {
            Self::File(path) => local::stamp(path),
            _ => None,
        }
    }

    fn user(&self, purpose: Purpose) -> Option<String> {
        match (self, purpose) {
            // Argo CD names the account to Git; Artifact Registry wants this word.
            (Self::GoogleServiceAccount { key, .. }, Purpose::Git) => servers::google_account(key),
            (Self::AzureRegistry { .. }, _) => Some(federated::AZURE_REGISTRY_USER.to_owned()),
            (Self::AmazonRegistry { .. }, _) => Some(amazon::REGISTRY_USER.to_owned()),
            (
                Self::GoogleServiceAccount { .. } | Self::GoogleMachine { .. } | Self::GoogleExternal { .. },
                Purpose::Git | Purpose::Registry,
            ) => Some(servers::GOOGLE_USER.to_owned()),
            _ => None,
        }
    }

    fn token(&self, asking: &Asking<'_>) -> Result<Token, SourceError> {
        match self {
            Self::File(path) => local::of_file(asking, self.name(), path),
            Self::Command(arguments) => local::of_command(asking, self.name(), arguments),
            Self::GoogleServiceAccount { key, scope } => servers::of_google(asking, self.name(), key, scope),
            Self::AzureServicePrincipal { authority, tenant, client_id, client_secret, scope } => {
                let form = [
                    ("grant_type", "client_credentials"),
                    ("client_id", client_id.as_str()),
                    ("client_secret", client_secret.expose()),
                    ("scope", scope.as_str()),
                ];
                servers::of_azure(asking, self.name(), authority, tenant, &form)
            }
            Self::GoogleMachine { address } => servers::of_google_machine(asking, self.name(), address),
            Self::AzureWorkload { authority, tenant, client_id, token_file, scope } => {
                let of = federated::Workload { authority, tenant, client_id, token_file, scope };
                of.token(asking, self.name())
            }
            Self::AzureRegistry { registry, of } => {
                let token = of.token(asking)?;
                federated::exchanged_at_registry(asking, self.name(), registry, &token.text)
            }
            Self::GoogleExternal { config, scope } => {
                federated::of_google(asking, self.name(), config, scope)
            }
            Self::AmazonRegistry { region, endpoint, login } => {
                amazon::registry_password(asking, self.name(), region, endpoint, login)
            }
            Self::AmazonBuckets { region, login } => amazon::session(asking, self.name(), region, login),
            Self::AzureMachine { address, client_id, scope } => {
                servers::of_azure_machine(asking, self.name(), address, client_id, scope)
            }
        }
    }
}

impl Asking<'_> {
    /// A token that was handed out, if it can be one.
    fn accepted(
        &self,
        what: &'static str,
        text: &str,
        ends: Option<SystemTime>,
    ) -> Result<Token, SourceError> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(unusable(self.repository, what, "what it holds or gives is no token"));
        }
        Ok(Token { text: Secret::new(text), ends })
    }

    /// When a token ends that holds for `lifetime`.
    fn after(&self, lifetime: Option<Duration>) -> Option<SystemTime> {
        Some(self.now + lifetime.unwrap_or(UNKNOWN_LIFETIME).min(MAX_LIFETIME))
    }
}

/// No token is used longer without asking for another, whatever is said of it.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

fn unusable(repository: &str, what: &'static str, text: &str) -> SourceError {
    SourceError::InvalidAccess { repository: repository.to_string(), what, source: Message::cause(text) }
}

/// Two are the same who have their tokens from the same place.
impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.username == other.username
    }
}

impl Eq for Identity {}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("source", &self.source)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
