//! The durable backend: one SQLite file in WAL mode, every commit on disk before it is acknowledged.
//!
//! The file holds versions, one row a change, until nobody may go back to them. Each row carries a checksum, and
//! one row about all of them their count and the sum of their checksums, renewed by every commit: SQLite itself
//! would not notice a changed byte, nor a row that is missing.

pub(super) mod copy;
mod create;
mod last;
mod sums;
mod wal;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use windlass_kube::Str;

use super::{Backend, BackendError, Batch, EventKind, Key, Loaded, Record, Revision};
use last::Last;
use sums::Digest;

/// The layout this program writes, kept in the file's `user_version`. Layout 1 knew only the newest versions.
const LAYOUT: i64 = 2;

/// How many kB of pages SQLite may cache: every object is in our own memory already.
const CACHE_KB: i64 = 512;

const TABLES: &str = "
    CREATE TABLE version (
        revision INTEGER PRIMARY KEY, kind INTEGER NOT NULL, resource TEXT NOT NULL, namespace TEXT NOT NULL,
        name TEXT NOT NULL, json BLOB NOT NULL, sum INTEGER NOT NULL
    );
    CREATE TABLE horizon (resource TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE summary (
        one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL, floor INTEGER NOT NULL,
        n_rows INTEGER NOT NULL, digest INTEGER NOT NULL, sum INTEGER NOT NULL
    );";

/// The store's file.
pub(super) struct Sqlite {
    connection: Connection,
    path: PathBuf,
    summary: Summary,
    horizons: HashMap<Str, Revision>,
    last: Last,
    /// What was acknowledged before it was opened, if that is known: less must not be there.
    acknowledged: Revision,
}

/// What one row says of all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Summary {
    /// The last revision.
    revision: Revision,
    /// Nothing is known of changes up to here, whatever the resource.
    floor: Revision,
    digest: Digest,
}

/// What is said of no rows.
const EMPTY: Summary = Summary { revision: 1, floor: 0, digest: Digest { n_rows: 0, sum: 0 } };

