//! `bundle …`: what the connected side does with bundles, and what is done with them at the door.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};
use maas_types::ByteSize;

use super::{ElsewhereArgs, JsonArg, PassphraseArgs};

/// `bundle …`
#[derive(Debug, Subcommand)]
pub(crate) enum BundleCommand {
    /// Fetch a model or an image from the network into a folder, for a recipe
    #[command(subcommand)]
    Fetch(FetchCommand),
    /// Build a bundle from a recipe, ready to be signed
    Build(BuildArgs),
    /// Add a key's signature to a bundle; any order, on any machine
    Sign {
        /// The bundle, or a folder with its metadata only
        #[arg(value_name = "DIR")]
        bundle: Utf8PathBuf,
        /// A private key
        #[arg(long = "key", value_name = "FILE")]
        key: Option<Utf8PathBuf>,
        #[command(flatten)]
        passphrase: PassphraseArgs,
        /// Take over the signatures of another copy of the same bundle
        #[arg(long, value_name = "DIR", required_unless_present_any = ["key", "export", "public"])]
        merge: Vec<Utf8PathBuf>,
        #[command(flatten)]
        elsewhere: ElsewhereArgs,
    },
    /// Spread a bundle over sticks, and read them again to see that they have taken it
    Copy(CopyArgs),
    /// Say what a bundle holds and who signed it, without trusting it
    Inspect {
        /// The media, in any order
        #[arg(value_name = "DIR", required = true)]
        media: Vec<Utf8PathBuf>,
        /// Say who has signed what, in full
        #[arg(long)]
        signers: bool,
        #[command(flatten)]
        json: JsonArg,
    },
    /// Say what changes from one bundle to another
    Diff {
        /// The first bundle
        #[arg(value_name = "A")]
        from: Utf8PathBuf,
        /// The second one
        #[arg(value_name = "B")]
        to: Utf8PathBuf,
        #[command(flatten)]
        json: JsonArg,
    },
    /// Check signatures, freshness and every byte of a bundle
    Verify(VerifyArgs),
}

/// `bundle fetch …`
#[derive(Debug, Subcommand)]
pub(crate) enum FetchCommand {
    /// Fetch a revision of a model from a hub; what was broken off goes on where it stopped
    Model(FetchModelArgs),
    /// Fetch an image for linux/amd64 and its signatures from a registry
    Image(FetchImageArgs),
}

/// `bundle fetch model`
#[derive(Debug, Args)]
pub(crate) struct FetchModelArgs {
    /// `ORGANISATION/NAME`
    #[arg(value_name = "REPOSITORY")]
    pub(crate) repository: String,
    /// A branch, a tag or a commit; resolved once, and the commit is told
    #[arg(long, value_name = "REVISION", default_value = "main")]
    pub(crate) revision: String,
    /// The folder; the recipe's `folder`
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Utf8PathBuf,
    /// A mirror, or a hub of your own
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// The token for a gated model, in the first line of this file
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<Utf8PathBuf>,
    /// Only files like this (`*.json`); several
    #[arg(long, value_name = "PATTERN")]
    pub(crate) include: Vec<String>,
    /// No files like this; several
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<String>,
    /// Weights in other formats too, where there are safetensors
    #[arg(long)]
    pub(crate) all_weights: bool,
    #[command(flatten)]
    pub(crate) wire: WireArgs,
}

/// `bundle fetch image`
#[derive(Debug, Args)]
pub(crate) struct FetchImageArgs {
    /// `registry.example.org/vllm/vllm-openai:v0.32.0`, or with a digest
    #[arg(value_name = "REFERENCE")]
    pub(crate) reference: String,
    /// The folder, an OCI layout; the recipe's `source`
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Utf8PathBuf,
    /// Refuse a tag without a digest
    #[arg(long)]
    pub(crate) require_digest: bool,
    /// Who we are at the registry
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub(crate) user: Option<String>,
    /// The password or token, in the first line of this file
    #[arg(long, value_name = "FILE", requires = "user")]
    pub(crate) password_file: Option<Utf8PathBuf>,
    #[command(flatten)]
    pub(crate) wire: WireArgs,
}

/// How servers are reached.
#[derive(Debug, Args)]
pub(crate) struct WireArgs {
    /// Trust these certificate authorities (PEM) instead of the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<Utf8PathBuf>,
    /// Allow plain HTTP beyond this machine. Content is checked by digest; credentials are readable
    #[arg(long)]
    pub(crate) insecure: bool,
}

/// `bundle build`
#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// The recipe (TOML)
    #[arg(value_name = "RECIPE")]
    pub(crate) recipe: Utf8PathBuf,
    /// An empty folder, or one to create
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Utf8PathBuf,
    /// The trust root that says who may sign; all versions from 1, so that hosts follow from
    /// whichever they trust. When left out: `1.root.json`, `2.root.json` and so on, as they are
    #[arg(long = "trust-root", value_name = "FILE")]
    pub(crate) trust_roots: Vec<Utf8PathBuf>,
    /// Leave out what a host has: the file that its `inventory --export` wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) have: Option<Utf8PathBuf>,
    /// Sign each model that its maker has not signed (OMS v1.0) with this P-256 key
    #[arg(long, value_name = "FILE")]
    pub(crate) model_key: Option<Utf8PathBuf>,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
}

/// `bundle copy`
#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// The bundle
    #[arg(value_name = "DIR")]
    pub(crate) bundle: Utf8PathBuf,
    /// A mounted stick or a folder; several
    #[arg(long = "to", value_name = "DIR", required = true)]
    pub(crate) to: Vec<Utf8PathBuf>,
    /// Make as many volumes of this size as are needed, as folders below --to (`25GB` for a disc)
    #[arg(long, value_name = "SIZE")]
    pub(crate) volume_size: Option<ByteSize>,
    /// Leave out what a host has: the file that its `inventory --export` wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) have: Option<Utf8PathBuf>,
    /// Do not read the sticks again after writing
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Print the paper that travels with each stick
    #[arg(long)]
    pub(crate) label: bool,
}

/// `bundle verify`
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The media, in any order
    #[arg(value_name = "DIR", required = true)]
    pub(crate) media: Vec<Utf8PathBuf>,
    /// Which bundle, when the media hold more than one
    #[arg(long, value_name = "ID")]
    pub(crate) bundle: Option<String>,
    /// Trust this root file instead of the host's roots; needs --fingerprint
    #[arg(long, value_name = "FILE", requires = "fingerprint")]
    pub(crate) trust_root: Option<Utf8PathBuf>,
    /// The fingerprint of that root
    #[arg(long, value_name = "HEX", requires = "trust_root")]
    pub(crate) fingerprint: Option<String>,
    /// Check signatures, names, lengths and small files, and read no content
    #[arg(long)]
    pub(crate) metadata_only: bool,
    /// Write what was checked and found to this file (JSON): the evidence for the record
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<Utf8PathBuf>,
    #[command(flatten)]
    pub(crate) json: JsonArg,
}
