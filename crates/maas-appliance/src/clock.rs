//! The one place that asks what time it is. Everything else takes `now` as an argument.

use jiff::Timestamp;

/// The host's clock. It may be wrong: nothing that decides about trust believes it alone.
#[expect(clippy::disallowed_methods, reason = "the one clock")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