fn attempt(attempt: &'static str) -> impl Fn(rusqlite::Error) -> BackendError {
    move |source| BackendError::Database { attempt, source }
}

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self, BackendError> {
        wal::check(path).map_err(|what| damaged(path, what))?;
        if !path.try_exists().unwrap_or(true) {
            create::whole(path)?;
        }
        let last = Last::of(path);
        let acknowledged = last.acknowledged().unwrap_or(0);
        let connection = Connection::open(path).map_err(attempt("opening"))?;
        let setup = || -> rusqlite::Result<i64> {
            // Who holds the file holds it for good: waiting for it is pointless.
            connection.busy_timeout(std::time::Duration::ZERO)?;
            // Exclusive: one process owns the file, and WAL needs no shared memory beside it.
            connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "cache_size", -CACHE_KB)?;
            connection.pragma_query_value(None, "user_version", |row| row.get(0))
        };
        let layout = setup().map_err(|error| explained(path, "setting up", error))?;
        if layout > LAYOUT {
            return Err(BackendError::Layout { found: layout, known: LAYOUT });
        }
        let mut store = Self {
            connection,
            path: path.to_owned(),
            summary: EMPTY,
            horizons: HashMap::new(),
            last,
            acknowledged,
        };
        match layout {
            LAYOUT => {}
            1 => store.take_over().map_err(|error| explained(path, "taking over layout 1", error))?,
            _ => store.create().map_err(|error| explained(path, "creating the tables", error))?,
        }
        Ok(store)
    }

    /// Makes the tables in a file that is there and empty.
    fn create(&mut self) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        create::tables(&transaction)?;
        transaction.commit()
    }

    /// Takes over what layout 1 has: the newest versions, of whose past nothing is known.
    fn take_over(&mut self) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        transaction.execute_batch(TABLES)?;
        let revision: i64 =
            transaction.query_row("SELECT revision FROM last_revision", [], |row| row.get(0))?;
        let mut summary = Summary {
            revision: revision.cast_unsigned(),
            floor: revision.cast_unsigned(),
            digest: Digest::default(),
        };
        {
            let mut read = transaction
                .prepare("SELECT resource, namespace, name, revision, json FROM object ORDER BY revision")?;
            let mut rows = read.query([])?;
            while let Some(row) = rows.next()? {
                let text = |idx| -> rusqlite::Result<Str> { Ok(Str::new(row.get_ref(idx)?.as_str()?)) };
                let record = Record {
                    resource: text(0)?,
                    key: Key { namespace: text(1)?, name: text(2)? },
                    revision: row.get::<_, i64>(3)?.cast_unsigned(),
                    kind: EventKind::Added,
                    json: Bytes::copy_from_slice(row.get_ref(4)?.as_blob()?),
                };
                put(&transaction, &record, &mut summary.digest)?;
            }
        }
        transaction.execute_batch("DROP TABLE object; DROP TABLE last_revision;")?;
        write_summary(&transaction, summary)?;
        transaction.pragma_update(None, "user_version", LAYOUT)?;
        transaction.commit()
    }

    fn try_commit(&mut self, batch: &Batch<'_>) -> rusqlite::Result<()> {
        let mut summary = self.summary;
        let transaction = self.connection.transaction()?;
        for record in batch.records {
            put(&transaction, record, &mut summary.digest)?;
            summary.revision = record.revision;
        }
        {
            let mut forget =
                transaction.prepare_cached("DELETE FROM version WHERE revision = ?1 RETURNING sum")?;
            for revision in batch.forgotten {
                let sum: Option<i64> =
                    forget.query_row([revision.cast_signed()], |row| row.get(0)).optional()?;
                if let Some(sum) = sum {
                    summary.digest.remove(sums::item(*revision, sum));
                }
            }
            let mut move_horizon = transaction.prepare_cached(
                "INSERT INTO horizon (resource, revision) VALUES (?1, ?2)
                 ON CONFLICT (resource) DO UPDATE SET revision = ?2",
            )?;
            for (resource, revision) in batch.horizons {
                if let Some(before) = self.horizons.get(resource) {
                    summary.digest.remove(sums::horizon(resource, *before));
                }
                summary.digest.add(sums::horizon(resource, *revision));
                move_horizon.execute(params![resource.as_str(), revision.cast_signed()])?;
            }
        }
        write_summary(&transaction, summary)?;
        transaction.commit()?;
        self.last.note(summary.revision);
        self.summary = summary;
        self.horizons.extend(batch.horizons.iter().cloned());
        Ok(())
    }

    fn read(&mut self, each: &mut dyn FnMut(Loaded)) -> rusqlite::Result<Result<Revision, &'static str>> {
        let verdict: String = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Ok(Err("its pages do not fit together"));
        }
        let read_summary = |row: &rusqlite::Row<'_>| -> rusqlite::Result<(Summary, i64)> {
            let number = |idx| -> rusqlite::Result<u64> { Ok(row.get::<_, i64>(idx)?.cast_unsigned()) };
            let digest = Digest { n_rows: number(2)?, sum: number(3)? };
            Ok((Summary { revision: number(0)?, floor: number(1)?, digest }, row.get(4)?))
        };
        let found = self
            .connection
            .query_row("SELECT revision, floor, n_rows, digest, sum FROM summary", [], read_summary)
            .optional()?;
        let Some((summary, sum)) = found else { return Ok(Err("its summary is missing")) };
        if sums::summary(&summary) != sum {
            return Ok(Err("its summary is not as it was written"));
        }
        each(Loaded::Floor(summary.floor));
        let mut digest = Digest::default();
        let mut horizons = HashMap::new();
        {
            let mut statement = self.connection.prepare("SELECT resource, revision FROM horizon")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let resource = Str::new(row.get_ref(0)?.as_str()?);
                let revision = row.get::<_, i64>(1)?.cast_unsigned();
                digest.add(sums::horizon(&resource, revision));
                each(Loaded::Horizon(resource.clone(), revision));
                horizons.insert(resource, revision);
            }
            let mut statement = self.connection.prepare(
                "SELECT revision, kind, resource, namespace, name, json, sum FROM version ORDER BY revision",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let text = |idx| -> rusqlite::Result<Str> { Ok(Str::new(row.get_ref(idx)?.as_str()?)) };
                let Some(kind) = kind_of(row.get(1)?) else {
                    return Ok(Err("a version is of no known kind"));
                };
                let record = Record {
                    resource: text(2)?,
                    key: Key { namespace: text(3)?, name: text(4)? },
                    revision: row.get::<_, i64>(0)?.cast_unsigned(),
                    kind,
                    json: Bytes::copy_from_slice(row.get_ref(5)?.as_blob()?),
                };
                let sum = sums::version(&record);
                if sum != row.get::<_, i64>(6)? {
                    return Ok(Err("a version is not as it was written"));
                }
                digest.add(sums::item(record.revision, sum));
                each(Loaded::Version(record));
            }
        }
        if digest != summary.digest {
            return Ok(Err("versions are missing, or are there twice"));
        }
        if summary.revision < self.acknowledged {
            return Ok(Err("the last transaction in its write-ahead log is not as it was written"));
        }
        self.summary = summary;
        self.horizons = horizons;
        Ok(Ok(summary.revision))
    }
}

