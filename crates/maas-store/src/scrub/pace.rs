//! How fast is read.

use std::{num::NonZeroU64, time::Duration};

/// Keeps a rate. A moment in which nothing was read is not made up for later: engines would feel it.
pub struct Pace<'a> {
    /// Bytes per second; `None` is as fast as the disk.
    rate: Option<NonZeroU64>,
    /// Time since some moment; never goes back.
    clock: &'a dyn Fn() -> Duration,
    /// Waits.
    pause: &'a dyn Fn(Duration),
    /// When what was read so far is paid for.
    paid: Duration,
}

impl std::fmt::Debug for Pace<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pace")
            .field("rate", &self.rate)
            .field("paid", &self.paid)
            .finish_non_exhaustive()
    }
}

impl<'a> Pace<'a> {
    /// At most so many bytes per second, by this clock.
    pub fn new(
        rate: Option<NonZeroU64>,
        clock: &'a dyn Fn() -> Duration,
        pause: &'a dyn Fn(Duration),
    ) -> Self {
        Self {
            rate,
            clock,
            pause,
            paid: Duration::ZERO,
        }
    }

    /// So many bytes were read; waits until that many were due.
    pub(super) fn spend(&mut self, bytes: u64) {
        let Some(rate) = self.rate else { return };
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(rate.get());
        let cost = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        let now = (self.clock)();
        self.paid = self.paid.max(now).saturating_add(cost);
        (self.pause)(self.paid.saturating_sub(now));
    }
}
