//! Trees: immutable, content-addressed folders of files.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_kube::Str;

use crate::Digest;

/// What a path of a Tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A file.
    File,
    /// A folder.
    Directory,
    /// Another repository's commit, not read here.
    Submodule,
}

/// What stands at a path, without its content. Symbolic links are resolved before one is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// The digest of its content: of the file's bytes, or of all that is below the folder.
    pub digest: Digest,
}

/// Why a Tree could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A path leaves the Tree, by `..` or by an absolute path.
    #[error("{path} leads outside of the repository")]
    Outside {
        /// The path as given.
        path: Str,
    },
    /// A symbolic link cannot be followed.
    #[error("the symbolic link {path} {problem}")]
    Link {
        /// The link.
        path: Str,
        /// What is wrong with it: `points outside of the repository`, `is part of a loop`, …
        problem: &'static str,
    },
    /// A file is larger than its reader allows.
    #[error("{path} is {size} bytes, more than the limit of {limit} bytes")]
    TooLarge {
        /// The file.
        path: Str,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The store below failed.
    #[error("cannot read {path} from the store")]
    Store {
        /// What was read.
        path: Str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// An immutable folder of files that many readers use at once.
///
/// Paths are relative, separated by `/`, without `.` and `..`; the empty path is the root. An implementation
/// resolves symbolic links inside the Tree and refuses those that leave it.
pub trait Tree: Send + Sync {
    /// What stands at `path`; `None` when nothing does.
    ///
    /// # Errors
    ///
    /// [`TreeError`] when the path leaves the Tree or the store fails.
    fn entry(&self, path: &str) -> Result<Option<Entry>, TreeError>;

    /// The members of the folder at `path`, sorted by name; `None` when there is no folder.
    ///
    /// A symbolic link is listed as what it leads to, and left out when it leads nowhere inside the Tree.
    ///
    /// # Errors
    ///
    /// As for [`Tree::entry`].
    fn list(&self, path: &str) -> Result<Option<Vec<(Str, Entry)>>, TreeError>;

    /// Whether a symbolic link stands at `path`, wherever it leads. A Tree without links need not say so.
    ///
    /// # Errors
    ///
    /// As for [`Tree::entry`].
    fn is_link(&self, path: &str) -> Result<bool, TreeError> {
        let _ = path;
        Ok(false)
    }

    /// Whether the file at `path` is marked as a program. A Tree that does not know says no.
    ///
    /// # Errors
    ///
    /// As for [`Tree::entry`].
    fn is_executable(&self, path: &str) -> Result<bool, TreeError> {
        let _ = path;
        Ok(false)
    }

    /// The bytes of the file at `path`; `None` when there is no file.
    ///
    /// # Errors
    ///
    /// As for [`Tree::entry`], and [`TreeError::TooLarge`] for a file of more than `limit` bytes.
    fn read(&self, path: &str, limit: u64) -> Result<Option<Arc<[u8]>>, TreeError>;
}

/// The files that differ between two Trees, sorted: changed, added and removed ones. `None` when they are more
/// than `limit`.
///
/// Folders with equal digests are not looked into, so the cost follows the change and not the Tree.
///
/// # Errors
///
/// Whatever either Tree answers.
pub fn changed_paths(old: &dyn Tree, new: &dyn Tree, limit: usize) -> Result<Option<Vec<Str>>, TreeError> {
    let mut changed = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let mut sides: BTreeMap<Str, [Option<Entry>; 2]> = BTreeMap::new();
        for (side, tree) in [old, new].into_iter().enumerate() {
            for (name, entry) in tree.list(&folder)?.unwrap_or_default() {
                sides.entry(name).or_default()[side] = Some(entry);
            }
        }
        for (name, sides) in sides {
            if sides[0] == sides[1] {
                continue;
            }
            let path = if folder.is_empty() { name.to_string() } else { format!("{folder}/{name}") };
            let kinds = sides.map(|side| side.map(|entry| entry.kind));
            if kinds.contains(&Some(EntryKind::Directory)) {
                folders.push(path.clone());
            }
            if kinds.iter().flatten().any(|kind| *kind != EntryKind::Directory) {
                changed.push(path.into());
            }
            if changed.len() > limit {
                return Ok(None);
            }
        }
    }
    changed.sort();
    Ok(Some(changed))
}

/// A Tree held in memory: for tests, and for sources that are small.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    files: BTreeMap<Str, Arc<[u8]>>,
}

