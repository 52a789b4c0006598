//! Requests per minute: a bucket that fills with use and drains with time, in whole numbers.
//!
//! It holds *use*, not what is left, so that a limit can be changed at any moment without converting
//! anything. One request is 60 × 10^9 units and a limit of L drains L units per nanosecond: both are
//! whole numbers, so nothing is ever rounded in anybody's favour.
//!
//! The rule: within any span of time T there are at most L + L × T / 60 s admissions.

use std::time::Duration;

use jiff::Timestamp;

/// Units of one request: the nanoseconds of a minute.
const REQUEST: u128 = 60_000_000_000;
/// A clock that steps back further than this was wrong before and is right now: waiting for it to
/// catch up would lock everybody out. A smaller step is corrected by waiting, at most a minute.
const STEP_BACK: i128 = 60_000_000_000;

/// How much of a limit is in use.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bucket {
    used: u128,
    /// Up to when it has drained, in nanoseconds since 1970.
    drained: Option<i128>,
}

impl Bucket {
    /// Lets it drain up to `now`. To be called before anything else is asked.
    pub(crate) fn drain(&mut self, limit: u64, now: Timestamp) {
        let now = now.as_nanosecond();
        let drained = self.drained.unwrap_or(now);
        let elapsed = now.saturating_sub(drained);
        let small_step_back = (-STEP_BACK..0).contains(&elapsed);
        if !small_step_back {
            self.drained = Some(now);
        }
        let elapsed = u128::try_from(elapsed).unwrap_or(0);
        let gone = elapsed.saturating_mul(u128::from(limit));
        self.used = self.used.saturating_sub(gone).min(capacity(limit));
    }

    /// How long until one more request fits; zero when it fits now, `None` when it never will.
    pub(crate) fn wait(&self, limit: u64, now: Timestamp) -> Option<Duration> {
        let excess = (self.used + REQUEST).saturating_sub(capacity(limit));
        if excess == 0 {
            return Some(Duration::ZERO);
        }
        self.time(excess, limit, now)
    }

    /// Takes one request. The caller has seen that it fits.
    pub(crate) fn take(&mut self) {
        self.used += REQUEST;
    }

    /// Whole requests that still fit.
    pub(crate) fn remaining(&self, limit: u64) -> u64 {
        let free = capacity(limit).saturating_sub(self.used) / REQUEST;
        u64::try_from(free).unwrap_or(u64::MAX)
    }

    /// How long until nothing is in use, when nobody asks.
    pub(crate) fn empties(&self, limit: u64, now: Timestamp) -> Duration {
        self.time(self.used, limit, now).unwrap_or(Duration::ZERO)
    }

    /// How long `units` take to drain, rounded up, once the clock is back where it was.
    fn time(&self, units: u128, limit: u64, now: Timestamp) -> Option<Duration> {
        let limit = u128::from(limit);
        let whole = units.checked_div(limit)?;
        let rest = u128::from(!units.is_multiple_of(limit));
        let now = now.as_nanosecond();
        let ahead = self.drained.map_or(0, |drained| drained - now);
        let ahead = u128::try_from(ahead).unwrap_or(0);
        let nanoseconds = whole.saturating_add(rest).saturating_add(ahead);
        Some(Duration::from_nanos(
            u64::try_from(nanoseconds).unwrap_or(u64::MAX),
        ))
    }
}

fn capacity(limit: u64) -> u128 {
    u128::from(limit) * REQUEST
}

#[cfg(test)]
mod tests;
