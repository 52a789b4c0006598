//! What an administrator writes and reads: teams, keys and their limits.

use std::collections::BTreeSet;

use jiff::Timestamp;
use maas_types::{KeyId, ModelName, TeamName, UserName};
use serde::{Deserialize, Serialize};

/// Limits of one scope. `None` is no limit; 0 allows nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Requests per minute, refilled evenly; at most this many at once.
    #[serde(default)]
    pub requests_per_minute: Option<u64>,
    /// Input and output tokens together per calendar day of the site.
    #[serde(default)]
    pub tokens_per_day: Option<u64>,
}

impl Limits {
    /// The same limits as far as SQLite can hold them (its integers end at 2^63 - 1, which is no
    /// limit in practice).
    pub(crate) fn storable(self) -> Self {
        let clamp = |limit: Option<u64>| limit.map(|limit| limit.min(i64::MAX.unsigned_abs()));
        Self {
            requests_per_minute: clamp(self.requests_per_minute),
            tokens_per_day: clamp(self.tokens_per_day),
        }
    }
}

/// Which models a team or a key may use. On the wire `null` or nothing is [`ModelAccess::All`], and
/// a list is exactly that list: `[]` allows none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    from = "Option<BTreeSet<ModelName>>",
    into = "Option<BTreeSet<ModelName>>"
)]
pub enum ModelAccess {
    /// Every model, those of later generations included.
    #[default]
    All,
    /// These and no others.
    Only(BTreeSet<ModelName>),
}

impl ModelAccess {
    /// Whether `model` is among them.
    pub fn allows(&self, model: &ModelName) -> bool {
        match self {
            Self::All => true,
            Self::Only(models) => models.contains(model),
        }
    }
}

impl From<Option<BTreeSet<ModelName>>> for ModelAccess {
    fn from(models: Option<BTreeSet<ModelName>>) -> Self {
        models.map_or(Self::All, Self::Only)
    }
}

impl From<ModelAccess> for Option<BTreeSet<ModelName>> {
    fn from(access: ModelAccess) -> Self {
        match access {
            ModelAccess::All => None,
            ModelAccess::Only(models) => Some(models),
        }
    }
}

/// What can be changed about a team.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamSettings {
    /// Shared by all keys of the team.
    #[serde(default)]
    pub limits: Limits,
    /// What any key of the team may use at most.
    #[serde(default)]
    pub models: ModelAccess,
}

/// A team to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTeam {
    /// Its name; never used twice.
    pub name: TeamName,
    /// Its limits and models.
    #[serde(default)]
    pub settings: TeamSettings,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamRecord {
    /// Its name.
    pub name: TeamName,
    /// When it was created, to the millisecond.
    pub created: Timestamp,
    /// Since when none of its keys is accepted.
    pub disabled: Option<Timestamp>,
    /// Its limits and models.
    pub settings: TeamSettings,
}

/// A key to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// Who pays.
    pub team: TeamName,
    /// Who holds it, where that is a person.
    #[serde(default)]
    pub user: Option<UserName>,
    /// What people call it: 1 to 100 characters, no control characters.
    pub name: String,
    /// What it may use of what its team may use.
    #[serde(default)]
    pub models: ModelAccess,
    /// From when on it is refused; `None` for never.
    #[serde(default)]
    pub expires: Option<Timestamp>,
    /// Its own limits, beside its team's.
    #[serde(default)]
    pub limits: Limits,
}

/// A key without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Its public half; may be logged.
    pub id: KeyId,
    /// Who pays.
    pub team: TeamName,
    /// Who holds it, where that is a person.
    pub user: Option<UserName>,
    /// What people call it.
    pub name: String,
    /// When it was created, to the millisecond.
    pub created: Timestamp,
    /// From when on it is refused.
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// Its own limits, beside its team's.
    pub limits: Limits,
    /// What it may use of what its team may use.
    pub models: ModelAccess,
}

/// What a revocation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Admitted requests that were still running and have been told to stop.
    pub streams_cut: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_list_of_models_is_not_an_empty_one() {
        let absent: TeamSettings = serde_json::from_str("{}").unwrap();
        let empty: TeamSettings = serde_json::from_str(r#"{"models":[]}"#).unwrap();
        let model = "qwen3".parse().unwrap();
        assert!(absent.models.allows(&model));
        assert!(!empty.models.allows(&model));
        let text = serde_json::to_string(&empty).unwrap();
        assert_eq!(serde_json::from_str::<TeamSettings>(&text).unwrap(), empty);
    }

    #[test]
    fn a_limit_that_is_negative_or_misspelt_is_refused() {
        for text in [
            r#"{"tokens_per_day":-1}"#,
            r#"{"tokens_per_day":1.5}"#,
            r#"{"tokens_per_dya":1}"#,
            r#"{"requests_per_minute":"10"}"#,
        ] {
            assert!(serde_json::from_str::<Limits>(text).is_err(), "{text}");
        }
    }
}
