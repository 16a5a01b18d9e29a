//! Copies of a store, and what they carry beside the objects.

use std::path::Path;

use flate2::Crc;
use rusqlite::{Connection, params};

use super::create::tables;
use super::{BackendError, Digest, Summary, attempt, damaged, explained, put, sums, write_summary};
use crate::store::image::{Carried, Image};

const CARRIED: &str =
    "CREATE TABLE carried (name TEXT PRIMARY KEY, text TEXT NOT NULL, sum INTEGER NOT NULL)";

/// Writes what is in memory as a store of its own. A crash leaves a file that is none.
pub(in crate::store) fn write(path: &Path, image: &Image, carried: &[Carried]) -> Result<(), BackendError> {
    let write = || -> rusqlite::Result<()> {
        let mut connection = Connection::open(path)?;
        for (setting, value) in [("synchronous", "OFF"), ("journal_mode", "OFF")] {
            connection.pragma_update(None, setting, value)?;
        }
        let transaction = connection.transaction()?;
        tables(&transaction)?;
        let mut digest = Digest::default();
        for record in image.records() {
            put(&transaction, &record, &mut digest)?;
        }
        for (resource, revision) in &image.horizons {
            digest.add(sums::horizon(resource, *revision));
            transaction
                .prepare_cached("INSERT INTO horizon (resource, revision) VALUES (?1, ?2)")?
                .execute(params![resource.as_str(), revision.cast_signed()])?;
        }
        write_summary(&transaction, Summary { revision: image.revision, floor: image.floor, digest })?;
        transaction.execute_batch(CARRIED)?;
        for one in carried {
            transaction.execute(
                "INSERT INTO carried (name, text, sum) VALUES (?1, ?2, ?3)",
                params![one.name, one.text, sum(one)],
            )?;
        }
        transaction.commit()
    };
    write().map_err(attempt("copying"))
}

/// Reads what a copy carries, and removes it from there.
pub(in crate::store) fn take_carried(path: &Path) -> Result<Vec<Carried>, BackendError> {
    let take = || -> rusqlite::Result<Option<Vec<Carried>>> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(std::time::Duration::ZERO)?;
        // Keys do not stay where nobody looks for them.
        connection.pragma_update(None, "secure_delete", true)?;
        let is_there = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'carried'";
        if connection.query_row(is_there, [], |row| row.get::<_, i64>(0))? == 0 {
            return Ok(Some(Vec::new()));
        }
        let mut carried = Vec::new();
        {
            let mut statement = connection.prepare("SELECT name, text, sum FROM carried ORDER BY name")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let one = Carried { name: row.get(0)?, text: row.get(1)? };
                if sum(&one) != row.get::<_, i64>(2)? {
                    return Ok(None);
                }
                carried.push(one);
            }
        }
        connection.execute_batch("DROP TABLE carried")?;
        Ok(Some(carried))
    };
    match take() {
        Ok(Some(carried)) => Ok(carried),
        Ok(None) => Err(damaged(path, "a key in it is not as it was written")),
        Err(error) => Err(explained(path, "reading what the copy carries", error)),
    }
}

fn sum(carried: &Carried) -> i64 {
    let mut crc = Crc::new();
    crc.update(carried.name.as_bytes());
    // No text has this byte, so that the name does not run into the text.
    crc.update(&[0xff]);
    crc.update(carried.text.as_bytes());
    i64::from(crc.sum())
}
