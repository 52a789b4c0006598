//! `events`: one time line of what happened here, merged from everything that keeps a record.
//!
//! Clocks can go back, so the order within one record is kept where two of its events have one time, and no
//! more is claimed.

mod sources;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::{SignedDuration, Timestamp};
use maas_types::{Exit, Layout};
use serde::Serialize;

use crate::{
    cli::EventsArgs,
    clock,
    error::{CommandError, CommandResult},
    output::{self, Format},
};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Event {
    at: Timestamp,
    /// Who keeps the record: `install`, `trial`, `engine`, `scrub`, `audit`.
    source: &'static str,
    text: String,
}

/// `maas-appliance/events/v1`
#[derive(Debug, Serialize)]
struct Events {
    schema: &'static str,
    events: Vec<Event>,
}

/// Shows it.
pub(super) fn run(args: &EventsArgs, layout: &Layout) -> CommandResult {
    let since = args.since.as_deref().map(|text| moment(text, clock::now()));
    let events = merged(
        sources::all(layout, args.count)?,
        since.transpose()?,
        args.count,
    );
    match args.json.format() {
        Format::Json => output::json(&Events {
            schema: "maas-appliance/events/v1",
            events,
        })?,
        Format::Text => output::data(&text(&events)),
    }
    Ok(Exit::Done)
}

/// One time line: from `since` on, of these the last `count`.
fn merged(sources: Vec<Vec<Event>>, since: Option<Timestamp>, count: usize) -> Vec<Event> {
    let mut events: Vec<_> = sources
        .into_iter()
        .flatten()
        .filter(|event| since.is_none_or(|since| event.at >= since))
        .collect();
    events.sort_by_key(|event| event.at);
    events.split_off(events.len().saturating_sub(count))
}

fn text(events: &[Event]) -> String {
    let lines = events.iter().map(|event| {
        // An event is a line, whatever stands in it.
        let text = event.text.replace(['\n', '\t'], " ");
        format!("{:.0}  {:8} {text}\n", event.at, event.source)
    });
    lines.collect()
}

/// What `--since` says: so long ago, or a date or a time (UTC).
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, CommandError> {
    let wrong = || {
        CommandError::usage(format!(
            "`{text}` is no time: want `24h`, `7d`, `2026-11-22` or `2026-11-22T12:00:00Z`"
        ))
    };
    let hours = |number: &str, hours: i64| {
        let ago = number.parse::<i64>().ok()?.checked_mul(hours)?;
        now.checked_sub(SignedDuration::from_hours(ago)).ok()
    };
    let ago = match text.as_bytes().last() {
        Some(b'h') => hours(&text[..text.len() - 1], 1),
        Some(b'd') => hours(&text[..text.len() - 1], 24),
        Some(_) | None => None,
    };
    let day = || format!("{text}T00:00:00Z").parse().ok();
    ago.or_else(|| text.parse().ok())
        .or_else(day)
        .ok_or_else(wrong)
}

/// The `.json` files of a folder, by name; none, where there is no such folder.
pub(super) fn json_files(folder: &Utf8Path) -> Result<Vec<Utf8PathBuf>, CommandError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in folder.read_dir_utf8()? {
        let path = entry?.into_path();
        let hidden = path.file_name().is_none_or(|name| name.starts_with('.'));
        if !hidden && path.extension() == Some("json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(second: i64, source: &'static str, text: &str) -> Event {
        Event {
            at: Timestamp::from_second(second).unwrap(),
            source,
            text: text.to_owned(),
        }
    }

    #[test]
    fn sources_are_merged_by_time_and_the_last_are_shown() {
        let sources = || {
            vec![
                vec![event(1, "install", "a"), event(5, "install", "d\nand more")],
                vec![event(3, "audit", "b"), event(3, "audit", "c")],
                Vec::new(),
            ]
        };
        let texts = |since: Option<i64>, count| {
            let since = since.map(|second| Timestamp::from_second(second).unwrap());
            let events = merged(sources(), since, count);
            events
                .into_iter()
                .map(|event| event.text)
                .collect::<Vec<_>>()
        };
        assert_eq!(texts(None, 9), ["a", "b", "c", "d\nand more"]);
        assert_eq!(texts(None, 2), ["c", "d\nand more"]);
        assert_eq!(texts(Some(3), 9), ["b", "c", "d\nand more"]);
        insta::assert_snapshot!(text(&merged(sources(), None, 2)), @"
        1970-01-01T00:00:03Z  audit    c
        1970-01-01T00:00:05Z  install  d and more
        ");
    }

    #[test]
    fn since_takes_an_age_a_day_or_a_time() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let at = |text: &str| moment(text, now).map(|at| at.to_string());
        assert_eq!(at("24h").unwrap(), "2026-11-21T12:00:00Z");
        assert_eq!(at("7d").unwrap(), "2026-11-15T12:00:00Z");
        assert_eq!(at("2026-11-01").unwrap(), "2026-11-01T00:00:00Z");
        assert_eq!(at("2026-11-01T06:00:00Z").unwrap(), "2026-11-01T06:00:00Z");
        for wrong in ["", "d", "yesterday", "-", "9999999999999999999d", "é"] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }
}
