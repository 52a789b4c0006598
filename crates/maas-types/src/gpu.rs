//! Facts about GPUs, as the agent that alone may call NVML publishes them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::GpuUuid;

/// `/run/maas-appliance/gpus.json`: the last good answer of NVML and how fresh it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GpuInventory {
    /// `maas-appliance/gpus/v1`
    pub schema: String,
    /// When this file was written.
    pub written: Timestamp,
    /// When NVML last answered; the facts below are from then.
    pub answered: Option<Timestamp>,
    /// Whether NVML answers now.
    pub nvml: NvmlHealth,
    /// NVIDIA driver version, `580.95.05`.
    pub driver: Option<String>,
    /// CUDA version of the driver, `13.0`.
    pub cuda: Option<String>,
    /// GPUs by index. The index is for people; everything else goes by UUID.
    pub gpus: Vec<Gpu>,
    /// GPUs that NVML counts but that never told their UUID, each in one sentence. They cannot be
    /// given work, and a person must see that they are there.
    #[serde(default)]
    pub unidentified: Vec<String>,
}

impl GpuInventory {
    /// The value of [`GpuInventory::schema`].
    pub const SCHEMA: &str = "maas-appliance/gpus/v1";
}

/// Whether NVML answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum NvmlHealth {
    /// The last call came back in time.
    Answering,
    /// There is no NVML library or no NVIDIA driver on this host.
    Absent {
        /// What the loader or NVML said.
        detail: String,
    },
    /// A call has not come back. NVML can block for ever in the kernel; the facts are old.
    Blocked {
        /// The call, by its name in `nvml.h`.
        call: String,
        /// When it was made.
        since: Timestamp,
    },
    /// NVML answers with errors.
    Failing {
        /// What it said.
        detail: String,
    },
}

/// One GPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gpu {
    /// NVML's index at the time of asking; for people only.
    pub index: u32,
    /// What everything else goes by.
    pub uuid: GpuUuid,
    /// `NVIDIA H100 80GB HBM3`
    pub name: String,
    /// `00000000:3B:00.0`
    pub pci_bus_id: String,
    /// All of its memory, bytes.
    pub memory_total: u64,
    /// Memory in use by anybody, bytes.
    pub memory_used: u64,
    /// Share of the last sample period in which a kernel ran, 0 to 100.
    pub utilization_percent: Option<u32>,
    /// Core temperature, degrees Celsius.
    pub temperature_celsius: Option<u32>,
    /// Power drawn now, milliwatts.
    pub power_milliwatts: Option<u32>,
    /// Error correction counters; `None` where the card has no ECC.
    pub ecc: Option<Ecc>,
    /// Compute processes on it.
    pub processes: Vec<GpuProcess>,
    /// XIDs seen since the agent started, newest last, at most 64.
    pub xids: Vec<XidEvent>,
    /// Facts that could not be read, each with NVML's words; the rest is good.
    pub unreadable: Vec<String>,
}

/// ECC errors since the driver was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ecc {
    /// Corrected errors.
    pub corrected: u64,
    /// Uncorrected errors.
    pub uncorrected: u64,
}

/// A process that holds GPU memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuProcess {
    /// Its process id in the host's namespace.
    pub pid: u32,
    /// Bytes it holds; `None` where the driver does not say.
    pub memory_used: Option<u64>,
}

/// One XID: NVIDIA's code for a GPU error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct XidEvent {
    /// The code; 79 is "GPU has fallen off the bus".
    pub xid: u64,
    /// When it was seen.
    pub seen: Timestamp,
}
