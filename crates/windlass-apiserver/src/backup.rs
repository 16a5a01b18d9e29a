//! A copy of the store over HTTP, while it is in use.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Response, header};

use crate::http::Body;
use crate::status::Status;
use crate::store::{BackendError, Carried, Revision, Store};

/// Where the copy is asked for, with GET. Only who may `get` this path, or everything, may.
pub const BACKUP_PATH: &str = "/windlass.dev/backup";

/// The header that says up to which revision the copy goes.
pub const REVISION_HEADER: &str = "windlass-revision";

/// The server's keys, which a backup carries: the server that is restored is the same one to its clients, whose
/// certificates and tokens are still good.
pub const CARRIED_KEYS: [&str; 3] = ["ca.crt", "ca.key", "service-accounts.key"];

/// How much is read and sent at once.
const PIECE: usize = 256 << 10;

/// Answers with a copy of the store, which is a store itself.
pub(crate) async fn answer(store: &Store, method: &Method) -> Result<Response<Body>, Status> {
    if method != Method::GET {
        return Err(Status::new(405, "MethodNotAllowed", "a backup is asked for with GET"));
    }
    let copy = copy(store).await.map_err(|error| match error {
        BackendError::NothingOnDisk => Status::bad_request(error.to_string()),
        error => {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "a backup could not be made");
            Status::internal(error)
        }
    })?;
    let pieces = stream::unfold(copy.file, |mut file| async move {
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; PIECE];
            let n_bytes = file.read(&mut piece)?;
            piece.truncate(n_bytes);
            Ok::<_, std::io::Error>((piece, file))
        });
        match read.await {
            Ok(Ok((piece, file))) if !piece.is_empty() => Some((Bytes::from(piece), file)),
            Ok(Ok(_)) => None,
            // The length that was said shows the reader that something is missing.
            error => {
                tracing::error!(?error, "a backup could not be read");
                None
            }
        }
    });
    let mut response = Response::new(Body::stream(pieces));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/vnd.sqlite3"));
    headers.insert(header::CONTENT_LENGTH, copy.n_bytes.into());
    headers.insert(REVISION_HEADER, copy.revision.into());
    Ok(response)
}

struct Copy {
    file: File,
    n_bytes: u64,
    revision: Revision,
}

/// Copies the store to a file beside it that has no name any more when this returns.
async fn copy(store: &Store) -> Result<Copy, BackendError> {
    let path = store.path().ok_or(BackendError::NothingOnDisk)?;
    let beside = path.with_file_name(format!("backup-{}", crate::tokens::random_token()));
    let failed = |source| BackendError::Copy { path: beside.clone(), source };
    // Empty files are written to; it holds every Secret there is.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).map_err(failed)?;
    let gone = Unnamed(&beside);
    let key = |name: &&str| {
        let text = fs::read_to_string(path.with_file_name(name)).ok()?;
        Some(Carried { name: (*name).to_owned(), text })
    };
    let revision = store.copy_to(&beside, CARRIED_KEYS.iter().filter_map(key).collect()).await?;
    let file = File::open(&beside).map_err(failed)?;
    let n_bytes = file.metadata().map_err(failed)?.len();
    drop(gone);
    Ok(Copy { file, n_bytes, revision })
}

/// Removes the copies that a process left which ended while it made them, and stores that were being made or restored. Only who holds the store may do this: nobody
/// else makes copies then.
pub(crate) fn remove_leftovers(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(is_copy) {
            // What cannot be removed takes room and does no harm.
            if let Err(error) = fs::remove_file(entry.path()) {
                tracing::warn!(%error, path = %entry.path().display(), "a left-over copy of the store could not be removed");
            }
        }
    }
}

/// Whether a file is named as copies and unfinished stores are, or as what SQLite keeps beside one; others may keep files
/// there, too.
fn is_copy(name: &str) -> bool {
    let name = ["-journal", "-wal", "-shm"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let unfinished = ["store.db.partial-", "store.db.new-"].iter().find_map(|begin| name.strip_prefix(begin));
    if let Some(id) = unfinished {
        return !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    }
    /// How long the random part is.
    const RANDOM: usize = 43;
    let Some(random) = name.strip_prefix("backup-") else { return false };
    random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// A file that is removed, whatever happens.
struct Unnamed<'a>(&'a Path);

impl Drop for Unnamed<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_left_goes_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let left = format!("backup-{}", crate::tokens::random_token());
        let journal = format!("{left}-journal");
        let kept = [
            "store.db",
            "store.db-wal",
            "backup-monday",
            "backup-2026-11-22.db",
            "ca.key",
            "store.db.replaced-1",
        ];
        let left = [
            left.as_str(),
            journal.as_str(),
            "store.db.partial-12",
            "store.db.partial-12-wal",
            "store.db.new-7",
        ];
        for name in left.into_iter().chain(kept) {
            fs::write(directory.path().join(name), "x").unwrap();
        }
        remove_leftovers(directory.path());
        let mut names: Vec<String> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let mut expected = kept.map(str::to_owned);
        expected.sort();
        assert_eq!(names, expected);
    }
}
