//! The registry over a real database, from the outside.

mod keys;
mod ledger;
mod limits;
mod revocation;

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::{SignedDuration, Timestamp};
use maas_types::{ModelName, Outcome, TeamName, Usage};

use crate::*;

/// A folder for a database, and what it takes to open it.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn database(&self) -> Utf8PathBuf {
        let folder = Utf8Path::from_path(self.folder.path()).unwrap();
        folder.join("state.db")
    }

    fn open(&self) -> Registry {
        self.open_at(now())
    }

    fn open_at(&self, now: Timestamp) -> Registry {
        let zone = SiteTimeZone::named("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        Registry::open(&self.database(), pepper(), now, zone).unwrap()
    }

    /// A connection as another program would have it.
    fn sqlite(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.database()).unwrap()
    }

    fn count(&self, sql: &str) -> i64 {
        self.sqlite().query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

fn pepper() -> Pepper {
    Pepper::from_bytes(&[9; 32])
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn later(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

fn model(name: &str) -> ModelName {
    name.parse().unwrap()
}

fn team_name() -> TeamName {
    "search".parse().unwrap()
}

fn per_minute(limit: u64) -> Limits {
    Limits {
        requests_per_minute: Some(limit),
        tokens_per_day: None,
    }
}

fn per_day(limit: u64) -> Limits {
    Limits {
        requests_per_minute: None,
        tokens_per_day: Some(limit),
    }
}

fn team(registry: &Registry, limits: Limits) {
    let new = NewTeam {
        name: team_name(),
        settings: TeamSettings {
            limits,
            models: ModelAccess::All,
        },
    };
    registry.create_team(new, now()).unwrap();
}

fn new_key(limits: Limits) -> NewKey {
    NewKey {
        team: team_name(),
        user: Some("ada".parse().unwrap()),
        name: "laptop".to_owned(),
        models: ModelAccess::All,
        expires: None,
        limits,
    }
}

/// The same key for the same `seed`.
fn entropy(seed: u8) -> Entropy {
    Entropy::from_bytes([seed; 48])
}

fn key(registry: &Registry, seed: u8, limits: Limits) -> (KeyRecord, SecretToken) {
    registry
        .create_key(new_key(limits), now(), &entropy(seed))
        .unwrap()
}

/// A registry with one team and one key, and who that key is.
fn one_key(site: &Site, team_limits: Limits, key_limits: Limits) -> (Registry, Principal) {
    let registry = site.open();
    team(&registry, team_limits);
    let (_, token) = key(&registry, 1, key_limits);
    let who = registry.authenticate(token.expose(), now()).unwrap();
    (registry, who)
}

/// A request number, as a ULID would be written.
fn request(number: usize) -> maas_types::RequestId {
    format!("{number:026}").parse().unwrap()
}

fn ask(number: usize, input: u64, output: u64) -> Ask {
    Ask {
        request: request(number),
        model: model("qwen3"),
        requested_as: None,
        route: "/v1/chat/completions",
        input_estimate: input,
        max_output: Some(output),
        input_most: input,
        answers: 1,
        default_output: 16,
    }
}

fn used(input: u64, output: u64) -> Usage {
    Usage {
        input,
        cached: 0,
        output,
    }
}

fn settle(permit: Permit, usage: Usage) {
    permit.settle(usage, Outcome::Complete, Duration::from_millis(5));
}

fn by(by: UsageBy) -> UsageQuery {
    UsageQuery {
        by,
        from: "2026-01-01".parse().unwrap(),
        to: "2026-12-31".parse().unwrap(),
    }
}

fn total(registry: &Registry) -> UsageRow {
    registry.usage(&by(UsageBy::Team)).unwrap().total
}

/// Waits until something is so, or fails after ten seconds.
fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("never so: {what}");
}
