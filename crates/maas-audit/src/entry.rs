//! One entry of the log, its hash, and its line in an export.
//!
//! Threats: an entry whose text says more than its hash covers (unknown members, a member twice); two
//! entries with one hash because fields run into each other; a line that never ends. Defences: strict
//! JSON without unknown members; every field is hashed with its length before it; a line has a limit.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maas_types::{Digest, json};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Act, Action, Actor, instant};

/// What is hashed first: another version, or another use of SHA-256, never gives the same hash.
const DOMAIN: &str = "maas-audit/entry/v1";

/// Bytes of a line in an export, line feed included. The largest entry has 8 KiB of details, each
/// character of which is at most two in JSON, and under 2 KiB beside them.
pub(crate) const LINE: u64 = 32 * 1024;

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its place, from 1, without gaps. This orders entries, not the time.
    pub sequence: u64,
    /// What the clock said, to the millisecond. A clock can go back.
    #[serde(with = "instant")]
    pub time: Timestamp,
    /// Who.
    pub actor: Actor,
    /// Did what.
    pub action: Action,
    /// To what.
    pub subject: String,
    /// What one must know beside it.
    pub details: BTreeMap<String, String>,
    /// The hash of the entry before; of the first, 32 zero bytes.
    pub previous: Digest,
    /// SHA-256 of all of the above.
    pub hash: Digest,
}

/// Where a log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The last entry's number; 0 while there is none.
    pub sequence: u64,
    /// The last entry's hash; 32 zero bytes while there is none.
    pub hash: Digest,
}

impl Head {
    /// The head of a log without entries.
    pub const START: Self = Self {
        sequence: 0,
        hash: Digest::from_bytes([0; 32]),
    };
}

impl Entry {
    /// The entry that follows `head`.
    pub(crate) fn after(head: Head, now: Timestamp, actor: &Actor, act: Act) -> Self {
        let mut entry = Self {
            sequence: head.sequence + 1,
            time: instant::to_millisecond(now),
            actor: actor.cleaned(),
            action: act.action,
            subject: act.subject,
            details: act.details,
            previous: head.hash,
            hash: Head::START.hash,
        };
        entry.hash = entry.computed();
        entry
    }

    /// The hash that its content gives (audit-format.md, 2).
    pub fn computed(&self) -> Digest {
        let mut sha = Sha256::new();
        let mut field = |text: &str| {
            sha.update((text.len() as u64).to_be_bytes());
            sha.update(text);
        };
        field(DOMAIN);
        field(&self.sequence.to_string());
        field(&instant::text(self.time));
        self.actor.fields().iter().for_each(|text| field(text));
        field(self.action.as_str());
        field(&self.subject);
        field(&self.details.len().to_string());
        for (name, value) in &self.details {
            field(name);
            field(value);
        }
        field(&self.previous.to_string());
        Digest::from_bytes(sha.finalize().into())
    }

    /// Its number and hash.
    pub const fn head(&self) -> Head {
        Head {
            sequence: self.sequence,
            hash: self.hash,
        }
    }

    /// Its line in an export, without the line feed.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers become JSON")
    }

    /// Reads a line of an export; the hash is not looked at.
    pub(crate) fn from_line(line: &[u8]) -> Result<Self, String> {
        json::strict(line).map_err(|error| json::plain(&error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let actor = Actor::Operator {
            uid: 1000,
            login: "ana".to_owned(),
        };
        let act = Act::new(Action::BUNDLE_APPROVED, "acme-2026.11-a").detail("reason", "\"é\"");
        let now = "2026-11-25T07:30:31.1239Z".parse().unwrap();
        Entry::after(Head::START, now, &actor, act)
    }

    /// Computed by the Python of docs/reference/audit-format.md. Frozen: another value here means that
    /// logs in the field do not verify any more.
    #[test]
    fn the_form_and_the_hash_are_frozen() {
        insta::assert_snapshot!(entry().to_line(), @r#"{"sequence":1,"time":"2026-11-25T07:30:31.123Z","actor":{"kind":"operator","uid":1000,"login":"ana"},"action":"bundle.approved","subject":"acme-2026.11-a","details":{"reason":"\"é\""},"previous":"sha256:0000000000000000000000000000000000000000000000000000000000000000","hash":"sha256:279093453879787ea8a6d2f8babebe439ac4fea0d28052122f51011172aa20ab"}"#);
    }

    #[test]
    fn a_line_is_read_back_and_nothing_beside_it() {
        let line = entry().to_line();
        let read = |line: &str| Entry::from_line(line.as_bytes());
        assert_eq!(read(&line), Ok(entry()));
        for (from, to) in [
            ("{\"sequence\"", "{\"note\":\"x\",\"sequence\""),
            ("{\"sequence\"", "{\"sequence\":2,\"sequence\""),
            ("\"uid\":1000", "\"uid\":1000,\"x\":1"),
            ("31.123Z", "31.1230Z"),
            ("bundle.approved", "approved"),
            ("\"reason\":", "\"reason\":\"a\",\"reason\":"),
        ] {
            let other = line.replacen(from, to, 1);
            assert_ne!(other, line);
            assert!(read(&other).is_err(), "{other}");
        }
        let mut alone = entry();
        alone.actor = Actor::Appliance {};
        let line = alone.to_line();
        assert_eq!(read(&line), Ok(alone));
        let other = line.replacen("\"appliance\"", "\"appliance\",\"uid\":0", 1);
        assert!(read(&other).is_err(), "{other}");
    }

    #[test]
    fn no_field_runs_into_the_next() {
        let hash = |action: Action, subject: &str, name: &str, value: &str| {
            let act = Act::new(action, subject).detail(name, value);
            Entry::after(
                Head::START,
                Timestamp::UNIX_EPOCH,
                &Actor::Appliance {},
                act,
            )
            .hash
        };
        let one = hash(Action::KEYS_CREATED, "ab", "c", "d");
        assert_ne!(one, hash(Action::KEYS_CREATED, "a", "bc", "d"));
        assert_ne!(one, hash(Action::KEYS_CREATED, "ab", "cd", ""));
        assert_ne!(one, hash(Action::KEYS_ROTATED, "ab", "c", "d"));
    }

    #[test]
    fn the_largest_entry_fits_in_a_line() {
        let actor = Actor::Operator {
            uid: u32::MAX,
            login: "\"".repeat(100),
        };
        let act = (0..40).fold(
            Act::new(Action::CERTIFICATE_REPLACED, "\"".repeat(300)),
            |act, number| act.detail(&number.to_string(), "\"".repeat(250)),
        );
        let head = Head {
            sequence: u64::MAX - 1,
            hash: Head::START.hash,
        };
        let line = Entry::after(head, Timestamp::MAX, &actor, act).to_line();
        assert!((line.len() as u64) < LINE, "{}", line.len());
    }
}
