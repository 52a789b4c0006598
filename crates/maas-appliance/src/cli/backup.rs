//! `backup …`: configuration, state and keys, sealed in one file.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};

use super::{JsonArg, PassphraseArgs};

/// `backup …`
#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Seal configuration, state and keys in one file; services go on. Weights and images are not in it
    Create {
        /// The file; it must not exist
        #[arg(value_name = "FILE")]
        file: Utf8PathBuf,
        #[command(flatten)]
        passphrase: PassphraseArgs,
        #[command(flatten)]
        json: JsonArg,
    },
    /// Read a backup to its end and look into every database in it
    Verify {
        /// The file
        #[arg(value_name = "FILE")]
        file: Utf8PathBuf,
        #[command(flatten)]
        passphrase: PassphraseArgs,
        #[command(flatten)]
        json: JsonArg,
    },
    /// Put a backup in place. May be interrupted: the same command goes on
    Restore(RestoreArgs),
}

/// `backup restore`
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The file
    #[arg(value_name = "FILE")]
    pub(crate) file: Utf8PathBuf,
    /// Move what is here aside, into `before-restore-<time>`, instead of refusing
    #[arg(long)]
    pub(crate) replace: bool,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
}
