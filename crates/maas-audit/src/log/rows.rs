//! Entries as rows.
//!
//! Threat: a row that somebody else wrote, with any value in any column. Defence: a row is an entry only
//! if every column reads as what it should be; why not is said in words.

use std::ops::{Bound, RangeBounds};

use camino::Utf8Path;
use maas_types::{Digest, json};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row, params};

use super::open::failed;
use crate::{AuditError, Entry, Fault, Head, Problem, instant};

const COLUMNS: &str = "sequence, time, actor, action, subject, details, previous, hash";

pub(super) fn insert(connection: &Connection, entry: &Entry) -> rusqlite::Result<()> {
    let json = |text: serde_json::Result<String>| text.expect("texts and numbers become JSON");
    let mut statement = connection.prepare_cached(&format!(
        "INSERT INTO entry ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
    ))?;
    statement.execute(params![
        column(entry.sequence),
        instant::text(entry.time),
        json(serde_json::to_string(&entry.actor)),
        entry.action.as_str(),
        entry.subject,
        json(serde_json::to_string(&entry.details)),
        entry.previous.as_bytes(),
        entry.hash.as_bytes(),
    ])?;
    Ok(())
}

/// SQLite has signed numbers only, and no log has so many entries.
fn column(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

/// The last entry's number and stored hash.
pub(super) fn head(connection: &Connection, path: &Utf8Path) -> Result<Head, AuditError> {
    let found: Option<(i64, Vec<u8>)> = connection
        .prepare_cached("SELECT sequence, hash FROM entry ORDER BY sequence DESC LIMIT 1")
        .and_then(|mut statement| {
            let row = statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)));
            row.optional()
        })
        .map_err(|source| failed("read", path, source))?;
    let Some((sequence, hash)) = found else {
        return Ok(Head::START);
    };
    let read = || {
        Ok(Head {
            sequence: u64::try_from(sequence).map_err(|_| "its number is negative")?,
            hash: digest(&hash)?,
        })
    };
    read().map_err(|detail: &str| AuditError::Corrupt {
        path: path.to_owned(),
        detail: format!("its last entry: {detail}"),
    })
}

/// The head, after the last entry's content was found to give its hash.
pub(super) fn checked_head(connection: &Connection, path: &Utf8Path) -> Result<Head, AuditError> {
    let head = head(connection, path)?;
    let mut problem = None;
    walk(connection, path, head.sequence.., |entry| {
        problem = match entry {
            Ok(entry) if entry.computed() == entry.hash => None,
            Ok(_) => Some(Problem::Changed),
            Err(why) => Some(Problem::Unreadable(why)),
        };
        Ok(false)
    })?;
    problem.map_or(Ok(head), |problem| {
        let sequence = head.sequence;
        Err(AuditError::Broken {
            path: path.to_owned(),
            fault: Box::new(Fault { sequence, problem }),
        })
    })
}

pub(super) fn walk(
    connection: &Connection,
    path: &Utf8Path,
    range: impl RangeBounds<u64>,
    mut with: impl FnMut(Result<Entry, String>) -> Result<bool, AuditError>,
) -> Result<(), AuditError> {
    let failed = |source| failed("read", path, source);
    // A number that is no number of an entry must be seen too, by who asks for all.
    let first = match range.start_bound() {
        Bound::Included(&first) => column(first),
        Bound::Excluded(&before) => column(before).saturating_add(1),
        Bound::Unbounded => i64::MIN,
    };
    let last = match range.end_bound() {
        Bound::Included(&last) => column(last),
        Bound::Excluded(&after) => column(after).saturating_sub(1),
        Bound::Unbounded => i64::MAX,
    };
    let query =
        format!("SELECT {COLUMNS} FROM entry WHERE sequence BETWEEN ?1 AND ?2 ORDER BY sequence");
    let mut statement = connection.prepare(&query).map_err(failed)?;
    let mut rows = statement.query([first, last]).map_err(failed)?;
    loop {
        let entry = match rows.next() {
            Ok(None) => return Ok(()),
            Ok(Some(row)) => read(row),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
                with(Err(error.to_string()))?;
                return Ok(());
            }
            Err(error) => return Err(failed(error)),
        };
        if !with(entry)? {
            return Ok(());
        }
    }
}

fn read(row: &Row<'_>) -> Result<Entry, String> {
    let text = |column: &str| -> Result<String, String> {
        row.get(column)
            .map_err(|_| format!("its {column} is no text"))
    };
    let hash = |column: &str| -> Result<Digest, String> {
        let bytes: Vec<u8> = row
            .get(column)
            .map_err(|_| format!("its {column} is no hash"))?;
        digest(&bytes).map_err(str::to_owned)
    };
    let json = |what: &str, error: serde_json::Error| {
        format!("its {what}: {}", json::plain(&error.to_string()))
    };
    let sequence: i64 = row.get("sequence").map_err(|_| "its number is none")?;
    Ok(Entry {
        sequence: u64::try_from(sequence).map_err(|_| format!("its number is {sequence}"))?,
        time: instant::parse(&text("time")?).ok_or("its time is not as the log writes times")?,
        actor: json::strict(text("actor")?.as_bytes()).map_err(|error| json("actor", error))?,
        action: text("action")?.parse().map_err(|_| "its action is none")?,
        subject: text("subject")?,
        details: json::strict(text("details")?.as_bytes())
            .map_err(|error| json("details", error))?,
        previous: hash("previous")?,
        hash: hash("hash")?,
    })
}

fn digest(bytes: &[u8]) -> Result<Digest, &'static str> {
    bytes
        .try_into()
        .map(Digest::from_bytes)
        .map_err(|_| "a hash does not have 32 bytes")
}
