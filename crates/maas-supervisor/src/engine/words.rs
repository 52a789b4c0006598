//! Why an engine is not ready, in sentences for the person at three in the morning.

use std::time::Duration;

use camino::Utf8Path;
use jiff::Timestamp;

use crate::{
    log::previous,
    policy::GiveUp,
    status::{Cause, ExitRecord},
};

/// The record of a run whose shim was killed before it could write one.
pub(super) fn shim_lost(when: Timestamp) -> ExitRecord {
    let detail = "its shim was killed, and it with it".to_owned();
    ExitRecord {
        when,
        cause: Cause::ShimLost { detail },
        code: None,
        signal: None,
        line: None,
        unkillable: Vec::new(),
    }
}

/// What happened, as the first half of a sentence.
pub(super) fn why(record: &ExitRecord) -> String {
    let mut text = match &record.cause {
        Cause::Asked => "somebody else told it to stop".to_owned(),
        Cause::Died => match (record.code, record.signal) {
            (Some(0), _) => "it ended without being told to (exit code 0)".to_owned(),
            (Some(2), _) => "it does not take its flags (exit code 2)".to_owned(),
            (Some(code), _) => format!("it ended with exit code {code}"),
            (None, Some(9)) => {
                "it was killed (signal 9; the kernel does that too, when memory is out)".to_owned()
            }
            (None, Some(signal)) => format!("it was ended by signal {signal}"),
            (None, None) => "it ended".to_owned(),
        },
        Cause::NotStarted { detail } => format!("it could not be started: {detail}"),
        Cause::StartTimeout { seconds, detail } => {
            format!("it had no token after {seconds} s: {detail}")
        }
        Cause::FirstTokenRefused { detail } => format!("it refuses its first token: {detail}"),
        Cause::ShimLost { detail } => detail.clone(),
    };
    if let Some(line) = &record.line {
        text = format!("{text}: {}", line.trim_end_matches('.'));
    }
    text
}

pub(super) fn again(why: &str, now: Timestamp, delay: Duration) -> String {
    let at = now.checked_add(delay).unwrap_or(now);
    format!("{why}; it is started again at {at:.0}")
}

pub(super) fn given_up(why: &str, give_up: GiveUp, log: Option<&Utf8Path>) -> String {
    let verdict = match give_up {
        GiveUp::BadFlags => "it is not started again until its manifest changes".to_owned(),
        GiveUp::TooOften(times) => {
            format!("it is not started again after {times} failures in a quarter of an hour")
        }
    };
    match log {
        Some(log) => format!("{why}; {verdict} (logs: `{log}`, `{}`)", previous(log)),
        None => format!("{why}; {verdict}"),
    }
}

pub(super) fn unkillable(why: &str, pids: &[u32]) -> String {
    let pids: Vec<_> = pids.iter().map(ToString::to_string).collect();
    let pids = pids.join(", ");
    format!(
        "{why}; its processes {pids} hang in the kernel, and hold what they have until a reboot"
    )
}

pub(super) fn sweeping(record: Option<&ExitRecord>) -> String {
    let why = record.map_or_else(|| "it ended".to_owned(), why);
    format!("{why}; what is left of it is being removed")
}
