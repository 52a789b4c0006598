use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::SiteTimeZone;

const NONE: Limits = Limits {
    requests_per_minute: None,
    tokens_per_day: None,
};

fn noon() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn today() -> Day {
    SiteTimeZone::utc().day(noon())
}

fn tokens(limit: u64) -> Limits {
    Limits {
        tokens_per_day: Some(limit),
        ..NONE
    }
}

fn requests(limit: u64) -> Limits {
    Limits {
        requests_per_minute: Some(limit),
        ..NONE
    }
}

fn one_key() -> Meters {
    let mut meters = Meters::default();
    meters.add_key();
    meters
}

fn need(input: u64, output: u64) -> Need {
    Need {
        input,
        input_most: input,
        answers: 1,
        output,
    }
}

fn reserve(
    meters: &mut Meters,
    (key, team): (Limits, Limits),
    need: Need,
) -> Result<Granted, LimitRefusal> {
    meters.reserve(0, Applicable { key, team }, need, &today(), noon())
}

/// Settled and reserved tokens of the key and of the team.
fn counts(meters: &mut Meters) -> [(u64, u64); 2] {
    let date = today().date;
    [&mut meters.keys[0], &mut meters.team].map(|meter| {
        let count = meter.on(date);
        (count.settled, count.reserved)
    })
}

#[test]
fn a_hard_quota_caps_what_may_be_produced() {
    // limit, input, wanted output: the cap, or refused.
    let table = [
        (1_000, 100, 500, Some(500)),
        (1_000, 100, 900, Some(900)),
        (1_000, 100, 901, Some(900)),
        (1_000, 100, u64::MAX, Some(900)),
        (1_000, 999, 500, Some(1)),
        (1_000, 1_000, 500, None),
        (1_000, 1_001, 500, None),
        (1_000, u64::MAX, u64::MAX, None),
        // Embeddings produce nothing, so the prompt may take the rest.
        (1_000, 1_000, 0, Some(0)),
        (1_000, 1_001, 0, None),
        (0, 0, 0, None),
        (0, 0, 1, None),
    ];
    for (limit, input, output, cap) in table {
        let granted = reserve(&mut one_key(), (tokens(limit), NONE), need(input, output));
        let found = granted.map(|granted| granted.output_cap).ok().flatten();
        assert_eq!(found, cap, "{limit} {input} {output}");
    }
}

#[test]
fn without_a_token_limit_nothing_is_capped_and_all_is_counted() {
    let mut meters = one_key();
    let granted = reserve(&mut meters, (NONE, NONE), need(10, 20)).unwrap();
    assert_eq!((granted.output_cap, granted.tokens), (None, 30));
    assert_eq!(granted.state, LimitState::default());
    // A limit that is set later in the day finds what was used before.
    let error = reserve(&mut meters, (NONE, tokens(30)), need(1, 1)).unwrap_err();
    assert!(matches!(error, LimitRefusal::Budget { used: 30, .. }));
}

#[test]
fn the_stricter_scope_decides_whichever_it_is() {
    for (key, team, scope) in [(10, 100, Scope::Key), (100, 10, Scope::Team)] {
        let error = reserve(&mut one_key(), (tokens(key), tokens(team)), need(10, 1)).unwrap_err();
        let resets = today().ends;
        assert_eq!(
            error,
            LimitRefusal::Budget {
                scope,
                limit: 10,
                used: 0,
                resets
            }
        );
        let mut meters = one_key();
        for _ in 0..10 {
            reserve(&mut meters, (requests(key), requests(team)), need(1, 1)).unwrap();
        }
        let error = reserve(&mut meters, (requests(key), requests(team)), need(1, 1)).unwrap_err();
        let retry_after = Some(Duration::from_secs(6));
        assert_eq!(
            error,
            LimitRefusal::RequestRate {
                scope,
                limit: 10,
                retry_after
            }
        );
    }
}

