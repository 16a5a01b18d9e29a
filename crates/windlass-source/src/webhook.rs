//! Webhooks of Git hosts: authenticated, then parsed, then matched with repositories.
//!
//! Pure functions of headers and body; whoever serves HTTP calls [`receive`] and acts on the [`Event`].
//!
//! A body is looked at only after its sender has proved to know the secret, over the raw bytes and in constant time,
//! and never when it is larger than the limit. What a push says is a hint about what to look at again, never about
//! what to apply: references are always listed anew.

mod authentication;
mod payload;

use http::HeaderMap;

use crate::credentials::Secret;
use crate::revision::{CommitId, TargetRevision};
use crate::url::RepositoryUrl;

/// Largest body accepted unless the caller says otherwise: Argo CD's `webhook.maxPayloadSizeMB` of 50.
pub const DEFAULT_MAX_BODY_BYTES: usize = 50 << 20;

/// Most changed files kept of one push. Beyond, "some files" is as good an answer and costs no memory.
pub const MAX_CHANGED_FILES: usize = 20_000;

/// Who sent a request, as its headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// GitHub and GitHub Enterprise Server.
    GitHub,
    /// GitLab.
    GitLab,
    /// Gitea, Forgejo and Gogs, which sign alike.
    Gitea,
    /// Bitbucket Cloud.
    BitbucketCloud,
    /// Bitbucket Server and Data Center.
    BitbucketServer,
    /// Azure DevOps.
    AzureDevOps,
    /// Anyone who can compute an HMAC; see [`Secrets::generic`].
    Generic,
}

impl Provider {
    /// The name for logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Gitea => "gitea",
            Self::BitbucketCloud => "bitbucket",
            Self::BitbucketServer => "bitbucketserver",
            Self::AzureDevOps => "azuredevops",
            Self::Generic => "generic",
        }
    }

    /// Recognises the sender by the headers that only it sends.
    fn of(headers: &HeaderMap) -> Option<Self> {
        // Gitea and its relatives send GitHub's headers too, so they are looked for first.
        let known = [
            ("x-gitea-event", Self::Gitea),
            ("x-forgejo-event", Self::Gitea),
            ("x-gogs-event", Self::Gitea),
            ("x-github-event", Self::GitHub),
            ("x-gitlab-event", Self::GitLab),
            ("x-vss-activityid", Self::AzureDevOps),
            // Both kinds of Bitbucket send X-Event-Key; only the cloud has hooks with a UUID.
            ("x-hook-uuid", Self::BitbucketCloud),
            ("x-event-key", Self::BitbucketServer),
            ("x-signature", Self::Generic),
        ];
        known.into_iter().find(|(header, _)| headers.contains_key(*header)).map(|(_, provider)| provider)
    }
}

/// What senders have to know.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// GitHub: signs as `X-Hub-Signature-256: sha256=…`.
    pub github: Option<Secret>,
    /// GitLab: sent as it is in `X-Gitlab-Token`.
    pub gitlab: Option<Secret>,
    /// Gitea, Forgejo, Gogs: sign as `X-Gitea-Signature`, `X-Forgejo-Signature` or `X-Gogs-Signature`.
    pub gitea: Option<Secret>,
    /// Bitbucket Cloud: signs as `X-Hub-Signature: sha256=…`, or, as Argo CD has it, the UUID of the hook.
    pub bitbucket_cloud: Option<Secret>,
    /// Bitbucket Server: signs as `X-Hub-Signature: sha256=…`.
    pub bitbucket_server: Option<Secret>,
    /// Azure DevOps: user name and password of basic authentication.
    pub azure_devops: Option<(String, Secret)>,
    /// Anyone: signs the body as `X-Signature: sha256=…` or `sha512=…`, in hexadecimal. The body is
    /// `{"repository": "https://…", "ref": "refs/heads/main", "before": …, "after": …, "files": […]}`; all but
    /// `repository` may be left out.
    pub generic: Option<Secret>,
    /// Accepts requests of providers without a secret here, as Argo CD does. Anyone who can reach the endpoint can
    /// then cause refreshes.
    pub allow_unauthenticated: bool,
}

/// What a request means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// References have changed, each entry one of them.
    Push(Vec<Push>),
    /// Something that needs no reaction: a ping, an issue, a comment.
    Ignored {
        /// What the sender calls it.
        event: String,
    },
}

