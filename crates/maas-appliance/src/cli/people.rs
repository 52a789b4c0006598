//! Commands about people: teams, keys, usage. They talk to the running gateway.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand, ValueEnum};

use super::JsonArg;

/// Limits of a team or a key. A limit that is left out does not limit; 0 allows nothing.
#[derive(Debug, Clone, Args)]
pub(crate) struct TeamLimits {
    /// Requests per minute
    #[arg(long, value_name = "N")]
    pub(crate) requests_per_minute: Option<u64>,
    /// Tokens per day, input and output together
    #[arg(long, value_name = "N")]
    pub(crate) tokens_per_day: Option<u64>,
    /// Only these models; several
    #[arg(long = "model", value_name = "NAME")]
    pub(crate) models: Vec<String>,
}

/// `team …`
#[derive(Debug, Subcommand)]
pub(crate) enum TeamCommand {
    /// Create a team
    Create {
        /// Its name
        name: String,
        #[command(flatten)]
        limits: TeamLimits,
    },
    /// Set a team's limits; what is left out is lifted
    Limit {
        /// Its name
        name: String,
        #[command(flatten)]
        limits: TeamLimits,
    },
    /// Make every key of a team dead at once
    Disable {
        /// Its name
        name: String,
    },
    /// Let a team's keys work again
    Enable {
        /// Its name
        name: String,
    },
    /// List teams
    List(JsonArg),
}

/// `keys …`
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Create a key; it is shown once
    Create {
        /// Whose quota it uses
        #[arg(long, value_name = "TEAM")]
        team: String,
        /// Who holds it
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        /// What it is for: `laptop`
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        /// How long it works: `90d`, `12h`
        #[arg(long, value_name = "DURATION")]
        expires: Option<String>,
        #[command(flatten)]
        limits: TeamLimits,
        /// Write the key to this new file (mode 0600) instead of to the terminal
        #[arg(long, value_name = "FILE")]
        out: Option<Utf8PathBuf>,
        #[command(flatten)]
        json: JsonArg,
    },
    /// List keys; secrets are not kept, so not shown
    List(JsonArg),
    /// Make a key dead at once, in the middle of a stream too
    Revoke {
        /// The part of the key between `sk-maas-` and `_`
        id: String,
        #[command(flatten)]
        json: JsonArg,
    },
}

/// `usage`
#[derive(Debug, Args)]
pub(crate) struct UsageArgs {
    /// One line for each
    #[arg(long, value_enum, default_value_t = UsageBy::Team)]
    pub(crate) by: UsageBy,
    /// First day, `2026-11-01`; today when left out
    #[arg(long, value_name = "DAY")]
    pub(crate) from: Option<String>,
    /// Last day; today when left out
    #[arg(long, value_name = "DAY")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) json: JsonArg,
}

/// What `usage` adds up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum UsageBy {
    /// Teams
    Team,
    /// Models
    Model,
    /// Keys
    Key,
    /// Days
    Day,
}
