//! Creating and opening.

use std::{io, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err::os::unix::fs::OpenOptionsExt as _;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};

use crate::AuditError;

/// `MAUD` in ASCII: marks the file as ours (`PRAGMA application_id`).
const APPLICATION: i64 = 0x4d41_5544;

/// The newest schema that this code knows, and the only one so far.
const KNOWN: i64 = 1;
const SCHEMA: &str = include_str!("1.sql");

/// How long the writer waits for another connection: a reader's or a backup tool's.
const PATIENCE: Duration = Duration::from_secs(2);

/// `audit.db` and `.lock` make `audit.db.lock`.
pub(super) fn beside(path: &Utf8Path, ending: &str) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{path}{ending}"))
}

/// Makes an empty log: whole under another name first, then linked to its own, never over anything. Only
/// with the lock held.
pub(super) fn create(path: &Utf8Path) -> Result<(), AuditError> {
    let failed = |source| AuditError::Create {
        path: path.to_owned(),
        source,
    };
    let new = beside(path, ".new");
    // What a crash half-way has left.
    for ending in ["", "-wal", "-shm", "-journal"] {
        match fs_err::remove_file(beside(&new, ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    let mut options = fs_err::OpenOptions::new();
    // SQLite copies the mode of the database to its journal files.
    options.write(true).create_new(true).mode(0o600);
    drop(options.open(&new).map_err(failed)?);
    let made = connect(&new, OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(|connection| {
        connection.execute_batch(&format!(
            "BEGIN; {SCHEMA}
             PRAGMA application_id = {APPLICATION};
             PRAGMA user_version = {KNOWN}; COMMIT;"
        ))?;
        connection.close().map_err(|(_, error)| error)
    });
    made.map_err(|source| self::failed("create", path, source))?;
    fs_err::hard_link(&new, path).map_err(failed)?;
    fs_err::remove_file(&new).map_err(failed)?;
    sync_folder_of(path).map_err(failed)
}

/// Forces the name of a file to the disk.
pub(crate) fn sync_folder_of(path: &Utf8Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_str().is_empty());
    fs_err::File::open(folder.unwrap_or(Utf8Path::new(".")))?.sync_all()
}

/// Opens an existing log to write to it.
pub(super) fn for_writing(path: &Utf8Path) -> Result<Connection, AuditError> {
    let failed = |source| failed("open", path, source);
    refuse_empty(path)?;
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    if connection.is_readonly(MAIN_DB).map_err(failed)? {
        return Err(AuditError::ReadOnly {
            path: path.to_owned(),
        });
    }
    check(&connection, path)?;
    // Where a file system cannot have one, SQLite keeps its rollback journal, which is as safe.
    let _mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(failed)?;
    Ok(connection)
}

/// Opens an existing log, or a copy, to read it.
pub(super) fn for_reading(path: &Utf8Path) -> Result<Connection, AuditError> {
    if path.symlink_metadata().is_err() {
        return Err(AuditError::NotFound {
            path: path.to_owned(),
        });
    }
    refuse_empty(path)?;
    let opened = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(|source| failed("open", path, source))
        .and_then(|connection| check(&connection, path).map(|()| connection));
    match opened {
        Err(AuditError::Database { .. } | AuditError::ReadOnly { .. }) if is_settled(path) => {
            for_reading_where_nothing_can_be_written(path)
        }
        opened => opened,
    }
}

/// SQLite wants to make files beside a database in WAL mode, even to read it. Where it cannot, on a
/// write-protected stick, and no `-wal` holds more entries, the file alone is all there is.
pub(super) fn for_reading_where_nothing_can_be_written(
    path: &Utf8Path,
) -> Result<Connection, AuditError> {
    let escaped: String = path
        .as_str()
        .bytes()
        .map(|byte| match byte {
            b'/' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
            _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("%{byte:02x}"),
        })
        .collect();
    let uri = format!("file:{escaped}?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let connection =
        connect(Utf8Path::new(&uri), flags).map_err(|source| failed("open", path, source))?;
    check(&connection, path).map(|()| connection)
}

fn is_settled(path: &Utf8Path) -> bool {
    fs_err::metadata(beside(path, "-wal")).map_or(true, |wal| wal.len() == 0)
}

fn connect(path: &Utf8Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;",
    )?;
    Ok(connection)
}

/// SQLite takes an empty file for an empty database; a log that was emptied must not pass for a new one.
fn refuse_empty(path: &Utf8Path) -> Result<(), AuditError> {
    match fs_err::metadata(path) {
        Ok(found) if found.len() == 0 => Err(AuditError::Corrupt {
            path: path.to_owned(),
            detail: "it is empty".to_owned(),
        }),
        Ok(_) => Ok(()),
        Err(source) => Err(AuditError::Create {
            path: path.to_owned(),
            source,
        }),
    }
}

fn check(connection: &Connection, path: &Utf8Path) -> Result<(), AuditError> {
    let pragma = |name: &str| -> Result<i64, AuditError> {
        connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(|source| failed("open", path, source))
    };
    if pragma("application_id")? != APPLICATION {
        return Err(AuditError::NotOurs {
            path: path.to_owned(),
        });
    }
    let found = pragma("user_version")?;
    if found != KNOWN {
        return Err(AuditError::Newer {
            path: path.to_owned(),
            found,
            known: KNOWN,
        });
    }
    Ok(())
}

/// Gives SQLite's word the name that a person needs.
pub(super) fn failed(doing: &'static str, path: &Utf8Path, source: rusqlite::Error) -> AuditError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => AuditError::Corrupt {
            path,
            detail: source.to_string(),
        },
        Some(ErrorCode::ReadOnly) => AuditError::ReadOnly { path },
        _ => AuditError::Database {
            doing,
            path,
            source,
        },
    }
}