fn put(connection: &Connection, record: &Record, digest: &mut Digest) -> rusqlite::Result<()> {
    let sum = sums::version(record);
    digest.add(sums::item(record.revision, sum));
    let mut put = connection.prepare_cached(
        "INSERT INTO version (revision, kind, resource, namespace, name, json, sum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    put.execute(params![
        record.revision.cast_signed(),
        number_of(record.kind),
        record.resource.as_str(),
        record.key.namespace.as_str(),
        record.key.name.as_str(),
        record.json.as_ref(),
        sum
    ])?;
    Ok(())
}

fn write_summary(connection: &Connection, summary: Summary) -> rusqlite::Result<()> {
    let mut write = connection.prepare_cached(
        "INSERT OR REPLACE INTO summary (one, revision, floor, n_rows, digest, sum)
         VALUES (1, ?1, ?2, ?3, ?4, ?5)",
    )?;
    write.execute(params![
        summary.revision.cast_signed(),
        summary.floor.cast_signed(),
        summary.digest.n_rows.cast_signed(),
        summary.digest.sum.cast_signed(),
        sums::summary(&summary)
    ])?;
    Ok(())
}

/// How a kind of change is written; these numbers are part of the layout.
fn number_of(kind: EventKind) -> i64 {
    match kind {
        EventKind::Added => 0,
        EventKind::Modified => 1,
        EventKind::Deleted => 2,
    }
}

fn kind_of(number: i64) -> Option<EventKind> {
    Some(match number {
        0 => EventKind::Added,
        1 => EventKind::Modified,
        2 => EventKind::Deleted,
        _ => return None,
    })
}

fn damaged(path: &Path, what: &'static str) -> BackendError {
    BackendError::Damaged { path: path.to_owned(), what }
}

/// Says of SQLite's error what a person has to know of it.
fn explained(path: &Path, what: &'static str, error: rusqlite::Error) -> BackendError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            BackendError::InUse { path: path.to_owned() }
        }
        Some(ErrorCode::DatabaseCorrupt) => damaged(path, "its pages do not fit together"),
        Some(ErrorCode::NotADatabase) => damaged(path, "it is no store of Windlass"),
        _ => attempt(what)(error),
    }
}

impl Backend for Sqlite {
    fn load(&mut self, each: &mut dyn FnMut(Loaded)) -> Result<Revision, BackendError> {
        let path = self.path.clone();
        match self.read(each) {
            Ok(Ok(revision)) => Ok(revision),
            Ok(Err(what)) => Err(damaged(&path, what)),
            // The statements are right, so it is the file that they do not fit.
            Err(rusqlite::Error::SqliteFailure(failure, _)) if failure.code == ErrorCode::Unknown => {
                Err(damaged(&path, "its tables are not as they were made"))
            }
            Err(
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..),
            ) => Err(damaged(&path, "a version is not as it was written")),
            Err(error) => Err(explained(&path, "loading", error)),
        }
    }

    fn commit(&mut self, batch: &Batch<'_>) -> Result<(), BackendError> {
        self.try_commit(batch).map_err(attempt("committing"))
    }
}

#[cfg(test)]
mod cuts;
