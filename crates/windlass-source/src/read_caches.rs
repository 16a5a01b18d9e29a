//! What makes reading fast, bounded for a whole store however many repositories it has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gix::ObjectId;

use crate::members::Folder;

/// Bytes of folders remembered: the few thousand folders of a monorepo, or several folders of 10,000 members.
const MAX_FOLDER_BYTES: usize = 5 << 20;

/// Fewest and most reading handles kept for the next reader. Each has a delta cache of up to 16 MB, so they are kept
/// for as many readers as there are processors and not for as many as there are repositories.
const IDLE_HANDLES: std::ops::RangeInclusive<usize> = 2..=16;

/// Handles and folders that readers leave for each other, the least recently used going first.
pub(crate) struct ReadCaches {
    handles: Mutex<Vec<(DatabaseId, gix::Repository)>>,
    max_handles: usize,
    folders: Mutex<Folders>,
}

/// Tells the object databases of a process apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DatabaseId(pub(crate) u64);

/// Folders by their id. Ids are hashes of content, so two repositories may share an entry.
#[derive(Default)]
struct Folders {
    known: HashMap<ObjectId, Arc<Folder>>,
    bytes: usize,
}

impl Default for ReadCaches {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(*IDLE_HANDLES.start(), Into::into);
        Self {
            handles: Mutex::default(),
            max_handles: processors.clamp(*IDLE_HANDLES.start(), *IDLE_HANDLES.end()),
            folders: Mutex::default(),
        }
    }
}

impl ReadCaches {
    /// Takes a handle on a database that some reader has left.
    pub(crate) fn take_handle(&self, database: DatabaseId) -> Option<gix::Repository> {
        let mut handles = self.handles();
        let at = handles.iter().rposition(|(owner, _)| *owner == database)?;
        Some(handles.remove(at).1)
    }

    /// Leaves a handle for the next reader.
    pub(crate) fn leave_handle(&self, database: DatabaseId, handle: gix::Repository) {
        let mut handles = self.handles();
        handles.push((database, handle));
        let oldest = (handles.len() > self.max_handles).then(|| handles.remove(0));
        drop(handles);
        drop(oldest);
    }

    /// Drops the handles on a database that is gone.
    pub(crate) fn forget(&self, database: DatabaseId) {
        self.handles().retain(|(owner, _)| *owner != database);
    }

    /// A folder that was read before.
    pub(crate) fn folder(&self, id: ObjectId) -> Option<Arc<Folder>> {
        self.folders().known.get(&id).cloned()
    }

    /// Remembers a folder.
    pub(crate) fn remember_folder(&self, id: ObjectId, folder: &Arc<Folder>) {
        let bytes = folder.bytes();
        if bytes > MAX_FOLDER_BYTES {
            return;
        }
        let mut folders = self.folders();
        if folders.bytes + bytes > MAX_FOLDER_BYTES {
            *folders = Folders::default();
        }
        if folders.known.insert(id, folder.clone()).is_none() {
            folders.bytes += bytes;
        }
    }

    /// Drops the idle handles, and their delta caches with them.
    pub(crate) fn drop_handles(&self) {
        let handles = std::mem::take(&mut *self.handles());
        drop(handles);
    }

    /// Gives all memory back.
    pub(crate) fn clear(&self) {
        self.handles().clear();
        *self.folders() = Folders::default();
    }

    fn handles(&self) -> MutexGuard<'_, Vec<(DatabaseId, gix::Repository)>> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folders(&self) -> MutexGuard<'_, Folders> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
