//! Making, opening and migrating the file.

use camino::{Utf8Path, Utf8PathBuf};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::TrustDb;
use crate::{Disk, StoreError, disk::parent_of};

/// Marks the file as ours in SQLite's header: `maas` in ASCII.
const APPLICATION_ID: i64 = 0x6d61_6173;

/// One step per schema version, never edited, only added to. `user_version` counts those done.
const MIGRATIONS: [&str; 2] = [
    "
    CREATE TABLE root (
        version     INTEGER NOT NULL PRIMARY KEY,
        name        TEXT    NOT NULL,
        fingerprint BLOB    NOT NULL,
        bytes       BLOB    NOT NULL,
        added       TEXT    NOT NULL
    ) STRICT;
    CREATE TABLE floor (
        what  TEXT    NOT NULL PRIMARY KEY,
        value INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE clock (
        one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
        seen TEXT    NOT NULL
    ) STRICT;
    CREATE TABLE generation (
        sequence    INTEGER PRIMARY KEY AUTOINCREMENT,
        epoch       INTEGER NOT NULL,
        serial      INTEGER NOT NULL,
        bundle      TEXT    NOT NULL,
        bill_digest BLOB    NOT NULL,
        installed   TEXT    NOT NULL,
        UNIQUE (epoch, serial)
    ) STRICT;
    CREATE TABLE staged_part (
        blob   BLOB    NOT NULL,
        number INTEGER NOT NULL,
        digest BLOB    NOT NULL,
        PRIMARY KEY (blob, number)
    ) STRICT;
    CREATE TABLE stored_blob (
        digest BLOB    NOT NULL PRIMARY KEY,
        size   INTEGER NOT NULL
    ) STRICT;
",
    "
    CREATE TABLE served (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        epoch    INTEGER NOT NULL,
        serial   INTEGER NOT NULL
    ) STRICT;
    INSERT INTO served (epoch, serial) SELECT epoch, serial FROM generation ORDER BY sequence;
",
];

fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Makes the database under another name and renames it when it is whole, so that an empty or
/// half-made file is never ours and always damage.
pub(super) fn create(disk: &Disk, path: &Utf8Path) -> Result<(), StoreError> {
    let beside = Utf8PathBuf::from(format!("{path}.new"));
    disk.remove_file(&beside)?;
    disk.remove_file(&Utf8PathBuf::from(format!("{beside}-journal")))?;
    let doing = "make the tables";
    let failed = |source| refused(&beside, doing, source);
    disk.commit(&beside, doing)?;
    {
        let connection = Connection::open(&beside).map_err(failed)?;
        connection
            .pragma_update(None, "synchronous", "FULL")
            .map_err(failed)?;
        connection
            .pragma_update(None, "application_id", APPLICATION_ID)
            .map_err(failed)?;
        migrate(&connection, 0).map_err(failed)?;
        connection.close().map_err(|(_, error)| failed(error))?;
    }
    disk.sync_folder(parent_of(path))?;
    disk.rename(&beside, path)?;
    Ok(())
}

/// Opens a database that is there, and refuses one that is damaged, not ours or newer.
pub(super) fn open(path: &Utf8Path) -> Result<TrustDb, StoreError> {
    let failed = |source| refused(path, "read", source);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    // Ten seconds: a writer holds the database for the milliseconds of one fsync, even on a slow disk.
    connection
        .busy_timeout(std::time::Duration::from_secs(10))
        .map_err(failed)?;
    let id: i64 = pragma(&connection, "application_id").map_err(failed)?;
    let version: i64 = pragma(&connection, "user_version").map_err(failed)?;
    let damaged = |detail: String| StoreError::DatabaseDamaged {
        path: path.to_owned(),
        detail,
    };
    if id != APPLICATION_ID || version < 1 {
        return Err(damaged(
            "it is empty or was made by another program".to_owned(),
        ));
    }
    if version > newest() {
        return Err(StoreError::DatabaseNewer {
            path: path.to_owned(),
            found: version,
            known: newest(),
        });
    }
    let verdict: String = pragma(&connection, "integrity_check(1)").map_err(failed)?;
    if verdict != "ok" {
        return Err(damaged(verdict.escape_debug().to_string()));
    }
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(failed)?;
    if mode != "wal" {
        return Err(damaged(format!("its journal mode is `{mode}`, not `wal`")));
    }
    connection
        .pragma_update(None, "synchronous", "FULL")
        .map_err(failed)?;
    migrate(&connection, version).map_err(failed)?;
    Ok(TrustDb {
        connection,
        path: path.to_owned(),
    })
}

fn pragma<T: rusqlite::types::FromSql>(
    connection: &Connection,
    name: &str,
) -> Result<T, rusqlite::Error> {
    connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
}

fn migrate(connection: &Connection, from: i64) -> Result<(), rusqlite::Error> {
    for (step, version) in MIGRATIONS.iter().zip(1_i64..) {
        if version > from {
            connection.execute_batch(&format!(
                "BEGIN IMMEDIATE; {step} PRAGMA user_version = {version}; COMMIT;"
            ))?;
        }
    }
    Ok(())
}

/// SQLite's own words for damage become ours; everything else stays an error of the moment.
pub(super) fn refused(path: &Utf8Path, doing: &'static str, source: rusqlite::Error) -> StoreError {
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StoreError::DatabaseDamaged {
            path: path.to_owned(),
            detail: source.to_string(),
        },
        _ => StoreError::Database {
            path: path.to_owned(),
            doing,
            source,
        },
    }
}
