//! The command line: `DESIGN.md`'s verbs, as far as they exist.

mod arrival;
mod backup;
mod bundle;
mod evidence;
mod living;
mod people;
mod services;
mod trust;

use std::ffi::OsString;

use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand};

pub(crate) use arrival::{ApproveArgs, ImportArgs};
pub(crate) use backup::{BackupCommand, RestoreArgs};
pub(crate) use bundle::{
    BuildArgs, BundleCommand, CopyArgs, FetchCommand, FetchImageArgs, FetchModelArgs, VerifyArgs,
    WireArgs,
};
pub(crate) use evidence::{AuditCommand, AuditVerifyArgs};
pub(crate) use living::{
    CompletionArgs, EventsArgs, GcArgs, HelpArgs, LogsArgs, LogsOf, ManArgs, ScrubArgs,
    UninstallArgs, exit_of,
};
pub(crate) use people::{KeysCommand, TeamCommand, TeamLimits, UsageArgs, UsageBy};
pub(crate) use services::{QuickstartArgs, QuickstartEngine};
pub(crate) use trust::{
    ElsewhereArgs, KeyAlgorithm, KeyCommand, NextRootArgs, PassphraseArgs, ReleaseSignersArgs,
    TrustCommand, TrustRootCommand,
};

use crate::{output::Format, reference::Page};

/// Model-as-a-Service for sites without internet: carry, verify, install, serve, meter.
#[derive(Debug, Parser)]
#[command(
    name = "maas-appliance",
    version,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    /// Keep the whole appliance below this folder instead of `/`
    #[arg(long, global = true, value_name = "DIR", default_value = "/")]
    pub(crate) root: Utf8PathBuf,

    /// What the services log, as `target=level,…`
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,

    /// End when the process that started this one ends
    #[arg(long, global = true, hide = true)]
    pub(crate) with_parent: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Prints one JSON object instead of text.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct JsonArg {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl JsonArg {
    /// What was asked for.
    pub(crate) fn format(self) -> Format {
        if self.json {
            Format::Json
        } else {
            Format::Text
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make signing keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Say whom to trust
    #[command(subcommand)]
    Trust(TrustCommand),
    /// Build, sign, copy and check bundles
    #[command(subcommand)]
    Bundle(BundleCommand),
    /// Verify and store a bundle without activating it
    Import(ImportArgs),
    /// Agree, as a second person, to a bundle that was imported
    Approve(ApproveArgs),
    /// Verify the media and make their bundle the running generation
    Install(InstallArgs),
    /// Replace the running release; what served before comes back by itself if the new one does not serve
    Upgrade(InstallArgs),
    /// Go back to the generation before
    Rollback(RollbackArgs),
    /// Say which blobs are here, so that the connected side sends only the others
    Inventory(InventoryArgs),
    /// Read the whole store over again, slowly, to find what a failing disk has changed
    Scrub(ScrubArgs),
    /// Remove old generations, and what nobody needs any more
    Gc(GcArgs),
    /// Remove the appliance from this host; data only when asked
    Uninstall(UninstallArgs),
    /// Show what the running release is made of
    #[command(subcommand)]
    Sbom(SbomCommand),
    /// Say what is installed, what runs and what needs attention
    Status(JsonArg),
    /// Look at everything that could be wrong with this host, and say how to mend it
    Doctor(DoctorArgs),
    /// Show the logs of engines and services
    Logs(LogsArgs),
    /// Say what happened here: installations, trials, engines that ended, damage, what people did
    Events(EventsArgs),
    /// Look at GPUs
    #[command(subcommand)]
    Gpu(GpuCommand),
    /// Look at models
    #[command(subcommand)]
    Model(ModelCommand),
    /// Create teams and set their limits
    #[command(subcommand)]
    Team(TeamCommand),
    /// Create, list and revoke keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Say who used what
    Usage(UsageArgs),
    /// Seal configuration, state and keys in one file, verify it, put it back
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Show, verify and export what was done on this host
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Hand out the site's certificate authority
    #[command(subcommand)]
    Ca(CaCommand),
    /// Check or explain the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// See the whole road on this machine: build, sign, install, serve, meter
    Quickstart(QuickstartArgs),
    /// Print the completion script of a shell
    Completion(CompletionArgs),
    /// Print the manual
    Man(ManArgs),
    /// Explain an exit code, a finding or a command
    Help(HelpArgs),
    /// Say which version this is
    Version(JsonArg),
    /// Run the gateway (started by systemd)
    Gateway,
    /// Run the supervisor (started by systemd)
    Supervisor(SupervisorArgs),
    /// Run the GPU agent, the only process that calls NVML (started by systemd)
    GpuAgent,
    /// Run one engine (started by the supervisor)
    EngineShim(EngineShimArgs),
    /// Lay out this binary, its units, users and folders on the host (run by install and rollback)
    #[command(hide = true)]
    HostSetup(HostSetupArgs),
    /// Watch a release that is on trial (run by systemd, with the release before)
    #[command(hide = true)]
    Trial,
    /// Start or stop the unit of one engine for the supervisor (started by systemd, as root)
    #[command(hide = true)]
    EngineLauncher,
    /// Become an engine that dies with its shim (started by the shim)
    #[command(hide = true)]
    EngineExec {
        /// Process id of the shim
        parent: u32,
        /// The engine
        program: OsString,
        /// Its arguments, as they stand
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Print a generated reference page
    #[command(hide = true)]
    Reference {
        /// Which one
        page: Page,
    },
    /// Answer like vLLM without a model; takes the arguments of `vllm serve`
    SimulatedEngine {
        /// `MODEL_DIR --served-model-name NAME --uds PATH …`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        argv: Vec<String>,
    },
}

/// `install`
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command"
)]
pub(crate) struct InstallArgs {
    /// A mounted stick or a folder; several, in any order
    #[arg(long = "media", value_name = "DIR", required_unless_present = "staged")]
    pub(crate) media: Vec<Utf8PathBuf>,
    /// A bundle that was imported, instead of media
    #[arg(long, value_name = "ID", conflicts_with_all = ["media", "bundle", "one_at_a_time"])]
    pub(crate) staged: Option<String>,
    /// Which bundle, when the media hold more than one
    #[arg(long, value_name = "ID")]
    pub(crate) bundle: Option<String>,
    /// Install although the signatures have expired; needs --reason, which is recorded
    #[arg(long, requires = "reason")]
    pub(crate) accept_expired: bool,
    /// Go on although this was found wrong with the machine (`D-…`); several; needs --reason
    #[arg(long = "accept", value_name = "ID", requires = "reason")]
    pub(crate) accept: Vec<String>,
    /// Why something is accepted as it is; recorded
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Take one volume after the other: store what is on these, and say which is needed next
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) one_at_a_time: bool,
    /// Print what would be done and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) json: JsonArg,
}

/// `host-setup`
#[derive(Debug, Args)]
pub(crate) struct HostSetupArgs {
    /// Print what would be done and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) json: JsonArg,
}

/// `doctor`
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Show what is as it should be too
    #[arg(long)]
    pub(crate) all: bool,
    /// From now on take this as it is; several; needs --reason
    #[arg(long = "accept", value_name = "ID", requires = "reason")]
    pub(crate) accept: Vec<String>,
    /// Why; recorded with your name
    #[arg(long, value_name = "TEXT", requires = "accept")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) json: JsonArg,
}

