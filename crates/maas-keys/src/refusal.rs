//! Why a request is not let in. The gateway turns these into its clients' dialects.

use std::time::Duration;

use jiff::Timestamp;

/// Why a presented key is refused. Outside, all of them are the same 401: an unknown id and a wrong
/// secret must not be told apart, and the rest is only for whoever proved that they hold the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AuthRefusal {
    /// Not the shape of a key, or its checksum is wrong: a typo, or a key for something else.
    #[error("not a key of this appliance: its form or checksum is wrong")]
    Malformed,
    /// No such id, or the secret is not the one that belongs to it.
    #[error("no such key")]
    Unknown,
    /// The right secret of a key that was revoked.
    #[error("the key was revoked")]
    Revoked,
    /// The right secret of a key whose time is over.
    #[error("the key has expired")]
    Expired,
    /// The right secret of a key whose team is disabled.
    #[error("the key's team is disabled")]
    TeamDisabled,
}

impl AuthRefusal {
    /// Every refusal, for metric labels and tests.
    pub const ALL: [Self; 5] = [
        Self::Malformed,
        Self::Unknown,
        Self::Revoked,
        Self::Expired,
        Self::TeamDisabled,
    ];

    /// The word in metric labels and in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::TeamDisabled => "team_disabled",
        }
    }
}

/// Whose limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The presented key's own.
    Key,
    /// Its team's, shared by all its keys.
    Team,
}

impl Scope {
    /// The word for people and in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Team => "team",
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why an authenticated request is not admitted. Nothing was debited anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitRefusal {
    /// Too many requests in too short a time: 429.
    #[error("the {scope}'s limit of {limit} requests per minute is reached")]
    RequestRate {
        /// The scope that takes longest to recover.
        scope: Scope,
        /// Requests per minute.
        limit: u64,
        /// When the same request would be admitted if nobody else asks. `None` for a limit of 0,
        /// which only an administrator can end.
        retry_after: Option<Duration>,
    },
    /// The day's tokens are spent, or too few are left for this prompt: 402.
    #[error("the {scope}'s limit of {limit} tokens per day leaves too little: {used} are used")]
    Budget {
        /// The scope with the fewest tokens left.
        scope: Scope,
        /// Tokens per day.
        limit: u64,
        /// Tokens settled today and reserved by running requests.
        used: u64,
        /// When the site's day ends and the count starts again.
        resets: Timestamp,
    },
    /// The key's list or its team's list lacks the model. Outside, the same as an unknown model.
    #[error("the key may not use this model")]
    ModelNotAllowed,
    /// Revoked or disabled between `authenticate` and `admit`: 401.
    #[error("the key was revoked")]
    Revoked,
    /// The ledger cannot take more: its disk is slow, full or read-only, or the registry is closed.
    /// 503, never 401.
    #[error("the usage ledger cannot be written")]
    LedgerBusy,
}

impl LimitRefusal {
    /// The word in metric labels and in the log.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::RequestRate { .. } => "request_rate",
            Self::Budget { .. } => "budget",
            Self::ModelNotAllowed => "model_not_allowed",
            Self::Revoked => "revoked",
            Self::LedgerBusy => "ledger_busy",
        }
    }
}
