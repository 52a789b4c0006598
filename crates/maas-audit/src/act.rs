//! Who did what to what: the part of an entry that a caller brings.

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr};

use maas_types::{KeyId, NameError};
use serde::{Deserialize, Serialize};

use crate::text::clean;

/// Bytes of a subject: a bundle id and a model's path fit, a document does not.
const SUBJECT: usize = 256;
/// Bytes of a login name; Linux itself allows 32.
const LOGIN: usize = 64;
/// Bytes of a detail's name, and of its value: a reason of a few sentences fits.
const DETAIL: (usize, usize) = (64, 1024);
/// How many details an entry has, and how many bytes they have together: the log is evidence, not an
/// archive. What a bundle holds stands in its bill, which is named by digest.
const DETAILS: (usize, usize) = (32, 8 * 1024);
/// The detail that says how many more there were.
const CUT: &str = "details-cut";

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Actor {
    /// A person with a shell on the host.
    Operator {
        /// Their number, which the kernel vouches for.
        uid: u32,
        /// Their name at the time. Numbers are given to somebody else in time.
        login: String,
    },
    /// Whoever held a key of the gateway's administration.
    AdminKey {
        /// The key's public half.
        id: KeyId,
    },
    /// The appliance by itself: a restart, a rotation, an expiry.
    // Not a unit: serde would let unknown members pass beside it.
    Appliance {},
}

/// What was done: `bundle.installed`. Two to four lower-case words with dots between.
///
/// The names that this release writes are the constants here; a name that a later release wrote is read
/// like any other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Action(Cow<'static, str>);

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        impl Action {
            $($(#[$doc])* pub const $name: Self = Self(Cow::Borrowed($text));)*

            /// Every action that this release writes.
            pub const KNOWN: &[Self] = &[$(Self::$name),*];
        }
    };
}

actions! {
    /// The log was begun.
    AUDIT_STARTED = "audit.started";
    /// Entries were handed out.
    AUDIT_EXPORTED = "audit.exported";
    /// A bundle was verified, with what result stands in the details.
    BUNDLE_VERIFIED = "bundle.verified";
    /// A bundle was staged and waits for approval.
    BUNDLE_IMPORTED = "bundle.imported";
    /// A second person approved a staged bundle.
    BUNDLE_APPROVED = "bundle.approved";
    /// A staged bundle was turned away.
    BUNDLE_REJECTED = "bundle.rejected";
    /// A bundle became the generation that serves.
    BUNDLE_INSTALLED = "bundle.installed";
    /// An older generation serves again.
    GENERATION_ROLLED_BACK = "generation.rolled-back";
    /// A generation was removed.
    GENERATION_REMOVED = "generation.removed";
    /// A warning or failure of a host check was accepted, with a reason.
    PREFLIGHT_ACCEPTED = "preflight.accepted";
    /// A root was pinned.
    TRUST_ADDED = "trust.added";
    /// A root is no longer trusted.
    TRUST_REMOVED = "trust.removed";
    /// A signed successor of a trusted root was taken.
    TRUST_ROTATED = "trust.rotated";
    /// A developer's key was made.
    KEYS_CREATED = "keys.created";
    /// A developer's key got another secret.
    KEYS_ROTATED = "keys.rotated";
    /// A developer's key is dead.
    KEYS_REVOKED = "keys.revoked";
    /// A team was made.
    TEAM_CREATED = "team.created";
    /// A team's limits or models were changed.
    TEAM_CHANGED = "team.changed";
    /// A team was switched off, and its keys with it.
    TEAM_DISABLED = "team.disabled";
    /// A person's data was erased.
    USER_ERASED = "user.erased";
    /// The configuration was changed.
    CONFIG_CHANGED = "config.changed";
    /// A certificate was replaced.
    CERTIFICATE_REPLACED = "certificate.replaced";
    /// A backup was made.
    BACKUP_CREATED = "backup.created";
    /// A backup was put back.
    BACKUP_RESTORED = "backup.restored";
    /// Usage, evidence or a support bundle left the host.
    EVIDENCE_EXPORTED = "evidence.exported";
}

/// What was done, to what, and what one must know beside it. Give it no secret, prompt or completion:
/// the log is shown to auditors and never forgets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    pub(crate) action: Action,
    pub(crate) subject: String,
    pub(crate) details: BTreeMap<String, String>,
    cut: usize,
}

impl Act {
    /// `action` done to `subject`: a bundle id, a key id, a check's name. At most 256 bytes are kept.
    pub fn new(action: Action, subject: impl AsRef<str>) -> Self {
        Self {
            action,
            subject: clean(subject.as_ref(), SUBJECT),
            details: BTreeMap::new(),
            cut: 0,
        }
    }

