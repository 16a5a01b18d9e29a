//! What can be asked of a repository of artifacts, and what it answers.

use std::collections::BTreeMap;
use std::fmt;

use windlass_artifact_signature::Signer;

use super::{ArtifactTree, ContentDigest};
use crate::archive::ArchiveRoot;
use crate::bucket::BucketPart;

/// What is published at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArtifactKind {
    /// Helm charts behind an `index.yaml`.
    HelmRepository,
    /// A repository of a registry, or the folder that the repositories of several charts are in.
    Oci,
    /// One tar archive, gzipped or not.
    Archive,
    /// Buckets of a server that speaks S3.
    Buckets,
    /// Buckets of Google Cloud Storage, by its JSON API.
    GoogleBuckets,
    /// Containers of an account of Azure's Blob service. The user is the account and the password its key; a shared access
    /// signature stands in the address' query.
    AzureContainers,
}

/// How a repository of artifacts is reached, beside its [`Access`](crate::Access).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArtifactOptions {
    /// Sends the credentials of a Helm repository also to other hosts that its index names (Helm's
    /// `--pass-credentials`). A redirect never carries them to another host.
    pub pass_credentials: bool,
    /// Hosts outside of a registry's own domain that its credentials may be exchanged for tokens at.
    pub token_hosts: Vec<String>,
}

/// What is wanted of a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArtifactTarget {
    /// A chart, of a Helm repository or of a registry. The Tree's root is the chart: `Chart.yaml` is in it.
    Chart {
        /// Its name; for a registry the path below the address, which may be empty.
        name: String,
        /// A version, a range of versions as Helm reads them, or nothing for the newest release.
        version: String,
    },
    /// An artifact of a registry.
    Oci {
        /// Which one.
        reference: OciReference,
        /// Which of its layers.
        layer: LayerSelector,
    },
    /// The archive at the address.
    Archive {
        /// What of it is the Tree's root.
        root: ArchiveRoot,
        /// What it has to be; anything where there is none.
        digest: Option<ContentDigest>,
    },
    /// Objects of a bucket.
    Bucket(BucketPart),
}

/// Which artifact of a registry's repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OciReference {
    /// This manifest.
    Digest(ContentDigest),
    /// What the tag points to now.
    Tag(String),
    /// The highest version among the tags that a range admits (Flux's `semver`).
    Range {
        /// The range, by the rules of Masterminds/semver.
        range: String,
        /// A pattern in RE2's syntax; tags that it does not match are left out first.
        filter: Option<String>,
    },
    /// A digest, a tag, or else the highest version that the text admits as a range: Argo CD's `targetRevision`.
    Revision(String),
}

/// Which layer of an artifact has the files.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LayerSelector {
    /// The only one, which must be a tar archive or a chart, as Argo CD asks.
    #[default]
    Only,
    /// The first, whatever it is called: Flux's default.
    First,
    /// The first of this media type.
    MediaType(String),
}

/// An exact, immutable version of an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArtifactRevision {
    /// The chart's version or the tag it was found by; none for what was asked for by digest, and for archives.
    pub version: Option<String>,
    /// Of the manifest for a registry, otherwise of the archive.
    pub digest: ContentDigest,
}

/// Prints `1.2.3@sha256:…`, or the digest alone.
impl fmt::Display for ArtifactRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{version}@{}", self.digest),
            None => self.digest.fmt(f),
        }
    }
}

/// A revision and its files.
#[derive(Clone, Debug)]
pub struct ArtifactSnapshot {
    /// What the target stood for when the repository was asked.
    pub revision: ArtifactRevision,
    /// The files.
    pub tree: ArtifactTree,
    /// The annotations of an OCI manifest, such as `org.opencontainers.image.revision`.
    pub annotations: BTreeMap<String, String>,
    /// Who has signed it, one for each rule that asks.
    pub signers: Vec<Signer>,
}

impl ArtifactTarget {
    /// What errors call it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Chart { name, version } => {
                let version = if version.is_empty() { "*" } else { version };
                if name.is_empty() {
                    format!("the chart {version}")
                } else {
                    format!("chart {name} {version}")
                }
            }
            Self::Oci { reference, .. } => reference.shown(),
            Self::Archive { .. } => "the archive".to_string(),
            Self::Bucket(part) => format!("bucket {}", part.name),
        }
    }
}

impl OciReference {
    /// What errors call it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Digest(digest) => digest.to_string(),
            Self::Tag(tag) => format!("tag {tag}"),
            Self::Range { range, .. } => format!("version {range}"),
            Self::Revision(text) => format!("revision {text}"),
        }
    }
}
