//! What is settled is kept, once, whatever the disk does.

use super::*;

const FULL: &str =
    "CREATE TRIGGER full BEFORE INSERT ON ledger BEGIN SELECT RAISE(ABORT, 'as if full'); END";

fn report(registry: &Registry, query: UsageBy) -> Vec<UsageRow> {
    registry.usage(&by(query)).unwrap().rows
}

/// What is left of the day's tokens after asking for two of them, which are given back.
fn left(registry: &Registry, who: &Principal, number: usize, now: Timestamp) -> u64 {
    let permit = registry.admit(who, ask(number, 1, 1), now).unwrap();
    let left = permit.limits().tokens.unwrap().remaining;
    permit.settle(Usage::default(), Outcome::EngineRefused, Duration::ZERO);
    left
}

#[test]
fn usage_is_right_at_once_and_the_same_after_reopening() {
    let site = Site::new();
    let (registry, who) = one_key(&site, per_day(100_000), per_day(50_000));
    for number in 0..500 {
        let mut asked = ask(number, 10, 20);
        asked.model = model(if number % 5 == 0 { "small" } else { "large" });
        let permit = registry.admit(&who, asked, now()).unwrap();
        settle(
            permit,
            Usage {
                input: 10,
                cached: 4,
                output: 3,
            },
        );
        assert_eq!(
            total(&registry).requests,
            u64::try_from(number).unwrap() + 1
        );
    }
    let line = |name: &str, requests| UsageRow {
        name: name.to_owned(),
        requests,
        usage: Usage {
            input: 10 * requests,
            cached: 4 * requests,
            output: 3 * requests,
        },
    };
    let by_model = [line("large", 400), line("small", 100)];
    assert_eq!(report(&registry, UsageBy::Model), by_model);
    assert_eq!(total(&registry), line("total", 500));
    assert_eq!(report(&registry, UsageBy::Team), [line("search", 500)]);
    assert_eq!(
        report(&registry, UsageBy::Key),
        [line(who.key().as_str(), 500)]
    );
    assert_eq!(report(&registry, UsageBy::Day), [line("2026-11-22", 500)]);
    assert_eq!(left(&registry, &who, 600, now()), 50_000 - 500 * 13 - 2);
    registry.close().unwrap();
    drop(who);

    let registry = site.open();
    let token = SecretToken::generate(&entropy(1)).1;
    let who = registry.authenticate(token.expose(), now()).unwrap();
    assert_eq!(report(&registry, UsageBy::Model)[0], by_model[0]);
    assert_eq!(left(&registry, &who, 601, now()), 50_000 - 500 * 13 - 2);
    // The next day has a whole budget again.
    assert_eq!(left(&registry, &who, 602, later(86_400)), 50_000 - 2);
}

#[test]
fn the_team_counts_all_its_keys_also_after_reopening() {
    let site = Site::new();
    let registry = site.open();
    team(&registry, per_day(1_000));
    let tokens: Vec<_> = (1..=3)
        .map(|seed| key(&registry, seed, per_day(500)).1)
        .collect();
    for (number, token) in tokens.iter().enumerate() {
        let who = registry.authenticate(token.expose(), now()).unwrap();
        settle(
            registry.admit(&who, ask(number, 100, 200), now()).unwrap(),
            used(100, 200),
        );
    }
    // Usage of a revoked key stays the team's.
    let id = registry.keys(None)[0].id.clone();
    registry.revoke_key(&id, now()).unwrap();
    let refusal = |registry: &Registry| {
        let alive = tokens
            .iter()
            .find_map(|t| registry.authenticate(t.expose(), now()).ok());
        registry
            .admit(&alive.unwrap(), ask(9, 100, 1), now())
            .unwrap_err()
    };
    let before = refusal(&registry);
    assert!(matches!(
        before,
        LimitRefusal::Budget {
            scope: Scope::Team,
            used: 900,
            ..
        }
    ));
    registry.close().unwrap();
    assert_eq!(refusal(&site.open()), before);
}

#[test]
fn a_report_covers_its_days_and_no_others() {
    let site = Site::new();
    let (registry, who) = one_key(&site, Limits::default(), Limits::default());
    // The site's midnight is at 23:00 UTC; the last of these is on the 24th already.
    let times = [
        "2026-11-21T23:00:00Z",
        "2026-11-22T22:59:59Z",
        "2026-11-23T23:00:00Z",
    ];
    for (number, at) in times.into_iter().enumerate() {
        let permit = registry.admit(&who, ask(number, 1, 1), at.parse().unwrap());
        settle(permit.unwrap(), used(1, 0));
    }
    let asked = |from: &str, to: &str| {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        let query = UsageQuery {
            by: UsageBy::Day,
            from,
            to,
        };
        registry.usage(&query).unwrap().total.requests
    };
    // Before and after the rows are on disk.
    for _ in 0..2 {
        assert_eq!(asked("2026-11-22", "2026-11-22"), 2);
        assert_eq!(asked("2026-11-23", "2026-11-23"), 0);
        assert_eq!(asked("2026-11-22", "2026-11-24"), 3);
        assert_eq!(asked("2026-11-24", "2026-11-22"), 0);
        eventually("all rows are on disk", || {
            site.count("SELECT count(*) FROM ledger") == 3
        });
    }
}

