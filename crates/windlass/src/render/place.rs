//! What `windlass render` is given: a folder, or an address of one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use windlass_kustomize::remote;
use windlass_model::{BucketAddress, Tree, archive_url};
use windlass_source::{
    Access, ArchiveRoot, ArtifactKind, ArtifactTarget, ArtifactUrl, BucketPart, FolderTree, LayerSelector,
    OciReference,
};

use super::fetch::Fetcher;
use super::place_access::KnownAccess;
use crate::bucket::BucketReached;
use crate::work_tree::{self, InRepository};

/// A place that files are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A folder on this machine: what is below the root can be read, and the folder in it is meant.
    Folder { root: PathBuf, folder: String },
    /// A folder of a Git repository.
    Git { address: Box<remote::RepositoryAddress> },
    /// An artifact of a registry, or a chart there.
    Registry { repository: String, reference: String, folder: String },
    /// An archive.
    Archive { url: String, folder: String },
    /// Objects of a bucket.
    Bucket(Box<BucketAddress>),
    /// A chart of a Helm repository.
    Chart { repository: String, name: String, version: String },
}

/// Files, and where among them what is meant lies.
pub(super) struct Found {
    pub(super) tree: Arc<dyn Tree>,
    pub(super) folder: String,
    /// The exact state that was fetched; empty for a folder.
    pub(super) revision: String,
}

impl Place {
    /// Tells what a text names. What looks like no address is a folder; with `chart` the address is a Helm repository.
    pub(super) fn parse(text: &str, chart: Option<(&str, &str)>) -> Result<Self> {
        if let Some((name, version)) = chart {
            let (repository, name) = (text.to_owned(), name.to_owned());
            return Ok(Self::Chart { repository, name, version: version.to_owned() });
        }
        if BucketAddress::is_meant(text) {
            return Ok(Self::Bucket(Box::new(BucketAddress::parse(text)?)));
        }
        if let Some(rest) = text.strip_prefix("oci://") {
            let (place, folder) = rest.split_once("//").unwrap_or((rest, ""));
            // A port has a slash after it, a tag has none.
            let (repository, reference) = match place.split_once('@') {
                Some((repository, digest)) => (repository, digest),
                None => match place.rsplit_once(':') {
                    Some((repository, tag)) if !tag.contains('/') => (repository, tag),
                    _ => (place, ""),
                },
            };
            let (repository, reference) = (format!("oci://{repository}"), reference.to_owned());
            return Ok(Self::Registry { repository, reference, folder: folder.to_owned() });
        }
        if let Some(url) = archive_url(text) {
            return Ok(Self::Archive { url: url.to_owned(), folder: String::new() });
        }
        // A folder that is there is meant, whatever it is called.
        if !Path::new(text).exists()
            && let Some(address) = remote::parse(&local_repository(text).unwrap_or_else(|| text.to_owned()))
        {
            return Ok(Self::Git { address: Box::new(address) });
        }
        if text.contains("://") {
            bail!("{text} is no address of a repository, a registry, an archive or a bucket");
        }
        Ok(Self::Folder { root: text.into(), folder: String::new() })
    }

    /// A folder of this machine as one of the repository that it is in, as the engine would see it: what is beside it can
    /// be referred to. Everything else stays as it is.
    pub(super) fn with_what_is_beside(self) -> Self {
        match self {
            // A folder that is not there is told of when it is opened.
            Self::Folder { root, folder } => match work_tree::in_repository(&root) {
                Ok(InRepository { root, path }) => Self::Folder { root, folder: path },
                Err(_) => Self::Folder { root, folder },
            },
            place => place,
        }
    }

    /// Whether somebody has published it, who may have signed it: it is no folder and no repository.
    pub(super) fn is_published(&self) -> bool {
        !matches!(self, Self::Folder { .. } | Self::Git { .. })
    }

