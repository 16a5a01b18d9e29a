//! Why a source could not be read, as its user should be told.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::artifact::ArtifactError;
use crate::policy::Refused;
use crate::revision::CommitId;
use crate::transport::find_cause;

/// What lies below an error, shared because one failed fetch is reported to everyone who waited for it.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Why a repository could not be listed, fetched or opened.
///
/// Every text names the repository without user or password; no variant holds a secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SourceError {
    /// Policy forbids the address.
    #[error("cannot use the repository {repository}")]
    Refused {
        /// The repository.
        repository: String,
        /// The rule.
        #[source]
        source: Refused,
    },
    /// The credentials, certificates or known hosts themselves cannot be used.
    #[error("the {what} configured for {repository} cannot be used")]
    InvalidAccess {
        /// The repository.
        repository: String,
        /// Which part of the configuration.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: Cause,
    },
    /// No credentials were given and the server wants some, or it did not accept ours.
    #[error("{repository} {}", if *.anonymous { "requires credentials, and none are configured" } else { "did not accept the configured credentials" })]
    AuthenticationFailed {
        /// The repository.
        repository: String,
        /// Whether we had none.
        anonymous: bool,
    },
    /// Credentials are configured, and would have gone over plain http.
    #[error(
        "refusing to send credentials to {repository} in clear text over http; use https, or allow it for this repository"
    )]
    ClearTextCredentials {
        /// The repository.
        repository: String,
    },
    /// We are known to the server and may not read the repository.
    #[error("access to {repository} is forbidden")]
    Forbidden {
        /// The repository.
        repository: String,
    },
    /// There is no such repository, or we may not know that there is.
    #[error("there is no repository at {repository}")]
    RepositoryNotFound {
        /// The repository.
        repository: String,
    },
    /// The server's host key is not the expected one.
    #[error("the host key of {host} ({fingerprint}) {problem}")]
    HostKey {
        /// Host and port.
        host: String,
        /// SHA-256 fingerprint of the key that the server showed.
        fingerprint: String,
        /// `is not in known_hosts`, `is revoked`, …
        problem: &'static str,
    },
    /// No connection, or it broke, or the server is in trouble.
    #[error("cannot reach {repository}")]
    Unreachable {
        /// The repository.
        repository: String,
        /// What happened.
        #[source]
        source: Cause,
    },
    /// The server was silent for too long.
    #[error("{repository} sent nothing for {} seconds", .limit.as_secs())]
    Silent {
        /// The repository.
        repository: String,
        /// The limit that was hit.
        limit: Duration,
    },
    /// The server says something we cannot follow.
    #[error("cannot understand the answer of {repository}")]
    Protocol {
        /// The repository.
        repository: String,
        /// What was wrong.
        #[source]
        source: Cause,
    },
    /// No branch, tag or other reference has the name.
    #[error("there is no branch, tag or commit {reference} in {repository}")]
    ReferenceNotFound {
        /// The repository.
        repository: String,
        /// The name as its user wrote it.
        reference: String,
    },
    /// The repository has no commits yet.
    #[error("{repository} has no commits yet")]
    EmptyRepository {
        /// The repository.
        repository: String,
    },
    /// No tag satisfies the version range.
    #[error("none of the {tags} tags in {repository} satisfies {range}")]
    NoMatchingTag {
        /// The repository.
        repository: String,
        /// The range as its user wrote it.
        range: String,
        /// How many tags were looked at, those without the prefix left out.
        tags: usize,
    },
    /// A short commit id fits several commits.
    #[error("the short commit id {prefix} is ambiguous in {repository}")]
    AmbiguousCommit {
        /// The repository.
        repository: String,
        /// The short id.
        prefix: String,
    },
    /// The server does not have the commit.
    #[error("there is no commit {commit} in {repository}")]
    CommitNotFound {
        /// The repository.
        repository: String,
        /// The commit.
        commit: CommitId,
    },
    /// The pack is larger than allowed.
    #[error("{repository} sent more than the limit of {limit} bytes for one fetch")]
    TooLarge {
        /// The repository.
        repository: String,
        /// [`Limits::pack_bytes`](crate::Limits).
        limit: u64,
    },
    /// There is no room left for the repository's objects; what was fetched before stays usable.
    #[error("no space is left for the objects of {repository} in {}", .folder.display())]
    DiskFull {
        /// The repository.
        repository: String,
        /// The store's folder.
        folder: PathBuf,
    },
    /// The repository answers, but not with the chart or artifact that was asked for.
    #[error("cannot get {artifact} from {repository}")]
    Artifact {
        /// The repository.
        repository: String,
        /// What was wanted of it.
        artifact: String,
        /// What is wrong.
        #[source]
        source: Arc<ArtifactError>,
    },
    /// The store on disk failed.
    #[error("cannot {action} {}", .path.display())]
    Store {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: Cause,
    },
    /// Another process uses the store.
    #[error("the repository store {} is in use by another process", .path.display())]
    StoreInUse {
        /// The store's folder.
        path: PathBuf,
    },
    /// The program is shutting down.
    #[error("the fetch of {repository} was cancelled")]
    Cancelled {
        /// The repository.
        repository: String,
    },
}

