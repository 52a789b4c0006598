//! The engine as a process: `maas-appliance simulated-engine ARGS…` in the place of `vllm serve`.

use std::{error::Error, io};

use camino::Utf8PathBuf;
use maas_types::Exit;
use rustix::process::{Pid, Signal, getpid, kill_process};
use tokio::{
    process::Child,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use crate::{
    Log, SimulatorError,
    app::Ending,
    arguments::Arguments,
    log::To,
    process,
    shutdown::{self, Over},
    simulator::{Open, bind},
    start_log::{Pids, StartLog},
};

/// What the simulator may not find out by itself.
#[derive(Debug, Clone)]
pub struct SimulatedEnv {
    /// The executable to start core and worker from: `std::env::current_exe` of the binary.
    pub executable: Utf8PathBuf,
    /// The arguments that lead from the executable to [`run`]: `["simulated-engine"]`.
    pub verb: Vec<String>,
    /// The text of `MAAS_SIMULATE`, if it is set.
    pub simulate: Option<String>,
}

/// Runs `maas-appliance simulated-engine ARGS…` until it is told to stop, fails, or simulates
/// failing. Handles SIGTERM and SIGINT itself, as vLLM does. Usage errors and failed starts are
/// written to standard error as vLLM writes them; the caller only exits, with this code.
///
/// The first SIGINT does what SIGTERM does. (A real vLLM was once recorded to hang on it; nobody
/// wants that rehearsed with Ctrl-C.)
pub async fn run(args: Vec<String>, env: SimulatedEnv) -> Exit {
    if let Some(exit) = process::role(&args, &env).await {
        return exit;
    }
    match engine(&args, &env).await {
        Ok(exit) => exit,
        Err(error) => {
            Log::process().line(To::Stderr, &told(&error));
            error.exit()
        }
    }
}

async fn engine(args: &[String], env: &SimulatedEnv) -> Result<Exit, SimulatorError> {
    let Arguments {
        listen,
        mut settings,
    } = Arguments::read(args).map_err(SimulatorError::Usage)?;
    let simulate = env.simulate.as_deref().unwrap_or_default();
    settings.behaviour = simulate.parse().map_err(SimulatorError::Behaviour)?;
    settings.log = Log::process();
    let api = std::process::id();
    // Ids of two engines, or of two lives of one, must differ.
    settings.seed = settings.clock.now().as_nanosecond().to_le_bytes()[..8]
        .iter()
        .fold(u64::from(api), |seed, byte| {
            seed << 8 | (u64::from(*byte) ^ seed >> 56)
        });
    let core_failed = |source| SimulatorError::Core {
        executable: env.executable.clone(),
        source,
    };
    let mut told = Told::new().map_err(core_failed)?;
    StartLog::new(
        &settings,
        Pids {
            api,
            core: 0,
            worker: 0,
        },
    )
    .begin(&settings, &listen);
    let bound = bind(&listen)?;
    let (link, child) = process::start_core(env, settings.max_num_seqs).map_err(core_failed)?;
    let mut tree = Tree {
        core: child,
        worker: 0,
    };
    let core = tree.core.id().unwrap_or(0);
    let opened = tokio::select! {
        opened = Box::pin(Open::new(&listen, bound, settings, link, (api, core))) => opened,
        () = told.stop_signal() => Err(SimulatorError::Load),
    };
    match opened {
        Ok((open, endings)) => {
            tree.worker = open.worker;
            Ok(serve(open, endings, told, tree).await)
        }
        Err(error) => {
            tree.kill().await;
            Err(error)
        }
    }
}

async fn serve(
    mut open: Open,
    mut endings: mpsc::UnboundedReceiver<Ending>,
    mut told: Told,
    mut tree: Tree,
) -> Exit {
    let over = tokio::select! {
        over = shutdown::until_over(&open.app, &mut endings) => Some(over),
        () = told.stop_signal() => None,
    };
    match over {
        Some(Over::Commanded(Ending::Orphan)) => {
            // Does not return; a signal that cannot be sent leaves nothing better to do than to go.
            kill_process(getpid(), Signal::KILL).ok();
        }
        Some(Over::Commanded(Ending::Exit0)) => tree.kill().await,
        Some(Over::CoreDied) => {
            open.log.core_died();
            open.log.stopped();
            tree.kill().await;
        }
        None => {
            open.log.stopping(open.app.settings.shutdown_timeout);
            let Open {
                app,
                serving,
                server,
                ..
            } = &mut open;
            shutdown::stop(app, serving, server, told.stop_signal()).await;
            tree.kill().await;
            open.log.stopped();
        }
    }
    Exit::Done
}

/// The processes below this one.
struct Tree {
    core: Child,
    worker: u32,
}

impl Tree {
    /// Kills them, the worker first, since its id is only known to be its own while the core lives.
    async fn kill(&mut self) {
        let worker = i32::try_from(self.worker).ok().and_then(Pid::from_raw);
        let core_lives = matches!(self.core.try_wait(), Ok(None));
        if let Some(worker) = worker.filter(|_| core_lives) {
            kill_process(worker, Signal::KILL).ok();
        }
        // An error means that it is gone already.
        self.core.kill().await.ok();
    }
}

/// The signals that mean: stop.
struct Told {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Told {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn stop_signal(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// An error as vLLM writes it, where vLLM has one like it, else with its causes.
fn told(error: &SimulatorError) -> String {
    if let SimulatorError::Listen { at, source } = error
        && let Some(number) = source.raw_os_error()
    {
        let text = source.to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        return format!("OSError: [Errno {number}] {text}: '{at}'");
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
