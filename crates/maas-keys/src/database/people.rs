//! Teams and keys in the database.

use std::{
    collections::{BTreeSet, HashMap},
    error::Error,
    str::FromStr,
    sync::Arc,
};

use camino::Utf8Path;
use jiff::{Timestamp, civil::Date};
use maas_types::{KeyId, TeamName};
use rusqlite::{Connection, Row, named_params, types::Type};

use super::failed;
use crate::{
    KeyRecord, KeysError, Limits, ModelAccess, TeamRecord, TeamSettings,
    pepper::Code,
    snapshot::{KeyEntry, Snapshot, TeamEntry},
};

/// Everybody, with their counters of `today` and of the days around it: yesterday's for a clock
/// that is put right, later ones for a clock that was.
pub(crate) fn load(
    connection: &Connection,
    path: &Utf8Path,
    today: Date,
) -> Result<Snapshot, KeysError> {
    read_all(connection, today).map_err(|source| failed("read", path, source))
}

fn read_all(connection: &Connection, today: Date) -> rusqlite::Result<Snapshot> {
    let mut snapshot = Snapshot::default();
    let mut teams = connection.prepare("SELECT * FROM teams")?;
    for record in teams.query_map([], team)? {
        let record = record?;
        let name = record.name.clone();
        snapshot
            .teams
            .insert(name, Arc::new(TeamEntry::new(record)));
    }
    let mut keys = connection.prepare("SELECT * FROM keys")?;
    for found in keys.query_map([], |row| Ok((key(row)?, row.get("code")?)))? {
        let (record, code) = found?;
        // The foreign key holds, so the team is there.
        if let Some(team) = snapshot.teams.get(&record.team) {
            let id = record.id.clone();
            let entry = KeyEntry::new(record, Code::from_bytes(code), team);
            snapshot.keys.insert(id, Arc::new(entry));
        }
    }
    restore_counters(connection, &snapshot, today)?;
    Ok(snapshot)
}

fn restore_counters(
    connection: &Connection,
    snapshot: &Snapshot,
    today: Date,
) -> rusqlite::Result<()> {
    let since = today.yesterday().unwrap_or(today).to_string();
    let mut teams: HashMap<(Date, TeamName), u64> = HashMap::new();
    let mut used = connection.prepare(
        "SELECT day, team, key, sum(input + output) AS tokens FROM usage_by_day
         WHERE day >= ?1 GROUP BY day, team, key ORDER BY day",
    )?;
    let mut rows = used.query([since])?;
    while let Some(row) = rows.next()? {
        let date: Date = parsed(row, "day")?;
        let tokens: i64 = row.get("tokens")?;
        let tokens = tokens.unsigned_abs();
        let key: KeyId = parsed(row, "key")?;
        if let Some(key) = snapshot.keys.get(&key) {
            key.team.meters.lock().restore_key(key.slot, date, tokens);
        }
        let team = teams.entry((date, parsed(row, "team")?)).or_default();
        *team = team.saturating_add(tokens);
    }
    for ((date, name), tokens) in teams {
        if let Some(team) = snapshot.teams.get(&name) {
            team.meters.lock().restore_team(date, tokens);
        }
    }
    Ok(())
}

pub(crate) fn insert_team(connection: &Connection, team: &TeamRecord) -> rusqlite::Result<()> {
    write_team(
        connection,
        team,
        "INSERT INTO teams (name, created, disabled, requests_per_minute, tokens_per_day, models)
         VALUES (:name, :created, :disabled, :requests_per_minute, :tokens_per_day, :models)",
    )
}

pub(crate) fn update_team(connection: &Connection, team: &TeamRecord) -> rusqlite::Result<()> {
    write_team(
        connection,
        team,
        "UPDATE teams SET created = :created, disabled = :disabled,
           requests_per_minute = :requests_per_minute, tokens_per_day = :tokens_per_day,
           models = :models
         WHERE name = :name",
    )
}

fn write_team(connection: &Connection, team: &TeamRecord, sql: &str) -> rusqlite::Result<()> {
    let changed = connection.prepare_cached(sql)?.execute(named_params! {
        ":name": team.name.as_str(),
        ":created": team.created.as_millisecond(),
        ":disabled": team.disabled.map(Timestamp::as_millisecond),
        ":requests_per_minute": integer(team.settings.limits.requests_per_minute),
        ":tokens_per_day": integer(team.settings.limits.tokens_per_day),
        ":models": models_text(&team.settings.models)?,
    })?;
    one(changed)
}