/// `rollback`
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// Print what would be done and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) json: JsonArg,
}

/// `inventory`
#[derive(Debug, Args)]
pub(crate) struct InventoryArgs {
    /// Write it to this file, for `bundle copy --have` on the connected side
    #[arg(long, value_name = "FILE")]
    pub(crate) export: Option<Utf8PathBuf>,
    #[command(flatten)]
    pub(crate) json: JsonArg,
}

/// `sbom …`
#[derive(Debug, Subcommand)]
pub(crate) enum SbomCommand {
    /// List the bills of materials and statements of origin of the running release
    List(JsonArg),
    /// Show the bill of materials of a model, an image or the `binary`
    Show {
        /// A model or an image by name, or `binary`
        #[arg(value_name = "NAME")]
        of: String,
        /// Write the document itself (`CycloneDX` JSON) to this file instead
        #[arg(long, value_name = "FILE")]
        out: Option<Utf8PathBuf>,
        #[command(flatten)]
        json: JsonArg,
    },
}

/// `gpu …`
#[derive(Debug, Subcommand)]
pub(crate) enum GpuCommand {
    /// List the GPUs that NVML reports
    List(JsonArg),
}

/// `model …`
#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// List the models of the running generation and their engines
    List(JsonArg),
}

/// `ca …`
#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Print the site's CA certificate (PEM) for clients to trust
    Export {
        /// Write it here instead of to stdout
        #[arg(long, value_name = "FILE")]
        out: Option<Utf8PathBuf>,
    },
}

/// `config …`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the configuration file and say what it means
    Check,
    /// Print a commented example file
    Example,
}

/// `supervisor`
#[derive(Debug, Args)]
pub(crate) struct SupervisorArgs {
    /// Stop the engines when told to stop; without it they outlive the supervisor
    #[arg(long, conflicts_with = "units")]
    pub(crate) stop_engines: bool,
    /// Have every engine run by systemd as a unit of its own; without it they are processes of ours
    #[arg(long)]
    pub(crate) units: bool,
}

/// `engine-shim`
#[derive(Debug, Args)]
pub(crate) struct EngineShimArgs {
    /// The engine's specification, written by the supervisor
    #[arg(value_name = "SPEC")]
    pub(crate) spec: Utf8PathBuf,
}
