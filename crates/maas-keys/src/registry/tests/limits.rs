//! Limits as a client meets them.

use std::sync::{
    Barrier,
    atomic::{AtomicUsize, Ordering},
};

use super::*;

/// Asks a thousand times from twenty threads at once; the permits of those that were admitted.
fn a_thousand_at_once(
    registry: &Registry,
    who: &Principal,
    input: u64,
    output: u64,
) -> Vec<Permit> {
    let (number, start) = (AtomicUsize::new(0), Barrier::new(20));
    let one_thread = || {
        start.wait();
        let numbers = (0..50).map(|_| number.fetch_add(1, Ordering::SeqCst));
        let asked = numbers.map(|n| registry.admit(who, ask(n, input, output), now()));
        asked.filter_map(Result::ok).collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..20).map(|_| scope.spawn(one_thread)).collect();
        let permits = threads.into_iter().map(|thread| thread.join().unwrap());
        permits.flatten().collect()
    })
}

#[test]
fn of_a_thousand_parallel_requests_exactly_the_limit_is_admitted() {
    for (team, key) in [(137, 500), (500, 137)] {
        let site = Site::new();
        let (registry, who) = one_key(&site, per_minute(team), per_minute(key));
        assert_eq!(a_thousand_at_once(&registry, &who, 1, 1).len(), 137);
    }
}

#[test]
fn of_a_thousand_parallel_requests_the_budget_is_spent_to_the_last_token_and_never_over() {
    for (team, key) in [(10_007, 50_000), (50_000, 10_007)] {
        let site = Site::new();
        let (registry, who) = one_key(&site, per_day(team), per_day(key));
        let permits = a_thousand_at_once(&registry, &who, 10, 90);
        // A hundred whole ones; 7 tokens are not enough for another prompt of 10.
        assert_eq!(permits.len(), 100);
        for permit in permits {
            let cap = permit.output_cap().unwrap();
            settle(permit, used(10, cap));
        }
        assert_eq!(total(&registry).usage.total(), 10_000);
        let last = registry.admit(&who, ask(2_000, 3, 90), now()).unwrap();
        assert_eq!(last.output_cap(), Some(4));
        assert_eq!(last.limits().tokens.unwrap().remaining, 0);
    }
}

#[test]
fn settling_gives_back_what_was_not_used_at_once() {
    let site = Site::new();
    let (registry, who) = one_key(&site, Limits::default(), per_day(1_000));
    let permit = registry.admit(&who, ask(1, 100, 5_000), now()).unwrap();
    assert_eq!(permit.output_cap(), Some(900));
    assert!(registry.admit(&who, ask(2, 1, 1), now()).is_err());
    settle(permit, used(80, 20));
    let permit = registry.admit(&who, ask(3, 100, 5_000), now()).unwrap();
    assert_eq!(permit.output_cap(), Some(800));
}

#[test]
fn a_client_that_sets_no_bound_gets_the_default_as_its_cap() {
    let site = Site::new();
    let (registry, who) = one_key(&site, Limits::default(), per_day(1_000));
    let mut unbounded = ask(1, 100, 0);
    unbounded.max_output = None;
    let permit = registry.admit(&who, unbounded, now()).unwrap();
    assert_eq!(permit.output_cap(), Some(16));
    assert_eq!(permit.limits().tokens.unwrap().remaining, 884);
}

#[test]
fn what_the_engine_refused_costs_no_tokens() {
    let site = Site::new();
    let (registry, who) = one_key(&site, Limits::default(), per_day(100));
    let permit = registry.admit(&who, ask(1, 10, 90), now()).unwrap();
    permit.settle(used(10, 3), Outcome::EngineRefused, Duration::ZERO);
    let billed = total(&registry);
    assert_eq!((billed.requests, billed.usage), (1, Usage::default()));
    assert!(registry.admit(&who, ask(2, 10, 90), now()).is_ok());
}

#[test]
fn a_permit_that_is_dropped_pays_for_what_was_seen_and_at_least_for_its_prompt() {
    let site = Site::new();
    let (registry, who) = one_key(&site, Limits::default(), per_day(1_000));
    drop(registry.admit(&who, ask(1, 100, 200), now()).unwrap());
    assert_eq!(total(&registry).usage, used(100, 0));
    let mut permit = registry.admit(&who, ask(2, 100, 200), now()).unwrap();
    permit.sent_to("qwen3-0".parse().unwrap());
    permit.observe(used(90, 5));
    permit.observe(used(90, 7));
    permit.observe(used(0, 6));
    drop(permit);
    assert_eq!(total(&registry).usage, used(190, 7));
    let left = registry.admit(&who, ask(3, 1, 1), now()).unwrap().limits();
    assert_eq!(left.tokens.unwrap().remaining, 1_000 - 197 - 2);
    registry.close().unwrap();
    let rows = "SELECT count(*) FROM ledger WHERE outcome = 'client_gone' AND took_ms IS NULL";
    assert_eq!(site.count(rows), 3);
    assert_eq!(
        site.count("SELECT count(*) FROM ledger WHERE engine = 'qwen3-0'"),
        1
    );
}