pub(crate) fn insert_key(
    connection: &Connection,
    key: &KeyRecord,
    code: &Code,
) -> rusqlite::Result<()> {
    let changed = connection
        .prepare_cached(
            "INSERT INTO keys (id, code, team, user, name, created, expires, revoked,
               requests_per_minute, tokens_per_day, models)
             VALUES (:id, :code, :team, :user, :name, :created, :expires, :revoked,
               :requests_per_minute, :tokens_per_day, :models)",
        )?
        .execute(named_params! {
            ":id": key.id.as_str(),
            ":code": code.as_bytes(),
            ":team": key.team.as_str(),
            ":user": key.user.as_ref().map(AsRef::<str>::as_ref),
            ":name": key.name,
            ":created": key.created.as_millisecond(),
            ":expires": key.expires.map(Timestamp::as_millisecond),
            ":revoked": key.revoked.map(Timestamp::as_millisecond),
            ":requests_per_minute": integer(key.limits.requests_per_minute),
            ":tokens_per_day": integer(key.limits.tokens_per_day),
            ":models": models_text(&key.models)?,
        })?;
    one(changed)
}

pub(crate) fn revoke_key(
    connection: &Connection,
    id: &KeyId,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let changed = connection
        .prepare_cached("UPDATE keys SET revoked = ?2 WHERE id = ?1")?
        .execute((id.as_str(), at.as_millisecond()))?;
    one(changed)
}

/// A write that touches no row did not happen, and must not be answered as if it had.
fn one(changed: usize) -> rusqlite::Result<()> {
    match changed {
        1 => Ok(()),
        changed => Err(rusqlite::Error::StatementChangedRows(changed)),
    }
}

fn team(row: &Row<'_>) -> rusqlite::Result<TeamRecord> {
    Ok(TeamRecord {
        name: parsed(row, "name")?,
        created: instant(row, "created")?.unwrap_or_default(),
        disabled: instant(row, "disabled")?,
        settings: TeamSettings {
            limits: limits(row)?,
            models: models(row)?,
        },
    })
}

fn key(row: &Row<'_>) -> rusqlite::Result<KeyRecord> {
    let user: Option<String> = row.get("user")?;
    Ok(KeyRecord {
        id: parsed(row, "id")?,
        team: parsed(row, "team")?,
        user: user.map(|_| parsed(row, "user")).transpose()?,
        name: row.get("name")?,
        created: instant(row, "created")?.unwrap_or_default(),
        expires: instant(row, "expires")?,
        revoked: instant(row, "revoked")?,
        limits: limits(row)?,
        models: models(row)?,
    })
}

fn limits(row: &Row<'_>) -> rusqlite::Result<Limits> {
    let limit = |column: &str| -> rusqlite::Result<Option<u64>> {
        let found: Option<i64> = row.get(column)?;
        // Absent is no limit. Anything that is there must be one: never `.ok()`.
        found
            .map(|limit| u64::try_from(limit).map_err(|error| unreadable(row, column, error)))
            .transpose()
    };
    Ok(Limits {
        requests_per_minute: limit("requests_per_minute")?,
        tokens_per_day: limit("tokens_per_day")?,
    })
}

fn models(row: &Row<'_>) -> rusqlite::Result<ModelAccess> {
    let found: Option<String> = row.get("models")?;
    let Some(text) = found else {
        return Ok(ModelAccess::All);
    };
    // A list, and nothing else: JSON's `null` would read as "all models".
    let models: BTreeSet<_> =
        serde_json::from_str(&text).map_err(|error| unreadable(row, "models", error))?;
    Ok(ModelAccess::Only(models))
}

fn models_text(models: &ModelAccess) -> rusqlite::Result<Option<String>> {
    match models {
        ModelAccess::All => Ok(None),
        ModelAccess::Only(models) => serde_json::to_string(models)
            .map(Some)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error))),
    }
}

fn instant(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    let found: Option<i64> = row.get(column)?;
    found
        .map(|at| Timestamp::from_millisecond(at).map_err(|error| unreadable(row, column, error)))
        .transpose()
}

fn parsed<T>(row: &Row<'_>, column: &str) -> rusqlite::Result<T>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|error| unreadable(row, column, error))
}

fn unreadable(
    row: &Row<'_>,
    column: &str,
    error: impl Error + Send + Sync + 'static,
) -> rusqlite::Error {
    let at = row.as_ref().column_index(column).unwrap_or_default();
    rusqlite::Error::FromSqlConversionFailure(at, Type::Text, Box::new(error))
}

/// [`Limits::storable`] has seen to it that it fits.
fn integer(limit: Option<u64>) -> Option<i64> {
    limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX))
}
