//! A Tree that remembers what was read from it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use windlass_kube::Str;
use windlass_model::{Digest, Entry, Tree, TreeError};

/// What a renderer read of a Tree, absences included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadSet {
    /// Files and whether they were there, by the digest of their content; sorted by path, as all of these.
    pub(crate) entries: Box<[(Str, Option<Digest>)]>,
    /// Folders that were listed, by the digest of their names and kinds; what stands below is not part of it.
    pub(crate) listings: Box<[(Str, Option<Digest>)]>,
    /// Whether there was a symbolic link.
    pub(crate) links: Box<[(Str, bool)]>,
    /// Folders that were read with all that is below them, by the digest of it.
    pub(crate) subtrees: Box<[(Str, Option<Digest>)]>,
}

/// What a read depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReadKind {
    /// The content of a file.
    File,
    /// The names in a folder.
    Listing,
    /// All that is in a folder and below it.
    Subtree,
    /// That nothing is there.
    Absent,
}

/// A [`ReadSet`] that still grows.
#[derive(Default)]
struct Reads {
    entries: BTreeMap<Str, Option<Digest>>,
    listings: BTreeMap<Str, Option<Digest>>,
    links: BTreeMap<Str, bool>,
    subtrees: BTreeMap<Str, Option<Digest>>,
}

impl ReadSet {
    /// Whether `tree` would answer every read as it was answered before.
    ///
    /// # Errors
    ///
    /// Whatever the Tree answers.
    pub fn holds_in(&self, tree: &dyn Tree) -> Result<bool, TreeError> {
        for (path, digest) in self.listings.iter() {
            if tree.list(path)?.as_deref().map(listing_digest) != *digest {
                return Ok(false);
            }
        }
        for (path, linked) in self.links.iter() {
            if tree.is_link(path)? != *linked {
                return Ok(false);
            }
        }
        for (path, digest) in self.entries.iter().chain(&self.subtrees) {
            if tree.entry(path)?.map(|entry| entry.digest) != *digest {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// One of `slots` numbers, mostly another one for other content.
    pub(crate) fn slot(&self, slots: u8) -> u8 {
        let digests = self.entries.iter().chain(&self.listings).chain(&self.subtrees);
        let digests = digests.filter_map(|(_, digest)| *digest);
        let text = Digest::combine(digests).to_string();
        u8::from_str_radix(&text[..2], 16).unwrap_or(0) % slots
    }

    /// What was read, by path; a path may be there as more than one kind.
    pub fn kinds(&self) -> impl Iterator<Item = (&Str, ReadKind)> {
        let entries = self
            .entries
            .iter()
            .map(|(path, digest)| (path, if digest.is_some() { ReadKind::File } else { ReadKind::Absent }));
        let listings = self.listings.iter().map(|(path, digest)| {
            (path, if digest.is_some() { ReadKind::Listing } else { ReadKind::Absent })
        });
        let subtrees = self.subtrees.iter().map(|(path, digest)| {
            (path, if digest.is_some() { ReadKind::Subtree } else { ReadKind::Absent })
        });
        let mut kinds: Vec<_> = entries.chain(listings).chain(subtrees).collect();
        kinds.sort();
        kinds.dedup();
        kinds.into_iter()
    }

    /// Whether nothing was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.listings.is_empty() && self.subtrees.is_empty()
    }

    /// About how many bytes it takes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.paths().map(|path| size_of::<(Str, Option<Digest>)>() + path.len()).sum()
    }

    /// The paths that were read, looked for or listed, sorted and without repetition.
    pub fn paths(&self) -> impl Iterator<Item = &Str> {
        let digests = self.entries.iter().chain(&self.listings).chain(&self.subtrees).map(|(path, _)| path);
        let mut paths: Vec<&Str> = digests.chain(self.links.iter().map(|(path, _)| path)).collect();
        paths.sort();
        paths.dedup();
        paths.into_iter()
    }
}

/// Passes reads on to a Tree and records them.
pub struct RecordingTree<'a> {
    tree: &'a dyn Tree,
    reads: Mutex<Reads>,
}

impl<'a> RecordingTree<'a> {
    /// Records the reads of `tree`.
    #[must_use]
    pub fn new(tree: &'a dyn Tree) -> Self {
        Self { tree, reads: Mutex::default() }
    }

    /// What was read.
    #[must_use]
    pub fn into_reads(self) -> ReadSet {
        let Reads { entries, listings, links, subtrees } =
            self.reads.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        ReadSet {
            entries: entries.into_iter().collect(),
            listings: listings.into_iter().collect(),
            links: links.into_iter().collect(),
            subtrees: subtrees.into_iter().collect(),
        }
    }

    /// What stands at `path`, all that is below it included: whatever of it is read from [`RecordingTree::unrecorded`]
    /// then counts as read. Below a symbolic link in it stands something else, which is not part of its digest.
    ///
    /// # Errors
    ///
    /// Whatever the Tree answers.
    pub fn subtree(&self, path: &str) -> Result<Option<Entry>, TreeError> {
        let entry = self.tree.entry(path)?;
        self.record(|reads| {
            reads.subtrees.insert(path.into(), entry.map(|entry| entry.digest));
        });
        Ok(entry)
    }

    /// The Tree itself, for what [`RecordingTree::subtree`] has recorded.
    #[must_use]
    pub fn unrecorded(&self) -> &dyn Tree {
        self.tree
    }

    fn record(&self, record: impl FnOnce(&mut Reads)) {
        record(&mut self.reads.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

impl Tree for RecordingTree<'_> {
    fn entry(&self, path: &str) -> Result<Option<Entry>, TreeError> {
        let entry = self.tree.entry(path)?;
        // Only that a folder is there matters here; its content counts when it is listed or read.
        if entry.is_none_or(|entry| entry.kind == windlass_model::EntryKind::File) {
            self.record(|reads| {
                reads.entries.insert(path.into(), entry.map(|entry| entry.digest));
            });
        }
        Ok(entry)
    }

    fn list(&self, path: &str) -> Result<Option<Vec<(Str, Entry)>>, TreeError> {
        let members = self.tree.list(path)?;
        self.record(|reads| {
            reads.listings.insert(path.into(), members.as_deref().map(listing_digest));
        });
        Ok(members)
    }

    fn is_link(&self, path: &str) -> Result<bool, TreeError> {
        let linked = self.tree.is_link(path)?;
        self.record(|reads| {
            reads.links.insert(path.into(), linked);
        });
        Ok(linked)
    }

    fn is_executable(&self, path: &str) -> Result<bool, TreeError> {
        self.tree.is_executable(path)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Arc<[u8]>>, TreeError> {
        let digest = self.tree.entry(path)?.map(|entry| entry.digest);
        self.record(|reads| {
            reads.entries.insert(path.into(), digest);
        });
        self.tree.read(path, limit)
    }
}

fn listing_digest(members: &[(Str, Entry)]) -> Digest {
    let mut text = String::new();
    for (name, entry) in members {
        text.push_str(name);
        // A name holds neither NUL nor a slash, so these separate.
        text.push_str(match entry.kind {
            windlass_model::EntryKind::File => "\0f/",
            windlass_model::EntryKind::Directory => "\0d/",
            windlass_model::EntryKind::Submodule => "\0s/",
        });
    }
    Digest::of_bytes(text.as_bytes())
}