    /// Opens it, fetching what is elsewhere.
    pub(super) fn open(&self, fetcher: &Fetcher, known: &KnownAccess) -> Result<Found> {
        let artifact = |url: &str, kind, access: Option<Access>, target: ArtifactTarget, folder: &str| {
            let url = ArtifactUrl::parse(url).context("the address cannot be used")?;
            let access = access.unwrap_or_else(|| known.for_artifact(&url));
            let snapshot = fetcher.artifact(&url, kind, &access, &target)?;
            let revision = snapshot.revision.to_string();
            Ok(Found { tree: Arc::new(snapshot.tree), folder: folder.to_owned(), revision })
        };
        match self {
            Self::Folder { root, folder } => {
                let tree = FolderTree::open(root)
                    .with_context(|| format!("the folder {} cannot be read", root.display()))?;
                Ok(Found { tree: Arc::new(tree), folder: folder.clone(), revision: String::new() })
            }
            Self::Git { address } => {
                let (tree, revision) = fetcher
                    .clone_with(address, |url, access| known.for_repository(url, access))
                    .map_err(|problem| anyhow::anyhow!("{problem}"))
                    .with_context(|| format!("{} cannot be fetched", address.repository))?;
                Ok(Found { tree, folder: address.folder.trim_end_matches('/').to_owned(), revision })
            }
            Self::Registry { repository, reference, folder } => {
                let reference = OciReference::Revision(reference.clone());
                let target = ArtifactTarget::Oci { reference, layer: LayerSelector::Only };
                artifact(repository, ArtifactKind::Oci, None, target, folder)
            }
            Self::Archive { url, folder } => {
                let target = ArtifactTarget::Archive { root: ArchiveRoot::Top, digest: None };
                artifact(url, ArtifactKind::Archive, None, target, folder)
            }
            Self::Bucket(address) => {
                let BucketReached { endpoint, kind, access, region } =
                    BucketReached::of_environment(address)?;
                let prefix = &address.prefix;
                let part = BucketPart {
                    name: address.name.clone(),
                    region,
                    prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
                    is_rooted: true,
                    ..BucketPart::default()
                };
                artifact(&endpoint, kind, Some(access), ArtifactTarget::Bucket(part), "")
            }
            Self::Chart { repository, name, version } => {
                let kind = if repository.starts_with("oci://") {
                    ArtifactKind::Oci
                } else {
                    ArtifactKind::HelmRepository
                };
                let target = ArtifactTarget::Chart { name: name.clone(), version: version.clone() };
                artifact(repository, kind, None, target, "")
            }
        }
    }
}

/// The address of `REPOSITORY//folder?ref=v1` where the repository is one of this machine.
fn local_repository(text: &str) -> Option<String> {
    let (repository, rest) = text.split_once("//")?;
    let place = Path::new(repository).canonicalize().ok()?;
    let is_repository =
        place.join(".git").exists() || (place.join("HEAD").exists() && place.join("objects").exists());
    is_repository.then(|| format!("file://{}//{rest}", place.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_told_by_its_form() {
        let told = |text: &str| match Place::parse(text, None) {
            Err(error) => error.to_string(),
            Ok(Place::Folder { root, .. }) => format!("folder {}", root.display()),
            Ok(Place::Git { address }) => {
                format!("git {} at {:?} in {:?}", address.repository, address.reference, address.folder)
            }
            Ok(Place::Registry { repository, reference, folder }) => {
                format!("registry {repository} at {reference:?} in {folder:?}")
            }
            Ok(Place::Archive { url, .. }) => format!("archive {url}"),
            Ok(Place::Bucket(address)) => format!("bucket {}", address.on_the_web()),
            Ok(Place::Chart { .. }) => "chart".into(),
        };
        for (text, expected) in [
            (".", "folder ."),
            ("deploy/app", "folder deploy/app"),
            (
                "https://github.com/org/repo//deploy/app?ref=v1",
                "git https://github.com/org/repo at \"v1\" in \"deploy/app\"",
            ),
            ("git@github.com:org/repo.git", "git git@github.com:org/repo.git at \"\" in \"\""),
            ("oci://r.io:5000/org/app", "registry oci://r.io:5000/org/app at \"\" in \"\""),
            ("oci://r.io/org/app:1.2//deploy", "registry oci://r.io/org/app at \"1.2\" in \"deploy\""),
            ("oci://r.io/app@sha256:ab", "registry oci://r.io/app at \"sha256:ab\" in \"\""),
            ("https://h/app-1.0.tgz", "archive https://h/app-1.0.tgz"),
            ("s3://box/a/b?endpoint=http://minio", "bucket http://minio/box/a/b"),
            ("gs://box", "bucket https://storage.googleapis.com/box"),
            ("az://account/box/a", "bucket https://account.blob.core.windows.net/box/a"),
            ("s3://", "the address names no bucket: a name has letters, digits, -, . and _"),
        ] {
            assert_eq!(told(text), expected);
        }
    }
}
