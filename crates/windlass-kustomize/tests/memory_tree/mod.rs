//! A Tree in memory, for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_model::{Digest, Entry, EntryKind, Tree, TreeError};

/// Files by path.
#[derive(Default)]
pub(crate) struct MemoryTree(BTreeMap<String, Arc<[u8]>>);

impl MemoryTree {
    /// These files.
    pub(crate) fn new<P: Into<String>, T: Into<String>>(files: impl IntoIterator<Item = (P, T)>) -> Self {
        Self(files.into_iter().map(|(path, text)| (path.into(), text.into().into_bytes().into())).collect())
    }
}

impl Tree for MemoryTree {
    fn entry(&self, path: &str) -> Result<Option<Entry>, TreeError> {
        let below = format!("{path}/");
        let is_folder =
            || self.0.range(below.clone()..).next().is_some_and(|(name, _)| name.starts_with(&below));
        let kind = match self.0.contains_key(path) {
            true => EntryKind::File,
            false if is_folder() => EntryKind::Directory,
            false => return Ok(None),
        };
        Ok(Some(Entry { kind, digest: Digest::of_bytes(path.as_bytes()) }))
    }

    fn list(&self, _: &str) -> Result<Option<Vec<(windlass_kube::Str, Entry)>>, TreeError> {
        Ok(None)
    }

    fn read(&self, path: &str, _: u64) -> Result<Option<Arc<[u8]>>, TreeError> {
        Ok(self.0.get(path).cloned())
    }
}
