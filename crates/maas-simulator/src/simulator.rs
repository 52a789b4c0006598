//! The two ways to start the engine: as a process like `vllm serve`, or inside a test.

use std::net::SocketAddr;

use camino::Utf8PathBuf;
use maas_types::Exit;

use crate::{Behaviour, BehaviourError, Change, Listen, Settings};

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

/// Why the engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The command line is not one of `vllm serve`.
    #[error("{0}")]
    Usage(String),
    /// `MAAS_SIMULATE` is not understood.
    #[error("MAAS_SIMULATE is not understood")]
    Behaviour(#[source] BehaviourError),
    /// The socket or address cannot be taken; a stale socket file counts, as in vLLM.
    #[error("cannot listen on {at}")]
    Listen {
        /// The path or address.
        at: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The core process cannot be started.
    #[error("cannot start the core process from {executable}")]
    Core {
        /// What was to be executed.
        executable: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl SimulatorError {
    /// What the process exits with.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Behaviour(_) => Exit::Usage,
            Self::Listen { .. } | Self::Core { .. } => Exit::Failed,
        }
    }
}

/// The engine inside the calling process, its core a task instead of a child.
#[derive(Debug)]
pub struct Simulator {
    listen: Listen,
}

impl Simulator {
    /// Binds, starts and returns when the engine listens. Dropping the value stops it at once.
    #[expect(
        clippy::unused_async,
        reason = "it waits for the load time once it loads"
    )]
    pub async fn serve_in_process(
        listen: Listen,
        _settings: Settings,
    ) -> Result<Self, SimulatorError> {
        Ok(Self { listen })
    }

    /// Where it listens; for TCP with the port that was taken.
    pub fn listen(&self) -> &Listen {
        &self.listen
    }

    /// The TCP address, if it listens on one.
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.listen {
            Listen::Tcp(address) => Some(*address),
            Listen::Unix(_) => None,
        }
    }

    /// Does what `POST /simulate` does.
    pub fn simulate(&self, change: &Change) -> Result<(), BehaviourError> {
        Behaviour::default().changed(change).map(|_| ())
    }
}

/// Runs `maas-appliance simulated-engine ARGS…` until it is told to stop, fails, or simulates
/// failing. Handles SIGTERM and SIGINT itself, as vLLM does. Usage errors and failed starts are
/// written to standard error as vLLM writes them; the caller only exits.
#[expect(clippy::unused_async, reason = "it serves once it can")]
pub async fn run(_args: Vec<String>, _env: SimulatedEnv) -> Exit {
    Exit::Failed
}
