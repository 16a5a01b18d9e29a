//! The Tree of an archive, read from its pack.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use windlass_kube::Str;
use windlass_model::{Digest, Entry, EntryKind, Tree, TreeError};

use super::ContentDigest;
use super::pack::{Contents, Draft, FOOTER_BYTES, PackWriter, lines_at, read_lines};
use crate::archive::{ArchiveError, ArchiveLimits, ArchiveRoot, unpack};
use crate::links::{self, Nodes};
use crate::members::RawKind;

/// The files of one archive.
///
/// What lies where is in memory, the files themselves are in a file of the store, or in memory too for a Tree made by
/// [`from_archive`](Self::from_archive). Every file is checked against its digest when it is read. Clones are cheap,
/// any number of threads read at once, and what a Tree reads stays there while the Tree is alive, whatever the store
/// does meanwhile.
#[derive(Clone)]
pub struct ArtifactTree(Arc<Pack>);

/// Where the bytes are.
enum Backing {
    Memory(Vec<u8>),
    File { file: File, path: PathBuf },
}

struct Pack {
    backing: Backing,
    source: ContentDigest,
    nodes: Vec<Node>,
    /// Set when a file in it was found to be damaged.
    damaged: AtomicBool,
}

/// A place in a Tree; the first of all is the root.
enum Node {
    File { digest: Digest, offset: u64, size: u64 },
    Link { target: Str, digest: Digest },
    Folder { digest: Digest, members: Box<[(Str, usize)]> },
}

impl Node {
    fn digest(&self) -> Digest {
        match self {
            Self::File { digest, .. } | Self::Link { digest, .. } | Self::Folder { digest, .. } => *digest,
        }
    }

    fn kind(&self) -> RawKind {
        match self {
            Self::File { .. } => RawKind::File,
            Self::Link { .. } => RawKind::Link,
            Self::Folder { .. } => RawKind::Directory,
        }
    }
}

impl ArtifactTree {
    /// The files of an archive that is in memory, a tar, gzipped or not.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] says what is wrong with it.
    pub fn from_archive(
        archive: &[u8],
        root: ArchiveRoot,
        limits: &ArchiveLimits,
    ) -> Result<Self, ArchiveError> {
        let mut pack = PackWriter::new(Vec::new());
        unpack(archive, root, limits, &mut pack)?;
        let source = ContentDigest::of(archive);
        let (bytes, contents) = pack.finish(source).map_err(ArchiveError::Store)?;
        Ok(Self::new(Backing::Memory(bytes), &contents))
    }

    /// Opens a pack on disk.
    ///
    /// # Errors
    ///
    /// With [`io::ErrorKind::InvalidData`] when it is not complete or was changed.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        let mut file = File::open(&path)?;
        let length = file.metadata()?.len();
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "the pack is damaged");
        let footer_at = length.checked_sub(FOOTER_BYTES as u64).ok_or_else(invalid)?;
        let mut footer = [0; FOOTER_BYTES];
        file.read_exact_at(&mut footer, footer_at)?;
        let (from, n_bytes) = lines_at(&footer, length).ok_or_else(invalid)?;
        let mut lines = Vec::new();
        io::Seek::seek(&mut file, io::SeekFrom::Start(from))?;
        Read::take(&mut file, n_bytes as u64).read_to_end(&mut lines)?;
        let contents = read_lines(&lines, &footer, from).ok_or_else(invalid)?;
        Ok(Self::new(Backing::File { file, path }, &contents))
    }

    fn new(backing: Backing, contents: &Contents) -> Self {
        let mut nodes = Vec::new();
        add_folder(&contents.root, &mut nodes);
        Self(Arc::new(Pack { backing, source: contents.source, nodes, damaged: AtomicBool::new(false) }))
    }

    /// The digest of the archive that the files came from.
    #[must_use]
    pub fn source(&self) -> ContentDigest {
        self.0.source
    }

    /// The digest of the whole Tree.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.0.nodes[0].digest()
    }

    /// Whether reading has found damage. The store then no longer has the pack.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.0.damaged.load(Ordering::Relaxed)
    }

    pub(crate) fn downgrade(&self) -> WeakTree {
        WeakTree(Arc::downgrade(&self.0))
    }

    fn entry_of(&self, id: usize) -> Entry {
        let node = &self.0.nodes[id];
        let kind = if node.kind() == RawKind::Directory { EntryKind::Directory } else { EntryKind::File };
        Entry { kind, digest: node.digest() }
    }

    fn content(&self, offset: u64, size: u64, digest: Digest) -> io::Result<Vec<u8>> {
        let too_large = || io::Error::from(io::ErrorKind::FileTooLarge);
        let length = usize::try_from(size).map_err(|_| too_large())?;
        let bytes = match &self.0.backing {
            Backing::Memory(all) => {
                let from = usize::try_from(offset).map_err(|_| too_large())?;
                all.get(from..from + length).map(<[u8]>::to_vec).unwrap_or_default()
            }
            Backing::File { file, .. } => {
                let mut bytes = vec![0; length];
                match file.read_exact_at(&mut bytes, offset) {
                    Ok(()) => bytes,
                    // Cut short: damaged, like a file of other bytes.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Vec::new(),
                    Err(error) => return Err(error),
                }
            }
        };
        if Digest::of_bytes(&bytes) == digest {
            return Ok(bytes);
        }
        self.0.damaged.store(true, Ordering::Relaxed);
        if let Backing::File { path, .. } = &self.0.backing {
            // The next update fetches it again.
            let _ = std::fs::remove_file(path);
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "what is on disk is not what was stored"))
    }
}

