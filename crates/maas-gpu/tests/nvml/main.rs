//! The real NVML wrapper on a library that plays NVML: `tests/fake-nvml`.

mod agent;
mod fake;
mod probe;
