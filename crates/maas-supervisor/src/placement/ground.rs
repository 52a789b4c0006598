//! What the GPU agent says, read as places for engines.

use jiff::{SignedDuration, Timestamp};
use maas_types::{EngineId, Gpu, GpuInventory, GpuUuid, NvmlHealth};

use crate::settings::DevicePolicy;

/// What engines can be put on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ground {
    /// The one slot of a CPU host.
    Cpu,
    /// At least one GPU.
    Gpus(Vec<GpuFact>),
    /// Nothing, for this reason.
    Unknown(String),
}

/// One GPU, as far as placing goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GpuFact {
    /// For people only.
    pub(crate) index: u32,
    pub(crate) uuid: GpuUuid,
    pub(crate) name: String,
    /// All of its memory, bytes.
    pub(crate) total: u64,
    /// Bytes in use by anybody but our running engines. What an engine of ours left behind when it
    /// died is foreign too, so nothing starts there until it is given back.
    pub(crate) foreign: u64,
}

/// Facts older than this say nothing about who holds memory now. The agent writes every few
/// seconds, and NVML calls that take longer than 10 s are its alarm, not ours.
const STALE: SignedDuration = SignedDuration::from_secs(60);

/// An engine that runs, and what it was promised on each of its GPUs.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) id: EngineId,
    pub(crate) memory: Option<u64>,
}

/// Reads the agent's last report. `owner` says which of our engines a process belongs to.
pub(crate) fn ground(
    policy: DevicePolicy,
    report: Option<&GpuInventory>,
    now: Timestamp,
    owner: impl Fn(u32) -> Option<Owner>,
) -> Ground {
    if policy == DevicePolicy::Cpu {
        return Ground::Cpu;
    }
    let Some(report) = report else {
        return Ground::Unknown("waits for the GPU agent's first report".to_owned());
    };
    let age = now.duration_since(report.written);
    if age > STALE {
        let seconds = age.as_secs();
        return Ground::Unknown(format!(
            "the GPU agent's last report is {seconds} s old; is it running?"
        ));
    }
    let fact = |gpu: &Gpu| GpuFact {
        index: gpu.index,
        uuid: gpu.uuid.clone(),
        name: gpu.name.clone(),
        total: gpu.memory_total,
        foreign: foreign(gpu, &owner),
    };
    match (&report.nvml, policy) {
        (NvmlHealth::Answering, _) if !report.gpus.is_empty() => {
            Ground::Gpus(report.gpus.iter().map(fact).collect())
        }
        (NvmlHealth::Answering | NvmlHealth::Absent { .. }, DevicePolicy::Auto) => Ground::Cpu,
        (NvmlHealth::Answering, _) => Ground::Unknown("NVML reports no GPU".to_owned()),
        (NvmlHealth::Absent { detail }, _) => {
            Ground::Unknown(format!("this host has no NVIDIA driver or NVML ({detail})"))
        }
        (NvmlHealth::Blocked { call, .. }, _) => Ground::Unknown(format!(
            "the NVIDIA driver hangs: `{call}` does not come back"
        )),
        (NvmlHealth::Failing { detail }, _) => {
            Ground::Unknown(format!("NVML answers with an error ({detail})"))
        }
    }
}

/// Bytes held by others. A process of ours whose use the driver does not say counts with what it
/// was promised.
fn foreign(gpu: &Gpu, owner: &impl Fn(u32) -> Option<Owner>) -> u64 {
    let mut others = gpu.memory_used;
    let mut unsaid: Vec<EngineId> = Vec::new();
    for process in &gpu.processes {
        let Some(owner) = owner(process.pid) else {
            continue;
        };
        match process.memory_used {
            Some(used) => others = others.saturating_sub(used),
            None if unsaid.contains(&owner.id) => {}
            None => {
                others = others.saturating_sub(owner.memory.unwrap_or(gpu.memory_total));
                unsaid.push(owner.id);
            }
        }
    }
    others
}