/// A reference of a repository has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// Who says so.
    pub provider: Provider,
    /// The addresses that the sender names the repository by: web page, clone addresses.
    pub repositories: Vec<String>,
    /// The full name of the reference, such as `refs/heads/main`. Empty when the sender names none: any may have
    /// changed.
    pub reference: String,
    /// Where it pointed. None when it is new or not told.
    pub before: Option<CommitId>,
    /// Where it points. None when it is gone or not told.
    pub after: Option<CommitId>,
    /// Every file that differs between the two, when the sender tells reliably. None means that any may.
    pub changed_files: Option<Vec<String>>,
    /// Whether it is the default branch, when the sender tells.
    pub is_default_branch: Option<bool>,
}

/// Why a request is turned away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// No header says who sends it.
    #[error("the request has none of the headers by which Git hosts are recognised")]
    UnknownSender,
    /// It is too large. The body was not looked at.
    #[error("the body of {size} bytes is larger than the limit of {limit} bytes")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// No secret is configured for its sender.
    #[error("no webhook secret is configured for {}", .provider.name())]
    NoSecret {
        /// The sender.
        provider: Provider,
    },
    /// The sender did not prove to know the secret. The body was not looked at.
    #[error("the webhook of {} is not signed with the configured secret", .provider.name())]
    Unauthenticated {
        /// The sender.
        provider: Provider,
    },
    /// The body is not what the sender's documentation says.
    #[error("the webhook of {} has a body that cannot be read: {reason}", .provider.name())]
    Malformed {
        /// The sender.
        provider: Provider,
        /// What is wrong, with line and column.
        reason: String,
    },
}

impl WebhookError {
    /// The HTTP status to answer with.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::UnknownSender | Self::Malformed { .. } => 400,
            Self::NoSecret { .. } | Self::Unauthenticated { .. } => 401,
            Self::TooLarge { .. } => 413,
        }
    }
}

/// Authenticates and reads one request.
///
/// # Errors
///
/// [`WebhookError`]; its [`status`](WebhookError::status) is what to answer.
pub fn receive(
    headers: &HeaderMap,
    body: &[u8],
    secrets: &Secrets,
    max_body_bytes: usize,
) -> Result<Event, WebhookError> {
    let provider = Provider::of(headers).ok_or(WebhookError::UnknownSender)?;
    if body.len() > max_body_bytes {
        return Err(WebhookError::TooLarge { size: body.len(), limit: max_body_bytes });
    }
    authentication::check(provider, headers, body, secrets)?;
    payload::read(provider, headers, body)
}

impl Push {
    /// Whether the push is to this repository, however either side writes its address.
    ///
    /// Host and path count, in any case; scheme, port, user and `.git` do not (Argo CD 3.x, `GetWebURLRegex`).
    #[must_use]
    pub fn is_to(&self, repository: &RepositoryUrl) -> bool {
        self.repositories
            .iter()
            .filter_map(|text| RepositoryUrl::parse(text).ok())
            .any(|pushed| repository == &pushed || repository.is_at(pushed.host(), pushed.path()))
    }

    /// Whether a target may stand for another commit after this push.
    #[must_use]
    pub fn affects(&self, target: &TargetRevision) -> bool {
        if self.reference.is_empty() {
            return !matches!(target, TargetRevision::Commit(_));
        }
        let tag = self.reference.strip_prefix("refs/tags/");
        match target {
            TargetRevision::Commit(_) => false,
            TargetRevision::Head => tag.is_none() && self.is_default_branch.unwrap_or(true),
            TargetRevision::Range { range, tag_prefix } => {
                // A deleted or moved tag changes the choice as much as a new one.
                tag.is_some_and(|tag| tag.starts_with(tag_prefix.as_str())) || self.is_named(range)
            }
            TargetRevision::Name(name) => self.is_named(name),
        }
    }

    fn is_named(&self, name: &str) -> bool {
        let short = ["refs/heads/", "refs/tags/", "refs/"]
            .into_iter()
            .filter_map(|prefix| self.reference.strip_prefix(prefix));
        self.reference == name || short.into_iter().any(|short| short == name)
    }
}

#[cfg(test)]
mod tests;