#[test]
fn a_request_is_billed_once_even_when_its_row_comes_twice() {
    let site = Site::new();
    let (registry, who) = one_key(&site, Limits::default(), Limits::default());
    for _ in 0..3 {
        settle(
            registry.admit(&who, ask(1, 10, 20), now()).unwrap(),
            used(10, 20),
        );
        eventually("the row is on disk", || {
            site.count("SELECT count(*) FROM ledger") == 1
        });
    }
    registry.close().unwrap();
    assert_eq!(site.count("SELECT requests FROM usage_by_day"), 1);
    assert_eq!(site.count("SELECT input + output FROM usage_by_day"), 30);
}

#[test]
fn a_ledger_that_cannot_be_written_refuses_requests_and_loses_nothing() {
    let site = Site::new();
    let (registry, who) = one_key(&site, Limits::default(), Limits::default());
    let running: Vec<_> = (0..10)
        .map(|number| registry.admit(&who, ask(number, 10, 20), now()).unwrap())
        .collect();
    site.sqlite().execute(FULL, []).unwrap();
    assert!(registry.healthy());
    for permit in running {
        settle(permit, used(10, 1));
    }
    eventually("the failure is noticed", || !registry.healthy());
    let refused = registry.admit(&who, ask(20, 1, 1), now()).unwrap_err();
    assert_eq!(refused, LimitRefusal::LedgerBusy);
    assert_eq!(total(&registry).usage, used(100, 10));
    assert_eq!(site.count("SELECT count(*) FROM ledger"), 0);
    site.sqlite().execute("DROP TRIGGER full", []).unwrap();
    eventually("it works again", || registry.healthy());
    eventually("all rows are on disk", || {
        site.count("SELECT count(*) FROM ledger") == 10
    });
    settle(
        registry.admit(&who, ask(20, 1, 1), now()).unwrap(),
        used(1, 1),
    );
    assert_eq!(total(&registry).requests, 11);
    registry.close().unwrap();
    assert_eq!(site.count("SELECT sum(requests) FROM usage_by_day"), 11);
}

#[test]
fn closing_on_a_dead_disk_says_how_much_is_missing() {
    let site = Site::new();
    let (registry, who) = one_key(&site, Limits::default(), Limits::default());
    let running: Vec<_> = (0..2)
        .map(|number| registry.admit(&who, ask(number, 1, 1), now()).unwrap())
        .collect();
    site.sqlite().execute(FULL, []).unwrap();
    for permit in running {
        settle(permit, used(1, 1));
    }
    let error = registry.close().unwrap_err();
    assert!(
        matches!(error, KeysError::Unflushed { rows: 2, .. }),
        "{error}"
    );
}

#[test]
fn a_full_ledger_refuses_admission_and_never_a_settlement() {
    let site = Site::new();
    let zone = SiteTimeZone::utc();
    let registry = Registry::open_with(&site.database(), pepper(), now(), zone, 4).unwrap();
    team(&registry, per_day(1_000));
    let (_, token) = key(&registry, 1, Limits::default());
    let who = registry.authenticate(token.expose(), now()).unwrap();
    // A refusal gives its place back, however often.
    for number in 0..100 {
        let refused = registry
            .admit(&who, ask(number, 5_000, 1), now())
            .unwrap_err();
        assert!(matches!(refused, LimitRefusal::Budget { .. }));
    }
    let mut running: Vec<_> = (0..4)
        .map(|number| registry.admit(&who, ask(number, 1, 1), now()).unwrap())
        .collect();
    let refused = registry.admit(&who, ask(4, 1, 1), now()).unwrap_err();
    assert_eq!(refused, LimitRefusal::LedgerBusy);
    assert!(registry.healthy());
    settle(running.pop().unwrap(), used(1, 1));
    eventually("there is a place again", || {
        let permit = registry.admit(&who, ask(5, 1, 1), now());
        permit.map(|permit| running.push(permit)).is_ok()
    });
    drop(running);
    registry.close().unwrap();
    assert_eq!(site.count("SELECT count(*) FROM ledger"), 5);
}

#[test]
fn the_last_handle_to_go_writes_the_ledger() {
    let site = Site::new();
    let (registry, who) = one_key(&site, Limits::default(), Limits::default());
    let permit = registry.admit(&who, ask(1, 10, 20), now()).unwrap();
    drop(registry);
    settle(permit, used(10, 20));
    assert_eq!(site.count("SELECT count(*) FROM ledger"), 1);
    drop(site.open());
}

#[test]
fn every_fact_of_a_request_is_in_its_row() {
    let site = Site::new();
    let (registry, who) = one_key(&site, Limits::default(), Limits::default());
    let mut asked = ask(1, 10, 20);
    asked.requested_as = Some(model("gpt-4"));
    let mut permit = registry.admit(&who, asked, now()).unwrap();
    permit.sent_to("qwen3-1".parse().unwrap());
    let usage = Usage {
        input: 11,
        cached: 4,
        output: 7,
    };
    permit.settle(usage, Outcome::TimedOut, Duration::from_millis(1_234));
    registry.close().unwrap();
    let facts = "SELECT concat_ws(' ', request, at, day, team, user, model, requested_as, route,
        input, cached, output, outcome, engine, took_ms) FROM ledger";
    let row: String = site
        .sqlite()
        .query_row(facts, [], |row| row.get(0))
        .unwrap();
    insta::assert_snapshot!(row, @"00000000000000000000000001 1795348800000 2026-11-22 search ada qwen3 gpt-4 /v1/chat/completions 11 4 7 timed_out qwen3-1 1234");
}
