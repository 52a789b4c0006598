//! NVML's types, as in `nvml.h` of API version 13.

use std::ffi::{c_char, c_uint, c_ulonglong, c_void};

use serde::Deserialize;

/// What every function returns: a [`Code`] as a number.
pub(crate) type Return = c_uint;

/// `nvmlDevice_t`. Never followed: the fake's handles are small numbers.
pub(crate) type Device = *mut c_void;

/// `nvmlEventSet_t`. Never followed either.
pub(crate) type EventSet = *mut c_void;

/// `nvmlReturn_t`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(u32)]
pub(crate) enum Code {
    Success = 0,
    Uninitialized = 1,
    InvalidArgument = 2,
    NotSupported = 3,
    NoPermission = 4,
    NotFound = 6,
    InsufficientSize = 7,
    DriverNotLoaded = 9,
    Timeout = 10,
    IrqIssue = 11,
    FunctionNotFound = 13,
    GpuIsLost = 15,
    ResetRequired = 16,
    ArgumentVersionMismatch = 25,
    Unknown = 999,
}

/// `nvmlMemory_v2_t`
#[repr(C)]
pub(crate) struct Memory {
    pub(crate) version: c_uint,
    pub(crate) total: c_ulonglong,
    pub(crate) reserved: c_ulonglong,
    pub(crate) free: c_ulonglong,
    pub(crate) used: c_ulonglong,
}

impl Memory {
    /// `NVML_STRUCT_VERSION(Memory, 2)`: the size, and the version in the highest byte.
    #[expect(clippy::cast_possible_truncation, reason = "the size is 40")]
    pub(crate) const VERSION: c_uint = size_of::<Self>() as c_uint | (2 << 24);
}

/// `nvmlProcessInfo_t` of `nvmlDeviceGetComputeRunningProcesses_v3`
#[repr(C)]
pub(crate) struct ProcessInfo {
    pub(crate) pid: c_uint,
    pub(crate) used_gpu_memory: c_ulonglong,
    pub(crate) gpu_instance_id: c_uint,
    pub(crate) compute_instance_id: c_uint,
}

/// `NVML_VALUE_NOT_AVAILABLE`, for a process's memory
pub(crate) const NOT_AVAILABLE: c_ulonglong = c_ulonglong::MAX;

/// For an instance id of a GPU that is not partitioned.
pub(crate) const NO_INSTANCE: c_uint = c_uint::MAX;

/// `nvmlPciInfo_t`
#[repr(C)]
pub(crate) struct PciInfo {
    pub(crate) bus_id_legacy: [c_char; 16],
    pub(crate) domain: c_uint,
    pub(crate) bus: c_uint,
    pub(crate) device: c_uint,
    pub(crate) pci_device_id: c_uint,
    pub(crate) pci_sub_system_id: c_uint,
    pub(crate) bus_id: [c_char; 32],
}

/// `nvmlUtilization_t`, in percent
#[repr(C)]
pub(crate) struct Utilization {
    pub(crate) gpu: c_uint,
    pub(crate) memory: c_uint,
}

/// `nvmlEventData_t`
#[repr(C)]
pub(crate) struct EventData {
    pub(crate) device: Device,
    pub(crate) kind: c_ulonglong,
    pub(crate) data: c_ulonglong,
    pub(crate) gpu_instance_id: c_uint,
    pub(crate) compute_instance_id: c_uint,
}

/// `nvmlEventTypeXidCriticalError`
pub(crate) const EVENT_XID: c_ulonglong = 8;

/// `NVML_TEMPERATURE_GPU`, the only sensor there is
pub(crate) const SENSOR_GPU: c_uint = 0;

/// `NVML_MEMORY_ERROR_TYPE_CORRECTED`
pub(crate) const ECC_CORRECTED: c_uint = 0;

/// `NVML_MEMORY_ERROR_TYPE_UNCORRECTED`
pub(crate) const ECC_UNCORRECTED: c_uint = 1;

// A layout that differs from NVIDIA's writes past the caller's memory.
const _: () = assert!(size_of::<Memory>() == 40);
const _: () = assert!(size_of::<ProcessInfo>() == 24);
const _: () = assert!(size_of::<PciInfo>() == 68);
const _: () = assert!(size_of::<Utilization>() == 8);
const _: () = assert!(size_of::<EventData>() == 32);
