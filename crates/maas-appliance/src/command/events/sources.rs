//! Everything that keeps a record. One that is damaged, of another version, or not ours to read stands in the
//! way of no other.

use maas_audit::AuditReader;
use maas_install::{FailedTrial, Trial};
use maas_store::{TrustDb, scrub::Record};
use maas_supervisor::{Cause, EngineStatus};
use maas_types::{ByteSize, Layout};
use serde::de::DeserializeOwned;

use super::{Event, json_files};
use crate::{
    command::logs::receipts,
    error::{CommandError, chain},
    output,
};

/// One list for each source, each in the order of its record. `count` is how many are of interest.
pub(super) fn all(layout: &Layout, count: usize) -> Result<Vec<Vec<Event>>, CommandError> {
    Ok(vec![
        installations(layout)?,
        generations(layout)?,
        trials(layout)?,
        engines(layout)?,
        scrubs(layout)?,
        audit(layout, count),
    ])
}

fn read<T: DeserializeOwned>(path: &camino::Utf8Path) -> Option<T> {
    serde_json::from_slice(&fs_err::read(path).ok()?).ok()
}

fn installations(layout: &Layout) -> Result<Vec<Event>, CommandError> {
    let events = receipts(layout)?.into_iter().map(|receipt| {
        let instead = receipt.previous.map_or_else(String::new, |previous| {
            format!(" in the place of generation {previous}")
        });
        Event {
            at: receipt.finished,
            source: "install",
            text: format!(
                "installed {} (version {}) as generation {}{instead}",
                receipt.bundle, receipt.version, receipt.generation
            ),
        }
    });
    Ok(events.collect())
}

/// Those of which no receipt tells: the installation was cut off behind them, or the receipt is gone.
fn generations(layout: &Layout) -> Result<Vec<Event>, CommandError> {
    let Some(db) = TrustDb::read(layout)? else {
        return Ok(Vec::new());
    };
    let told = receipts(layout)?;
    let served = db.served()?;
    let untold = db.generations()?.into_iter();
    let untold = untold.filter(|row| !told.iter().any(|receipt| receipt.generation == row.id));
    let events = untold.map(|row| Event {
        at: row.installed,
        source: "install",
        text: format!(
            "assembled generation {} of {}{}; there is no receipt of it",
            row.id,
            row.bundle,
            if served.contains(&row.id) {
                ", which came to serve"
            } else {
                ""
            }
        ),
    });
    Ok(events.collect())
}

fn trials(layout: &Layout) -> Result<Vec<Event>, CommandError> {
    let failed = json_files(&layout.receipts())?
        .into_iter()
        .filter_map(|path| {
            let failed: FailedTrial = read(&path)?;
            Some(Event {
                at: failed.ended,
                source: "trial",
                text: format!(
                    "generation {} did not serve ({}); went back to generation {}",
                    failed.trial.to, failed.reason, failed.trial.from
                ),
            })
        });
    let mut events: Vec<_> = failed.collect();
    events.extend(Trial::read(layout)?.map(|trial| Event {
        at: trial.began,
        source: "trial",
        text: format!("generation {} is on trial", trial.to),
    }));
    Ok(events)
}

fn engines(layout: &Layout) -> Result<Vec<Event>, CommandError> {
    let mut events = Vec::new();
    let folder = layout.engines();
    if !folder.is_dir() {
        return Ok(events);
    }
    for entry in folder.read_dir_utf8()? {
        let path = entry?.into_path().join("status.json");
        let Some(status) = read::<EngineStatus>(&path) else {
            continue;
        };
        let told = |at, text: String| Event {
            at,
            source: "engine",
            text: format!("{} {text}", status.id),
        };
        events.push(told(status.started, "was started".to_owned()));
        events.extend(status.ready.map(|at| told(at, "answered".to_owned())));
        events.extend(status.exit.as_ref().map(|exit| {
            let line = exit
                .line
                .as_deref()
                .map_or_else(String::new, |line| format!(": {line}"));
            told(exit.when, format!("{}{line}", ending(&exit.cause)))
        }));
    }
    Ok(events)
}

fn ending(cause: &Cause) -> String {
    match cause {
        Cause::Asked => "ended, as it was told to".to_owned(),
        Cause::Died => "died".to_owned(),
        Cause::NotStarted { detail } => format!("could not be started: {detail}"),
        Cause::StartTimeout { seconds, detail } => {
            format!("was not ready after {seconds} s: {detail}")
        }
        Cause::ShimLost { detail } => format!("lost its shim: {detail}"),
        Cause::FirstTokenRefused { detail } => format!("refused its first token: {detail}"),
    }
}

fn scrubs(layout: &Layout) -> Result<Vec<Event>, CommandError> {
    let record = Record::read(layout)?;
    let found = record.damage.iter().map(|damage| Event {
        at: damage.finding.found_at,
        source: "scrub",
        text: format!("{} is damaged or missing", damage.finding.digest),
    });
    let mut events: Vec<_> = found.collect();
    events.extend(record.last.map(|last| Event {
        at: last.ended,
        source: "scrub",
        text: format!(
            "read the store over: {} blobs, {}, {} damaged",
            last.blobs,
            ByteSize(last.bytes),
            last.damaged
        ),
    }));
    Ok(events)
}

/// The chain of root's commands. It is root's: others see the rest.
fn audit(layout: &Layout, count: usize) -> Vec<Event> {
    let path = layout.audit_db();
    if path.symlink_metadata().is_err() {
        return Vec::new();
    }
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let entries = AuditReader::open(&path).and_then(|reader| reader.tail(count));
    match entries {
        Ok(entries) => entries
            .into_iter()
            .map(|entry| Event {
                at: entry.time,
                source: "audit",
                text: format!("{} {} by {}", entry.action, entry.subject, entry.actor),
            })
            .collect(),
        Err(error) => {
            output::words(&format!(
                "WARN  what people did is left out: {}",
                chain(&error)
            ));
            Vec::new()
        }
    }
}
