//! Why a chart or an artifact could not be had, where its repository as such answered.

use windlass_artifact_signature::Refusal;

use super::ContentDigest;
use crate::archive::ArchiveError;
use crate::error::ErrorClass;

/// What is wrong with a published artifact, or with what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The repository's index has no chart of the name.
    #[error("there is no chart {chart} in it")]
    ChartNotFound {
        /// The name.
        chart: String,
    },
    /// No version or tag satisfies what was asked for.
    #[error("none of its {versions} versions satisfies {range}")]
    NoMatchingVersion {
        /// What was asked for; `*` for the newest.
        range: String,
        /// How many versions there are.
        versions: usize,
    },
    /// The version asked for cannot be understood as a version or a range.
    #[error("{range:?} is no version and no range of versions: {reason}")]
    InvalidRange {
        /// What was asked for.
        range: String,
        /// Why not.
        reason: String,
    },
    /// The tag, digest or file is not there.
    #[error("there is no {what} in it")]
    NotFound {
        /// `tag 1.2.3`, `blob sha256:…`, …
        what: String,
    },
    /// What arrived is not what was announced.
    #[error("{what} has the digest {actual} and was announced as {expected}")]
    DigestMismatch {
        /// What was fetched.
        what: String,
        /// The digest that index, manifest or tag promised.
        expected: ContentDigest,
        /// The digest of the bytes that came.
        actual: ContentDigest,
    },
    /// A digest that we cannot check is announced.
    #[error("{what} is announced with the digest {digest:?}, which cannot be checked")]
    UnknownDigest {
        /// What has it.
        what: String,
        /// The text.
        digest: String,
    },
    /// More arrived than is accepted.
    #[error("{what} is larger than the limit {limit_name} of {limit} bytes")]
    TooLarge {
        /// What was fetched.
        what: String,
        /// The field of [`ArtifactLimits`](crate::ArtifactLimits).
        limit_name: &'static str,
        /// Its value.
        limit: u64,
    },
    /// There are more than are looked at.
    #[error("{what} is longer than the limit {limit_name} of {limit}")]
    TooMany {
        /// What has so many.
        what: String,
        /// The field of [`ArtifactLimits`](crate::ArtifactLimits).
        limit_name: &'static str,
        /// Its value.
        limit: u64,
    },
    /// The transfer took too long although it made progress.
    #[error("{what} did not arrive within the limit transfer of {seconds} seconds")]
    TooSlow {
        /// What was fetched.
        what: String,
        /// [`ArtifactLimits::transfer`](crate::ArtifactLimits).
        seconds: u64,
    },
    /// The manifest has no layer of the kind asked for.
    #[error("its manifest has no layer {wanted}, only {offered}")]
    NoSuchLayer {
        /// What was looked for.
        wanted: String,
        /// The media types it has.
        offered: String,
    },
    /// A bearer token would have to be bought with our credentials at a server that is not the registry's.
    #[error(
        "the registry sends us to {realm} for a token, which is not of its own domain; credentials go there only when the host is allowed"
    )]
    ForeignTokenServer {
        /// The host.
        realm: String,
    },
    /// Nobody who counts has signed it.
    #[error("it is not signed as is asked for")]
    Unverified(#[source] Refusal),
    /// A signature is asked for, and by whom cannot be known.
    #[error("a policy for signatures cannot be used, and refuses what it is for: {problem}")]
    VerificationUnusable {
        /// What is wrong with it.
        problem: String,
    },
    /// A signature is asked for where there can be none.
    #[error("a signature is asked for, and only artifacts of registries have any that can be checked")]
    NotVerifiable,
    /// The archive is refused.
    #[error("its archive is refused")]
    Archive(#[from] ArchiveError),
}

impl ArtifactError {
    /// Who can do something about it.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            // A cut transfer or a cache on the way; a publisher who lies keeps lying, and is asked seldom.
            Self::DigestMismatch { .. } | Self::TooSlow { .. } | Self::Archive(ArchiveError::Damaged(_)) => {
                ErrorClass::Transient
            }
            Self::Archive(ArchiveError::Store(_)) => ErrorClass::Resource,
            _ => ErrorClass::Configuration,
        }
    }

    /// A stable CamelCase word for conditions and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ChartNotFound { .. } => "ChartNotFound",
            Self::NoMatchingVersion { .. } => "NoMatchingVersion",
            Self::InvalidRange { .. } => "InvalidVersion",
            Self::NotFound { .. } => "ArtifactNotFound",
            Self::DigestMismatch { .. } => "DigestMismatch",
            Self::UnknownDigest { .. } => "UnknownDigest",
            Self::TooLarge { .. } | Self::TooMany { .. } => "ArtifactTooLarge",
            Self::TooSlow { .. } => "TransferTooSlow",
            Self::NoSuchLayer { .. } => "NoSuchLayer",
            Self::ForeignTokenServer { .. } => "ForeignTokenServer",
            Self::Unverified(Refusal::Unsigned) => "NotSigned",
            Self::Unverified(Refusal::NoneCounts { .. }) => "SignatureRefused",
            Self::VerificationUnusable { .. } => "SignaturePolicyInvalid",
            Self::NotVerifiable => "SignatureUnsupported",
            Self::Archive(_) => "ArchiveRefused",
        }
    }
}
