//! Engines as processes: which models run where, started through a shim, watched, restarted with
//! back-off, stopped to the last child.
#![warn(missing_docs)]

mod argv;
mod error;
mod placement;
mod policy;
mod process;
mod progress;
mod settings;
mod spec;
mod status;

pub use error::SupervisorError;
pub use process::ProcessId;
pub use progress::{Progress, Stage};
pub use settings::{
    DevicePolicy, EXEC_VERB, SHIM_VERB, SIMULATED_VERB, Settings, StopEngines, Wish, WishSource,
    Wishes,
};
pub use spec::EngineSpec;
pub use status::{Cause, EngineStatus, ExitRecord, Phase};
