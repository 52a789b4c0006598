//! `state.db`: the only place that knows SQL.
//!
//! Threats: a damaged file that is silently replaced by an empty one (every key dead, every budget
//! fresh); a file of a newer release, or of another program, that is written to; two gateways that
//! count one budget twice; a power cut. Defences: header, `application_id` and `user_version` are
//! read before anything is written, and whatever does not fit is refused and left as it is; one lock
//! file; WAL with `synchronous=FULL`.

mod lock;
mod open;
mod people;
mod rows;

use camino::Utf8Path;
use jiff::Timestamp;
use rusqlite::ErrorCode;

pub(crate) use lock::FileLock;
pub(crate) use open::{check_pepper, connect, open};
pub(crate) use people::{insert_key, insert_team, load, revoke_key, update_team};
pub(crate) use rows::{append, usage};

use crate::KeysError;

/// An instant as the database keeps it.
pub(crate) fn to_millisecond(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// Gives SQLite's word the name that a person needs.
pub(crate) fn failed(doing: &'static str, path: &Utf8Path, source: rusqlite::Error) -> KeysError {
    let path = path.to_owned();
    // A value that SQLite returns and that is no value of ours counts as damage.
    let unreadable = matches!(source, rusqlite::Error::FromSqlConversionFailure(..));
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => KeysError::Corrupt {
            path,
            detail: source.to_string(),
        },
        _ if unreadable => KeysError::Corrupt {
            path,
            detail: source.to_string(),
        },
        Some(ErrorCode::ReadOnly) => KeysError::ReadOnly { path },
        _ => KeysError::Database {
            doing,
            path,
            source,
        },
    }
}
