//! What a shim says about its engine. The same rules of change as for the spec hold.

use jiff::Timestamp;
use maas_types::EngineId;
use serde::{Deserialize, Serialize};

use crate::{process::ProcessId, progress::Progress};

/// `/run/maas-appliance/engines/ID.status.json`: how one run of an engine is going, replaced by
/// rename at every change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineStatus {
    /// `maas-appliance/engine-status/v1`
    pub schema: String,
    /// Whose status it is.
    pub id: EngineId,
    /// The shim. Its process id is also the session of everything below it.
    pub shim: ProcessId,
    /// The engine's main process. Its process id is also the engine's process group.
    pub engine: Option<ProcessId>,
    /// Where this run is.
    pub phase: Phase,
    /// Since when.
    pub since: Timestamp,
    /// When the shim was started.
    pub started: Timestamp,
    /// How far loading has come, as the engine's log tells it.
    pub progress: Progress,
    /// When it produced its first token.
    pub ready: Option<Timestamp>,
    /// How it ended.
    pub exit: Option<ExitRecord>,
}

impl EngineStatus {
    /// The value of [`EngineStatus::schema`].
    pub const SCHEMA: &str = "maas-appliance/engine-status/v1";
}

/// Where one run of an engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It loads.
    Starting,
    /// It has produced one real token.
    Ready,
    /// It was told to stop and finishes what it has.
    Draining,
    /// The engine is gone; what it left behind is being removed.
    Ending,
    /// Nothing is left but this record.
    Ended,
}

/// How a run ended. It waits for the supervisor, which may be down when it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// When the main process was seen to be gone.
    pub when: Timestamp,
    /// Why, as far as the shim knows.
    pub cause: Cause,
    /// The exit code of the main process, if it exited by itself. 0 proves nothing: vLLM exits 0
    /// when its core has crashed (vllm#48966).
    pub code: Option<i32>,
    /// The signal that killed the main process.
    pub signal: Option<i32>,
    /// The line of its log that best says what went wrong, at most 300 characters.
    pub line: Option<String>,
    /// Processes that were still there 30 s after SIGKILL.
    #[serde(default)]
    pub unkillable: Vec<u32>,
}

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    /// The shim was told to stop it.
    Asked,
    /// It ended without being told to, whatever its exit code.
    Died,
    /// It could not be started at all.
    NotStarted {
        /// What failed.
        detail: String,
    },
    /// It was still not ready when its time was up.
    StartTimeout {
        /// How long it was given.
        seconds: u64,
        /// What the last attempt to get a token said.
        detail: String,
    },
    /// Its shim was killed before it could write a record; the supervisor's own finding.
    ShimLost {
        /// What was found.
        detail: String,
    },
    /// It answers, but refuses the request for its first token.
    FirstTokenRefused {
        /// What it answered.
        detail: String,
    },
}
