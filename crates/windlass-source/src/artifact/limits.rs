//! What publishers may cost us.

use std::time::Duration;

use crate::archive::ArchiveLimits;

/// Limits on what repositories and registries may make us do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArtifactLimits {
    /// What may come out of an archive.
    pub archive: ArchiveLimits,
    /// Most bytes of one archive as it is sent. The default is 256 MiB.
    pub archive_bytes: u64,
    /// Most bytes of a Helm repository's index, uncompressed. The default, 100 MiB, is three times the largest known;
    /// Flux stops at 50 MiB.
    pub index_bytes: u64,
    /// Most bytes of a manifest, a list of tags or a token. The default, 4 MiB, is what the distribution
    /// specification asks registries to accept.
    pub manifest_bytes: u64,
    /// Most tags of one repository that are looked at. The default is 100,000.
    pub tags: usize,
    /// Most bytes of unpacked archives kept on disk. The default is 4 GiB.
    pub stored_bytes: u64,
    /// The longest time one transfer may take although bytes keep coming. The default is 10 minutes.
    pub transfer: Duration,
    /// Most conversations with servers at once. The default, 16, keeps a busy host's rate limits in peace.
    pub conversations: usize,
}

impl Default for ArtifactLimits {
    fn default() -> Self {
        Self {
            archive: ArchiveLimits::default(),
            archive_bytes: 256 << 20,
            index_bytes: 100 << 20,
            manifest_bytes: 4 << 20,
            tags: 100_000,
            stored_bytes: 4 << 30,
            transfer: Duration::from_secs(600),
            conversations: 16,
        }
    }
}
