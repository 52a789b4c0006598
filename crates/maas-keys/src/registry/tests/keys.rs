//! Who is let in, and what administration does.

use super::*;

#[test]
fn a_key_works_from_its_creation_to_its_expiry() {
    let site = Site::new();
    let registry = site.open();
    team(&registry, Limits::default());
    let mut new = new_key(Limits::default());
    new.expires = Some(later(60));
    let (record, token) = registry.create_key(new, now(), &entropy(1)).unwrap();
    let who = registry.authenticate(token.expose(), later(59)).unwrap();
    assert_eq!((who.key(), who.team()), (&record.id, &team_name()));
    assert_eq!(who.user().unwrap().as_str(), "ada");
    let error = registry
        .authenticate(token.expose(), later(60))
        .unwrap_err();
    assert_eq!(error, AuthRefusal::Expired);
}

#[test]
fn a_typo_an_unknown_id_and_a_wrong_secret_are_refused() {
    let site = Site::new();
    let registry = site.open();
    team(&registry, Limits::default());
    let (_, token) = key(&registry, 1, Limits::default());
    let refused = |text: &str| registry.authenticate(text, now()).unwrap_err();
    for text in [
        "",
        "sk-maas-",
        "sk-proj-abc",
        &token.expose()[1..],
        &token.expose().to_lowercase(),
    ] {
        assert_eq!(refused(text), AuthRefusal::Malformed, "{text}");
    }
    let (_, stranger) = SecretToken::generate(&entropy(2));
    assert_eq!(refused(stranger.expose()), AuthRefusal::Unknown);
    // The known id with another secret and the checksum that belongs to both.
    let mut bytes = [2; 48];
    bytes[..16].fill(1);
    let (id, forged) = SecretToken::generate(&Entropy::from_bytes(bytes));
    assert!(registry.key(&id).is_ok());
    assert_eq!(refused(forged.expose()), AuthRefusal::Unknown);
}

#[test]
fn both_lists_of_models_must_allow_and_an_empty_one_allows_none() {
    let only = |names: &[&str]| ModelAccess::Only(names.iter().map(|n| model(n)).collect());
    // The team's list, the key's list, and whether `a` may be used.
    let table = [
        (ModelAccess::All, ModelAccess::All, true),
        (only(&["a"]), ModelAccess::All, true),
        (ModelAccess::All, only(&["a"]), true),
        (only(&["a", "b"]), only(&["a"]), true),
        (only(&["b"]), only(&["a"]), false),
        (only(&["a"]), only(&["b"]), false),
        (only(&[]), ModelAccess::All, false),
        (ModelAccess::All, only(&[]), false),
    ];
    for (team_models, key_models, may) in table {
        let site = Site::new();
        let registry = site.open();
        team(&registry, Limits::default());
        let mut new = new_key(Limits::default());
        new.models = key_models.clone();
        let (_, token) = registry.create_key(new, now(), &entropy(1)).unwrap();
        let settings = TeamSettings {
            limits: Limits::default(),
            models: team_models.clone(),
        };
        registry.change_team(&team_name(), settings).unwrap();
        // The same after the database was written and read.
        registry.close().unwrap();
        let registry = site.open();
        let who = registry.authenticate(token.expose(), now()).unwrap();
        assert_eq!(
            who.may_use(&model("a")),
            may,
            "{team_models:?} {key_models:?}"
        );
        let mut asked = ask(1, 1, 1);
        asked.model = model("a");
        let refused = registry.admit(&who, asked, now()).err();
        assert_eq!(refused, (!may).then_some(LimitRefusal::ModelNotAllowed));
    }
}