    /// Adds a detail; one of the same name is replaced. 1,024 bytes of a value are kept and 32 details
    /// or 8 KiB of an entry; the detail `details-cut` says how many more there were.
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl fmt::Display) -> Self {
        let name = clean(name, DETAIL.0);
        let value = clean(&value.to_string(), DETAIL.1);
        let others = self.details.iter().filter(|(other, _)| **other != name);
        let (count, bytes) = others.fold((0, 0), |(count, bytes), (name, value)| {
            (count + 1, bytes + name.len() + value.len())
        });
        if count < DETAILS.0 && bytes + name.len() + value.len() <= DETAILS.1 {
            self.details.insert(name, value);
        } else {
            self.cut += 1;
            let cut = self.cut.to_string();
            self.details.insert(CUT.to_owned(), cut);
        }
        self
    }
}

impl Actor {
    /// The actor as it is kept: a login name is text of others.
    pub(crate) fn cleaned(&self) -> Self {
        match self {
            Self::Operator { uid, login } => Self::Operator {
                uid: *uid,
                login: clean(login, LOGIN),
            },
            Self::AdminKey { .. } | Self::Appliance {} => self.clone(),
        }
    }

    /// Kind, identifier and name, as they are hashed (audit-format.md, 2.3).
    pub(crate) fn fields(&self) -> [String; 3] {
        match self {
            Self::Operator { uid, login } => ["operator".into(), uid.to_string(), login.clone()],
            Self::AdminKey { id } => ["admin-key".into(), id.to_string(), String::new()],
            Self::Appliance {} => ["appliance".into(), String::new(), String::new()],
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator { uid, login } => write!(f, "{login} (uid {uid})"),
            Self::AdminKey { id } => write!(f, "admin key {id}"),
            Self::Appliance {} => f.write_str("the appliance"),
        }
    }
}

impl Action {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_dotted(text: &str) -> bool {
    let word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.len() <= 64 && (2..=4).contains(&text.split('.').count()) && text.split('.').all(word)
}

impl FromStr for Action {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if is_dotted(text) {
            return Ok(Self(Cow::Owned(text.to_owned())));
        }
        Err(NameError {
            what: "action",
            text: maas_types::json::plain(text).chars().take(80).collect(),
            want: "two to four lower-case words with dots between, like `bundle.installed`",
        })
    }
}

impl TryFrom<String> for Action {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Action> for String {
    fn from(action: Action) -> Self {
        action.0.into_owned()
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_action_is_one_and_stands_there_once() {
        let mut seen = std::collections::BTreeSet::new();
        for action in Action::KNOWN {
            assert_eq!(action.as_str().parse().as_ref(), Ok(action));
            assert!(seen.insert(action));
        }
    }

    #[test]
    fn what_is_no_dotted_name_is_no_action() {
        for text in [
            "",
            "bundle",
            "Bundle.installed",
            "a..b",
            "a.b.c.d.e",
            "a. b",
            ".a",
            "a.-b",
        ] {
            assert!(text.parse::<Action>().is_err(), "{text}");
        }
        insta::assert_snapshot!(
            "rm -rf\u{1b}".parse::<Action>().unwrap_err(),
            @r"`rm -rf\u{1b}` is not a valid action (want two to four lower-case words with dots between, like `bundle.installed`)"
        );
        assert!("model.weights.moved".parse::<Action>().is_ok());
    }

    #[test]
    fn details_are_capped_and_the_entry_says_so() {
        let act = (0..40).fold(Act::new(Action::CONFIG_CHANGED, "x"), |act, number| {
            act.detail(&format!("d{number:02}"), number)
        });
        assert_eq!(act.details.len(), 33);
        assert_eq!(act.details[CUT], "8");

        let act = (0..20).fold(Act::new(Action::CONFIG_CHANGED, "x"), |act, number| {
            act.detail(&format!("d{number:02}"), "y".repeat(2000))
        });
        let bytes: usize = act.details.values().map(String::len).sum();
        assert!(bytes <= 8 * 1024, "{bytes}");
        assert!(act.details["d00"].ends_with("… (2000 bytes)"));
        assert_eq!(act.details[CUT], "12");
    }

    #[test]
    fn a_detail_said_again_is_replaced() {
        let act = Act::new(Action::CONFIG_CHANGED, "x");
        let act = act.detail("a", 1).detail("a", 2);
        assert_eq!(act.details, [("a".to_owned(), "2".to_owned())].into());
    }
}