#[test]
fn a_refusal_debits_no_scope() {
    let mut meters = one_key();
    // The key has room for both; the team refuses.
    for team in [tokens(0), requests(0)] {
        let key = Limits {
            requests_per_minute: Some(2),
            tokens_per_day: Some(100),
        };
        assert!(reserve(&mut meters, (key, team), need(1, 1)).is_err());
    }
    assert_eq!(counts(&mut meters), [(0, 0), (0, 0)]);
    for _ in 0..2 {
        reserve(&mut meters, (requests(2), NONE), need(1, 1)).unwrap();
    }
}

#[test]
fn a_spent_budget_is_said_before_a_burst() {
    let spent = Limits {
        requests_per_minute: Some(0),
        tokens_per_day: Some(0),
    };
    let error = reserve(&mut one_key(), (spent, NONE), need(1, 1)).unwrap_err();
    assert!(matches!(error, LimitRefusal::Budget { .. }));
}

#[test]
fn what_a_prompt_cannot_exceed_is_reserved_while_there_is_room_for_it() {
    let dense = Need {
        input_most: 30,
        ..need(10, 50)
    };
    let roomy = reserve(&mut one_key(), (tokens(80), NONE), dense).unwrap();
    assert_eq!((roomy.tokens, roomy.output_cap), (80, Some(50)));
    let close = reserve(&mut one_key(), (tokens(79), NONE), dense).unwrap();
    assert_eq!((close.tokens, close.output_cap), (60, Some(50)));
    let closer = reserve(&mut one_key(), (tokens(40), NONE), dense).unwrap();
    assert_eq!((closer.tokens, closer.output_cap), (40, Some(30)));
}

#[test]
fn a_budget_that_has_no_token_for_each_answer_takes_none() {
    let several = Need {
        answers: 5,
        ..need(10, 500)
    };
    let asked = reserve(&mut one_key(), (tokens(14), NONE), several);
    assert!(matches!(asked, Err(LimitRefusal::Budget { .. })));
    let granted = reserve(&mut one_key(), (tokens(15), NONE), several).unwrap();
    assert_eq!(granted.output_cap, Some(5));
}

#[test]
fn a_burst_is_refused_with_the_longest_wait_of_all_scopes() {
    let mut meters = one_key();
    reserve(&mut meters, (requests(1), requests(1)), need(1, 1)).unwrap();
    let error = reserve(&mut meters, (requests(1), requests(0)), need(1, 1)).unwrap_err();
    assert_eq!(
        error,
        LimitRefusal::RequestRate {
            scope: Scope::Team,
            limit: 0,
            retry_after: None
        }
    );
}

#[test]
fn the_state_is_that_of_the_scope_with_the_least_left() {
    let limits = |requests, tokens| Limits {
        requests_per_minute: Some(requests),
        tokens_per_day: Some(tokens),
    };
    let asked = (limits(10, 1_000), limits(3, 5_000));
    let state = reserve(&mut one_key(), asked, need(100, 200))
        .unwrap()
        .state;
    let requests = RequestState {
        scope: Scope::Team,
        limit: 3,
        remaining: 2,
        reset_after: Duration::from_secs(20),
    };
    let tokens = TokenState {
        scope: Scope::Key,
        limit: 1_000,
        remaining: 700,
        resets: today().ends,
    };
    assert_eq!(state.requests, Some(requests));
    assert_eq!(state.tokens, Some(tokens));
}

#[test]
fn a_request_that_runs_over_midnight_counts_on_the_day_it_began() {
    let mut meters = one_key();
    let granted = reserve(&mut meters, (tokens(100), NONE), need(10, 90)).unwrap();
    let tomorrow = SiteTimeZone::utc().day(today().ends);
    let limits = Applicable {
        key: tokens(100),
        team: NONE,
    };
    let next = meters.reserve(0, limits, need(10, 90), &tomorrow, tomorrow.starts);
    assert_eq!(next.unwrap().output_cap, Some(90));
    meters.settle(0, granted.date, granted.tokens, 60);
    assert_eq!(counts(&mut meters), [(60, 0), (60, 0)]);
}

