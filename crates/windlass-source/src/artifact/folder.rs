//! A folder of this machine as an artifact: packed as it is now, so that what is rendered of it does not change meanwhile.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Seek as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::target::{ArtifactRevision, ArtifactSnapshot};
use super::tree_store::Litter;
use super::web::wrong;
use super::{ArtifactError, ArtifactStore, ContentDigest};
use crate::archive::ArchiveRoot;
use crate::error::{Message, SourceError};
use crate::folder::FolderState;

/// A folder that changes while it is packed is packed again, so often; then it is left for the next time.
const ATTEMPTS: usize = 5;

impl ArtifactStore {
    /// What is in the folder at `path` now, `.git` left out. Its digest is that of the content: the same files have the same
    /// one, whenever they were written.
    ///
    /// Blocks on the disk. Sockets, pipes and devices are left out, as are names that are no Unicode; limits are those of archives.
    ///
    /// # Errors
    ///
    /// [`SourceError::RepositoryNotFound`] when policy does not allow the folder or it is not there,
    /// [`SourceError::Artifact`] for links that lead out and what is over a limit, [`SourceError::Unreachable`] while it
    /// changes faster than it can be read.
    pub fn folder(&self, path: &Path) -> Result<ArtifactSnapshot, SourceError> {
        let shown = path.display().to_string();
        // Whoever may not read it is not told whether it is there.
        if !self.policy().allows_folder(path) || !path.is_dir() {
            return Err(SourceError::RepositoryNotFound { repository: shown });
        }
        let state = || FolderState::of(path).map_err(|error| SourceError::store("read", path, error));
        for _ in 0..ATTEMPTS {
            let before = state()?;
            let packed = self.pack_folder(path, &shown);
            // What was read half before and half after is neither.
            if state()? == before {
                return packed;
            }
        }
        let source = Message::cause("its files change while they are read");
        Err(SourceError::Unreachable { repository: shown, source })
    }

    fn pack_folder(&self, path: &Path, shown: &str) -> Result<ArtifactSnapshot, SourceError> {
        let trees = self.trees();
        let (file, incoming) =
            trees.incoming().map_err(|error| SourceError::store("create a file in", "packs", error))?;
        let _litter = Litter(&incoming);
        let limits = self.limits();
        let sink = Hashed { file: BufWriter::new(file), hasher: Sha256::new() };
        let mut packing = Packing {
            shown,
            archive: tar::Builder::new(sink),
            left: limits.archive_bytes,
            limit: limits.archive_bytes,
            entries: limits.archive.entries,
            n_entries: 0,
        };
        packing.folder(path, "")?;
        let failed = |error| SourceError::store("write", &incoming, error);
        let Hashed { file, hasher } = packing.archive.into_inner().map_err(failed)?;
        let digest = ContentDigest::finish(hasher);
        let identity = format!("folder {digest}");
        let tree = match trees.here(&identity) {
            Some(tree) => tree,
            None => {
                let mut file = file.into_inner().map_err(|error| failed(error.into_error()))?;
                file.rewind().map_err(failed)?;
                trees
                    .put_here(&identity, file, digest, ArchiveRoot::Top, &limits.archive)
                    .map_err(|error| wrong(shown, "the folder", error))?
            }
        };
        Ok(ArtifactSnapshot {
            revision: ArtifactRevision { version: None, digest },
            tree,
            annotations: BTreeMap::new(),
            signers: Vec::new(),
        })
    }
}

/// What is written goes into a digest too.
struct Hashed<W> {
    file: W,
    hasher: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

struct Packing<'a, W: Write> {
    shown: &'a str,
    archive: tar::Builder<W>,
    left: u64,
    limit: u64,
    entries: usize,
    n_entries: usize,
}

impl<W: Write> Packing<'_, W> {
    /// Adds what is in a folder, sorted. Deep as folders nest, which the longest path that the system takes bounds.
    fn folder(&mut self, folder: &Path, prefix: &str) -> Result<(), SourceError> {
        let read = |error| SourceError::store("read", folder, error);
        let mut members =
            fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(read)?;
        members.sort_by_key(fs::DirEntry::file_name);
        for member in members {
            let (name, path) = (member.file_name(), member.path());
            let Some(name) = name.to_str().filter(|name| *name != ".git") else { continue };
            let inside = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
            let failed = |error| SourceError::store("read", &path, error);
            self.n_entries += 1;
            if self.n_entries > self.entries {
                let (what, limit) = ("the folder".into(), self.entries as u64);
                let error = ArtifactError::TooMany { what, limit_name: "entries", limit };
                return Err(wrong(self.shown, "the folder", error));
            }
            let metadata = match member.metadata() {
                Ok(metadata) => metadata,
                // The state of the folder tells that it has changed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            let mut header = tar::Header::new_gnu();
            if metadata.is_dir() {
                self.folder(&path, &inside)?;
            } else if metadata.is_symlink() {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                let target = fs::read_link(&path).map_err(failed)?;
                self.archive.append_link(&mut header, &inside, target).map_err(failed)?;
            } else if metadata.is_file() {
                let content = self.content(&path, &inside)?;
                header.set_size(content.len() as u64);
                header.set_mode(if metadata.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 });
                self.archive.append_data(&mut header, &inside, content.as_slice()).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn content(&mut self, path: &Path, inside: &str) -> Result<Vec<u8>, SourceError> {
        let failed = |error| SourceError::store("read", path, error);
        let mut content = Vec::new();
        // One byte more tells that it is too large.
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(content),
            Err(error) => return Err(failed(error)),
        };
        file.take(self.left.saturating_add(1)).read_to_end(&mut content).map_err(failed)?;
        let Some(left) = self.left.checked_sub(content.len() as u64) else {
            let (what, limit) = (inside.to_owned(), self.limit);
            let error = ArtifactError::TooLarge { what, limit_name: "archive_bytes", limit };
            return Err(wrong(self.shown, "the folder", error));
        };
        self.left = left;
        Ok(content)
    }
}
