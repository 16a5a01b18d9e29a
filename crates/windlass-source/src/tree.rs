//! The Tree of a commit, read from the object database.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gix::ObjectId;
use windlass_kube::Str;
use windlass_model::{Digest, Entry, EntryKind, Tree, TreeError};

use crate::links::{self, Nodes};
use crate::members::RawKind;
use crate::objects::Objects;
use crate::partial::Elsewhere;
use crate::revision::CommitId;

/// Longest link target read, the limit of paths on Linux.
const MAX_LINK_BYTES: u64 = 4096;

/// The files of one commit.
///
/// Nothing is checked out and nothing is read ahead: a folder is read when it is listed, a file when it is read.
/// Digests are Git's own object ids, so they cost nothing and two commits share those of equal folders. Clones are
/// cheap, any number of threads read at once, and what a Tree reads stays on disk while the Tree is alive.
#[derive(Clone)]
pub struct GitTree {
    pub(crate) objects: Arc<Objects>,
    commit: CommitId,
    root: ObjectId,
    /// Where files come from that are not on disk, and whether one could not be had.
    elsewhere: Option<(Elsewhere, Arc<AtomicBool>)>,
}

impl GitTree {
    pub(crate) fn open(objects: &Arc<Objects>, commit: CommitId) -> gix::Result<Self> {
        let root = objects.with(|repository| -> gix::Result<ObjectId> {
            Ok(repository.find_commit(commit.to_git())?.tree_id()?.detach())
        })?;
        Ok(Self { objects: objects.clone(), commit, root, elsewhere: None })
    }

    /// Fetches files from there that are read and not on disk.
    pub(crate) fn with_elsewhere(self, elsewhere: Elsewhere) -> Self {
        Self { elsewhere: Some((elsewhere, Arc::default())), ..self }
    }

    /// The root folder.
    pub(crate) fn root_id(&self) -> ObjectId {
        self.root
    }

    /// Fetches a file that is not on disk.
    fn bring(&self, id: ObjectId, path: &str) -> Result<(), TreeError> {
        let Some((elsewhere, failed)) = self.elsewhere.as_ref().filter(|_| !self.objects.has(id)) else {
            return Ok(());
        };
        elsewhere.bring(self, id, path).map_err(|error| {
            failed.store(true, Ordering::Relaxed);
            TreeError::Store { path: path.into(), source: Box::new(error) }
        })
    }

    /// The commit whose files these are.
    #[must_use]
    pub fn commit(&self) -> CommitId {
        self.commit
    }

    /// The names in a folder, in Git's order.
    pub(crate) fn names(&self, folder: ObjectId) -> Result<Vec<Str>, TreeError> {
        let members = self.objects.folder(folder).map_err(|error| self.broken("folder", &error))?;
        Ok(members.iter().map(|member| Str::from(member.name())).collect())
    }

    /// The bytes of a file, which errors call `path`.
    pub(crate) fn read_blob(
        &self,
        id: ObjectId,
        path: &str,
        limit: u64,
    ) -> Result<Option<Arc<[u8]>>, TreeError> {
        self.bring(id, path)?;
        let size = self.objects.size(id).map_err(|error| self.broken(path, &error))?;
        if size > limit {
            return Err(TreeError::TooLarge { path: path.into(), size, limit });
        }
        self.bytes(id, path).map(|bytes| Some(bytes.into()))
    }

    fn bytes(&self, id: ObjectId, path: &str) -> Result<Vec<u8>, TreeError> {
        let bytes = self.objects.blob(id).map_err(|error| self.broken(path, &error))?;
        bytes.ok_or_else(|| {
            self.objects.set_damaged();
            let source = "what is on disk is not what was stored".into();
            TreeError::Store { path: path.into(), source }
        })
    }

