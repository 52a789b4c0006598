//! Teams, keys, limits and the usage ledger.
//!
//! ```text
//! authenticate ─► Principal ─► admit ─► Permit ─► forward … observe … ─► settle ─► ledger row
//!      (memory)                 (memory)                                 (memory)    (one thread)
//! ```
//!
//! - **No I/O on the request path.** [`Registry::authenticate`] and [`Registry::admit`] read an
//!   immutable snapshot and counters in memory. SQLite is read when the registry is opened and for
//!   reports, and written by administration and by one ledger thread.
//! - **Administration is commit, swap, cut, return.** A key that [`Registry::revoke_key`] has
//!   returned for is dead for the next request, and its streams have been told to stop.
//! - **Reserve, then settle exactly once.** A [`Permit`] holds what it reserved and settles when it
//!   is dropped, so no path through the gateway forgets usage. A [`Permit`] has no public
//!   constructor: what is not admitted cannot be forwarded.
//! - **Limits fail closed.** No limit is written by leaving it out; a limit of 0 allows nothing; an
//!   empty list of models allows none.
//!
//! Time is an argument everywhere. Nothing here reads a clock, the environment or the network.
#![warn(missing_docs)]

mod admission;
mod bucket;
mod database;
mod day;
mod error;
mod ledger;
mod meter;
mod pepper;
mod record;
mod refusal;
mod registry;
mod snapshot;
mod token;
mod usage;

pub use admission::{Ask, Permit};
pub use day::{Day, SiteTimeZone, TimeZoneError};
pub use error::KeysError;
pub use meter::{LimitState, RequestState, TokenState};
pub use pepper::{Pepper, PepperError};
pub use record::{
    KeyRecord, Limits, ModelAccess, NewKey, NewTeam, Revocation, TeamRecord, TeamSettings,
};
pub use refusal::{AuthRefusal, LimitRefusal, Scope};
pub use registry::Registry;
pub use snapshot::Principal;
pub use token::{Entropy, SecretToken};
pub use usage::{UsageBy, UsageQuery, UsageReport, UsageRow};