#[test]
fn a_clock_that_was_years_ahead_for_a_while_does_not_open_a_spent_budget() {
    let mut meters = one_key();
    reserve(&mut meters, (tokens(100), NONE), need(10, 90)).unwrap();
    for years in 1..100 {
        let later = noon() + SignedDuration::from_hours(24 * 365 * years);
        let day = SiteTimeZone::utc().day(later);
        let limits = Applicable {
            key: tokens(100),
            team: NONE,
        };
        meters
            .reserve(0, limits, need(10, 90), &day, later)
            .unwrap();
        if years <= 3 {
            assert!(reserve(&mut meters, (tokens(100), NONE), need(1, 1)).is_err());
        }
    }
    assert_eq!(meters.team.days.len(), DAYS);
}

#[derive(Debug, Clone)]
enum Step {
    Reserve {
        key: usize,
        input: u64,
        output: u64,
    },
    Settle {
        which: usize,
        input_percent: u64,
        output_percent: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3_usize, 0..200_u64, 0..200_u64).prop_map(|(key, input, output)| Step::Reserve {
            key,
            input,
            output
        }),
        (any::<usize>(), 0..=100_u64, 0..=100_u64).prop_map(
            |(which, input_percent, output_percent)| Step::Settle {
                which,
                input_percent,
                output_percent
            }
        ),
    ]
}

proptest! {
    /// Three keys of one team, any order of reserving and settling.
    #[test]
    fn what_is_settled_and_reserved_always_adds_up_and_no_quota_is_overshot(
        steps in prop::collection::vec(step(), 1..300),
        key_limit in 0..2_000_u64,
        team_limit in 0..4_000_u64,
    ) {
        let mut meters = Meters::default();
        for _ in 0..3 {
            meters.add_key();
        }
        let limits = Applicable { key: tokens(key_limit), team: tokens(team_limit) };
        let mut running: Vec<(usize, u64, Granted)> = Vec::new();
        let mut settled = [0_u64; 3];
        for step in steps {
            match step {
                Step::Reserve { key, input, output } => {
                    let need = Need {
                        input,
                        input_most: input * (1 + output % 3),
                        answers: 1 + input % 5,
                        output,
                    };
                    if let Ok(granted) = meters.reserve(key, limits, need, &today(), noon()) {
                        // Shared out among the answers, nobody gets 0 where something was wanted.
                        prop_assert!(granted.output_cap.unwrap() >= output.min(need.answers));
                        running.push((key, input, granted));
                    }
                }
                Step::Settle { which, input_percent, output_percent } if !running.is_empty() => {
                    let at = which % running.len();
                    let (key, input, granted) = running.swap_remove(at);
                    let used = input * input_percent / 100
                        + granted.output_cap.unwrap() * output_percent / 100;
                    meters.settle(key, granted.date, granted.tokens, used);
                    settled[key] += used;
                }
                Step::Settle { .. } => {}
            }
            for (key, settled) in settled.iter().enumerate() {
                let open: u64 = running.iter().filter(|r| r.0 == key).map(|r| r.2.tokens).sum();
                let count = *meters.keys[key].on(today().date);
                prop_assert_eq!((count.settled, count.reserved), (*settled, open));
                prop_assert!(count.settled + count.reserved <= key_limit);
            }
            let open: u64 = running.iter().map(|r| r.2.tokens).sum();
            let count = *meters.team.on(today().date);
            prop_assert_eq!((count.settled, count.reserved), (settled.iter().sum(), open));
            prop_assert!(count.settled + count.reserved <= team_limit);
        }
    }

    #[test]
    fn no_numbers_make_it_overflow(
        limit: Option<u64>,
        input: u64,
        output: u64,
        used: u64,
        restored: u64,
    ) {
        let mut meters = one_key();
        meters.restore_key(0, today().date, restored);
        meters.restore_team(today().date, restored);
        let limits = Limits { requests_per_minute: limit, tokens_per_day: limit };
        if let Ok(granted) = reserve(&mut meters, (limits, limits), need(input, output)) {
            meters.settle(0, granted.date, granted.tokens, used);
            let [(settled, reserved), _] = counts(&mut meters);
            prop_assert_eq!((settled, reserved), (restored.saturating_add(used), 0));
        }
    }
}
