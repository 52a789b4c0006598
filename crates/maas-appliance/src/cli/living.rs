//! What keeps a host in order, and what tells what happened on it.

use camino::Utf8PathBuf;
use clap::Args;
use clap_complete::Shell;
use maas_types::{ByteSize, EngineId, Exit};

use super::JsonArg;

/// `scrub`
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command"
)]
pub(crate) struct ScrubArgs {
    /// Read at most so much a second; 100MB, and with --now as fast as the disk, when left out
    #[arg(long, value_name = "SIZE")]
    pub(crate) rate: Option<ByteSize>,
    /// Begin anew, and do not slow down; without it, a pass that was cut off goes on
    #[arg(long)]
    pub(crate) now: bool,
    /// Say how far it is, when the last whole pass ended and what is damaged; read nothing
    #[arg(long, conflicts_with_all = ["rate", "now", "dry_run"])]
    pub(crate) status: bool,
    /// Only look: move no damaged file aside
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) json: JsonArg,
}

/// `gc`
#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// Generations to keep beside those in use: what serves, the one before it, what is on trial
    #[arg(long, value_name = "N", default_value_t = maas_store::gc::KEEP)]
    pub(crate) keep: usize,
    /// Print what would go and how many bytes, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) json: JsonArg,
}

/// `logs`
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) of: LogsOf,
    /// The run before the current one (engines)
    #[arg(long, requires = "engine")]
    pub(crate) previous: bool,
    /// Go on as it grows
    #[arg(long, short, conflicts_with_all = ["previous", "install"])]
    pub(crate) follow: bool,
    /// The last lines, so many
    #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 100)]
    pub(crate) lines: usize,
}

/// Whose log; everybody's when left out.
#[derive(Debug, Args)]
#[group(multiple = false)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command, and at most one is given"
)]
pub(crate) struct LogsOf {
    /// An engine's
    #[arg(long, value_name = "ID")]
    pub(crate) engine: Option<EngineId>,
    /// The gateway's
    #[arg(long)]
    pub(crate) gateway: bool,
    /// The supervisor's
    #[arg(long)]
    pub(crate) supervisor: bool,
    /// The GPU agent's
    #[arg(long)]
    pub(crate) agent: bool,
    /// What the last installation did, step by step
    #[arg(long)]
    pub(crate) install: bool,
}

/// `events`
#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// Only from then on: `24h`, `7d`, `2026-11-22` or `2026-11-22T12:00:00Z`
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// The last ones, so many
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 50)]
    pub(crate) count: usize,
    #[command(flatten)]
    pub(crate) json: JsonArg,
}

/// `uninstall`
#[derive(Debug, Args)]
pub(crate) struct UninstallArgs {
    /// Remove the data too: models, keys, ledger, configuration, trust
    #[arg(long)]
    pub(crate) data: bool,
    /// The name of this host, in the place of typing it; only with --data
    #[arg(long, value_name = "NAME", requires = "data")]
    pub(crate) confirm: Option<String>,
    /// Print what would go and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) json: JsonArg,
}

/// `completion`
#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// For which shell
    #[arg(value_parser = shells())]
    pub(crate) shell: Shell,
}

/// Those for which something is installed.
fn shells() -> clap::builder::ValueParser {
    use clap::builder::TypedValueParser as _;
    clap::builder::PossibleValuesParser::new(["bash", "zsh", "fish"])
        .try_map(|shell| shell.parse::<Shell>())
        .into()
}

/// `man`
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write a page for each command to this folder, instead of the main page to stdout
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<Utf8PathBuf>,
}

/// `help`
#[derive(Debug, Args)]
pub(crate) struct HelpArgs {
    /// An exit code (`21`), the code of a finding (`D-CLOCK`) or a command; all exit codes when left out
    #[arg(value_name = "CODE")]
    pub(crate) about: Vec<String>,
}

/// The exit code with a number.
pub(crate) fn exit_of(text: &str) -> Option<Exit> {
    let code: u8 = text.parse().ok()?;
    Exit::ALL.into_iter().find(|exit| exit.code() == code)
}
