//! What the supervisor is told: how to run engines, and which models ought to be running.

use std::{collections::BTreeMap, error::Error};

use camino::Utf8PathBuf;
use maas_types::{Digest, EngineKind, GenerationId, ModelManifest};

/// How engines are run on this host. Fixed for the supervisor's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What engines run on.
    pub device: DevicePolicy,
    /// What answers.
    pub kind: EngineKind,
    /// Who starts engines.
    pub back_end: BackEnd,
    /// The `vllm` command; absolute.
    pub vllm: Utf8PathBuf,
    /// Our own executable; absolute. It is started with the verbs [`SHIM_VERB`] and, for
    /// [`EngineKind::Simulated`], `simulated-engine`.
    pub appliance: Utf8PathBuf,
    /// Failures to simulate: the value of `MAAS_SIMULATE` for simulated engines. A real vLLM never
    /// gets it.
    pub simulate: Option<String>,
    /// What becomes of the engines when the supervisor is told to stop.
    pub stop_engines: StopEngines,
    /// Whether this site lets code run that comes with a model whose manifest allows it.
    pub remote_code: bool,
    /// How long an engine that was told to stop may finish what it has, seconds.
    pub drain_seconds: u64,
}

impl Settings {
    /// What is executed for an engine.
    pub(crate) fn program(&self) -> &Utf8PathBuf {
        match self.kind {
            EngineKind::Vllm => &self.vllm,
            EngineKind::Simulated => &self.appliance,
        }
    }
}

/// Who starts engines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackEnd {
    /// The supervisor itself: engines are its children, and of its user.
    Direct,
    /// systemd, each engine as a unit of its own; the supervisor may not do that itself and asks root's
    /// launcher, which listens on this socket.
    Units {
        /// [`maas_types::Layout::launcher_socket`]
        launcher: Utf8PathBuf,
    },
}

/// What engines run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DevicePolicy {
    /// GPUs if NVML answers with at least one, else the CPU. Until the GPU agent has reported for
    /// the first time nothing is placed.
    Auto,
    /// The CPU, whatever NVML says: one slot for all engines.
    Cpu,
    /// GPUs only; without one nothing is placed.
    Gpu,
}

/// What becomes of the engines when the supervisor is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopEngines {
    /// They go on serving, and the next supervisor adopts them: loading a model takes minutes.
    Never,
    /// They are drained and stopped first, and nothing is left.
    WithSupervisor,
}

/// One model that ought to be running.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// What the bundle says about it.
    pub manifest: ModelManifest,
    /// Where its files lie; absolute.
    pub folder: Utf8PathBuf,
    /// A digest over all of its files, where one is known: two folders with the same files are one
    /// model, and an engine that has loaded one of them serves the other.
    pub content: Option<Digest>,
    /// What its engine runs in; `None` is the host's own file system. Another root is another engine: a
    /// newer vLLM is a reason to start anew.
    pub root: Option<EngineRoot>,
}

/// A root file system for engines, unpacked from an image of the generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineRoot {
    /// Where it lies; absolute.
    pub folder: Utf8PathBuf,
    /// The variables that the image's maker wants. What we set ourselves comes after them.
    pub env: BTreeMap<String, String>,
}

impl Wish {
    /// Whether an engine that was started for `self` does what `other` wants.
    pub fn is_met_by(&self, other: &Self) -> bool {
        let same_files = match (self.content, other.content) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (None, _) | (_, None) => self.folder == other.folder,
        };
        let folder = |wish: &Self| wish.root.as_ref().map(|root| root.folder.clone());
        same_files && self.manifest == other.manifest && folder(self) == folder(other)
    }
}

/// All models that ought to be running.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wishes {
    /// The generation that they belong to; `None` before the first install.
    pub generation: Option<GenerationId>,
    /// In the order of the generation.
    pub models: Vec<Wish>,
}

/// Where the supervisor reads its wishes from: called about once a second, on the supervisor's own
/// loop, so it must answer in milliseconds. While it fails the last good answer stands.
pub type WishSource = Box<dyn FnMut() -> Result<Wishes, Box<dyn Error + Send + Sync>> + Send>;

/// The verb that runs [`shim`](crate::shim()): `maas-appliance engine-shim SPEC`.
pub const SHIM_VERB: &str = "engine-shim";

/// The hidden verb that runs [`engine_exec`](crate::engine_exec):
/// `maas-appliance engine-exec PARENT-PID PROGRAM [ARGUMENT…]`. Everything after the verb is taken
/// as it stands, options of `vllm` included.
pub const EXEC_VERB: &str = "engine-exec";

/// The verb that a simulated engine is: `maas-appliance simulated-engine MODEL-FOLDER [OPTION…]`
/// with the options of `vllm serve`.
pub const SIMULATED_VERB: &str = "simulated-engine";