/// Who can do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// It may go away by itself: try again, with back-off.
    Transient,
    /// Whoever configured the repository or revision has to act; polling will notice.
    Configuration,
    /// This machine is out of something.
    Resource,
}

impl SourceError {
    /// Who can do something about it.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unreachable { .. }
            | Self::Silent { .. }
            | Self::Protocol { .. }
            | Self::Cancelled { .. } => ErrorClass::Transient,
            Self::DiskFull { .. } | Self::Store { .. } | Self::StoreInUse { .. } => ErrorClass::Resource,
            Self::Artifact { source, .. } => source.class(),
            _ => ErrorClass::Configuration,
        }
    }

    /// A stable CamelCase word for conditions and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "RepositoryRefused",
            Self::InvalidAccess { .. } => "InvalidCredentials",
            Self::AuthenticationFailed { .. } => "AuthenticationFailed",
            Self::ClearTextCredentials { .. } => "ClearTextCredentials",
            Self::Forbidden { .. } => "Forbidden",
            Self::RepositoryNotFound { .. } => "RepositoryNotFound",
            Self::HostKey { .. } => "HostKeyMismatch",
            Self::Unreachable { .. } => "RepositoryUnreachable",
            Self::Silent { .. } => "RepositorySilent",
            Self::Protocol { .. } => "ProtocolError",
            Self::ReferenceNotFound { .. } => "RevisionNotFound",
            Self::EmptyRepository { .. } => "RepositoryEmpty",
            Self::NoMatchingTag { .. } => "NoMatchingTag",
            Self::AmbiguousCommit { .. } => "AmbiguousCommit",
            Self::CommitNotFound { .. } => "CommitNotFound",
            Self::TooLarge { .. } => "FetchTooLarge",
            Self::Artifact { source, .. } => source.reason(),
            Self::DiskFull { .. } => "DiskFull",
            Self::Store { .. } => "StoreFailed",
            Self::StoreInUse { .. } => "StoreInUse",
            Self::Cancelled { .. } => "Cancelled",
        }
    }

    pub(crate) fn store(
        action: &'static str,
        path: impl Into<PathBuf>,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self::Store { action, path: path.into(), source: Arc::new(source) }
    }
}

impl SourceError {
    /// What a request that got no answer failed of.
    pub(crate) fn of_request(repository: &str, error: reqwest::Error) -> Self {
        let repository = repository.to_owned();
        let error = error.without_url();
        if let Some(refused) = find_cause::<Refused>(&error) {
            return Self::Refused { repository, source: refused.clone() };
        }
        // The first bytes of an answer that was never meant to be TLS.
        let in_clear = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        let source = match find_cause::<rustls::Error>(&error) {
            Some(error) if *error == in_clear => Message::cause(
                "the server there does not speak TLS; if plain HTTP is meant, say http://, or for a registry \
                 insecureOCIForceHttp in its Secret",
            ),
            _ => Arc::new(error) as Cause,
        };
        Self::Unreachable { repository, source }
    }
}

/// The whole chain of an error in one line, for conditions and logs.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let part = cause.to_string();
        // Some libraries repeat their cause in their own text.
        if !part.is_empty() && !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        next = cause.source();
    }
    text
}

/// Whether an input or output error means that the disk, or our share of it, is full.
pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

/// A cause that is only a text.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Message(pub(crate) String);

impl Message {
    pub(crate) fn cause(text: impl Into<String>) -> Cause {
        Arc::new(Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_one_line_without_repetition() {
        let error = SourceError::Unreachable {
            repository: "https://h/x".into(),
            source: Arc::new(io::Error::other(Message("connection refused".into()))),
        };
        assert_eq!(chain(&error), "cannot reach https://h/x: connection refused");
        assert_eq!((error.class(), error.reason()), (ErrorClass::Transient, "RepositoryUnreachable"));
    }
}
