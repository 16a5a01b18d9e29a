//! Decryption before rendering, in memory, of the files that a renderer asks for.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use windlass_kube::Str;
use windlass_model::{Entry, Tree, TreeError};

/// Decrypts files.
///
/// A render that read plaintext is marked ([`Rendered::confidential`](crate::Rendered)), and no cache takes it, be it in memory or on disk.
/// What is recorded of the read is the digest of what stands in the source, never of the plaintext.
pub trait Decryption: Send + Sync {
    /// The plaintext of a file; `None` for a file that is not encrypted.
    ///
    /// # Errors
    ///
    /// Why it cannot be decrypted, in words without a secret.
    fn decrypt(&self, path: &str, content: &[u8]) -> Result<Option<Vec<u8>>, DecryptionError>;
}

/// Why a file cannot be decrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecryptionError(pub Str);

impl fmt::Display for DecryptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot be decrypted: {}", self.0)
    }
}

impl std::error::Error for DecryptionError {}

/// A Tree whose encrypted files read as plaintext.
pub(crate) struct DecryptedTree<'a> {
    tree: &'a dyn Tree,
    decryption: &'a dyn Decryption,
    used: AtomicBool,
}

impl<'a> DecryptedTree<'a> {
    pub(crate) fn new(tree: &'a dyn Tree, decryption: &'a dyn Decryption) -> Self {
        Self { tree, decryption, used: AtomicBool::new(false) }
    }

    /// Whether anything was decrypted.
    pub(crate) fn was_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }
}

impl Tree for DecryptedTree<'_> {
    fn entry(&self, path: &str) -> Result<Option<Entry>, TreeError> {
        self.tree.entry(path)
    }

    fn list(&self, path: &str) -> Result<Option<Vec<(Str, Entry)>>, TreeError> {
        self.tree.list(path)
    }

    fn is_link(&self, path: &str) -> Result<bool, TreeError> {
        self.tree.is_link(path)
    }

    fn is_executable(&self, path: &str) -> Result<bool, TreeError> {
        self.tree.is_executable(path)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Arc<[u8]>>, TreeError> {
        let Some(content) = self.tree.read(path, limit)? else { return Ok(None) };
        let failed = |error| TreeError::Store { path: path.into(), source: Box::new(error) };
        Ok(Some(match self.decryption.decrypt(path, &content).map_err(failed)? {
            None => content,
            Some(plaintext) => {
                self.used.store(true, Ordering::Relaxed);
                plaintext.into()
            }
        }))
    }
}
