//! A Tree over a folder on disk, for tests and tools.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use windlass_model::{Digest, Entry, EntryKind, Tree, TreeError};

/// A folder on disk.
pub(crate) struct DiskTree {
    root: PathBuf,
}

impl DiskTree {
    /// The folder `root`.
    pub(crate) fn new(root: &Path) -> std::io::Result<Self> {
        Ok(Self { root: root.canonicalize()? })
    }

    fn place(&self, path: &str) -> Result<Option<PathBuf>, TreeError> {
        match self.root.join(path).canonicalize() {
            Ok(place) if place.starts_with(&self.root) => Ok(Some(place)),
            Ok(_) => Err(TreeError::Link { path: path.into(), problem: "points outside of the repository" }),
            Err(_) => Ok(None),
        }
    }
}

impl Tree for DiskTree {
    fn entry(&self, path: &str) -> Result<Option<Entry>, TreeError> {
        let Some(place) = self.place(path)? else { return Ok(None) };
        let kind = if place.is_dir() { EntryKind::Directory } else { EntryKind::File };
        Ok(Some(Entry { kind, digest: Digest::of_bytes(&[]) }))
    }

    fn list(&self, path: &str) -> Result<Option<Vec<(windlass_kube::Str, Entry)>>, TreeError> {
        let Some(place) = self.place(path)? else { return Ok(None) };
        let Ok(folder) = std::fs::read_dir(place) else { return Ok(None) };
        let mut entries: Vec<(windlass_kube::Str, Entry)> = Vec::new();
        for member in folder.flatten() {
            let name = member.file_name().to_string_lossy().into_owned();
            let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            if let Some(entry) = self.entry(&below)? {
                entries.push((name.into(), entry));
            }
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Some(entries))
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Arc<[u8]>>, TreeError> {
        let Some(place) = self.place(path)? else { return Ok(None) };
        let Ok(bytes) = std::fs::read(place) else { return Ok(None) };
        if bytes.len() as u64 > limit {
            return Err(TreeError::TooLarge { path: path.into(), size: bytes.len() as u64, limit });
        }
        Ok(Some(bytes.into()))
    }
}
