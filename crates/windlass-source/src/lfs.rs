//! Git LFS: files whose content is beside the repository, fetched when they are read.

mod authenticate;
mod client;
mod pointer;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Url;
use windlass_kube::Str;
use windlass_model::{Digest, Entry, Tree, TreeError};

pub(crate) use client::LfsClient;
use pointer::{MAX_POINTER_BYTES, Pointer};

use crate::artifact::web::protocol;

/// Files of a repository, those that Git LFS keeps elsewhere included.
///
/// A file that is a pointer reads as what it points to, which is fetched when it is read for the first time, and kept.
/// Whatever its attributes say, a file that looks like a pointer is one. Digests are made of those of the pointers, which
/// name the content, and differ from them: the same commit without LFS has other content.
#[derive(Clone)]
pub struct LfsTree(Arc<Inner>);

struct Inner {
    tree: Arc<dyn Tree>,
    client: Arc<LfsClient>,
    failed: AtomicBool,
}

impl LfsTree {
    pub(crate) fn new(tree: Arc<dyn Tree>, client: Arc<LfsClient>) -> Self {
        Self(Arc::new(Inner { tree, client, failed: AtomicBool::new(false) }))
    }

    /// Whether the content of some file could not be had. It is asked for again each time it is read.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.0.failed.load(Ordering::Relaxed)
    }
}

/// Where the files' own `.lfsconfig` says that the LFS server is. What says so otherwise than with a web address does not
/// count: a repository that anybody may write to names no commands and no keys.
pub(crate) fn endpoint_of(tree: &dyn Tree) -> Option<Url> {
    /// A line or two.
    const MAX_CONFIG_BYTES: u64 = 64 << 10;
    let bytes = tree.read(".lfsconfig", MAX_CONFIG_BYTES).ok()??;
    let text = String::from_utf8(bytes.to_vec()).ok()?;
    let file = gix::config::File::from_str(&text).ok()?;
    let url = Url::parse(&file.string("lfs.url")?.to_string()).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    (matches!(url.scheme(), "https" | "http") && is_plain).then_some(url)
}

impl fmt::Debug for LfsTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LfsTree({})", self.0.client.shown())
    }
}

impl Tree for LfsTree {
    fn entry(&self, path: &str) -> Result<Option<Entry>, TreeError> {
        Ok(self.0.tree.entry(path)?.map(with_content))
    }

    fn list(&self, path: &str) -> Result<Option<Vec<(Str, Entry)>>, TreeError> {
        let members = self.0.tree.list(path)?;
        Ok(members
            .map(|members| members.into_iter().map(|(name, entry)| (name, with_content(entry))).collect()))
    }

    fn is_link(&self, path: &str) -> Result<bool, TreeError> {
        self.0.tree.is_link(path)
    }

    fn is_executable(&self, path: &str) -> Result<bool, TreeError> {
        self.0.tree.is_executable(path)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Arc<[u8]>>, TreeError> {
        // The reader's limit is for the content, and a pointer may be longer than that.
        let found = self.0.tree.read(path, limit.max(MAX_POINTER_BYTES))?;
        found.map(|bytes| content(&self.0.client, &self.0.failed, path, bytes, limit)).transpose()
    }
}

/// Reads a file of one repository whose pointers are read as what they point to. `read` is told the limit to read with.
pub(crate) fn read_through(
    client: &LfsClient,
    failed: &AtomicBool,
    path: &str,
    limit: u64,
    read: impl FnOnce(u64) -> Result<Option<Arc<[u8]>>, TreeError>,
) -> Result<Option<Arc<[u8]>>, TreeError> {
    let Some(bytes) = read(limit.max(MAX_POINTER_BYTES))? else { return Ok(None) };
    let read = content(client, failed, path, bytes, limit)?;
    // Whoever reads it next could take it for a pointer of another repository, and ask there.
    if Pointer::parse(&read).is_some() {
        let error = protocol(&client.shown(), "what Git LFS keeps of a submodule is itself a pointer");
        return Err(TreeError::Store { path: path.into(), source: Box::new(error) });
    }
    Ok(Some(read))
}

/// What a file with these bytes reads as.
fn content(
    client: &LfsClient,
    failed: &AtomicBool,
    path: &str,
    bytes: Arc<[u8]>,
    limit: u64,
) -> Result<Arc<[u8]>, TreeError> {
    let size = bytes.len() as u64;
    match Pointer::parse(&bytes) {
        Some(pointer) if pointer.size > limit => {
            Err(TreeError::TooLarge { path: path.into(), size: pointer.size, limit })
        }
        Some(pointer) => client.content(&pointer).map(Into::into).map_err(|error| {
            failed.store(true, Ordering::Relaxed);
            TreeError::Store { path: path.into(), source: Box::new(error) }
        }),
        None if size > limit => Err(TreeError::TooLarge { path: path.into(), size, limit }),
        None => Ok(bytes),
    }
}

/// An entry whose pointers are read as what they point to.
pub(crate) fn with_content(entry: Entry) -> Entry {
    Entry { kind: entry.kind, digest: Digest::combine([Digest::of_bytes(b"git-lfs"), entry.digest]) }
}