    /// Whether reading has found damage in the database, or a file could not be fetched. [`Repository::discard_objects`](crate::Repository) makes the
    /// next update fetch anew.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.objects.is_damaged()
            || self.elsewhere.as_ref().is_some_and(|(_, failed)| failed.load(Ordering::Relaxed))
    }

    /// Notes that the database is damaged.
    pub(crate) fn broken(&self, path: &str, error: &gix::Error) -> TreeError {
        self.objects.set_damaged();
        TreeError::Store { path: path.into(), source: crate::transport::flatten(error).into() }
    }

    /// The digest of the whole Tree.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::from_foreign(self.root.as_bytes())
    }
}

impl fmt::Debug for GitTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GitTree({})", self.commit)
    }
}

impl Nodes for GitTree {
    type Id = ObjectId;

    fn root(&self) -> ObjectId {
        self.root
    }

    fn member(&self, folder: &ObjectId, name: &str) -> Result<Option<(RawKind, ObjectId)>, TreeError> {
        let members = self.objects.folder(*folder).map_err(|error| self.broken(name, &error))?;
        Ok(members.find(name).map(|member| (member.kind, member.id)))
    }

    fn link_target(&self, id: &ObjectId) -> Result<String, TreeError> {
        self.bring(*id, "")?;
        let size = self.objects.size(*id).map_err(|error| self.broken("link", &error))?;
        if size > MAX_LINK_BYTES {
            return Err(TreeError::TooLarge { path: "symbolic link".into(), size, limit: MAX_LINK_BYTES });
        }
        let target = self.bytes(*id, "link")?;
        Ok(String::from_utf8_lossy(&target).into_owned())
    }
}

impl Tree for GitTree {
    fn entry(&self, path: &str) -> Result<Option<Entry>, TreeError> {
        Ok(links::find(self, path)?.map(|found| entry(found.kind, found.id)))
    }

    /// A link that leaves the repository or runs in a circle fails the listing of its folder: whoever renders the
    /// folder must hear of it. A link to a file that is not there is left out.
    fn list(&self, path: &str) -> Result<Option<Vec<(Str, Entry)>>, TreeError> {
        let Some(folder) = links::find(self, path)? else { return Ok(None) };
        if folder.kind != RawKind::Directory {
            return Ok(None);
        }
        let members = self.objects.folder(folder.id).map_err(|error| self.broken(path, &error))?;
        let mut listed = Vec::with_capacity(members.len());
        for member in members.iter() {
            let name = member.name();
            let resolved = match member.kind {
                RawKind::Link => {
                    let full = if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
                    links::find(self, &full)?.map(|found| entry(found.kind, found.id))
                }
                kind => Some(entry(kind, member.id)),
            };
            if let Some(resolved) = resolved {
                listed.push((Str::from(name), resolved));
            }
        }
        // Git sorts folders as if their names ended in a slash.
        listed.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(Some(listed))
    }

    fn is_link(&self, path: &str) -> Result<bool, TreeError> {
        links::is_link(self, path)
    }

    /// Of a link it is not known.
    fn is_executable(&self, path: &str) -> Result<bool, TreeError> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(folder) = links::find(self, folder)? else { return Ok(false) };
        if folder.kind != RawKind::Directory {
            return Ok(false);
        }
        let members = self.objects.folder(folder.id).map_err(|error| self.broken(path, &error))?;
        Ok(members.find(name).is_some_and(|member| member.executable))
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Arc<[u8]>>, TreeError> {
        let Some(found) = links::find(self, path)? else { return Ok(None) };
        if found.kind != RawKind::File {
            return Ok(None);
        }
        self.read_blob(found.id, path, limit)
    }
}

fn entry(kind: RawKind, id: ObjectId) -> Entry {
    let kind = match kind {
        RawKind::File | RawKind::Link => EntryKind::File,
        RawKind::Directory => EntryKind::Directory,
        RawKind::Submodule => EntryKind::Submodule,
    };
    Entry { kind, digest: Digest::from_foreign(id.as_bytes()) }
}
