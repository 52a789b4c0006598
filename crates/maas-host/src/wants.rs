//! What a bundle and a configuration need of a machine.

use camino::Utf8PathBuf;
use jiff::Timestamp;
use serde::Serialize;

use crate::Version;

/// What is needed. [`Wants::least`] has what every bundle needs; whoever knows more adds to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wants {
    /// As `uname -m` says: `x86_64`.
    pub arch: String,
    /// Oldest kernel.
    pub kernel: Version,
    /// Oldest GNU C library.
    pub glibc: Version,
    /// Oldest systemd, where systemd starts the services.
    pub systemd: u32,
    /// Who starts the services.
    pub services: Services,
    /// What engines run in.
    pub runtime: Runtime,
    /// Processor features that engines need, as `/proc/cpuinfo` spells them.
    pub cpu_features: Vec<String>,
    /// Main memory that the engines of all models take together, bytes.
    pub memory: u64,
    /// Shared memory that the engines of all models take together, bytes.
    pub shm: u64,
    /// The state folder, as the host names it; it need not be there yet.
    pub state: Utf8PathBuf,
    /// Bytes that must be free on its disk.
    pub bytes_free: u64,
    /// Inodes that must be free on its disk.
    pub inodes_free: u64,
    /// GPUs that all models take together; 0 where engines run on processors.
    pub gpus: u32,
    /// GPUs that the biggest engine takes.
    pub gpus_per_engine: u32,
    /// Memory that each of them must have, bytes; 0 where that is not known.
    pub gpu_memory: u64,
    /// Oldest NVIDIA driver, where the bundle says so.
    pub driver: Option<Version>,
    /// CUDA version that the engines were built with, where the bundle says so.
    pub cuda: Option<Version>,
    /// TCP ports that the gateway listens on.
    pub ports: Vec<u16>,
    /// The latest time that is known to have been: when the bundle was built, or later. A clock that
    /// says less is wrong.
    pub built: Timestamp,
}

/// Who starts the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Services {
    /// systemd, from unit files.
    Systemd,
    /// A person, a container's entry point or a test: everything lies below `--root DIR`.
    Direct,
}

/// What engines run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// vLLM that is on the host already.
    Host,
    /// Containers of podman, GPUs through CDI.
    Podman,
    /// The image unpacked, and run by systemd alone.
    Rootfs,
}

impl Wants {
    /// RHEL 8's. Older kernels lack what the store relies on: `copy_file_range` and `statx` came
    /// between 4.5 and 4.11, and no distribution that is still mended has an older one.
    pub const LEAST_KERNEL: Version = Version::new(&[4, 18]);

    /// RHEL 8's, and what wheels tagged `manylinux_2_28` are built against: those of vLLM and `PyTorch`
    /// among them. The dynamic loader refuses an older one.
    pub const LEAST_GLIBC: Version = Version::new(&[2, 28]);

    /// RHEL 8's. The units need `RuntimeDirectoryPreserve=` (235), `RootDirectory=` with
    /// `MountAPIVFS=` (233) and `ProtectSystem=strict` (232).
    pub const LEAST_SYSTEMD: u32 = 239;

    /// What every bundle needs: this architecture, systemd, no GPU, no port, no space.
    pub fn least(state: impl Into<Utf8PathBuf>, built: Timestamp) -> Self {
        Self {
            arch: std::env::consts::ARCH.to_owned(),
            kernel: Self::LEAST_KERNEL,
            glibc: Self::LEAST_GLIBC,
            systemd: Self::LEAST_SYSTEMD,
            services: Services::Systemd,
            runtime: Runtime::Host,
            cpu_features: Vec::new(),
            memory: 0,
            shm: 0,
            state: state.into(),
            bytes_free: 0,
            inodes_free: 0,
            gpus: 0,
            gpus_per_engine: 0,
            gpu_memory: 0,
            driver: None,
            cuda: None,
            ports: Vec::new(),
            built,
        }
    }
}
