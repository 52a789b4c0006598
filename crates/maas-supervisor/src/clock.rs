//! The crate's one reading of the clocks.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// Both times of one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// Since the supervisor's start, by a clock that nobody can set. Everything is decided by it.
    pub(crate) elapsed: Duration,
    /// What people see.
    pub(crate) wall: Timestamp,
}

impl Now {
    pub(crate) fn after(begun: Instant) -> Self {
        Self {
            elapsed: begun.elapsed(),
            wall: wall_clock(),
        }
    }
}

/// What people see. Nothing is decided by it.
#[expect(clippy::disallowed_methods, reason = "the one clock of this crate")]
pub(crate) fn wall_clock() -> Timestamp {
    Timestamp::now()
}
