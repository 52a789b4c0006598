//! Revocation is commit, swap, cut, return.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use super::*;

#[test]
fn a_revoked_key_is_dead_and_its_streams_are_cut_before_revoke_returns() {
    let site = Site::new();
    let registry = site.open();
    team(&registry, Limits::default());
    let (record, token) = key(&registry, 1, Limits::default());
    let (_, bystander) = key(&registry, 2, Limits::default());
    let who = registry.authenticate(token.expose(), now()).unwrap();
    let other = registry.authenticate(bystander.expose(), now()).unwrap();
    let permits: Vec<_> = (0..3)
        .map(|number| registry.admit(&who, ask(number, 1, 1), now()).unwrap())
        .collect();
    let spared = registry.admit(&other, ask(3, 1, 1), now()).unwrap();
    settle(
        registry.admit(&who, ask(4, 1, 1), now()).unwrap(),
        used(1, 1),
    );

    let revocation = registry.revoke_key(&record.id, later(1)).unwrap();

    assert_eq!(revocation.streams_cut, 3);
    assert!(permits.iter().all(|permit| permit.revoked().is_cancelled()));
    assert!(!spared.revoked().is_cancelled());
    let refused = registry.authenticate(token.expose(), later(1)).unwrap_err();
    assert_eq!(refused, AuthRefusal::Revoked);
    // Who authenticated before and asks after.
    let refused = registry.admit(&who, ask(5, 1, 1), later(1)).unwrap_err();
    assert_eq!(refused, LimitRefusal::Revoked);
    assert!(registry.authenticate(bystander.expose(), later(1)).is_ok());
    assert_eq!(
        registry
            .revoke_key(&record.id, later(2))
            .unwrap()
            .streams_cut,
        0
    );
    assert_eq!(registry.key(&record.id).unwrap().revoked, Some(later(1)));
    // A stream that was cut pays for what it had.
    drop((permits, spared, who, other));
    registry.close().unwrap();
    assert_eq!(
        site.count("SELECT count(*) FROM ledger WHERE outcome = 'revoked'"),
        3
    );
    let registry = site.open();
    let refused = registry.authenticate(token.expose(), now()).unwrap_err();
    assert_eq!(refused, AuthRefusal::Revoked);
}

/// Asks until told to stop; keeps every permit. Panics when let in after the revocation.
fn keep_asking(
    registry: &Registry,
    token: &SecretToken,
    first: usize,
    (revoked, stop): (&AtomicBool, &AtomicBool),
    open: &Mutex<Vec<Permit>>,
) {
    let mut number = first;
    while !stop.load(Ordering::SeqCst) {
        number += 1;
        let after = revoked.load(Ordering::SeqCst);
        let Ok(who) = registry.authenticate(token.expose(), now()) else {
            continue;
        };
        assert!(!after, "authenticated after the revocation");
        if let Ok(permit) = registry.admit(&who, ask(number, 1, 1), now()) {
            open.lock().unwrap().push(permit);
        }
    }
}

#[test]
fn no_request_gets_past_a_revocation_that_has_returned() {
    for _ in 0..10 {
        let site = Site::new();
        let registry = site.open();
        team(&registry, Limits::default());
        let (record, token) = key(&registry, 1, Limits::default());
        let (revoked, stop) = (AtomicBool::new(false), AtomicBool::new(false));
        let open = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for thread in 1..=3 {
                let flags = (&revoked, &stop);
                let (registry, token, open) = (&registry, &token, &open);
                scope.spawn(move || keep_asking(registry, token, thread * 100_000, flags, open));
            }
            eventually("requests run", || open.lock().unwrap().len() > 10);
            let cut = registry.revoke_key(&record.id, now()).unwrap().streams_cut;
            revoked.store(true, Ordering::SeqCst);
            assert!(cut > 10);
            let all_cut = open
                .lock()
                .unwrap()
                .iter()
                .all(|p| p.revoked().is_cancelled());
            stop.store(true, Ordering::SeqCst);
            assert!(all_cut);
        });
        let permits = open.into_inner().unwrap();
        assert!(permits.iter().all(|permit| permit.revoked().is_cancelled()));
    }
}

