//! What is published as an archive: charts, OCI artifacts, tarballs, each a revision and a Tree.

mod digest;
mod docker_config;
pub(crate) mod download;
mod error;
mod file;
mod folder;
pub(crate) mod hub;
mod limits;
pub(crate) mod pack;
pub(crate) mod tarball;
mod target;
pub(crate) mod tree;
mod tree_store;
mod url;
pub(crate) mod web;

pub(crate) use tree_store::Litter;

pub use digest::{ContentDigest, ParseContentDigestError};
pub use docker_config::{DockerConfig, DockerConfigError};
pub use error::ArtifactError;
pub use file::FileAnswer;
pub use hub::{ArtifactRepository, ArtifactStore};
pub use limits::ArtifactLimits;
pub use target::{
    ArtifactKind, ArtifactOptions, ArtifactRevision, ArtifactSnapshot, ArtifactTarget, LayerSelector,
    OciReference,
};
pub use tree::ArtifactTree;
pub use tree_store::SharedPacks;
pub use url::{ArtifactScheme, ArtifactUrl};
