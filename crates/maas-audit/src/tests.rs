//! What the tests of several modules share.

mod by_hand;

use std::error::Error;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;

use crate::{Act, Action, Actor, AuditLog, HostKey};

/// An error and its causes, as a person sees them.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

pub(crate) fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(folder.path()).unwrap().to_owned();
    (folder, path)
}

pub(crate) fn key() -> HostKey {
    HostKey::from_seed("maas.site.internal".parse().unwrap(), &[7; 32])
}

/// Second `number` of 2026-11-25, 07:30.
pub(crate) fn at(second: u64) -> Timestamp {
    let start: Timestamp = "2026-11-25T07:30:00Z".parse().unwrap();
    start + jiff::SignedDuration::from_secs(second.try_into().unwrap())
}

pub(crate) fn ana() -> Actor {
    Actor::Operator {
        uid: 1000,
        login: "ana".to_owned(),
    }
}

/// A log of so many entries.
pub(crate) fn log(path: &Utf8Path, entries: u64) -> AuditLog {
    let mut log = AuditLog::open(path).unwrap();
    for number in 1..=entries {
        let act = Act::new(Action::KEYS_CREATED, format!("key-{number}")).detail("team", "blue");
        log.append(at(number), &ana(), act).unwrap();
    }
    log
}
