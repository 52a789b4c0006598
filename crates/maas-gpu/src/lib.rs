//! Facts about the host's GPUs, from NVIDIA's management library (NVML).
//!
//! This crate is the only caller of NVML. Its calls can block for ever inside the driver and its
//! answers can be wrong one fact at a time, so everything here assumes both:
//!
//! - [`Probe`] asks once. A fact that cannot be read is named in
//!   [`Gpu::unreadable`](maas_types::Gpu::unreadable); the others stay good.
//! - [`GpuAgent`] asks again and again on one OS thread, keeps a deadline for every single call, and
//!   publishes the last good facts together with how NVML is now.
//! - [`xid`] says what NVIDIA's error codes mean and ask for.
//!
//! Nobody outside learns of an index or a handle: GPUs go by their UUID.
#![warn(missing_docs)]

mod agent;
mod call;
mod error;
mod memory;
mod probe;
mod watch;
pub mod xid;

pub use agent::{AgentSettings, GpuAgent};
pub use error::{GpuError, Said};
pub use probe::Probe;
