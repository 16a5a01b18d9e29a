//! Sources: Git repositories, charts, OCI artifacts and archives, read as Trees; webhooks.
//!
//! A [`RepositoryStore`] is a folder of bare repositories. A [`Repository`] in it answers two questions: which commit
//! does this [`TargetRevision`] stand for now, and what are the files of that commit. The files are a
//! [`windlass_model::Tree`], read straight from Git's object database: nothing is checked out, and no `git` or `ssh`
//! program is run.
//!
//! ```no_run
//! use windlass_model::Tree;
//! use windlass_source::{Access, Freshness, Limits, Policy, RepositoryStore, RepositoryUrl, TargetRevision};
//!
//! let store = RepositoryStore::open("/var/lib/windlass/git", Policy::default(), Limits::default())?;
//! let url: RepositoryUrl = "https://github.com/argoproj/argocd-example-apps.git".parse()?;
//! let repository = store.repository(&url, &Access::default())?;
//! let snapshot = repository.update_one(&TargetRevision::parse("HEAD", ""), Freshness::Shared)?;
//! for (name, entry) in snapshot.tree.list("guestbook")?.unwrap_or_default() {
//!     println!("{name} {:?} at {}", entry.kind, snapshot.revision);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An [`ArtifactStore`] is a folder of unpacked archives. An [`ArtifactRepository`] in it is a Helm repository, a
//! repository of a registry, or an archive at an address; asked for an [`ArtifactTarget`], it answers with an
//! [`ArtifactRevision`] and an [`ArtifactTree`].
//!
//! ```no_run
//! use windlass_model::Tree;
//! use windlass_source::{
//!     Access, ArtifactKind, ArtifactLimits, ArtifactOptions, ArtifactStore, ArtifactTarget, Freshness, Policy,
//! };
//!
//! let store = ArtifactStore::open("/var/lib/windlass/artifacts", Policy::default(), ArtifactLimits::default())?;
//! let url = "https://charts.jetstack.io".parse()?;
//! let options = ArtifactOptions::default();
//! let charts = store.repository(&url, ArtifactKind::HelmRepository, &Access::default(), &options)?;
//! let wanted = ArtifactTarget::Chart { name: "cert-manager".into(), version: "1.x".into() };
//! let snapshot = charts.update_one(&wanted, Freshness::Shared)?;
//! println!("{} has {:?}", snapshot.revision, snapshot.tree.entry("Chart.yaml")?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`webhook`] turns the requests of Git hosts into [`webhook::Push`]es, and [`Polls`] says when to look at a
//! repository that sends none. The Git library is an implementation detail: nothing of it is in this crate's public
//! types.

mod archive;
mod artifact;
mod bucket;
mod changes;
mod consolidated;
mod credentials;
mod error;
mod flight;
mod folder;
mod github_app;
mod helm_repository;
mod identity;
mod lfs;
mod links;
mod members;
mod objects;
mod oci;
mod partial;
mod policy;
mod read_caches;
mod refs;
mod repository;
mod revision;
mod schedule;
mod session;
mod signatures;
mod slot;
mod store;
mod store_lock;
mod submodules;
mod transport;
mod tree;
mod url;
mod verification;
pub mod webhook;

pub use archive::{ArchiveError, ArchiveLimits, ArchiveRoot};
pub use artifact::{
    ArtifactError, ArtifactKind, ArtifactLimits, ArtifactOptions, ArtifactRepository, ArtifactRevision,
    ArtifactScheme, ArtifactSnapshot, ArtifactStore, ArtifactTarget, ArtifactTree, ArtifactUrl,
    ContentDigest, DockerConfig, DockerConfigError, FileAnswer, LayerSelector, OciReference,
    ParseContentDigestError, SharedPacks,
};
pub use bucket::{BucketObjects, BucketPart};
pub use credentials::{
    Access, AmazonSession, Authentication, ClientCertificate, CredentialTemplates, GitHubApp, KnownHosts,
    Proxy, Secret, Timeouts, Tls,
};
pub use error::{Cause, ErrorClass, SourceError, chain};
pub use flight::Freshness;
pub use folder::{FolderChange, FolderState, FolderTree, FolderWatch};
pub use identity::{
    AZURE_DEVOPS_SCOPE, AZURE_REGISTRY_SCOPE, AZURE_STORAGE_SCOPE, AmazonLogin, GOOGLE_SCOPE,
    GOOGLE_STORAGE_SCOPE, Identity, IdentitySource,
};
pub use lfs::LfsTree;
pub use policy::{Policy, Refused};
pub use repository::{CommitMetadata, Repository, Snapshot};
pub use revision::{CommitId, MIN_SHORT_COMMIT_DIGITS, ParseCommitIdError, Revision, TargetRevision};
pub use schedule::{PollInterval, Polls};
pub use signatures::{SignatureScope, SignedRevision, TrustedKeys};
pub use store::{Limits, RepositoryStore};
pub use submodules::{AccessTo, CompositeTree};
pub use tree::GitTree;
pub use url::{MAX_URL_BYTES, ParseUrlError, RepositoryUrl, Scheme};
pub use verification::{VerificationRule, Verifications};
pub use windlass_artifact_signature::{self as artifact_signature, Signer, Verification};
pub use windlass_signature::git as signature;
