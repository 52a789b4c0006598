use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

fn at(nanoseconds: i64) -> Timestamp {
    "2026-11-22T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_nanos(nanoseconds)
}

/// Asks once; how long to wait, zero when admitted.
fn ask(bucket: &mut Bucket, limit: u64, now: Timestamp) -> Option<Duration> {
    bucket.drain(limit, now);
    let wait = bucket.wait(limit, now);
    if wait == Some(Duration::ZERO) {
        bucket.take();
    }
    wait
}

fn admitted(bucket: &mut Bucket, limit: u64, now: Timestamp) -> bool {
    ask(bucket, limit, now) == Some(Duration::ZERO)
}

#[test]
fn a_burst_is_refused_exactly_after_the_limit() {
    let mut bucket = Bucket::default();
    for left in (0..60).rev() {
        assert!(admitted(&mut bucket, 60, at(0)));
        assert_eq!(bucket.remaining(60), left);
    }
    assert_eq!(ask(&mut bucket, 60, at(0)), Some(Duration::from_secs(1)));
    assert_eq!(bucket.empties(60, at(0)), Duration::from_mins(1));
}

#[test]
fn a_limit_of_zero_never_admits_and_has_no_time_to_wait() {
    let mut bucket = Bucket::default();
    for now in [0, i64::MAX] {
        assert_eq!(ask(&mut bucket, 0, at(now)), None);
    }
    assert_eq!(bucket.remaining(0), 0);
}

#[test]
fn the_biggest_limit_does_not_overflow() {
    let mut bucket = Bucket::default();
    assert!(admitted(&mut bucket, u64::MAX, at(0)));
    assert!(admitted(&mut bucket, u64::MAX, at(i64::MAX)));
}

#[test]
fn seven_a_minute_do_not_come_a_nanosecond_early() {
    let mut bucket = Bucket::default();
    while admitted(&mut bucket, 7, at(0)) {}
    // 60 s / 7 = 8,571,428,571.43 ns.
    let one_early = ask(&mut bucket, 7, at(8_571_428_571));
    assert_eq!(one_early, Some(Duration::from_nanos(1)));
    assert!(admitted(&mut bucket, 7, at(8_571_428_572)));
}

#[test]
fn a_raised_limit_counts_at_once_and_a_lowered_one_recovers_within_a_minute() {
    let mut bucket = Bucket::default();
    while admitted(&mut bucket, 100, at(0)) {}
    assert!(admitted(&mut bucket, 101, at(0)));
    assert_eq!(ask(&mut bucket, 2, at(0)), Some(Duration::from_secs(30)));
}

#[test]
fn a_clock_put_right_after_a_year_ahead_does_not_lock_anybody_out() {
    let year = 365 * 86_400 * 1_000_000_000;
    let mut bucket = Bucket::default();
    assert!(admitted(&mut bucket, 1, at(year)));
    assert_eq!(ask(&mut bucket, 1, at(0)), Some(Duration::from_mins(1)));
    assert!(admitted(&mut bucket, 1, at(60_000_000_000)));
}

proptest! {
    #[test]
    fn no_window_ever_sees_more_than_the_rule(
        limit in 1_u64..40,
        gaps in prop::collection::vec(0_i64..20_000_000_000, 1..200),
    ) {
        let mut bucket = Bucket::default();
        let mut now = 0;
        let mut times = Vec::new();
        for gap in gaps {
            now += gap;
            if admitted(&mut bucket, limit, at(now)) {
                times.push(now);
            }
        }
        for (first, from) in times.iter().enumerate() {
            for (last, to) in times.iter().enumerate().skip(first) {
                let refilled = u128::from(limit) * u128::try_from(to - from).unwrap() / REQUEST;
                prop_assert!(u128::try_from(last - first + 1).unwrap() <= u128::from(limit) + refilled);
            }
        }
    }

    #[test]
    fn the_time_to_wait_is_true_to_the_nanosecond(
        limit in 1_u64..300,
        gaps in prop::collection::vec(0_i64..5_000_000_000, 1..50),
    ) {
        let mut bucket = Bucket::default();
        let mut now = 0;
        for gap in gaps {
            now += gap;
            while admitted(&mut bucket, limit, at(now)) {}
            let wait = ask(&mut bucket, limit, at(now)).unwrap();
            let wait = i64::try_from(wait.as_nanos()).unwrap();
            prop_assert!(!admitted(&mut bucket.clone(), limit, at(now + wait - 1)));
            prop_assert!(admitted(&mut bucket.clone(), limit, at(now + wait)));
        }
    }

    #[test]
    fn a_clock_that_steps_back_less_than_a_minute_gives_nothing_twice(
        limit in 1_u64..40,
        steps in prop::collection::vec(-15_000_000_000_i64..20_000_000_000, 1..200),
    ) {
        let mut bucket = Bucket::default();
        let (mut now, mut latest, mut count) = (0_i64, 0_i64, 0_u128);
        bucket.drain(limit, at(now));
        for step in steps {
            // Never more than a minute behind: further back is a corrected clock, tested above.
            now = (now + step).max(latest - 60_000_000_000);
            latest = latest.max(now);
            let left = bucket.remaining(limit);
            if step < 0 {
                bucket.drain(limit, at(now));
                prop_assert!(bucket.remaining(limit) <= left);
            }
            count += u128::from(admitted(&mut bucket, limit, at(now)));
        }
        let refilled = u128::from(limit) * u128::try_from(latest).unwrap() / REQUEST;
        prop_assert!(count <= u128::from(limit) + refilled);
    }

    #[test]
    fn whoever_keeps_the_rate_is_never_refused(limit in 1_u64..5_000, asks in 1_u64..300) {
        let mut bucket = Bucket::default();
        for n in 0..asks {
            let now = i64::try_from(u128::from(n) * REQUEST / u128::from(limit)).unwrap();
            prop_assert!(admitted(&mut bucket, limit, at(now)));
        }
    }
}
