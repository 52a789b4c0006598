//! The GPU agent's facts as metrics.

use std::collections::BTreeMap;

use maas_types::{Gpu, GpuInventory, NvmlHealth};

use crate::{Definition, catalogue, exposition::Exposition};

/// Writes the families of `inventory`.
pub(crate) fn write(page: &mut Exposition, inventory: &GpuInventory) {
    health(page, inventory);
    let gpus = &inventory.gpus;
    page.family(&catalogue::GPU_UNIDENTIFIED, |family| {
        family.sample([], inventory.unidentified.len());
    });
    page.family(&catalogue::GPU_INFO, |family| {
        for gpu in gpus {
            let index = gpu.index.to_string();
            family.sample([gpu.uuid.as_str(), &index, &gpu.name, &gpu.pci_bus_id], 1);
        }
    });
    per_gpu(page, &catalogue::GPU_UNREADABLE, gpus, |gpu| {
        Some(gpu.unreadable.len())
    });
    // No GPU has no memory: zero says that it was never read.
    let sized = |gpu: &Gpu| gpu.memory_total > 0;
    per_gpu(page, &catalogue::GPU_MEMORY_TOTAL, gpus, |gpu| {
        sized(gpu).then_some(gpu.memory_total)
    });
    per_gpu(page, &catalogue::GPU_MEMORY_USED, gpus, |gpu| {
        sized(gpu).then_some(gpu.memory_used)
    });
    per_gpu(page, &catalogue::GPU_PROCESSES, gpus, |gpu| {
        Some(gpu.processes.len())
    });
    per_gpu(page, &catalogue::GPU_UTILIZATION, gpus, |gpu| {
        gpu.utilization_percent
            .map(|percent| f64::from(percent) / 100.0)
    });
    per_gpu(page, &catalogue::GPU_TEMPERATURE, gpus, |gpu| {
        gpu.temperature_celsius
    });
    per_gpu(page, &catalogue::GPU_POWER, gpus, |gpu| {
        gpu.power_milliwatts
            .map(|milliwatts| f64::from(milliwatts) / 1000.0)
    });
    errors(page, gpus);
}

fn health(page: &mut Exposition, inventory: &GpuInventory) {
    let state = match &inventory.nvml {
        NvmlHealth::Answering => "answering",
        NvmlHealth::Absent { .. } => "absent",
        NvmlHealth::Blocked { .. } => "blocked",
        NvmlHealth::Failing { .. } => "failing",
    };
    page.family(&catalogue::NVML_UP, |family| {
        family.sample([], u8::from(state == "answering"));
    });
    page.family(&catalogue::NVML_STATE, |family| {
        for each in ["answering", "absent", "blocked", "failing"] {
            family.sample([each], u8::from(each == state));
        }
    });
    page.family(&catalogue::NVML_LAST_SUCCESS, |family| {
        if let Some(answered) = inventory.answered {
            family.sample([], answered.as_second());
        }
    });
    page.family(&catalogue::GPU_DRIVER_INFO, |family| {
        if let Some(driver) = &inventory.driver {
            family.sample([driver, inventory.cuda.as_deref().unwrap_or_default()], 1);
        }
    });
}

fn errors(page: &mut Exposition, gpus: &[Gpu]) {
    page.family(&catalogue::GPU_ECC, |family| {
        for gpu in gpus {
            if let Some(ecc) = gpu.ecc {
                family.sample([gpu.uuid.as_str(), "corrected"], ecc.corrected);
                family.sample([gpu.uuid.as_str(), "uncorrected"], ecc.uncorrected);
            }
        }
    });
    page.family(&catalogue::GPU_XID, |family| {
        for gpu in gpus {
            let mut seen = BTreeMap::<u64, u64>::new();
            for event in &gpu.xids {
                *seen.entry(event.xid).or_default() += 1;
            }
            for (xid, times) in seen {
                family.sample([gpu.uuid.as_str(), &xid.to_string()], times);
            }
        }
    });
}

/// A family with one sample per GPU, of those that tell it.
fn per_gpu<V: std::fmt::Display>(
    page: &mut Exposition,
    definition: &Definition,
    gpus: &[Gpu],
    value: impl Fn(&Gpu) -> Option<V>,
) {
    page.family(definition, |family| {
        for gpu in gpus {
            if let Some(value) = value(gpu) {
                family.sample([gpu.uuid.as_str()], value);
            }
        }
    });
}
