//! The durable backend: one SQLite file in WAL mode, every commit on disk before it is acknowledged.

use std::path::Path;

use bytes::Bytes;
use rusqlite::{Connection, params};
use windlass_kube::Str;

use super::{Backend, BackendError, Key, Record, Revision};

/// The layout this program writes, kept in the file's `user_version`.
const LAYOUT: i64 = 1;

/// How many kB of pages SQLite may cache: every object is in our own memory already.
const CACHE_KB: i64 = 512;

/// The store's file.
pub(super) struct Sqlite {
    connection: Connection,
}

fn attempt(attempt: &'static str) -> impl Fn(rusqlite::Error) -> BackendError {
    move |source| BackendError::Database { attempt, source }
}

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self, BackendError> {
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
        let layout = setup().map_err(attempt("setting up"))?;
        if layout > LAYOUT {
            return Err(BackendError::Layout { found: layout, known: LAYOUT });
        }
        if layout < LAYOUT {
            connection
                .execute_batch(
                    "BEGIN IMMEDIATE;
                     CREATE TABLE IF NOT EXISTS object (
                         resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
                         revision INTEGER NOT NULL, json BLOB NOT NULL,
                         PRIMARY KEY (resource, namespace, name)
                     );
                     CREATE TABLE IF NOT EXISTS last_revision (one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL);
                     INSERT OR IGNORE INTO last_revision VALUES (1, 1);
                     PRAGMA user_version = 1;
                     COMMIT;",
                )
                .map_err(attempt("creating the tables"))?;
        }
        Ok(Self { connection })
    }

    fn try_commit(&mut self, records: &[Record]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut put = transaction.prepare_cached(
                "INSERT INTO object (resource, namespace, name, revision, json) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (resource, namespace, name) DO UPDATE SET revision = ?4, json = ?5",
            )?;
            let mut delete = transaction
                .prepare_cached("DELETE FROM object WHERE resource = ?1 AND namespace = ?2 AND name = ?3")?;
            for record in records {
                let (resource, namespace, name) =
                    (record.resource.as_str(), record.key.namespace.as_str(), record.key.name.as_str());
                match &record.json {
                    Some(json) => put.execute(params![
                        resource,
                        namespace,
                        name,
                        record.revision.cast_signed(),
                        json.as_ref()
                    ])?,
                    None => delete.execute(params![resource, namespace, name])?,
                };
            }
            if let Some(last) = records.last() {
                transaction
                    .prepare_cached("UPDATE last_revision SET revision = ?1")?
                    .execute([last.revision.cast_signed()])?;
            }
        }
        transaction.commit()
    }
}

impl Backend for Sqlite {
    fn load(&mut self, each: &mut dyn FnMut(Record)) -> Result<Revision, BackendError> {
        let mut load = || -> rusqlite::Result<Revision> {
            let mut statement =
                self.connection.prepare("SELECT resource, namespace, name, revision, json FROM object")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let text = |idx| -> rusqlite::Result<Str> { Ok(Str::new(row.get_ref(idx)?.as_str()?)) };
                each(Record {
                    resource: text(0)?,
                    key: Key { namespace: text(1)?, name: text(2)? },
                    revision: row.get::<_, i64>(3)?.cast_unsigned(),
                    json: Some(Bytes::copy_from_slice(row.get_ref(4)?.as_blob()?)),
                });
            }
            let last: i64 =
                self.connection.query_row("SELECT revision FROM last_revision", [], |row| row.get(0))?;
            Ok(last.cast_unsigned())
        };
        load().map_err(attempt("loading"))
    }

    fn commit(&mut self, records: &[Record]) -> Result<(), BackendError> {
        self.try_commit(records).map_err(attempt("committing"))
    }
}
