//! `import` and `approve`: a release comes in, and is not activated yet.

use camino::Utf8PathBuf;
use clap::Args;

use super::JsonArg;

/// `import`
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// A mounted stick or a folder; several, in any order
    #[arg(long = "media", value_name = "DIR", required = true)]
    pub(crate) media: Vec<Utf8PathBuf>,
    /// Which bundle, when the media hold more than one
    #[arg(long, value_name = "ID")]
    pub(crate) bundle: Option<String>,
    /// Print what would be done and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) json: JsonArg,
}

/// `approve`
#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// The bundle, as `import` has named it
    #[arg(value_name = "BUNDLE")]
    pub(crate) bundle: String,
    /// The first eight or more hex digits of its fingerprint, as the sender or the first person reads them
    #[arg(long, value_name = "HEX")]
    pub(crate) fingerprint: Option<String>,
    #[command(flatten)]
    pub(crate) json: JsonArg,
}
