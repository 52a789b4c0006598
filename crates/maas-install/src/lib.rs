//! Bringing a verified bundle onto a host: facts, then preflight, then a plan (pure), then its
//! application (resumable), then a receipt. Beside it what a host makes for itself: its own
//! certificate authority and server certificate, and the secret that keys are hashed with.
//!
//! Nothing here reads a clock: `now` is an argument. Whatever writes takes the lock.
#![warn(missing_docs)]

mod apply;
mod approval;
mod error;
mod facts;
mod identity;
mod models;
mod pepper;
mod plan;
mod preflight;
mod receipt;
mod seat;
mod trial;
pub mod trust;

pub use apply::{Event, apply, rollback, take_volume};
pub use approval::{Approval, Approvals, Person};
pub use error::{InstallError, Shortage};
pub use facts::{EngineImage, Facts, Host, Policy, TrialWish};
pub use identity::{CaAction, Ensured, Identity, IdentityError, LeafAction, LeafReason, Site};
pub use maas_host::{Finding, Level};
pub use pepper::{Pepper, ensure_pepper};
pub use plan::{Needs, Plan, Step};
pub use preflight::preflight;
pub use receipt::{Outcome, Receipt, RollbackReceipt, StepTime};
pub use seat::{
    Change, Data, Farewell, Laid, Left, Seat, SeatFile, Setup, Started, lay, leave, services,
    stop_services, stop_services_if_any, survey,
};
pub use trial::{Endpoint, FailedTrial, Trial, Verdict};