#[test]
fn everything_an_administrator_wrote_is_there_after_reopening() {
    let site = Site::new();
    let registry = site.open();
    let full = Limits {
        requests_per_minute: Some(0),
        tokens_per_day: Some(u64::MAX),
    };
    team(&registry, full);
    let mut new = new_key(full);
    new.models = ModelAccess::Only([model("a")].into());
    new.expires = Some(later(3_600));
    registry.create_key(new, now(), &entropy(1)).unwrap();
    key(&registry, 2, Limits::default());
    let gone = key(&registry, 3, per_day(7)).0.id;
    registry.revoke_key(&gone, later(1)).unwrap();
    registry.disable_team(&team_name(), later(2)).unwrap();
    let before = (registry.teams(), registry.keys(None));
    assert_eq!((before.0.len(), before.1.len()), (1, 3));
    assert_eq!(before.0[0].disabled, Some(later(2)));
    registry.close().unwrap();
    let registry = site.open();
    assert_eq!(
        (registry.teams(), registry.keys(Some(&team_name()))),
        before
    );
    assert_eq!(registry.key(&gone).unwrap().revoked, Some(later(1)));
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let site = Site::new();
    let registry = site.open();
    team(&registry, Limits::default());
    let again = NewTeam {
        name: team_name(),
        settings: TeamSettings::default(),
    };
    let error = registry.create_team(again, now()).unwrap_err();
    insta::assert_snapshot!(error, @"team `search` exists already");
    let mut new = new_key(Limits::default());
    new.team = "nobody".parse().unwrap();
    let error = registry.create_key(new, now(), &entropy(1)).unwrap_err();
    insta::assert_snapshot!(error, @"no team `nobody`");
    let error = registry
        .revoke_key(&"abcdefghijkl".parse().unwrap(), now())
        .unwrap_err();
    insta::assert_snapshot!(error, @"no key `abcdefghijkl`");
    for name in ["", "a\u{1b}[2J", &"x".repeat(101)] {
        let mut new = new_key(Limits::default());
        new.name = name.to_owned();
        let error = registry.create_key(new, now(), &entropy(1)).unwrap_err();
        assert!(matches!(error, KeysError::KeyName), "{name:?}");
    }
    let mut new = new_key(Limits::default());
    new.expires = Some(now());
    let error = registry.create_key(new, now(), &entropy(1)).unwrap_err();
    insta::assert_snapshot!(error, @"the key would expire at 2026-11-22T12:00:00Z, which is not after now, 2026-11-22T12:00:00Z");
}

#[test]
fn the_same_randomness_twice_does_not_replace_a_key() {
    let site = Site::new();
    let registry = site.open();
    team(&registry, Limits::default());
    let (first, token) = key(&registry, 1, Limits::default());
    let error = registry
        .create_key(new_key(Limits::default()), now(), &entropy(1))
        .unwrap_err();
    assert!(matches!(error, KeysError::Database { .. }), "{error}");
    assert_eq!(
        registry.authenticate(token.expose(), now()).unwrap().key(),
        &first.id
    );
}

#[test]
fn another_pepper_is_refused_at_the_door() {
    let site = Site::new();
    let registry = site.open();
    team(&registry, Limits::default());
    key(&registry, 1, Limits::default());
    registry.close().unwrap();
    let other = Pepper::from_bytes(&[8; 32]);
    let path = site.database();
    let error = Registry::open(&path, other, now(), SiteTimeZone::utc()).unwrap_err();
    assert!(
        matches!(error, KeysError::WrongPepper { keys: 1, .. }),
        "{error}"
    );
    // The right one still opens it.
    drop(site.open());
}

#[test]
fn a_database_without_keys_takes_the_pepper_it_meets() {
    let site = Site::new();
    drop(site.open());
    let other = Pepper::from_bytes(&[8; 32]);
    drop(Registry::open(&site.database(), other, now(), SiteTimeZone::utc()).unwrap());
}

#[test]
fn two_gateways_never_share_a_database() {
    let site = Site::new();
    let first = site.open();
    let path = site.database();
    let error = Registry::open(&path, pepper(), now(), SiteTimeZone::utc()).unwrap_err();
    assert!(matches!(error, KeysError::InUse { .. }), "{error}");
    assert_eq!(error.exit(), maas_types::Exit::Busy);
    first.close().unwrap();
    site.open().close().unwrap();
}

#[test]
fn a_closed_registry_admits_nothing_and_changes_nothing() {
    let site = Site::new();
    let (registry, who) = one_key(&site, Limits::default(), Limits::default());
    registry.clone().close().unwrap();
    let refused = registry.admit(&who, ask(1, 1, 1), now()).unwrap_err();
    assert_eq!(refused, LimitRefusal::LedgerBusy);
    let error = registry.revoke_key(who.key(), now()).unwrap_err();
    assert!(matches!(error, KeysError::Closed));
    assert!(matches!(
        registry.usage(&by(UsageBy::Team)),
        Err(KeysError::Closed)
    ));
}

#[test]
fn no_secret_reaches_a_file_or_a_debug_text() {
    let site = Site::new();
    let (registry, who) = one_key(&site, Limits::default(), Limits::default());
    let permit = registry.admit(&who, ask(1, 1, 1), now()).unwrap();
    let (_, token) = SecretToken::generate(&entropy(1));
    let secret = &token.expose()[21..64];
    let shown = format!("{registry:?} {who:?} {permit:?} {token:?} {:?}", pepper());
    assert!(
        !shown.contains(secret) && !shown.contains("Code("),
        "{shown}"
    );
    settle(permit, used(1, 1));
    registry.close().unwrap();
    let mut files = 0;
    for entry in fs_err::read_dir(site.folder.path()).unwrap() {
        let bytes = fs_err::read(entry.unwrap().path()).unwrap();
        assert!(
            !bytes
                .windows(secret.len())
                .any(|at| at == secret.as_bytes())
        );
        files += 1;
    }
    assert!(files >= 2);
}
