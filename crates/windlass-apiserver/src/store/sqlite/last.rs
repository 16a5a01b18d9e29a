//! How far the log was acknowledged, so that its end is not mistaken for a write that was cut.
//!
//! SQLite takes the first frame of its log that is not right for the end of it. Of the last transaction the log itself
//! cannot tell whether it was cut, which loses nothing, or changed afterwards, which loses what was acknowledged. So a few
//! bytes beside it say which revision was acknowledged in which round of the log. They are written after the
//! transaction is on disk, and nobody waits for them: they may be older than the log, never newer.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use flate2::Crc;

use super::Revision;

/// Salts, revision, checksum.
const LENGTH: usize = 8 + 8 + 4;

/// Where the salts stand in the head of the log: random numbers, other ones for every round.
const SALTS: usize = 16;

/// The bytes beside the log.
pub(super) struct Last {
    path: PathBuf,
    log: PathBuf,
    files: Option<(File, File)>,
}

fn beside(store: &Path, end: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

impl Last {
    pub(super) fn of(store: &Path) -> Self {
        Self { path: beside(store, "-last"), log: beside(store, "-wal"), files: None }
    }

    /// The revision that was acknowledged in the round that the log is in; `None` where nothing is known of it. Before
    /// SQLite has opened the log.
    pub(super) fn acknowledged(&self) -> Option<Revision> {
        let mut head = [0; SALTS + 8];
        File::open(&self.log).ok()?.read_exact(&mut head).ok()?;
        let mut bytes = [0; LENGTH];
        File::open(&self.path).ok()?.read_exact(&mut bytes).ok()?;
        let (said, sum) = bytes.split_at(LENGTH - 4);
        let is_whole = sum == crc(said).to_le_bytes();
        let revision = Revision::from_le_bytes(said[8..].try_into().ok()?);
        (is_whole && said[..8] == head[SALTS..]).then_some(revision)
    }

    /// Notes that a revision is on disk, and is about to be acknowledged. What cannot be noted is not: then less is
    /// known of the log, and nothing is lost.
    pub(super) fn note(&mut self, revision: Revision) {
        if self.files.is_none() {
            let open = || -> std::io::Result<(File, File)> {
                let mut options = OpenOptions::new();
                let last = options.write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
                Ok((File::open(&self.log)?, last))
            };
            self.files = open().ok();
        }
        let Some((log, last)) = &self.files else { return };
        let mut bytes = [0; LENGTH];
        if log.read_exact_at(&mut bytes[..8], SALTS as u64).is_err() {
            return;
        }
        bytes[8..16].copy_from_slice(&revision.to_le_bytes());
        let sum = crc(&bytes[..16]).to_le_bytes();
        bytes[16..].copy_from_slice(&sum);
        let _ = last.write_all_at(&bytes, 0);
    }
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}
