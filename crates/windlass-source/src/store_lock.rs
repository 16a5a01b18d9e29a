//! The lock that keeps a store's folder to one process.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::SourceError;

/// How long another process may take to let go: one that is ending, or a child on its way from fork to exec, which
/// holds a copy of every open file of its parent for a moment.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long to wait between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// Locks the folder `root`. The lock is held while the file is open.
///
/// # Errors
///
/// [`SourceError::StoreInUse`] when another process keeps it, [`SourceError::Store`] when it cannot be locked.
pub(crate) fn lock(root: &Path) -> Result<File, SourceError> {
    let path = root.join("lock");
    let file = File::create(&path).map_err(|error| SourceError::store("create", &path, error))?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {
                return Err(SourceError::StoreInUse { path: root.to_path_buf() });
            }
            Err(TryLockError::Error(error)) => return Err(SourceError::store("lock", &path, error)),
        }
    }
}
