//! A new file of a store: whole before it has its name.
//!
//! SQLite makes a file in several steps that each wait for the disk. Here it is made beside, without waiting, and waits
//! once before it gets its name; that the name lasts is waited for with the first commit, which makes the log beside it
//! and syncs the folder.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::Connection;

use super::{BackendError, EMPTY, LAYOUT, TABLES, attempt, write_summary};

/// Makes the file, unless another process was faster.
pub(super) fn whole(path: &Path) -> Result<(), BackendError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".new-{}", std::process::id()));
    let beside = Path::new(&beside);
    let made = make(beside).map_err(attempt("creating the file")).and_then(|()| {
        let name = || {
            File::open(beside)?.sync_all()?;
            match fs::hard_link(beside, path) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
                Ok(()) | Err(_) => Ok(()),
            }
        };
        name().map_err(|source| BackendError::Create { path: path.to_owned(), source })
    });
    // It has its other name by now, or is of no use.
    let _ = fs::remove_file(beside);
    made
}

fn make(path: &Path) -> rusqlite::Result<()> {
    // What cannot be made SQLite will complain of. It is to hold every Secret there is.
    let _ = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let connection = Connection::open(path)?;
    for (setting, value) in [("locking_mode", "EXCLUSIVE"), ("synchronous", "OFF"), ("journal_mode", "OFF")] {
        connection.pragma_update(None, setting, value)?;
    }
    connection.execute_batch("BEGIN")?;
    tables(&connection)?;
    connection.execute_batch("COMMIT")?;
    connection.pragma_update(None, "journal_mode", "WAL")
}

/// Makes the tables of a store without objects.
pub(super) fn tables(connection: &Connection) -> rusqlite::Result<()> {
    // A file that has tables and no layout fails here: they exist.
    connection.execute_batch(TABLES)?;
    write_summary(connection, EMPTY)?;
    connection.pragma_update(None, "user_version", LAYOUT)
}