#[test]
fn a_panic_in_the_middle_of_a_stream_is_billed_like_a_dead_engine() {
    let site = Site::new();
    let (registry, who) = one_key(&site, Limits::default(), Limits::default());
    let mut permit = registry.admit(&who, ask(1, 100, 200), now()).unwrap();
    let thread = std::thread::spawn(move || {
        permit.observe(used(90, 5));
        std::panic::resume_unwind(Box::new("as if"));
    });
    assert!(thread.join().is_err());
    registry.close().unwrap();
    let rows = "SELECT input + output FROM ledger WHERE outcome = 'engine_failed'";
    assert_eq!(site.count(rows), 95);
}

#[test]
fn more_than_was_reserved_is_seen_by_others_while_it_runs_and_billed_in_full() {
    let site = Site::new();
    let (registry, who) = one_key(&site, per_day(1_000), Limits::default());
    let mut permit = registry.admit(&who, ask(1, 10, 90), now()).unwrap();
    // The estimate of the prompt was wrong.
    permit.observe(used(950, 1));
    let error = registry.admit(&who, ask(2, 49, 1), now()).unwrap_err();
    assert!(matches!(
        error,
        LimitRefusal::Budget {
            used: 951,
            scope: Scope::Team,
            ..
        }
    ));
    settle(permit, used(950, 60));
    let error = registry.admit(&who, ask(3, 1, 1), now()).unwrap_err();
    assert!(matches!(error, LimitRefusal::Budget { used: 1_010, .. }));
}

#[test]
fn an_engine_that_reports_the_impossible_spoils_no_sum() {
    let site = Site::new();
    let (registry, who) = one_key(&site, Limits::default(), Limits::default());
    for (number, input) in [5, u64::MAX, u64::MAX, 5].into_iter().enumerate() {
        let permit = registry.admit(&who, ask(number, 1, 1), now()).unwrap();
        let usage = Usage {
            input,
            cached: u64::MAX,
            output: u64::MAX,
        };
        settle(permit, usage);
    }
    let before = total(&registry).usage;
    assert_eq!(before.input, 2_000_000_000_010);
    assert_eq!(before.cached, before.input);
    registry.close().unwrap();
    drop(who);
    assert_eq!(total(&site.open()).usage, before);
}

#[test]
fn a_limit_of_zero_allows_nothing_and_an_absent_one_everything() {
    for limits in [per_day(0), per_minute(0)] {
        for (team, key) in [(limits, Limits::default()), (Limits::default(), limits)] {
            let site = Site::new();
            let (registry, who) = one_key(&site, team, key);
            assert!(
                registry.admit(&who, ask(1, 0, 0), now()).is_err(),
                "{limits:?}"
            );
            assert_eq!(total(&registry).requests, 0);
        }
    }
    let site = Site::new();
    let (registry, who) = one_key(&site, Limits::default(), Limits::default());
    for number in 0..5_000 {
        let permit = registry
            .admit(&who, ask(number, u64::MAX, u64::MAX), now())
            .unwrap();
        settle(permit, used(1, 1));
    }
}

#[test]
fn refusals_say_which_limit_it_is_and_when_it_ends() {
    let site = Site::new();
    let (registry, who) = one_key(&site, per_minute(2), per_day(100));
    for number in 0..2 {
        settle(
            registry.admit(&who, ask(number, 10, 10), now()).unwrap(),
            used(10, 10),
        );
    }
    let error = registry.admit(&who, ask(3, 10, 10), later(1)).unwrap_err();
    insta::assert_snapshot!(error, @"the team's limit of 2 requests per minute is reached");
    let retry_after = Some(Duration::from_secs(29));
    assert_eq!(
        error,
        LimitRefusal::RequestRate {
            scope: Scope::Team,
            limit: 2,
            retry_after
        }
    );
    let error = registry.admit(&who, ask(4, 60, 1), later(60)).unwrap_err();
    insta::assert_snapshot!(error, @"the key's limit of 100 tokens per day leaves too little: 40 are used");
    // The site's day ends at midnight there, 23:00 UTC.
    let resets = "2026-11-22T23:00:00Z".parse().unwrap();
    assert_eq!(
        error,
        LimitRefusal::Budget {
            scope: Scope::Key,
            limit: 100,
            used: 40,
            resets
        }
    );
    assert!(registry.admit(&who, ask(5, 60, 1), resets).is_ok());
}

#[test]
fn a_changed_limit_counts_for_the_next_request_with_what_was_used_before() {
    let site = Site::new();
    let registry = site.open();
    team(&registry, Limits::default());
    let (_, token) = key(&registry, 1, Limits::default());
    let who = || registry.authenticate(token.expose(), now()).unwrap();
    settle(
        registry.admit(&who(), ask(1, 10, 90), now()).unwrap(),
        used(10, 90),
    );
    let settings = |limits| TeamSettings {
        limits,
        models: ModelAccess::All,
    };
    registry
        .change_team(&team_name(), settings(per_day(100)))
        .unwrap();
    assert!(registry.admit(&who(), ask(2, 1, 1), now()).is_err());
    registry
        .change_team(&team_name(), settings(per_day(102)))
        .unwrap();
    assert!(registry.admit(&who(), ask(3, 1, 1), now()).is_ok());
}
