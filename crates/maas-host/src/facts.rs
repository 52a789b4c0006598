//! Facts, a file for each kind. Every `look` reads below a [`crate::tree::Tree`] and cannot fail.

mod clock;
mod cpu;
mod disk;
mod kernel;
mod leftover;
mod libc;
mod limits;
mod memory;
mod mount;
mod net;
mod nvidia;
mod process;
mod security;
mod system;

pub use clock::Clock;
pub use cpu::Cpu;
pub use disk::{Ability, Disk};
pub use kernel::{CgroupVersion, Kernel, Lockdown};
pub use leftover::Leftover;
pub use libc::Libc;
pub use limits::Limits;
pub use memory::Memory;
pub use mount::Mount;
pub use net::{Listener, Net};
pub use nvidia::{CdiSpec, DriverFlavour, Fabric, Gpu, Node, Nvidia, PciGpu};
pub(crate) use process::{Process, is_running, processes};
pub use security::{Security, Selinux};
pub use system::{Distribution, System};
