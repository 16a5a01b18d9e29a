//! A folder on this machine as a Tree, for rendering what is not committed yet.

mod state;
mod watch;

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use windlass_kube::Str;
use windlass_model::{Digest, Entry, EntryKind, Tree, TreeError};

use crate::links::{self, Nodes};
use crate::members::RawKind;

pub use state::{FolderChange, FolderState};
pub use watch::FolderWatch;

/// The files below a folder.
///
/// Digests are those that Git would give the files, so a clean checkout and its commit share them file by file;
/// folders have digests of our own, made of names, sizes and times of change. `.git` is left out. The files must not change while the Tree is read: unlike a
/// commit, a folder makes no promise.
#[derive(Clone, Debug)]
pub struct FolderTree {
    root: PathBuf,
}

impl FolderTree {
    /// The files below `root`.
    ///
    /// # Errors
    ///
    /// When `root` is not a folder that can be read.
    pub fn open(root: impl AsRef<Path>) -> io::Result<Self> {
        let root = fs::canonicalize(root)?;
        fs::read_dir(&root)?;
        Ok(Self { root })
    }

    fn entry_of(&self, kind: RawKind, path: &Path) -> Result<Entry, TreeError> {
        if kind == RawKind::Directory {
            let mut summary = Vec::new();
            summarise(path, &mut summary).map_err(|error| store(&shown(path), error))?;
            return Ok(Entry { kind: EntryKind::Directory, digest: Digest::of_bytes(&summary) });
        }
        let bytes = fs::read(path).map_err(|error| store(&shown(path), error))?;
        let id = gix::objs::compute_hash(gix::hash::Kind::Sha1, gix::objs::Kind::Blob, &bytes)
            .map_err(|error| TreeError::Store { path: shown(path), source: error.to_string().into() })?;
        Ok(Entry { kind: EntryKind::File, digest: Digest::from_foreign(id.as_bytes()) })
    }

    fn members(&self, folder: &Path, path: &str) -> Result<Vec<(Str, Entry)>, TreeError> {
        let mut names = Vec::new();
        for member in fs::read_dir(folder).map_err(|error| store(path, error))? {
            let member = member.map_err(|error| store(path, error))?;
            // A name that is no Unicode cannot be asked for.
            if let Some(name) = member.file_name().to_str()
                && name != ".git"
            {
                names.push(name.to_string());
            }
        }
        names.sort_unstable();
        let inside = folder.strip_prefix(&self.root).unwrap_or(Path::new("")).to_string_lossy().into_owned();
        let mut listed = Vec::with_capacity(names.len());
        for name in names {
            let full = if inside.is_empty() { name.clone() } else { format!("{inside}/{name}") };
            if let Some(found) = links::find(self, &full)? {
                listed.push((Str::from(name), self.entry_of(found.kind, &found.id)?));
            }
        }
        Ok(listed)
    }
}

impl Nodes for FolderTree {
    type Id = PathBuf;

    fn root(&self) -> PathBuf {
        self.root.clone()
    }

    fn member(&self, folder: &PathBuf, name: &str) -> Result<Option<(RawKind, PathBuf)>, TreeError> {
        if name == ".git" {
            return Ok(None);
        }
        let path = folder.join(name);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => Ok(Some((RawKind::Link, path))),
            Ok(metadata) if metadata.is_dir() => Ok(Some((RawKind::Directory, path))),
            Ok(metadata) if metadata.is_file() => Ok(Some((RawKind::File, path))),
            // Sockets, pipes and devices are no content.
            Ok(_) => Ok(None),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(store(name, error)),
        }
    }

    fn link_target(&self, id: &PathBuf) -> Result<String, TreeError> {
        let target = fs::read_link(id).map_err(|error| store(&shown(id), error))?;
        Ok(target.to_string_lossy().into_owned())
    }
}

impl Tree for FolderTree {
    fn entry(&self, path: &str) -> Result<Option<Entry>, TreeError> {
        links::find(self, path)?.map(|found| self.entry_of(found.kind, &found.id)).transpose()
    }

    fn list(&self, path: &str) -> Result<Option<Vec<(Str, Entry)>>, TreeError> {
        match links::find(self, path)? {
            Some(found) if found.kind == RawKind::Directory => self.members(&found.id, path).map(Some),
            _ => Ok(None),
        }
    }

    fn is_link(&self, path: &str) -> Result<bool, TreeError> {
        links::is_link(self, path)
    }

    fn is_executable(&self, path: &str) -> Result<bool, TreeError> {
        let Some(found) = links::find(self, path)? else { return Ok(false) };
        let metadata = fs::metadata(&found.id).map_err(|error| store(path, error))?;
        Ok(metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Arc<[u8]>>, TreeError> {
        let Some(found) = links::find(self, path)? else { return Ok(None) };
        if found.kind != RawKind::File {
            return Ok(None);
        }
        let file = fs::File::open(&found.id).map_err(|error| store(path, error))?;
        let size = file.metadata().map_err(|error| store(path, error))?.len();
        if size > limit {
            return Err(TreeError::TooLarge { path: path.into(), size, limit });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        // The file may have grown since it was measured.
        file.take(limit).read_to_end(&mut bytes).map_err(|error| store(path, error))?;
        Ok(Some(bytes.into()))
    }
}

/// Describes all that is below a folder by names, sizes and times of change, without reading it. Links are described
/// by where they point, not followed.
fn summarise(folder: &Path, summary: &mut Vec<u8>) -> io::Result<()> {
    let mut members = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    members.sort_by_key(fs::DirEntry::file_name);
    for member in members {
        let name = member.file_name();
        if name == ".git" {
            continue;
        }
        let metadata = member.metadata()?;
        summary.extend_from_slice(name.as_encoded_bytes());
        summary.push(0);
        if metadata.is_dir() {
            summary.push(b'{');
            summarise(&member.path(), summary)?;
            summary.push(b'}');
        } else if metadata.is_symlink() {
            summary.extend_from_slice(fs::read_link(member.path())?.as_os_str().as_encoded_bytes());
            summary.push(b'@');
        } else {
            summary.extend_from_slice(&metadata.len().to_le_bytes());
            let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            summary.extend_from_slice(&changed.unwrap_or_default().as_nanos().to_le_bytes());
        }
    }
    Ok(())
}

fn shown(path: &Path) -> Str {
    path.to_string_lossy().into_owned().into()
}

fn store(path: &str, error: io::Error) -> TreeError {
    TreeError::Store { path: path.into(), source: Box::new(error) }
}
