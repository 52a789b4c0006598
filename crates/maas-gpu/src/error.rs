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
        source: Said,
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
        source: Said,
    },
    /// The thread that was to make the calls could not be started.
    #[error("start the thread that calls NVML")]
    Thread(#[source] std::io::Error),
    /// The thread that makes the calls is gone; it has panicked.
    #[error("keep the thread that calls NVML: it died")]
    ThreadDied,
}

/// The words of NVML or of the loader. The wrapper's own error stays inside the crate: some of its
/// variants tell their source's text as well as their source, and a chain would say it twice.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Said(String);

impl GpuError {
    /// The error of `call`, or the plain statement that there is no driver.
    pub(crate) fn of_call(call: &'static str, error: &NvmlError) -> Self {
        if matches!(error, NvmlError::DriverNotLoaded) {
            return Self::DriverNotLoaded;
        }
        let source = Said(words(error));
        Self::Call { call, source }
    }

    /// The error of the call that loads the library and initialises it.
    pub(crate) fn of_init(call: &'static str, library: &str, error: &NvmlError) -> Self {
        let missing = matches!(
            error,
            NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound
        );
        if !missing {
            return Self::of_call(call, error);
        }
        Self::LibraryMissing {
            library: library.to_owned(),
            source: Said(words(error)),
        }
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
                detail: format!("no NVML library `{library}`: {source}"),
            },
            Self::DriverNotLoaded => NvmlHealth::Absent {
                detail: "the NVIDIA driver is not loaded".to_owned(),
            },
            Self::Call { call, source } => NvmlHealth::Failing {
                detail: format!("{call}: {source}"),
            },
            Self::Thread(_) | Self::ThreadDied => NvmlHealth::Failing {
                detail: self.to_string(),
            },
        }
    }
}

/// NVML's error in words. The wrapper's own, except where an operator must recognise it.
pub(crate) fn words(error: &NvmlError) -> String {
    if let NvmlError::LibloadingError(loader) = error {
        return loader.to_string();
    }
    if matches!(error, NvmlError::GpuLost) {
        return "the GPU has fallen off the bus (GPU_IS_LOST)".to_owned();
    }
    if matches!(error, NvmlError::LibRmVersionMismatch) {
        return "the driver that runs is not the one that is installed; reboot the host".to_owned();
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use std::{error::Error, io};

    use super::*;

    fn chain(error: &GpuError) -> String {
        let causes = std::iter::successors(Some(error as &dyn Error), |error: &&dyn Error| {
            (*error).source()
        });
        causes
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(": ")
    }

    #[test]
    fn each_error_says_what_failed_and_why_once() {
        let library = "libnvidia-ml.so.1";
        let init = |error| GpuError::of_init("nvmlInit_v2", library, &error);
        let errors = [
            init(NvmlError::LibraryNotFound),
            init(NvmlError::DriverNotLoaded),
            init(NvmlError::LibRmVersionMismatch),
            GpuError::Thread(io::Error::from(io::ErrorKind::WouldBlock)),
            GpuError::ThreadDied,
        ];
        let chains: Vec<String> = errors.iter().map(chain).collect();
        insta::assert_snapshot!(chains.join("\n"), @r"
        load the NVML library `libnvidia-ml.so.1`: a shared library couldn't be found or loaded
        reach the NVIDIA driver: it is not loaded
        call `nvmlInit_v2`: the driver that runs is not the one that is installed; reboot the host
        start the thread that calls NVML: operation would block
        keep the thread that calls NVML: it died
        ");
        let exits = errors.map(|error| error.exit());
        let host = Exit::HostCheck;
        assert_eq!(exits, [host, host, Exit::Failed, Exit::Failed, Exit::Bug]);
    }
}
