//! Archives as Trees: tar, plain or gzipped, read in one pass under limits and never unpacked to files.

mod entries;
mod path;
#[cfg(test)]
mod tests;

use std::io::{self, BufReader, Read};

pub(crate) use entries::unpack;

/// What an archive may cost. Whoever wrote it is a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Most bytes of all files together. The default, 1 GiB, is Argo CD's for charts and OCI artifacts.
    pub unpacked_bytes: u64,
    /// Most bytes of one file. The default, 128 MiB, is far above any manifest; a file is held in memory while its
    /// digest is made.
    pub file_bytes: u64,
    /// How many times larger than the archive its content may be, once it is more than 16 MiB. The default, 200,
    /// lets text pass, which packs 5 to 50 times; gzip itself can do 1,000.
    pub ratio: u64,
    /// Most files, folders and links. The default, 200,000, is twice the largest repositories of manifests.
    pub entries: usize,
    /// How deep folders may nest. The default is 64.
    pub depth: usize,
    /// Most bytes of one path. The default, 4,096, is Linux's.
    pub path_bytes: usize,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            unpacked_bytes: 1 << 30,
            file_bytes: 128 << 20,
            ratio: 200,
            entries: 200_000,
            depth: 64,
            path_bytes: 4096,
        }
    }
}

/// Content below which its ratio to the archive does not matter.
const RATIO_MATTERS_FROM: u64 = 16 << 20;

/// Which folder of an archive is the Tree's root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ArchiveRoot {
    /// The archive's own.
    #[default]
    Top,
    /// The folder that everything is in, whatever its name: as packaged charts and the tarballs of Git hosts have it.
    OnlyFolder,
}

/// Why an archive is refused.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is damaged, or no tar archive.
    #[error("it is no readable tar archive")]
    Damaged(#[source] io::Error),
    /// It holds nothing.
    #[error("there are no files in it")]
    Empty,
    /// A path is absolute.
    #[error("the path {path:?} in it is absolute")]
    Absolute {
        /// The path.
        path: String,
    },
    /// A path leads to a folder above.
    #[error("the path {path:?} in it leads out of the archive")]
    Outside {
        /// The path.
        path: String,
    },
    /// A name holds control characters, is no Unicode, or means something else elsewhere.
    #[error("the name {path:?} in it {problem}")]
    Name {
        /// The path.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A path stands there twice, as two files or as a file and a folder.
    #[error("the path {path:?} is in it twice")]
    Duplicate {
        /// The path.
        path: String,
    },
    /// A file would lie behind a symbolic link.
    #[error("the path {path:?} in it leads through a symbolic link")]
    ThroughLink {
        /// The path.
        path: String,
    },
    /// A link leads out, or to nothing that came before it.
    #[error("the link {path:?} in it {problem}")]
    Link {
        /// The link's path.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A device, a pipe, or a kind of entry that we do not know.
    #[error("{path:?} in it is no file, folder or link")]
    Special {
        /// Its path.
        path: String,
    },
    /// A file lies beside the one folder that everything has to be in.
    #[error("{path:?} in it is not inside a folder")]
    NoFolder {
        /// Its path.
        path: String,
    },
    /// There is too much of something.
    #[error("it has more than the limit {limit_name} of {limit} {unit}{}", .path.as_ref().map(|path| format!(" at {path:?}")).unwrap_or_default())]
    Limit {
        /// The field of [`ArchiveLimits`].
        limit_name: &'static str,
        /// Its value.
        limit: u64,
        /// What is counted.
        unit: &'static str,
        /// Where.
        path: Option<String>,
    },
    /// What came out of it could not be kept.
    #[error("its files cannot be stored")]
    Store(#[source] io::Error),
}

impl ArchiveError {
    fn limit(
        limit_name: &'static str,
        limit: impl TryInto<u64>,
        unit: &'static str,
        path: Option<&str>,
    ) -> Self {
        Self::Limit {
            limit_name,
            limit: limit.try_into().unwrap_or(u64::MAX),
            unit,
            path: path.map(str::to_string),
        }
    }
}

/// The bytes of a tar archive, uncompressed where they are not.
fn uncompressed<'a>(archive: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut reader = BufReader::with_capacity(64 << 10, archive);
    let begins_as_gzip = {
        use std::io::BufRead;
        reader.fill_buf()?.starts_with(&[0x1f, 0x8b])
    };
    Ok(if begins_as_gzip { Box::new(flate2::bufread::MultiGzDecoder::new(reader)) } else { Box::new(reader) })
}
