//! From a reply to a Tree on disk: received, checked, then unpacked.

use std::io::{BufWriter, Seek};

use super::hub::Shared;
use super::tree_store::Litter;
use super::web::{Reply, wrong};
use super::{ArtifactError, ArtifactTree, ContentDigest};
use crate::archive::{ArchiveError, ArchiveRoot};
use crate::error::{SourceError, is_disk_full};

/// What is fetched, and what it has to be.
pub(crate) struct Expected<'a> {
    /// The repository, as errors name it.
    pub(crate) repository: &'a str,
    /// What errors call the artifact.
    pub(crate) artifact: &'a str,
    /// The digest announced for it.
    pub(crate) digest: Option<ContentDigest>,
    pub(crate) root: ArchiveRoot,
}

impl Shared {
    /// Receives the archive in `reply` and keeps its files under the identity that `identity` makes of its digest.
    ///
    /// Nothing of it is looked at before its digest is known to be the announced one.
    pub(crate) fn download(
        &self,
        reply: Reply<'_>,
        expected: &Expected<'_>,
        identity: impl FnOnce(ContentDigest) -> String,
    ) -> Result<ArtifactTree, SourceError> {
        let Expected { repository, artifact, digest, root } = *expected;
        let (file, path) =
            self.trees.incoming().map_err(|error| SourceError::store("create a file in", "packs", error))?;
        let _litter = Litter(&path);
        let mut writer = BufWriter::new(file);
        let limits = &self.web.limits;
        let (actual, _) = reply.save(&mut writer, artifact, "archive_bytes", limits.archive_bytes)?;
        if let Some(promised) = digest.filter(|digest| *digest != actual) {
            let error = ArtifactError::DigestMismatch { what: artifact.into(), expected: promised, actual };
            return Err(wrong(repository, artifact, error));
        }
        let failed = |error| SourceError::store("read", &path, error);
        let mut file = writer.into_inner().map_err(|error| failed(error.into_error()))?;
        file.rewind().map_err(failed)?;
        self.trees.put(&identity(actual), file, actual, root, &limits.archive).map_err(|error| match error {
            ArchiveError::Store(error) if is_disk_full(&error) => {
                SourceError::DiskFull { repository: repository.to_string(), folder: path.clone() }
            }
            error => wrong(repository, artifact, error),
        })
    }
}
