//! What follows when an engine has died. Pure: time and randomness are arguments.

use std::{collections::VecDeque, time::Duration};

/// The delay after the first failure. Short: most single failures (a killed process, a full disk
/// that was emptied) do not come back, and clients wait.
const FIRST_DELAY: Duration = Duration::from_secs(1);

/// The longest delay. A start of a big model costs minutes of GPU and disk; five minutes between
/// tries leave the host usable and are short enough that a person who has repaired something sees
/// the effect before looking elsewhere.
const LONGEST_DELAY: Duration = Duration::from_mins(5);

/// An engine that has served so long has outlived what made it fail before: failures at start
/// happen within seconds to minutes, and slow leaks take hours.
const HEALTHY: Duration = Duration::from_mins(10);

/// So many failures within [`WINDOW`] are no accident. Five: with the delays below, an engine that
/// dies at once is given up after 15 seconds, one that loads for three minutes after a quarter of
/// an hour, and in both cases its logs are still there to be read.
const MOST_FAILURES: usize = 5;

/// See [`MOST_FAILURES`].
const WINDOW: Duration = Duration::from_mins(15);

/// Up to so much of a delay is taken off at random, per cent, so that engines that died together
/// (one GPU reset) do not load together for ever.
const JITTER: u32 = 25;

/// How a run ended, as far as restarting goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It may go better next time.
    Crash,
    /// vLLM exited with 2: it does not know its flags, and never will.
    BadFlags,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Start it again after this delay.
    Restart(Duration),
    /// Never again without a person.
    GiveUp(GiveUp),
}

/// Why an engine is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GiveUp {
    /// Its flags are wrong.
    BadFlags,
    /// It died this often within a quarter of an hour.
    TooOften(usize),
}

/// The failures of one engine that still count. Times are since the supervisor's start, by a clock
/// that nobody can set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct History {
    recent: VecDeque<Duration>,
    in_a_row: u32,
}

impl History {
    /// Takes note of a failure at `now`, after the engine had been ready for `ready`, and decides.
    /// `random` is any number.
    pub(crate) fn failed(
        &mut self,
        ending: Ending,
        now: Duration,
        ready: Duration,
        random: u32,
    ) -> Decision {
        if ending == Ending::BadFlags {
            return Decision::GiveUp(GiveUp::BadFlags);
        }
        if ready >= HEALTHY {
            *self = Self::default();
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.recent.push_back(now);
        self.recent.retain(|at| now.saturating_sub(*at) < WINDOW);
        if self.recent.len() >= MOST_FAILURES {
            return Decision::GiveUp(GiveUp::TooOften(self.recent.len()));
        }
        Decision::Restart(delay(self.in_a_row, random))
    }
}

/// 1, 2, 4 … 300 s, less up to a quarter.
fn delay(in_a_row: u32, random: u32) -> Duration {
    let doublings = in_a_row.saturating_sub(1).min(16);
    let full = FIRST_DELAY
        .saturating_mul(1 << doublings)
        .min(LONGEST_DELAY);
    full * (100 - random % (JITTER + 1)) / 100
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn crash(history: &mut History, now: u64, ready: u64) -> Decision {
        history.failed(Ending::Crash, seconds(now), seconds(ready), 0)
    }

    #[test]
    fn delays_double_and_the_fifth_failure_in_a_quarter_of_an_hour_is_the_last() {
        let mut history = History::default();
        for (now, delay) in [(0, 1), (1, 2), (3, 4), (7, 8)] {
            let decision = crash(&mut history, now, 0);
            assert_eq!(decision, Decision::Restart(seconds(delay)));
        }
        let decision = crash(&mut history, 15, 0);
        assert_eq!(decision, Decision::GiveUp(GiveUp::TooOften(5)));
    }

    #[test]
    fn ten_healthy_minutes_forgive_everything() {
        let mut history = History::default();
        for now in [0, 1, 3, 7] {
            crash(&mut history, now, 0);
        }
        assert_eq!(
            crash(&mut history, 700, 599),
            Decision::GiveUp(GiveUp::TooOften(5))
        );
        assert_eq!(crash(&mut history, 710, 600), Decision::Restart(seconds(1)));
    }

    #[test]
    fn slow_failures_are_tried_for_ever_at_the_longest_delay() {
        let mut history = History::default();
        let last = (0..20u64).map(|i| crash(&mut history, i * 240, 0)).last();
        assert_eq!(last, Some(Decision::Restart(LONGEST_DELAY)));
    }

    #[test]
    fn bad_flags_are_never_tried_again() {
        let decision = History::default().failed(Ending::BadFlags, AT_ONCE, AT_ONCE, 7);
        assert_eq!(decision, Decision::GiveUp(GiveUp::BadFlags));
    }

    proptest! {
        #[test]
        fn a_delay_stays_within_its_bounds(
            runs in prop::collection::vec((0u64..2_000, 0u64..1_200, any::<u32>()), 1..60)
        ) {
            let mut history = History::default();
            let mut now = 0;
            for (pause, ready, random) in runs {
                now += pause + ready;
                match history.failed(Ending::Crash, seconds(now), seconds(ready), random) {
                    Decision::Restart(delay) => {
                        prop_assert!(delay >= FIRST_DELAY * 3 / 4 && delay <= LONGEST_DELAY);
                    }
                    Decision::GiveUp(why) => prop_assert_eq!(why, GiveUp::TooOften(5)),
                }
                prop_assert!(history.recent.len() <= MOST_FAILURES);
                if history.recent.len() == MOST_FAILURES {
                    history = History::default();
                }
            }
        }

        #[test]
        fn five_failures_in_the_window_never_restart(
            mut at in prop::collection::vec(0u64..900, 5), random in any::<u32>()
        ) {
            at.sort_unstable();
            let mut history = History::default();
            let decisions: Vec<_> = at
                .iter()
                .map(|now| history.failed(Ending::Crash, seconds(*now), AT_ONCE, random))
                .collect();
            prop_assert!(matches!(decisions[4], Decision::GiveUp(_)));
            prop_assert!(decisions[..4].iter().all(|d| matches!(d, Decision::Restart(_))));
        }
    }
}
