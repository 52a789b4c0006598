//! The facts of one GPU.

use std::ffi::{c_char, c_uint, c_ulonglong};

use crate::{
    abi::{
        Code, Device, ECC_CORRECTED, ECC_UNCORRECTED, Memory, NO_INSTANCE, NOT_AVAILABLE, PciInfo,
        ProcessInfo, Return, SENSOR_GPU, Utilization,
    },
    answer::{of_device, put, put_text},
    scenario::PciAddress,
};

/// # Safety
///
/// `uuid` is null or points to memory for `length` characters.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetUUID(
    device: Device,
    uuid: *mut c_char,
    length: c_uint,
) -> Return {
    of_device("nvmlDeviceGetUUID", device, |gpu| {
        // SAFETY: the caller's promise.
        unsafe { put_text(uuid, length, &gpu.uuid) }
    })
}

/// # Safety
///
/// `name` is null or points to memory for `length` characters.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetName(
    device: Device,
    name: *mut c_char,
    length: c_uint,
) -> Return {
    of_device("nvmlDeviceGetName", device, |gpu| {
        // SAFETY: the caller's promise.
        unsafe { put_text(name, length, &gpu.name) }
    })
}

/// # Safety
///
/// `pci` is null or points to memory for an `nvmlPciInfo_t`.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetPciInfo_v3(device: Device, pci: *mut PciInfo) -> Return {
    of_device("nvmlDeviceGetPciInfo_v3", device, |gpu| {
        let address = PciAddress::parse(&gpu.pci_bus_id).ok_or(Code::Unknown)?;
        let info = PciInfo {
            // The legacy form has a domain of four digits.
            bus_id_legacy: characters(&gpu.pci_bus_id[4..]),
            domain: address.domain,
            bus: address.bus,
            device: address.device,
            pci_device_id: 0,
            pci_sub_system_id: 0,
            bus_id: characters(&gpu.pci_bus_id),
        };
        // SAFETY: the caller's promise.
        unsafe { put(pci, info) }
    })
}

/// # Safety
///
/// `memory` is null or points to an `nvmlMemory_v2_t` whose `version` is set.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetMemoryInfo_v2(device: Device, memory: *mut Memory) -> Return {
    of_device("nvmlDeviceGetMemoryInfo_v2", device, |gpu| {
        // SAFETY: null or valid, by the caller's promise.
        let asked = unsafe { memory.as_ref() }.ok_or(Code::InvalidArgument)?;
        if asked.version != Memory::VERSION {
            return Err(Code::ArgumentVersionMismatch);
        }
        let info = Memory {
            version: Memory::VERSION,
            total: gpu.memory_total,
            reserved: 0,
            free: gpu.memory_total.saturating_sub(gpu.memory_used),
            used: gpu.memory_used,
        };
        // SAFETY: as above; `asked` is not used any more.
        unsafe { put(memory, info) }
    })
}

/// Gives as many processes as there are if `*count` is enough for them, else their number and
/// `INSUFFICIENT_SIZE`.
///
/// # Safety
///
/// `count` is null or points to a number; `processes` is null or points to memory for `*count`
/// values of `nvmlProcessInfo_t`.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetComputeRunningProcesses_v3(
    device: Device,
    count: *mut c_uint,
    processes: *mut ProcessInfo,
) -> Return {
    of_device("nvmlDeviceGetComputeRunningProcesses_v3", device, |gpu| {
        // SAFETY: null or valid, by the caller's promise.
        let room = *unsafe { count.as_ref() }.ok_or(Code::InvalidArgument)?;
        let running = c_uint::try_from(gpu.processes.len()).map_err(|_| Code::Unknown)?;
        // SAFETY: not null, as was just seen.
        unsafe { put(count, running) }?;
        if room < running {
            return Err(Code::InsufficientSize);
        }
        if running > 0 && processes.is_null() {
            return Err(Code::InvalidArgument);
        }
        for (index, process) in gpu.processes.iter().enumerate() {
            let info = ProcessInfo {
                pid: process.pid,
                used_gpu_memory: process.memory_used.unwrap_or(NOT_AVAILABLE),
                gpu_instance_id: NO_INSTANCE,
                compute_instance_id: NO_INSTANCE,
            };
            // SAFETY: not null, and `index` is below `*count` as the caller gave it.
            let at = unsafe { processes.add(index) };
            // SAFETY: within the memory that the caller promises.
            unsafe { put(at, info) }?;
        }
        Ok(())
    })
}

/// # Safety
///
/// `rates` is null or points to memory for an `nvmlUtilization_t`.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetUtilizationRates(
    device: Device,
    rates: *mut Utilization,
) -> Return {
    of_device("nvmlDeviceGetUtilizationRates", device, |gpu| {
        let percent = gpu.utilization_percent.ok_or(Code::NotSupported)?;
        let value = Utilization {
            gpu: percent,
            memory: 0,
        };
        // SAFETY: the caller's promise.
        unsafe { put(rates, value) }
    })
}

/// # Safety
///
/// `celsius` is null or points to memory for a number.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetTemperature(
    device: Device,
    sensor: c_uint,
    celsius: *mut c_uint,
) -> Return {
    of_device("nvmlDeviceGetTemperature", device, |gpu| {
        if sensor != SENSOR_GPU {
            return Err(Code::InvalidArgument);
        }
        let value = gpu.temperature_celsius.ok_or(Code::NotSupported)?;
        // SAFETY: the caller's promise.
        unsafe { put(celsius, value) }
    })
}

/// # Safety
///
/// `milliwatts` is null or points to memory for a number.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetPowerUsage(device: Device, milliwatts: *mut c_uint) -> Return {
    of_device("nvmlDeviceGetPowerUsage", device, |gpu| {
        let value = gpu.power_milliwatts.ok_or(Code::NotSupported)?;
        // SAFETY: the caller's promise.
        unsafe { put(milliwatts, value) }
    })
}

/// # Safety
///
/// `errors` is null or points to memory for a number.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetTotalEccErrors(
    device: Device,
    error_type: c_uint,
    _counter_type: c_uint,
    errors: *mut c_ulonglong,
) -> Return {
    of_device("nvmlDeviceGetTotalEccErrors", device, |gpu| {
        let ecc = gpu.ecc.ok_or(Code::NotSupported)?;
        let value = match error_type {
            ECC_CORRECTED => ecc.corrected,
            ECC_UNCORRECTED => ecc.uncorrected,
            _ => return Err(Code::InvalidArgument),
        };
        // SAFETY: the caller's promise.
        unsafe { put(errors, value) }
    })
}

/// A text in a field of `N` characters, cut if it must be, always with a zero at its end.
fn characters<const N: usize>(text: &str) -> [c_char; N] {
    let mut field = [0; N];
    for (character, byte) in field[..N - 1].iter_mut().zip(text.bytes()) {
        *character = byte.cast_signed();
    }
    field
}
