//! Opening and migrating.

use std::{io, time::Duration};

use camino::Utf8Path;
use fs_err::os::unix::fs::OpenOptionsExt;
use rusqlite::{Connection, MAIN_DB, OpenFlags, OptionalExtension};

use super::failed;
use crate::{KeysError, Pepper};

/// `MAAS` in ASCII: marks the file as ours (`PRAGMA application_id`).
const APPLICATION: i32 = 0x4d41_4153;

/// Schema changes, each with the `user_version` that a file has after it.
const MIGRATIONS: [(i64, &str); 1] = [(1, include_str!("1.sql"))];

/// The newest schema that this code knows.
const KNOWN: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// How long one connection waits for another one's transaction. Ours take milliseconds; a backup
/// tool may take longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the pepper's check value is computed over. The name keeps it apart from any key's text.
const PEPPER_CHECK: &str = "maas-keys/pepper/v1";

/// Opens or creates the database, brings its schema up to date, and refuses what is not ours.
pub(crate) fn open(path: &Utf8Path) -> Result<Connection, KeysError> {
    create_private(path)?;
    let mut connection = connect(path)?;
    let failed = |source| failed("open", path, source);
    if connection.is_readonly(MAIN_DB).map_err(failed)? {
        return Err(KeysError::ReadOnly {
            path: path.to_owned(),
        });
    }
    migrate(&mut connection, path)?;
    // The tables that decide who may ask; the ledger may be large and is checked by `scrub`.
    for table in ["meta", "teams", "keys"] {
        let check = format!("PRAGMA quick_check('{table}')");
        let found: String = connection
            .query_row(&check, [], |row| row.get(0))
            .map_err(failed)?;
        if found != "ok" {
            return Err(KeysError::Corrupt {
                path: path.to_owned(),
                detail: found,
            });
        }
    }
    Ok(connection)
}

/// One more connection to a database that [`open`] has accepted.
pub(crate) fn connect(path: &Utf8Path) -> Result<Connection, KeysError> {
    let failed = |source| failed("open", path, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    connection
        .execute_batch(
            "PRAGMA foreign_keys = ON;
             PRAGMA synchronous = FULL;
             PRAGMA trusted_schema = OFF;
             PRAGMA cell_size_check = ON;",
        )
        .map_err(failed)?;
    Ok(connection)
}

/// An empty file of mode 0600, which SQLite takes for an empty database and whose mode it copies to
/// its journal files. An existing file is left alone.
fn create_private(path: &Utf8Path) -> Result<(), KeysError> {
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(KeysError::Lock {
            path: path.to_owned(),
            source,
        }),
    }
}

fn migrate(connection: &mut Connection, path: &Utf8Path) -> Result<(), KeysError> {
    let opening = |source| failed("open", path, source);
    let pragma = |connection: &Connection, name: &str| -> rusqlite::Result<i64> {
        connection.pragma_query_value(None, name, |row| row.get(0))
    };
    let application = pragma(connection, "application_id").map_err(opening)?;
    let version = pragma(connection, "user_version").map_err(opening)?;
    let objects: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(opening)?;
    let empty = application == 0 && version == 0 && objects == 0;
    if !empty && application != i64::from(APPLICATION) {
        return Err(KeysError::NotOurs {
            path: path.to_owned(),
        });
    }
    if version > KNOWN {
        return Err(KeysError::Newer {
            path: path.to_owned(),
            found: version,
            known: KNOWN,
        });
    }
    // Persistent, so the other connections have it too. Outside a transaction by SQLite's rules.
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(opening)?;
    if mode != "wal" {
        tracing::warn!(mode, "SQLite has no write-ahead log on this file system");
    }
    let migrating = |source| failed("migrate", path, source);
    for (number, migration) in MIGRATIONS.iter().filter(|(number, _)| *number > version) {
        let change = connection.transaction().map_err(migrating)?;
        change.execute_batch(migration).map_err(migrating)?;
        for (name, value) in [
            ("application_id", i64::from(APPLICATION)),
            ("user_version", *number),
        ] {
            change.pragma_update(None, name, value).map_err(migrating)?;
        }
        change.commit().map_err(migrating)?;
    }
    Ok(())
}

/// Makes sure that `pepper` is the one that the keys here were hashed with. The first pepper that a
/// database without keys meets becomes its own.
pub(crate) fn check_pepper(
    connection: &Connection,
    path: &Utf8Path,
    pepper: &Pepper,
) -> Result<(), KeysError> {
    let failed = |source| failed("open", path, source);
    let ours = pepper.code(PEPPER_CHECK);
    let stored: Option<[u8; 32]> = connection
        .query_row("SELECT value FROM meta WHERE name = 'pepper'", [], |row| {
            row.get(0)
        })
        .optional()
        .map_err(failed)?;
    if stored.as_ref() == Some(ours.as_bytes()) {
        return Ok(());
    }
    let keys: i64 = connection
        .query_row("SELECT count(*) FROM keys", [], |row| row.get(0))
        .map_err(failed)?;
    if keys > 0 {
        return Err(KeysError::WrongPepper {
            path: path.to_owned(),
            keys: keys.unsigned_abs(),
        });
    }
    connection
        .execute(
            "REPLACE INTO meta (name, value) VALUES ('pepper', ?1)",
            [ours.as_bytes()],
        )
        .map_err(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests;