impl fmt::Debug for ArtifactTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArtifactTree({})", self.0.source)
    }
}

/// A Tree that others may or may not hold.
#[derive(Clone, Default)]
pub(crate) struct WeakTree(std::sync::Weak<Pack>);

impl WeakTree {
    pub(crate) fn upgrade(&self) -> Option<ArtifactTree> {
        self.0.upgrade().map(ArtifactTree)
    }
}

/// Adds a folder and all below it, and answers where the folder is. Deep as folders nest, which a limit bounds.
fn add_folder(folder: &BTreeMap<Str, Draft>, nodes: &mut Vec<Node>) -> usize {
    let at = nodes.len();
    nodes.push(Node::Folder { digest: Digest::of_bytes(b""), members: Box::default() });
    let mut members = Vec::with_capacity(folder.len());
    let mut parts = Vec::with_capacity(2 * folder.len() + 1);
    parts.push(Digest::of_bytes(b"folder"));
    for (name, draft) in folder {
        let (tag, id) = match draft {
            Draft::File { digest, offset, size } => {
                nodes.push(Node::File { digest: *digest, offset: *offset, size: *size });
                ('f', nodes.len() - 1)
            }
            Draft::Link(target) => {
                let digest = Digest::of_bytes(target.as_bytes());
                nodes.push(Node::Link { target: target.clone(), digest });
                ('l', nodes.len() - 1)
            }
            Draft::Folder(members) => ('d', add_folder(members, nodes)),
        };
        parts.push(Digest::of_bytes(format!("{tag}{name}").as_bytes()));
        parts.push(nodes[id].digest());
        members.push((name.clone(), id));
    }
    nodes[at] = Node::Folder { digest: Digest::combine(parts), members: members.into() };
    at
}

impl Nodes for ArtifactTree {
    type Id = usize;

    fn root(&self) -> usize {
        0
    }

    fn member(&self, folder: &usize, name: &str) -> Result<Option<(RawKind, usize)>, TreeError> {
        let Node::Folder { members, .. } = &self.0.nodes[*folder] else { return Ok(None) };
        let found = members.binary_search_by(|(member, _)| member.as_str().cmp(name)).ok();
        Ok(found.map(|at| members[at].1).map(|id| (self.0.nodes[id].kind(), id)))
    }

    fn link_target(&self, id: &usize) -> Result<String, TreeError> {
        Ok(match &self.0.nodes[*id] {
            Node::Link { target, .. } => target.to_string(),
            _ => String::new(),
        })
    }
}

impl Tree for ArtifactTree {
    fn entry(&self, path: &str) -> Result<Option<Entry>, TreeError> {
        Ok(links::find(self, path)?.map(|found| self.entry_of(found.id)))
    }

    fn list(&self, path: &str) -> Result<Option<Vec<(Str, Entry)>>, TreeError> {
        let Some(found) = links::find(self, path)? else { return Ok(None) };
        let Node::Folder { members, .. } = &self.0.nodes[found.id] else { return Ok(None) };
        let mut listed = Vec::with_capacity(members.len());
        for (name, id) in members {
            let resolved = if self.0.nodes[*id].kind() == RawKind::Link {
                let full = if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
                links::find(self, &full)?.map(|found| self.entry_of(found.id))
            } else {
                Some(self.entry_of(*id))
            };
            if let Some(entry) = resolved {
                listed.push((name.clone(), entry));
            }
        }
        Ok(Some(listed))
    }

    fn is_link(&self, path: &str) -> Result<bool, TreeError> {
        links::is_link(self, path)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Arc<[u8]>>, TreeError> {
        let Some(found) = links::find(self, path)? else { return Ok(None) };
        let Node::File { digest, offset, size } = self.0.nodes[found.id] else { return Ok(None) };
        if size > limit {
            return Err(TreeError::TooLarge { path: path.into(), size, limit });
        }
        let content = self.content(offset, size, digest);
        let bytes =
            content.map_err(|error| TreeError::Store { path: path.into(), source: Box::new(error) })?;
        Ok(Some(bytes.into()))
    }
}
