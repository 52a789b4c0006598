//! The facts of one GPU, each read by itself.

use maas_types::{Ecc, Gpu, GpuProcess, GpuUuid};
use nvml_wrapper::{
    Device,
    enum_wrappers::device::{EccCounter, MemoryError, TemperatureSensor},
    enums::device::UsedGpuMemory,
    error::NvmlError,
    struct_wrappers::device::ProcessInfo,
};

use crate::{call::Calls, error::words};

/// Reads everything about `device`.
pub(super) fn facts(calls: &Calls, device: &Device<'_>, index: u32, uuid: GpuUuid) -> Gpu {
    let mut facts = Facts {
        calls,
        unreadable: Vec::new(),
    };
    let name = facts.required("name", "nvmlDeviceGetName", || device.name());
    let pci = facts.required("PCI bus id", "nvmlDeviceGetPciInfo_v3", || {
        device.pci_info()
    });
    let memory = facts.required("memory", "nvmlDeviceGetMemoryInfo_v2", || {
        device.memory_info()
    });
    let processes = facts.required(
        "processes",
        "nvmlDeviceGetComputeRunningProcesses_v3",
        || device.running_compute_processes(),
    );
    let utilization = facts.optional("utilization", "nvmlDeviceGetUtilizationRates", || {
        device.utilization_rates()
    });
    let temperature = facts.optional("temperature", "nvmlDeviceGetTemperature", || {
        device.temperature(TemperatureSensor::Gpu)
    });
    let power = facts.optional("power", "nvmlDeviceGetPowerUsage", || device.power_usage());
    let ecc = ecc(&mut facts, device);
    Gpu {
        index,
        uuid,
        name: name.unwrap_or_default(),
        pci_bus_id: pci.map(|pci| pci.bus_id).unwrap_or_default(),
        memory_total: memory.as_ref().map_or(0, |memory| memory.total),
        memory_used: memory.as_ref().map_or(0, |memory| memory.used),
        utilization_percent: utilization.map(|rates| rates.gpu),
        temperature_celsius: temperature,
        power_milliwatts: power,
        ecc,
        processes: processes.iter().flatten().map(process).collect(),
        xids: Vec::new(),
        unreadable: facts.unreadable,
    }
}

fn ecc(facts: &mut Facts<'_>, device: &Device<'_>) -> Option<Ecc> {
    let mut errors = |fact, kind| {
        facts.optional(fact, "nvmlDeviceGetTotalEccErrors", || {
            device.total_ecc_errors(kind, EccCounter::Volatile)
        })
    };
    let corrected = errors("corrected ECC errors", MemoryError::Corrected)?;
    let uncorrected = errors("uncorrected ECC errors", MemoryError::Uncorrected)?;
    Some(Ecc {
        corrected,
        uncorrected,
    })
}

fn process(info: &ProcessInfo) -> GpuProcess {
    GpuProcess {
        pid: info.pid,
        memory_used: match info.used_gpu_memory {
            UsedGpuMemory::Used(bytes) => Some(bytes),
            UsedGpuMemory::Unavailable => None,
        },
    }
}

/// Reads facts and keeps what could not be read.
struct Facts<'a> {
    calls: &'a Calls,
    unreadable: Vec<String>,
}

impl Facts<'_> {
    /// A fact that every GPU has.
    fn required<T>(
        &mut self,
        fact: &str,
        call: &'static str,
        read: impl FnOnce() -> Result<T, NvmlError>,
    ) -> Option<T> {
        match self.calls.call(call, read) {
            Ok(value) => Some(value),
            Err(error) => {
                self.unreadable.push(format!("{fact}: {}", words(&error)));
                None
            }
        }
    }

    /// A fact that a GPU may not have; NVML then says that the call is not supported.
    fn optional<T>(
        &mut self,
        fact: &str,
        call: &'static str,
        read: impl FnOnce() -> Result<T, NvmlError>,
    ) -> Option<T> {
        let read = || match read() {
            Ok(value) => Ok(Some(value)),
            Err(NvmlError::NotSupported) => Ok(None),
            Err(error) => Err(error),
        };
        self.required(fact, call, read).flatten()
    }
}
