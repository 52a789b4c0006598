//! What time it was, and by whose word.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The clocks of an arrival. A host without a network has a clock that may be wrong, and a floor below
/// which no true time can be: the latest time that somebody trusted has signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Clock {
    host: Timestamp,
    floor: Timestamp,
    trusted: TrustedClock,
    seconds_behind: u64,
}

/// Which of the two was believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrustedClock {
    /// The host's clock: it is not before the floor.
    Host,
    /// The floor: the host's clock is before it, which cannot be true. The true time is this or later.
    Floor,
}

#[derive(Deserialize)]
struct Written {
    host: Timestamp,
    floor: Timestamp,
    trusted: TrustedClock,
    seconds_behind: u64,
}

impl Clock {
    /// What to believe of a host's clock and a floor; the epoch of 1970 where there is no floor yet.
    pub fn judge(host: Timestamp, floor: Timestamp) -> Self {
        let behind = floor.duration_since(host).as_secs();
        Self {
            host,
            floor,
            trusted: if host < floor {
                TrustedClock::Floor
            } else {
                TrustedClock::Host
            },
            seconds_behind: u64::try_from(behind).unwrap_or(0),
        }
    }

    /// What the host's clock said.
    pub const fn host(&self) -> Timestamp {
        self.host
    }

    /// The floor.
    pub const fn floor(&self) -> Timestamp {
        self.floor
    }

    /// Which of the two was believed.
    pub const fn trusted(&self) -> TrustedClock {
        self.trusted
    }

    /// How far the host's clock is behind the floor, seconds; 0 where it is not.
    pub const fn seconds_behind(&self) -> u64 {
        self.seconds_behind
    }

    /// The time that was believed.
    pub const fn time(&self) -> Timestamp {
        match self.trusted {
            TrustedClock::Host => self.host,
            TrustedClock::Floor => self.floor,
        }
    }
}

impl TryFrom<Written> for Clock {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, &'static str> {
        let judged = Self::judge(written.host, written.floor);
        if judged.trusted == written.trusted && judged.seconds_behind == written.seconds_behind {
            Ok(judged)
        } else {
            Err("the clock that was trusted does not follow from the two times")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Timestamp {
        format!("{text}T12:00:00Z").parse().unwrap()
    }

    #[test]
    fn a_clock_before_the_floor_is_not_believed() {
        let (early, late) = (day("2026-11-24"), day("2026-11-25"));
        let right = Clock::judge(late, early);
        assert_eq!((right.trusted(), right.time()), (TrustedClock::Host, late));
        assert_eq!(right.seconds_behind(), 0);
        let dead = Clock::judge(early, late);
        assert_eq!((dead.trusted(), dead.time()), (TrustedClock::Floor, late));
        assert_eq!(dead.seconds_behind(), 86_400);
        assert_eq!(Clock::judge(late, late).trusted(), TrustedClock::Host);
    }

    #[test]
    fn a_record_that_contradicts_itself_is_refused() {
        let clock = Clock::judge(day("2026-11-24"), day("2026-11-25"));
        let text = serde_json::to_string(&clock).unwrap();
        assert_eq!(serde_json::from_str::<Clock>(&text).ok(), Some(clock));
        let lie = text.replace("\"trusted\":\"floor\"", "\"trusted\":\"host\"");
        assert!(serde_json::from_str::<Clock>(&lie).is_err(), "{lie}");
    }
}
