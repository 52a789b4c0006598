//! The ledger and its roll-ups in the database.

use std::time::Duration;

use jiff::civil::Date;
use maas_types::Usage;
use rusqlite::{Connection, Transaction, named_params};

use crate::{UsageBy, UsageQuery, UsageReport, ledger::Row, usage::Sums};

/// The query for one way of adding up: SQL made of literals only.
macro_rules! totals_by {
    ($column:literal) => {
        concat!(
            "SELECT ",
            $column,
            ", sum(requests), sum(input), sum(cached), sum(output) FROM usage_by_day
             WHERE day BETWEEN ?1 AND ?2 GROUP BY ",
            $column
        )
    };
}

/// Writes settled requests and adds them up, all or none of it. Rows that are there already are left
/// alone and not added again.
pub(crate) fn append<'a>(
    connection: &mut Connection,
    rows: impl Iterator<Item = &'a Row>,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let mut day = Spelt::default();
    for row in rows {
        let date = day.of(row.date);
        if insert(&transaction, row, date)? {
            add_up(&transaction, row, date)?;
        }
    }
    transaction.commit()
}

/// The last date and its text: rows of one group are nearly always of one day.
#[derive(Default)]
struct Spelt(Option<(Date, String)>);

impl Spelt {
    fn of(&mut self, date: Date) -> &str {
        let same = self.0.take().filter(|(known, _)| *known == date);
        &self
            .0
            .insert(same.unwrap_or_else(|| (date, date.to_string())))
            .1
    }
}

/// Whether the row is new.
fn insert(transaction: &Transaction<'_>, row: &Row, date: &str) -> rusqlite::Result<bool> {
    let who = &row.who.record;
    let inserted = transaction
        .prepare_cached(
            "INSERT INTO ledger (request, at, day, key, team, user, model, requested_as, route,
               input, cached, output, outcome, engine, took_ms)
             VALUES (:request, :at, :day, :key, :team, :user, :model, :requested_as, :route,
               :input, :cached, :output, :outcome, :engine, :took_ms)
             ON CONFLICT (request) DO NOTHING",
        )?
        .execute(named_params! {
            ":request": row.ask.request.as_str(),
            ":at": row.at.as_millisecond(),
            ":day": date,
            ":key": who.id.as_str(),
            ":team": who.team.as_str(),
            ":user": who.user.as_ref().map(AsRef::<str>::as_ref),
            ":model": row.ask.model.as_str(),
            ":requested_as": row.ask.requested_as.as_ref().map(AsRef::<str>::as_ref),
            ":route": row.ask.route,
            ":input": integer(row.usage.input),
            ":cached": integer(row.usage.cached),
            ":output": integer(row.usage.output),
            ":outcome": row.outcome.as_str(),
            ":engine": row.engine.as_ref().map(AsRef::<str>::as_ref),
            ":took_ms": row.took.map(milliseconds),
        })?;
    Ok(inserted == 1)
}

fn add_up(transaction: &Transaction<'_>, row: &Row, date: &str) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO usage_by_day (day, team, key, model, requests, input, cached, output)
             VALUES (:day, :team, :key, :model, 1, :input, :cached, :output)
             ON CONFLICT (day, team, key, model) DO UPDATE SET
               requests = requests + 1,
               input = input + excluded.input,
               cached = cached + excluded.cached,
               output = output + excluded.output",
        )?
        .execute(named_params! {
            ":day": date,
            ":team": row.who.record.team.as_str(),
            ":key": row.who.record.id.as_str(),
            ":model": row.ask.model.as_str(),
            ":input": integer(row.usage.input),
            ":cached": integer(row.usage.cached),
            ":output": integer(row.usage.output),
        })?;
    Ok(())
}

/// Adds up what is on disk and, of `pending`, what is not: each request once.
pub(crate) fn usage(
    connection: &mut Connection,
    query: &UsageQuery,
    pending: &[Row],
) -> rusqlite::Result<UsageReport> {
    // One picture of the database for all statements.
    let picture = connection.transaction()?;
    let mut sums = Sums::default();
    {
        let mut totals = picture.prepare_cached(match query.by {
            UsageBy::Team => totals_by!("team"),
            UsageBy::Model => totals_by!("model"),
            UsageBy::Key => totals_by!("key"),
            UsageBy::Day => totals_by!("day"),
        })?;
        let mut rows = totals.query((query.from.to_string(), query.to.to_string()))?;
        while let Some(row) = rows.next()? {
            let count = |at: usize| row.get(at).map(i64::unsigned_abs);
            let usage = Usage {
                input: count(2)?,
                cached: count(3)?,
                output: count(4)?,
            };
            sums.add(row.get(0)?, count(1)?, usage);
        }
        let mut written = picture.prepare_cached("SELECT 1 FROM ledger WHERE request = ?1")?;
        for row in pending {
            if !written.exists([row.ask.request.as_str()])? {
                sums.add_row(query, row);
            }
        }
    }
    picture.finish()?;
    Ok(sums.report(query))
}

/// [`crate::Permit::settle`] has bounded it.
fn integer(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}

fn milliseconds(took: Duration) -> i64 {
    i64::try_from(took.as_millis()).unwrap_or(i64::MAX)
}
