//! A simulated inference engine: the HTTP of vLLM 0.32 as recorded, no model, failures on command.
//!
//! Tests, `quickstart` and a site's rehearsal without GPUs use the same one. It is named as
//! simulated wherever it answers: `owned_by`, `system_fingerprint`, `/version`, a response header
//! and the first words of every answer.

mod faults;
mod log;
mod settings;
mod simulator;

pub use faults::{Behaviour, BehaviourError, Change, Failure};
pub use log::Log;
pub use settings::{Clock, Listen, Runner, Settings, Switch};
pub use simulator::{SimulatedEnv, Simulator, SimulatorError, run};
