//! `key …` and `trust …`.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand, ValueEnum};

use super::JsonArg;

/// `key …`
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a signing key: FILE (private, encrypted) and FILE.pub
    Gen {
        /// Where the private key goes
        #[arg(long, value_name = "FILE")]
        out: Utf8PathBuf,
        /// What it signs with
        #[arg(long, value_enum, default_value_t)]
        algorithm: KeyAlgorithm,
        #[command(flatten)]
        passphrase: PassphraseArgs,
        /// Keep the private key in clear text, for rehearsals only
        #[arg(long, conflicts_with = "passphrase_file")]
        unsafe_without_passphrase: bool,
    },
}

/// What a key signs with.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum KeyAlgorithm {
    /// Ed25519
    #[default]
    Ed25519,
    /// ECDSA on P-256 with SHA-256, where rules or hardware ask for it
    P256,
}

/// Where a passphrase comes from. Never from the command line: other users can read that.
#[derive(Debug, Args)]
pub(crate) struct PassphraseArgs {
    /// Read the passphrase from the first line of this file instead of asking
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<Utf8PathBuf>,
}

/// `trust …`
#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Work on a trust root on the connected side
    #[command(subcommand)]
    Root(TrustRootCommand),
    /// Trust a root on this host, after comparing its fingerprint
    Add {
        /// The `N.root.json` that came with the first medium
        #[arg(value_name = "ROOT")]
        file: Utf8PathBuf,
        /// The fingerprint that the sender told you (asked for on a terminal otherwise)
        #[arg(long, value_name = "HEX")]
        fingerprint: Option<String>,
        /// What this site calls it
        #[arg(long, value_name = "TEXT", default_value = "release root")]
        name: String,
        #[command(flatten)]
        json: JsonArg,
    },
    /// Trust another root instead of those that this host trusts: when too many keys were lost to
    /// follow. What was installed stays the floor
    Replace {
        /// The `N.root.json` of the new chain
        #[arg(value_name = "ROOT")]
        file: Utf8PathBuf,
        /// The fingerprint that the sender told you (asked for on a terminal otherwise)
        #[arg(long, value_name = "HEX")]
        fingerprint: Option<String>,
        /// Why; it is kept with the root
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        json: JsonArg,
    },
    /// List the roots that this host trusts
    List(JsonArg),
    /// Show a root: fingerprint, keys and thresholds
    Show {
        /// A root file, or nothing for what this host trusts
        #[arg(value_name = "ROOT")]
        file: Option<Utf8PathBuf>,
        #[command(flatten)]
        json: JsonArg,
    },
}

/// `trust root …`
#[derive(Debug, Subcommand)]
pub(crate) enum TrustRootCommand {
    /// Start a trust root: these keys, and how many of them must sign
    Init {
        /// How many keys must sign
        #[arg(long, value_name = "N")]
        threshold: u32,
        /// A public key (`….pub`); several
        #[arg(long = "key", value_name = "FILE", required = true)]
        keys: Vec<Utf8PathBuf>,
        #[command(flatten)]
        releases: ReleaseSignersArgs,
        /// Where the root file goes
        #[arg(long, value_name = "FILE", default_value = "1.root.json")]
        out: Utf8PathBuf,
    },
    /// Make the root after this one, with these keys instead of its own
    Rotate {
        /// The root that hosts trust today
        #[arg(value_name = "ROOT")]
        root: Utf8PathBuf,
        /// How many of the new keys must sign
        #[arg(long, value_name = "N")]
        threshold: u32,
        /// A public key (`….pub`); several
        #[arg(long = "key", value_name = "FILE", required = true)]
        keys: Vec<Utf8PathBuf>,
        #[command(flatten)]
        releases: ReleaseSignersArgs,
        #[command(flatten)]
        next: NextRootArgs,
    },
    /// Make the root after this one, with these keys beside its own
    AddKey {
        /// The root that hosts trust today
        #[arg(value_name = "ROOT")]
        root: Utf8PathBuf,
        /// A public key (`….pub`); several
        #[arg(long = "key", value_name = "FILE", required = true)]
        keys: Vec<Utf8PathBuf>,
        /// How many keys must sign from then on; as many as today when left out
        #[arg(long, value_name = "N")]
        threshold: Option<u32>,
        /// Change who signs releases, and not who signs roots
        #[arg(long)]
        releases: bool,
        #[command(flatten)]
        next: NextRootArgs,
    },
    /// Make the root after this one, without these keys: lost, stolen, or of somebody who left
    RemoveKey {
        /// The root that hosts trust today
        #[arg(value_name = "ROOT")]
        root: Utf8PathBuf,
        /// The id of a key, or its first 8 digits or more; several
        #[arg(long = "key", value_name = "ID", required = true)]
        keys: Vec<String>,
        /// How many keys must sign from then on; as many as today when left out
        #[arg(long, value_name = "N")]
        threshold: Option<u32>,
        /// Change who signs releases, and not who signs roots
        #[arg(long)]
        releases: bool,
        #[command(flatten)]
        next: NextRootArgs,
    },
    /// Add a key's signature to a root; as many as its threshold must, before a host takes it
    Sign {
        /// The root file
        #[arg(value_name = "ROOT")]
        root: Utf8PathBuf,
        /// The root before it, whose keys sign too; `N-1.root.json` beside it when left out
        #[arg(long, value_name = "FILE")]
        previous: Option<Utf8PathBuf>,
        /// A private key
        #[arg(long, value_name = "FILE", required_unless_present_any = ["export", "public"])]
        key: Option<Utf8PathBuf>,
        #[command(flatten)]
        passphrase: PassphraseArgs,
        #[command(flatten)]
        elsewhere: ElsewhereArgs,
    },
}

/// Signing with a key that does not leave its token or security module: files out, signatures in.
#[derive(Debug, Args)]
pub(crate) struct ElsewhereArgs {
    /// Write what is to be signed into this folder, as `ROLE-VERSION.tbs`
    #[arg(long, value_name = "DIR", conflicts_with_all = ["key", "public"])]
    pub(crate) export: Option<Utf8PathBuf>,
    /// The public key whose signatures are brought, with --signatures
    #[arg(
        long,
        value_name = "FILE",
        requires = "signatures",
        conflicts_with = "key"
    )]
    pub(crate) public: Option<Utf8PathBuf>,
    /// The folder with the signatures, as `ROLE-VERSION.sig`
    #[arg(long, value_name = "DIR", requires = "public")]
    pub(crate) signatures: Option<Utf8PathBuf>,
}

/// Keys of their own for releases, so that those of roots can stay in a safe.
#[derive(Debug, Args)]
pub(crate) struct ReleaseSignersArgs {
    /// A public key that signs releases; several. The keys of roots do when left out
    #[arg(
        long = "release-key",
        value_name = "FILE",
        requires = "release_threshold"
    )]
    pub(crate) release_keys: Vec<Utf8PathBuf>,
    /// How many of them must sign
    #[arg(long, value_name = "N", requires = "release_keys")]
    pub(crate) release_threshold: Option<u32>,
}

/// Where a new root goes.
#[derive(Debug, Args)]
pub(crate) struct NextRootArgs {
    /// Where the root file goes; `N.root.json` beside the one before it when left out
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<Utf8PathBuf>,
}