impl MemoryTree {
    /// A Tree of `files`, each a path and its content.
    pub fn new<P: Into<Str>, C: AsRef<[u8]>>(files: impl IntoIterator<Item = (P, C)>) -> Self {
        Self {
            files: files.into_iter().map(|(path, content)| (path.into(), content.as_ref().into())).collect(),
        }
    }

    fn below<'a>(&'a self, path: &str) -> impl Iterator<Item = (&'a str, &'a Arc<[u8]>)> {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let from = Str::from(prefix.as_str());
        self.files
            .range(from..)
            .map_while(move |(file, content)| Some((file.strip_prefix(prefix.as_str())?, content)))
    }

    fn digest_below(&self, path: &str) -> Option<Digest> {
        let mut parts = self
            .below(path)
            .flat_map(|(name, content)| [Digest::of_bytes(name.as_bytes()), Digest::of_bytes(content)])
            .peekable();
        parts.peek()?;
        Some(Digest::combine(parts))
    }
}

impl Tree for MemoryTree {
    fn entry(&self, path: &str) -> Result<Option<Entry>, TreeError> {
        if path.starts_with('/') || path.split('/').any(|part| part == "..") {
            return Err(TreeError::Outside { path: path.into() });
        }
        if let Some(content) = self.files.get(path) {
            return Ok(Some(Entry { kind: EntryKind::File, digest: Digest::of_bytes(content) }));
        }
        Ok(self.digest_below(path).map(|digest| Entry { kind: EntryKind::Directory, digest }))
    }

    fn list(&self, path: &str) -> Result<Option<Vec<(Str, Entry)>>, TreeError> {
        if self.entry(path)?.is_none_or(|entry| entry.kind != EntryKind::Directory) {
            return Ok(None);
        }
        let mut names: Vec<&str> =
            self.below(path).map(|(name, _)| name.split_once('/').map_or(name, |(first, _)| first)).collect();
        names.dedup();
        let mut members = Vec::with_capacity(names.len());
        for name in names {
            let member = if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
            if let Some(entry) = self.entry(&member)? {
                members.push((Str::from(name), entry));
            }
        }
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        members.dedup_by(|(a, _), (b, _)| a == b);
        Ok(Some(members))
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Arc<[u8]>>, TreeError> {
        self.entry(path)?;
        let Some(content) = self.files.get(path) else { return Ok(None) };
        let size = content.len() as u64;
        if size > limit {
            return Err(TreeError::TooLarge { path: path.into(), size, limit });
        }
        Ok(Some(content.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_found_below_the_folders_that_differ() {
        let old = MemoryTree::new([("a/x", "1"), ("a/y", "1"), ("b/z", "1"), ("c", "1")]);
        let new = MemoryTree::new([("a/x", "2"), ("a/y", "1"), ("b/z", "1"), ("c/d", "1")]);
        let changed = changed_paths(&old, &new, 10).unwrap().unwrap();
        assert_eq!(changed, ["a/x", "c", "c/d"]);
        assert_eq!(changed_paths(&old, &new, 1).unwrap(), None);
        assert_eq!(changed_paths(&old, &old, 1).unwrap(), Some(vec![]));
    }

    #[test]
    fn a_memory_tree_lists_folders_and_refuses_to_be_left() {
        let tree = MemoryTree::new([("a/b/c.yaml", "x"), ("a/d.yaml", "y")]);
        let names: Vec<_> = tree.list("a").unwrap().unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["b", "d.yaml"]);
        assert!(tree.list("a/d.yaml").unwrap().is_none());
        assert!(matches!(tree.entry("../x"), Err(TreeError::Outside { .. })));
        assert!(matches!(tree.read("a/d.yaml", 0), Err(TreeError::TooLarge { size: 1, limit: 0, .. })));
    }
}
