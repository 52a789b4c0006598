//! `audit …`: what was done on this host, and whether somebody has changed what was written down.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};

use super::JsonArg;

/// `audit …`
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Show the last entries of the audit chain
    Tail {
        /// How many
        #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
        count: u32,
        #[command(flatten)]
        json: JsonArg,
    },
    /// Look whether the chain is whole, and whether it still is what the host has signed
    Verify(AuditVerifyArgs),
    /// Write the chain as JSON lines, to be verified elsewhere
    Export {
        /// Where to
        #[arg(long, value_name = "FILE")]
        out: Utf8PathBuf,
    },
}

/// `audit verify`
#[derive(Debug, Args)]
pub(crate) struct AuditVerifyArgs {
    /// A copy of the database, instead of this host's own
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) database: Option<Utf8PathBuf>,
    /// A checkpoint of it that was kept elsewhere; several
    #[arg(long = "checkpoint", value_name = "FILE")]
    pub(crate) checkpoints: Vec<Utf8PathBuf>,
    /// The host's public key (PEM), where it is not this host
    #[arg(long, value_name = "FILE", requires = "origin")]
    pub(crate) key: Option<Utf8PathBuf>,
    /// The name under which that host signs
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: Option<String>,
}
