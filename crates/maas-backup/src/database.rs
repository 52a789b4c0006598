//! Copies of SQLite databases, and whether a copy is sound.
//!
//! Threats: a copy that is torn because a service writes meanwhile; secrets that were deleted and still
//! lie in free pages; a copy from elsewhere whose schema runs something when it is looked at. Defences:
//! `VACUUM INTO`, which copies what one transaction sees, and no free page; a copy is opened read-only,
//! immutable, with an untrusted schema.

use std::time::Duration;

use camino::Utf8Path;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::BackupError;

/// A writer that holds the database longer than this has hung.
const PATIENCE: Duration = Duration::from_secs(30);

/// Copies the database at `from`, in use or not, to `to`, which is empty or not there.
pub(crate) fn copy(from: &Utf8Path, to: &Utf8Path) -> Result<(), BackupError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let copied = Connection::open_with_flags(from, flags).and_then(|source| {
        source.busy_timeout(PATIENCE)?;
        source.execute("VACUUM INTO ?1", [to.as_str()])
    });
    copied.map(|_| ()).map_err(|error| failed(from, error))
}

/// What is wrong with the copy at `path`, in SQLite's words.
pub(crate) fn problem(path: &Utf8Path) -> Result<Option<String>, BackupError> {
    let found = check(path);
    match found {
        Ok(answer) if answer == "ok" => Ok(None),
        Ok(answer) => Ok(Some(answer)),
        Err(error) if is_damage(&error) => Ok(Some(error.to_string())),
        Err(error) => Err(failed(path, error)),
    }
}

fn check(path: &Utf8Path) -> rusqlite::Result<String> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    // Immutable: no journal beside it is looked for, and none is made.
    let uri = format!("file:{}?immutable=1", escape(path));
    let copy = Connection::open_with_flags(uri, flags)?;
    copy.pragma_update(None, "trusted_schema", false)?;
    copy.pragma_update(None, "cell_size_check", true)?;
    copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
}

fn escape(path: &Utf8Path) -> String {
    path.as_str()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23")
}

fn failed(path: &Utf8Path, source: rusqlite::Error) -> BackupError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        _ if is_damage(&source) => BackupError::DatabaseDamaged {
            path,
            detail: source.to_string(),
        },
        Some(ErrorCode::DiskFull) => BackupError::NoSpace {
            doing: format!("copy the database `{path}`"),
            source: std::io::Error::other(source),
        },
        _ => BackupError::Database { path, source },
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(
        code,
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
    )
}
