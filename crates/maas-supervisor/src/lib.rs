//! Engines as processes: which models run where, started through a shim, watched, restarted with
//! back-off, stopped to the last child.
#![warn(missing_docs)]

mod argv;
mod clock;
mod engine;
mod error;
mod exec;
mod files;
mod http;
mod launcher;
mod log;
mod placement;
mod policy;
mod process;
mod progress;
mod recover;
mod settings;
mod shim;
mod spawn;
mod spec;
mod state;
mod status;
mod stop;
mod supervisor;
mod sweep;
mod table;
mod token;

pub use error::SupervisorError;
pub use exec::engine_exec;
pub use launcher::{Reply, answer as answer_launch};
pub use process::ProcessId;
pub use progress::{Progress, Stage};
pub use settings::{
    BackEnd, DevicePolicy, EXEC_VERB, EngineRoot, SHIM_VERB, SIMULATED_VERB, Settings, StopEngines,
    Wish, WishSource, Wishes,
};
pub use shim::shim;
pub use spec::EngineSpec;
pub use status::{Cause, EngineStatus, ExitRecord, Phase};
pub use stop::stop_all;
pub use supervisor::Supervisor;
