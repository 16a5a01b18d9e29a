//! Files of a Tree, written where a program finds them.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use windlass_model::{Digest, EntryKind, Tree, TreeError};
use windlass_render::RecordingTree;

/// Files that a plugin is given, together. Larger repositories need `windlass.dev/reads: folder`, or another plugin.
pub const COPY_BYTES: u64 = 256 * 1024 * 1024;

/// Files that a plugin is given, folders included.
pub const COPY_FILES: usize = 50_000;

/// Folders deeper than this are a trap.
const COPY_DEPTH: usize = 64;

/// A folder that goes with this value.
pub(crate) struct WorkingCopy {
    folder: TempDir,
    /// Where the plugin runs.
    place: PathBuf,
}

/// Why files cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error("the files are more than {COPY_BYTES} bytes together (limit COPY_BYTES)")]
    TooLarge,
    #[error("there are more than {COPY_FILES} files (limit COPY_FILES)")]
    TooMany,
    #[error("{path} is {COPY_DEPTH} folders deep (limit COPY_DEPTH)")]
    TooDeep { path: String },
    #[error("a working copy cannot be written: {0}")]
    Disk(io::Error),
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl WorkingCopy {
    /// Writes what is at `path` and below, or everything, and notes that it was read.
    pub(crate) fn write(
        tree: &RecordingTree<'_>,
        path: &str,
        everything: bool,
        keep_modes: bool,
    ) -> Result<Self, CopyError> {
        let folder = TempDir::with_prefix("windlass-plugin-").map_err(CopyError::Disk)?;
        // Nobody else reads it; the folders in it are made as anywhere.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).map_err(CopyError::Disk)?;
        for name in ["source", "home", "tmp"] {
            fs::create_dir(folder.path().join(name)).map_err(CopyError::Disk)?;
        }
        let place = folder.path().join("source").join(path);
        fs::create_dir_all(&place).map_err(CopyError::Disk)?;
        let from = if everything { "" } else { path };
        let top = tree.subtree(from)?;
        let mut writer = Writer {
            tree,
            root: folder.path().join("source"),
            keep_modes,
            bytes: 0,
            files: 0,
            above: top.map(|entry| entry.digest).into_iter().collect(),
        };
        writer.folder(from, 0)?;
        Ok(Self { folder, place })
    }

    /// Where the plugin runs.
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    /// All of it: the files, a home and a place for temporary files.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// What the plugin's home is.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Where its temporary files go.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }
}

struct Writer<'a> {
    tree: &'a RecordingTree<'a>,
    root: PathBuf,
    keep_modes: bool,
    bytes: u64,
    files: usize,
    /// The digests of the folders that are being written: a link to one of them would never end.
    above: Vec<Digest>,
}

impl Writer<'_> {
    fn folder(&mut self, path: &str, depth: usize) -> Result<(), CopyError> {
        if depth > COPY_DEPTH {
            return Err(CopyError::TooDeep { path: path.into() });
        }
        let tree = self.tree.unrecorded();
        for (name, entry) in tree.list(path)?.unwrap_or_default() {
            let member = if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
            self.files += 1;
            if self.files > COPY_FILES {
                return Err(CopyError::TooMany);
            }
            let linked = tree.is_link(&member)?;
            match entry.kind {
                // What is behind a link is no part of the digest of what it stands in.
                EntryKind::Directory if linked && self.above.contains(&entry.digest) => {
                    self.tree.subtree(&member)?;
                }
                EntryKind::Directory => {
                    if linked {
                        self.tree.subtree(&member)?;
                    }
                    fs::create_dir_all(self.root.join(&member)).map_err(CopyError::Disk)?;
                    self.above.push(entry.digest);
                    self.folder(&member, depth + 1)?;
                    self.above.pop();
                }
                EntryKind::File => {
                    if linked {
                        self.tree.entry(&member)?;
                    }
                    self.file(&member)?;
                }
                EntryKind::Submodule => {}
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &str) -> Result<(), CopyError> {
        let tree = self.tree.unrecorded();
        let left = COPY_BYTES - self.bytes;
        let content = match tree.read(path, left) {
            Ok(Some(content)) => content,
            Ok(None) => return Ok(()),
            Err(TreeError::TooLarge { .. }) => return Err(CopyError::TooLarge),
            Err(error) => return Err(error.into()),
        };
        self.bytes += content.len() as u64;
        let place = self.root.join(path);
        fs::write(&place, &content).map_err(CopyError::Disk)?;
        // As Argo CD unpacks them: executable only where that was asked for.
        let mode = if self.keep_modes && tree.is_executable(path)? { 0o755 } else { 0o644 };
        fs::set_permissions(&place, fs::Permissions::from_mode(mode)).map_err(CopyError::Disk)
    }
}