#[test]
fn a_disabled_team_takes_all_its_keys_with_it_and_gives_them_back() {
    let site = Site::new();
    let registry = site.open();
    team(&registry, Limits::default());
    let tokens: Vec<_> = (1..=3)
        .map(|seed| key(&registry, seed, Limits::default()).1)
        .collect();
    let who = |at: usize| registry.authenticate(tokens[at].expose(), now());
    registry.revoke_key(who(2).unwrap().key(), now()).unwrap();
    let before = who(0).unwrap();
    let permits: Vec<_> = (0..2)
        .map(|n| {
            registry
                .admit(&who(n).unwrap(), ask(n, 1, 1), now())
                .unwrap()
        })
        .collect();

    let cut = registry.disable_team(&team_name(), later(1)).unwrap();

    assert_eq!(cut.streams_cut, 2);
    assert!(permits.iter().all(|permit| permit.revoked().is_cancelled()));
    assert_eq!(who(0).unwrap_err(), AuthRefusal::TeamDisabled);
    let refused = registry.admit(&before, ask(5, 1, 1), now()).unwrap_err();
    assert_eq!(refused, LimitRefusal::Revoked);
    assert_eq!(
        registry
            .disable_team(&team_name(), now())
            .unwrap()
            .streams_cut,
        0
    );
    // A key made for a disabled team is as dead as the others, and lives with them again.
    let (_, late) = key(&registry, 4, Limits::default());
    assert!(registry.authenticate(late.expose(), now()).is_err());

    registry.enable_team(&team_name()).unwrap();

    let permit = registry
        .admit(&who(0).unwrap(), ask(6, 1, 1), now())
        .unwrap();
    assert!(!permit.revoked().is_cancelled());
    let late = registry.authenticate(late.expose(), now()).unwrap();
    assert!(registry.admit(&late, ask(7, 1, 1), now()).is_ok());
    assert_eq!(who(2).unwrap_err(), AuthRefusal::Revoked);
    // What was cut stays cut.
    assert!(permits.iter().all(|permit| permit.revoked().is_cancelled()));
}

#[test]
fn a_revocation_that_cannot_be_written_holds_until_a_restart_and_says_so() {
    let site = Site::new();
    let registry = site.open();
    team(&registry, Limits::default());
    let (record, token) = key(&registry, 1, Limits::default());
    let who = registry.authenticate(token.expose(), now()).unwrap();
    let permit = registry.admit(&who, ask(1, 1, 1), now()).unwrap();
    let full = "CREATE TRIGGER full BEFORE UPDATE ON keys BEGIN SELECT RAISE(ABORT, 'full'); END";
    site.sqlite().execute(full, []).unwrap();

    let error = registry.revoke_key(&record.id, now()).unwrap_err();

    assert!(matches!(error, KeysError::NotKept { .. }), "{error}");
    assert!(permit.revoked().is_cancelled());
    let refused = registry.authenticate(token.expose(), now()).unwrap_err();
    assert_eq!(refused, AuthRefusal::Revoked);
    // Said again when there is room, it is kept, with the time when it was said first.
    site.sqlite().execute("DROP TRIGGER full", []).unwrap();
    registry.revoke_key(&record.id, later(9)).unwrap();
    drop((permit, who));
    registry.close().unwrap();
    let registry = site.open();
    let refused = registry.authenticate(token.expose(), now()).unwrap_err();
    assert_eq!(refused, AuthRefusal::Revoked);
    assert_eq!(registry.key(&record.id).unwrap().revoked, Some(now()));
}

#[test]
fn a_team_whose_disabling_cannot_be_written_is_refused_until_a_restart() {
    let site = Site::new();
    let registry = site.open();
    team(&registry, Limits::default());
    let (_, token) = key(&registry, 1, Limits::default());
    let full = "CREATE TRIGGER full BEFORE UPDATE ON teams BEGIN SELECT RAISE(ABORT, 'full'); END";
    site.sqlite().execute(full, []).unwrap();
    let error = registry.disable_team(&team_name(), now()).unwrap_err();
    assert!(matches!(error, KeysError::NotKept { .. }), "{error}");
    let refused = registry.authenticate(token.expose(), now()).unwrap_err();
    assert_eq!(refused, AuthRefusal::TeamDisabled);
    site.sqlite().execute("DROP TRIGGER full", []).unwrap();
    registry.disable_team(&team_name(), later(9)).unwrap();
    registry.close().unwrap();
    let registry = site.open();
    let refused = registry.authenticate(token.expose(), now()).unwrap_err();
    assert_eq!(refused, AuthRefusal::TeamDisabled);
}
