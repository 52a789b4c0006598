//! Why the supervisor itself fails. An engine that fails is not among these: that is a state.

use std::{collections::BTreeMap, io};

use camino::Utf8PathBuf;
use maas_types::{EngineId, Exit};

/// Why the supervisor, or stopping all engines, failed.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// Another supervisor works on the same folders.
    #[error("another supervisor of `{root}` is running (it holds `{lock}`)")]
    Busy {
        /// The appliance's root folder.
        root: Utf8PathBuf,
        /// The lock file.
        lock: Utf8PathBuf,
    },
    /// A folder or file of the appliance's runtime state cannot be used.
    #[error("cannot use `{path}` for the runtime state of engines")]
    State {
        /// Which one.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The system refuses a signal handler or a process attribute.
    #[error("cannot prepare this process to look after engines ({what})")]
    Process {
        /// What was refused.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Processes of an engine are still there although they were killed.
    #[error(
        "processes of engines cannot be killed: {left:?} (they hang in the kernel, and only a reboot removes them)"
    )]
    Unkillable {
        /// Process ids by engine.
        left: BTreeMap<EngineId, Vec<u32>>,
    },
}

impl SupervisorError {
    /// The exit code of a command that ends with this error.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Busy { .. } => Exit::Busy,
            Self::State { .. } | Self::Process { .. } | Self::Unkillable { .. } => Exit::Failed,
        }
    }
}
