//! NVML, asked once.

mod device;

use std::ffi::OsStr;

use camino::Utf8Path;
use jiff::Timestamp;
use maas_types::{Gpu, GpuInventory, NvmlHealth};
use nvml_wrapper::{
    Device, Nvml, cuda_driver_version_major, cuda_driver_version_minor, error::NvmlError,
};

use crate::{GpuError, call::Calls, error::words};

/// The library that the driver installs, found by the loader.
const LIBRARY: &str = "libnvidia-ml.so.1";

/// An open NVML library. Its calls block the thread, possibly for ever.
#[derive(Debug)]
pub struct Probe {
    nvml: Nvml,
    calls: Calls,
}

/// What one round of questions gave.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Driver and CUDA version, where they could be read.
    pub(crate) driver: Option<String>,
    pub(crate) cuda: Option<String>,
    /// GPUs that told their UUID. Where a name, a bus id or a size could not be read it is empty or
    /// zero, and named in `unreadable`.
    pub(crate) gpus: Vec<Gpu>,
    /// GPUs that did not: index and NVML's words.
    pub(crate) silent: Vec<(u32, String)>,
}

impl Probe {
    /// Loads NVML, from `library` or from where the driver installs it.
    pub fn open(library: Option<&Utf8Path>) -> Result<Self, GpuError> {
        Self::open_watched(library, Calls::unwatched())
    }

    pub(crate) fn open_watched(library: Option<&Utf8Path>, calls: Calls) -> Result<Self, GpuError> {
        const CALL: &str = "nvmlInit_v2";
        let library = library.map_or(LIBRARY, Utf8Path::as_str);
        let opened = calls.call(CALL, || {
            Nvml::builder().lib_path(OsStr::new(library)).init()
        });
        match opened {
            Ok(nvml) => Ok(Self { nvml, calls }),
            Err(error) => Err(GpuError::of_init(CALL, library, &error)),
        }
    }

    /// Asks for everything once; `now` is written down as the time of the answer. XIDs are not asked
    /// for: they are events, and only [`GpuAgent`](crate::GpuAgent) is there when they happen.
    pub fn inventory(&self, now: Timestamp) -> Result<GpuInventory, GpuError> {
        let reading = self.read()?;
        let unidentified = reading.silent.iter();
        Ok(GpuInventory {
            schema: GpuInventory::SCHEMA.to_owned(),
            written: now,
            answered: Some(now),
            nvml: NvmlHealth::Answering,
            driver: reading.driver,
            cuda: reading.cuda,
            unidentified: unidentified
                .map(|(i, why)| unidentified_words(*i, why))
                .collect(),
            gpus: reading.gpus,
        })
    }

    /// One round of questions.
    pub(crate) fn read(&self) -> Result<Reading, GpuError> {
        const COUNT: &str = "nvmlDeviceGetCount_v2";
        let count = self
            .calls
            .call(COUNT, || self.nvml.device_count())
            .map_err(|error| GpuError::of_call(COUNT, &error))?;
        let driver = self.calls.call("nvmlSystemGetDriverVersion", || {
            self.nvml.sys_driver_version()
        });
        let cuda = self.calls.call("nvmlSystemGetCudaDriverVersion_v2", || {
            self.nvml.sys_cuda_driver_version()
        });
        let mut reading = Reading {
            driver: driver.ok(),
            cuda: cuda.ok().map(cuda_words),
            gpus: Vec::new(),
            silent: Vec::new(),
        };
        for index in 0..count {
            match self.gpu(index) {
                Ok(gpu) => reading.gpus.push(gpu),
                Err(why) => reading.silent.push((index, why)),
            }
        }
        Ok(reading)
    }

    /// The GPU at `index`, or why it cannot even be named.
    fn gpu(&self, index: u32) -> Result<Gpu, String> {
        let device = self
            .calls
            .call("nvmlDeviceGetHandleByIndex_v2", || {
                self.nvml.device_by_index(index)
            })
            .map_err(|error| words(&error))?;
        let uuid = self
            .calls
            .call("nvmlDeviceGetUUID", || device.uuid())
            .map_err(|error| words(&error))?;
        let uuid = uuid.parse().map_err(|error| format!("{error}"))?;
        Ok(device::facts(&self.calls, &device, index, uuid))
    }

    /// The library itself, for the events.
    pub(crate) fn device(&self, uuid: &maas_types::GpuUuid) -> Result<Device<'_>, NvmlError> {
        self.calls.call("nvmlDeviceGetHandleByUUID", || {
            self.nvml.device_by_uuid(uuid.as_str())
        })
    }

    pub(crate) fn nvml(&self) -> &Nvml {
        &self.nvml
    }

    pub(crate) fn calls(&self) -> &Calls {
        &self.calls
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // What follows when the field is dropped; it can block like any other call.
        self.calls.begin("nvmlShutdown");
    }
}

/// How a GPU without a UUID is told to a person.
pub(crate) fn unidentified_words(index: u32, why: &str) -> String {
    format!("GPU {index} tells no UUID: {why}")
}

/// NVML's 13000 as `13.0`.
fn cuda_words(version: i32) -> String {
    format!(
        "{}.{}",
        cuda_driver_version_major(version),
        cuda_driver_version_minor(version)
    )
}
