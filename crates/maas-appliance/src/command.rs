//! One file a command. This one only knows where each goes.

mod arrival;
mod audit;
mod backup;
mod bundle;
mod configuration;
mod doctor;
mod elsewhere;
mod events;
mod evidence;
mod gc;
mod gpu;
mod help;
mod host_command;
mod host_setup;
mod image;
mod import;
mod install;
mod inventory;
mod key;
mod keys;
mod logs;
mod lookup;
mod machine;
mod model;
mod passphrase;
mod people;
mod person;
mod progress;
mod quickstart;
mod rollback;
mod sbom;
mod scrub;
mod service;
mod status;
mod team;
mod trial;
mod trust;
mod uninstall;
mod usage;
mod version;

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::{Exit, Layout};

use self::install::Verb;
use crate::{
    cli::{CaCommand, Cli, Command},
    config::Config,
    error::{CommandError, CommandResult},
    log, output,
};

/// Does what the command line says.
pub(crate) fn run(cli: Cli) -> CommandResult {
    let layout = below(&cli.root)?;
    let log = cli.log.as_deref();
    match cli.command {
        Command::Key(command) => key::run(command),
        Command::Trust(command) => trust::run(command, &layout),
        Command::Bundle(command) => bundle::run(command, &layout),
        Command::Import(args) => import::import(&args, &layout),
        Command::Approve(args) => import::approve(&args, &layout),
        Command::Install(args) => install::run(&args, &layout, Verb::Install),
        Command::Upgrade(args) => install::run(&args, &layout, Verb::Upgrade),
        Command::Trial => waiting(trial::run(&layout)),
        Command::Rollback(args) => rollback::run(&args, &layout),
        Command::Inventory(args) => inventory::run(&args, &layout),
        Command::Scrub(args) => scrub::run(&args, &layout),
        Command::Gc(args) => gc::run(&args, &layout),
        Command::Uninstall(args) => waiting(uninstall::run(&args, &layout)),
        Command::Sbom(command) => sbom::run(command, &layout),
        Command::Status(args) => {
            let config = config(&layout)?;
            waiting(status::run(&layout, &config, args.format()))
        }
        Command::Doctor(args) => {
            let config = config(&layout)?;
            waiting(doctor::run(&args, &layout, &config))
        }
        Command::Logs(args) => waiting(logs::run(&args, &layout)),
        Command::Events(args) => events::run(&args, &layout),
        Command::Gpu(command) => gpu::run(&command, &layout),
        Command::Model(command) => model::run(&command, &layout),
        Command::Team(command) => waiting(team::run(command, &layout)),
        Command::Keys(command) => waiting(keys::run(command, &layout)),
        Command::Usage(args) => waiting(usage::run(args, &layout)),
        Command::Backup(command) => backup::run(&command, &layout),
        Command::Audit(command) => audit::run(&command, &layout),
        Command::Ca(CaCommand::Export { out }) => install::export_ca(&layout, out.as_deref()),
        Command::Config(command) => configuration::run(&command, &layout),
        Command::Quickstart(args) => waiting(quickstart::run(args, own_path()?)),
        Command::Completion(args) => Ok(help::completion(&args)),
        Command::Man(args) => help::man(&args),
        Command::Help(args) => help::help(&args),
        Command::Version(args) => version::run(args.format()),
        Command::Gateway => {
            log::start(log);
            let config = config(&layout)?;
            serving(service::gateway::run(layout, &config))
        }
        Command::Supervisor(args) => {
            log::start(log);
            let config = config(&layout)?;
            serving(service::supervisor::run(layout, config, &args, own_path()?))
        }
        Command::GpuAgent => {
            log::start(log);
            let config = config(&layout)?;
            waiting(service::gpu_agent::run(&layout, &config))
        }
        Command::EngineShim(args) => {
            log::start(log);
            waiting(service::engine::shim(&args))
        }
        Command::HostSetup(args) => host_setup::run(&args, &layout, &config(&layout)?),
        Command::EngineLauncher => {
            log::start(log);
            service::engine::launcher(&layout)
        }
        Command::EngineExec {
            parent,
            program,
            args,
        } => Ok(maas_supervisor::engine_exec(parent, &program, &args)),
        Command::SimulatedEngine { argv } => waiting(service::engine::simulated(argv, own_path()?)),
        Command::Reference { page } => {
            output::data(&page.text());
            Ok(Exit::Done)
        }
    }
}

/// The appliance below `--root`.
fn below(root: &Utf8Path) -> Result<Layout, CommandError> {
    let root = std::path::absolute(root)?;
    let root = Utf8PathBuf::from_path_buf(root)
        .map_err(|path| CommandError::usage(format!("{} is not UTF-8", path.display())))?;
    Ok(Layout::new(root))
}

/// Runs a command that waits for something, on the main thread: a service that it starts may ask to
/// end with that very thread.
fn waiting(command: impl Future<Output = CommandResult>) -> CommandResult {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(command)
}

/// Runs a service that has work for every core.
fn serving(service: impl Future<Output = CommandResult>) -> CommandResult {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(service)
}

/// The host's configuration.
fn config(layout: &Layout) -> Result<Config, CommandError> {
    Ok(Config::load(&layout.config(), &hostname())?)
}

/// What this host calls itself.
fn hostname() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

/// This executable.
fn own_path() -> Result<Utf8PathBuf, CommandError> {
    let path = std::env::current_exe()?;
    Utf8PathBuf::from_path_buf(path)
        .map_err(|path| CommandError::usage(format!("{} is not UTF-8", path.display())))
}
