//! The one value that the supervisor gives to the gateway.
//!
//! It travels as `/run/maas-appliance/engines.json`, replaced by rename, so a reader sees the old
//! table or the new one and never half of either. Neither side links to the other.

use camino::Utf8PathBuf;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{EngineId, GenerationId, GpuUuid, ModelName, Task};

/// All engines that the supervisor knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineTable {
    /// `maas-appliance/engine-table/v1`
    pub schema: String,
    /// Grows by one with every change within one supervisor's life.
    pub sequence: u64,
    /// When it was written.
    pub written: Timestamp,
    /// The generation whose models these are; `None` before the first install.
    pub generation: Option<GenerationId>,
    /// Engines in the order of the generation's models.
    pub engines: Vec<EngineEntry>,
}

impl EngineTable {
    /// The value of [`EngineTable::schema`].
    pub const SCHEMA: &str = "maas-appliance/engine-table/v1";

    /// The engines that may be given requests for `model`.
    pub fn ready_for<'a>(&'a self, model: &'a ModelName) -> impl Iterator<Item = &'a EngineEntry> {
        self.engines
            .iter()
            .filter(move |e| e.model == *model && e.state == EngineState::Ready)
    }
}

/// One engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineEntry {
    /// `<model>-<replica>`
    pub id: EngineId,
    /// The model that it answers for.
    pub model: ModelName,
    /// What the model is for.
    pub task: Task,
    /// What answers. A simulated engine is named as such wherever it answers.
    pub kind: EngineKind,
    /// Whether it may be given requests.
    pub state: EngineState,
    /// Since when it is in that state.
    pub since: Timestamp,
    /// Loading progress, 0 to 100, while it starts and where it is known.
    pub progress_percent: Option<u8>,
    /// Why it is not ready, in one sentence for a person.
    pub reason: Option<String>,
    /// The Unix socket on which it speaks HTTP.
    pub socket: Utf8PathBuf,
    /// The longest prompt plus answer it takes, in tokens, once it has said so.
    pub max_model_len: Option<u64>,
    /// The GPUs that it runs on; empty on a CPU host.
    pub gpus: Vec<GpuUuid>,
    /// Process id of its shim.
    pub shim_pid: Option<u32>,
    /// How often it was started again after dying, in this supervisor's memory.
    pub restarts: u32,
}

/// What answers behind an engine's socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// A real vLLM.
    Vllm,
    /// `maas-appliance simulated-engine`: vLLM's HTTP, no model.
    Simulated,
}

/// Where an engine is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineState {
    /// It has no place yet: no GPU is free or known.
    Unplaced,
    /// The process is there; it loads weights, compiles, warms up.
    Starting,
    /// It has produced one real token and takes requests.
    Ready,
    /// It finishes what it has and takes nothing new.
    Draining,
    /// It died; it is started again when the back-off ends.
    BackingOff,
    /// It died too often, or can never start; a person must look.
    Failed,
    /// It was told to stop.
    Stopped,
}

impl EngineState {
    /// Every state, for one-hot metrics and tests.
    pub const ALL: [Self; 7] = [
        Self::Unplaced,
        Self::Starting,
        Self::Ready,
        Self::Draining,
        Self::BackingOff,
        Self::Failed,
        Self::Stopped,
    ];

    /// The word in `status`, in JSON and in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unplaced => "unplaced",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::BackingOff => "backing_off",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}
