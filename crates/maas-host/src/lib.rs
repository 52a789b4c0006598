//! What this machine is, and whether it is fit: facts, and findings about them.
//!
//! ```text
//! /proc /sys /etc /dev ──► Machine::look ──► Machine ─┐
//!                                                     ├─► findings ──► Vec<Finding> ──► accept
//! bundle and configuration ─────────────────► Wants ──┘     (pure)                      (pure)
//! ```
//!
//! - **Everything at once.** A finding for each question, each with what to do; the first failure
//!   hides nothing. `install` asks before its first write, `doctor` afterwards, and both get the same
//!   answer to the same question.
//! - **No process is started, nothing is sent.** Facts are read below a folder that the caller gives,
//!   `/` or a copy of a host in a test. NVML is not called here; whoever has an inventory adds it with
//!   [`Machine::add_inventory`]. The one write is that of [`measure_latency`], on request.
//! - **No network is needed.** A default route, DNS and a time server are told where they are seen,
//!   and never missed.
//! - **What cannot be read is not guessed.** A fact is then `None`, and its finding says that it
//!   could not tell.
#![warn(missing_docs)]

mod accept;
mod catalogue;
mod check;
mod facts;
mod finding;
mod latency;
mod machine;
mod tree;
mod version;
mod wants;

#[cfg(test)]
mod tests;

pub use accept::{AcceptError, accept};
pub use catalogue::{findings, reference};
pub use facts::{
    Ability, CdiSpec, CgroupVersion, Clock, Cpu, Disk, Distribution, DriverFlavour, Fabric, Gpu,
    Kernel, Leftover, Libc, Limits, Listener, Lockdown, Memory, Mount, Net, Node, Nvidia, PciGpu,
    Security, Selinux, System,
};
pub use finding::{Finding, Level};
pub use latency::{Latency, LatencyError, measure_latency};
pub use machine::Machine;
pub use version::Version;
pub use wants::{Runtime, Services, Wants};
