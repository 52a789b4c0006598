//! A `libnvidia-ml.so.1` for machines without a GPU.
//!
//! It exports the C functions of NVML that `maas-gpu` calls, with NVIDIA's layouts and return codes,
//! and is loaded through the same `dlopen` as the real one. What it answers stands in a scenario, a
//! JSON file that is **read again at every call**: a test changes it in mid-run, and several
//! processes see the same GPUs. Replace the file by rename, so that no call reads half of it.
//!
//! # Where the scenario is
//!
//! Beside the library: `<path of the library>.json`. Copy the library for each test (a link would be
//! the same library to the loader) and tests in one process have GPUs of their own. If there is no
//! such file, the environment variable `FAKE_NVML_SCENARIO` names it.
//!
//! # What it says
//!
//! ```json
//! {
//!   "driver": "580.95.05",
//!   "cuda": 13000,
//!   "returns": { "nvmlInit_v2": "DRIVER_NOT_LOADED" },
//!   "block": ["nvmlDeviceGetCount_v2"],
//!   "gpus": [
//!     {
//!       "uuid": "GPU-5a1f0c1e-0000-4000-8000-000000000000",
//!       "name": "NVIDIA H100 80GB HBM3",
//!       "pci_bus_id": "00000000:1B:00.0",
//!       "memory_total": 85520809984,
//!       "memory_used": 1073741824,
//!       "processes": [{ "pid": 4242, "memory_used": 536870912 }],
//!       "utilization_percent": 37,
//!       "temperature_celsius": 41,
//!       "power_milliwatts": 71234,
//!       "ecc": { "corrected": 2, "uncorrected": 0 },
//!       "xids": [79],
//!       "returns": { "*": "GPU_IS_LOST" },
//!       "block": ["nvmlDeviceGetTemperature"]
//!     }
//!   ]
//! }
//! ```
//!
//! - `returns`: the code that a function answers with, for all GPUs or for one. `"*"` stands for
//!   every function of that GPU. Codes by their names in `nvml.h`, without `NVML_ERROR_`.
//! - `block`: functions that do not come back until the scenario no longer lists them.
//! - `xids`: the GPU's events so far. Each is told once per process, to whoever has registered for
//!   it. A test appends to the list.
//! - What is left out of a GPU (`temperature_celsius`, `ecc`, …) is `NOT_SUPPORTED`; a process
//!   without `memory_used` does not tell it.
//! - NVML's index is the position in `gpus`. A GPU that is taken out of the list is lost to those
//!   who hold a handle on it.
//!
//! Ready-made ones are in `scenarios/`: `eight-h100.json` is an idle host, `one-lost.json` two GPUs of
//! which the second has fallen off the bus, `blocked.json` two of which the second never tells its
//! temperature. GPUs of the same number have the same UUID in all of them.
//!
//! A key, a code or a function that the fake does not know makes the scenario invalid: every call
//! then answers `UNKNOWN`, and standard error says why, once.

mod abi;
mod answer;
mod exports;
mod scenario;
mod state;
