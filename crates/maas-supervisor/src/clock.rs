//! The crate's one reading of the wall clock, for what people see. Nothing is decided by it.

use jiff::Timestamp;

#[expect(clippy::disallowed_methods, reason = "the one clock of this crate")]
pub(crate) fn wall_clock() -> Timestamp {
    Timestamp::now()
}
