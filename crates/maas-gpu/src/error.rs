//! What can go wrong on the way to the GPUs' facts.

use maas_types::{Exit, NvmlHealth};
use nvml_wrapper::error::NvmlError;

/// NVML as a whole does not answer. A single fact that cannot be read is not an error; it is named
/// in the inventory.
#[derive(Debug, thiserror::Error)]
pub enum GpuError {
    /// The loader finds no NVML library.
    #[error("load the NVML library `{library}`")]
    LibraryMissing {
        /// The name or path that was tried.
        library: String,
        /// What the loader said.
        #[source]
        source: NvmlError,
    },
    /// The library is there, the kernel's driver is not.
    #[error("reach the NVIDIA driver: it is not loaded")]
    DriverNotLoaded,
    /// A call that everything else depends on came back with an error.
    #[error("call `{call}`")]
    Call {
        /// Its name in `nvml.h`.
        call: &'static str,
        /// What it said.
        #[source]
        source: NvmlError,
    },
    /// The thread that was to make the calls could not be started.
    #[error("start the thread that calls NVML")]
    Thread(#[source] std::io::Error),
    /// The thread that makes the calls is gone; it has panicked.
    #[error("keep the thread that calls NVML: it died")]
    ThreadDied,
}

impl GpuError {
    /// The error of `call`, or the plain statement that there is no driver.
    pub(crate) fn of_call(call: &'static str, source: NvmlError) -> Self {
        if matches!(source, NvmlError::DriverNotLoaded) {
            return Self::DriverNotLoaded;
        }
        Self::Call { call, source }
    }

    /// What a process that ends because of it tells the shell.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::LibraryMissing { .. } | Self::DriverNotLoaded => Exit::HostCheck,
            Self::Call { .. } | Self::Thread(_) => Exit::Failed,
            Self::ThreadDied => Exit::Bug,
        }
    }

    /// What the inventory says about NVML because of it.
    pub fn health(&self) -> NvmlHealth {
        match self {
            Self::LibraryMissing { library, source } => NvmlHealth::Absent {
                detail: format!("no NVML library `{library}`: {}", words(source)),
            },
            Self::DriverNotLoaded => NvmlHealth::Absent {
                detail: "the NVIDIA driver is not loaded".to_owned(),
            },
            Self::Call { call, source } => NvmlHealth::Failing {
                detail: format!("{call}: {}", words(source)),
            },
            Self::Thread(_) | Self::ThreadDied => NvmlHealth::Failing {
                detail: self.to_string(),
            },
        }
    }
}

/// NVML's error in words. The wrapper's own, except for the one that an operator must recognise.
pub(crate) fn words(error: &NvmlError) -> String {
    if matches!(error, NvmlError::GpuLost) {
        return "the GPU has fallen off the bus (GPU_IS_LOST)".to_owned();
    }
    error.to_string()
}
