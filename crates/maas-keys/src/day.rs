//! The site's calendar day, over which token limits count.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// The time zone in which the site's day begins and ends.
#[derive(Debug, Clone)]
pub struct SiteTimeZone(TimeZone);

/// Text that names no time zone known to this host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` is not a time zone of this host (want a name such as `Europe/Berlin`, or a POSIX \
     rule such as `CET-1CEST,M3.5.0,M10.5.0/3` where the host has no zone files)"
)]
pub struct TimeZoneError {
    /// What was given.
    pub name: String,
}

/// One calendar day of the site. It has 23, 24 or 25 hours, or whatever its zone says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// Its date.
    pub date: Date,
    /// Its first instant.
    pub starts: Timestamp,
    /// The first instant of the next day.
    pub ends: Timestamp,
}

impl SiteTimeZone {
    /// UTC, whose days all have 24 hours.
    pub const fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// A zone by its IANA name, or by a POSIX rule.
    pub fn named(name: &str) -> Result<Self, TimeZoneError> {
        TimeZone::get(name)
            .or_else(|_| TimeZone::posix(name))
            .map(Self)
            .map_err(|_| TimeZoneError {
                name: name.chars().take(80).flat_map(char::escape_debug).collect(),
            })
    }

    /// The day that `now` belongs to.
    pub fn day(&self, now: Timestamp) -> Day {
        let here = now.to_zoned(self.0.clone());
        // Only the first and last day that a timestamp can name have no neighbour.
        let starts = here
            .start_of_day()
            .map_or(Timestamp::MIN, |day| day.timestamp());
        let next = here.tomorrow().and_then(|day| day.start_of_day());
        Day {
            date: here.date(),
            starts,
            ends: next.map_or(Timestamp::MAX, |day| day.timestamp()),
        }
    }
}

impl Day {
    pub(crate) fn contains(&self, now: Timestamp) -> bool {
        (self.starts..self.ends).contains(&now)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    /// Central Europe as a rule, so that the test needs no zone files.
    fn berlin() -> SiteTimeZone {
        SiteTimeZone::named("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn day(at: &str) -> Day {
        berlin().day(at.parse().unwrap())
    }

    #[test]
    fn the_day_on_which_the_clock_goes_forward_has_23_hours() {
        let day = day("2026-03-29T12:00:00Z");
        assert_eq!(
            day.starts,
            "2026-03-28T23:00:00Z".parse::<Timestamp>().unwrap()
        );
        assert_eq!(
            day.ends.duration_since(day.starts),
            SignedDuration::from_hours(23)
        );
    }

    #[test]
    fn the_day_on_which_the_clock_goes_back_has_25_hours() {
        let day = day("2026-10-25T12:00:00Z");
        assert_eq!(
            day.ends.duration_since(day.starts),
            SignedDuration::from_hours(25)
        );
    }

    #[test]
    fn a_day_ends_where_the_next_begins() {
        let mut now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for _ in 0..400 {
            let today = berlin().day(now);
            assert!(today.contains(today.starts) && !today.contains(today.ends));
            let next = berlin().day(today.ends);
            assert_eq!(
                (next.starts, next.date),
                (today.ends, today.date.tomorrow().unwrap())
            );
            now = today.ends;
        }
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        for now in [Timestamp::MIN, Timestamp::MAX] {
            let day = berlin().day(now);
            assert!(day.starts < day.ends);
        }
    }

    #[test]
    fn a_zone_that_nobody_knows_is_refused() {
        let error = SiteTimeZone::named("Europe/Berlim\u{1b}").unwrap_err();
        assert_eq!(error.name, "Europe/Berlim\\u{1b}");
    }
}
