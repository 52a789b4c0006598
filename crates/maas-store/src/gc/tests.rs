use std::collections::BTreeSet;

use maas_bundle::digest_of;
use proptest::prelude::*;

use super::{
    facts::{Here, Needs},
    *,
};
use crate::{
    Generation, Presence, TrustDb,
    power_cut::PowerCut,
    store::Wanted,
    testing::{Host, id, tree, write},
};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn planned(host: &Host, uses: &Uses, keep: usize) -> Plan {
    let facts = Facts::gather(&host.layout, Some(&host.db())).unwrap();
    Plan::new(&facts, uses, keep, NOW)
}

fn collected(host: &Host, uses: &Uses, keep: usize) -> Plan {
    let plan = planned(host, uses, keep);
    let lock = host.lock();
    let db = TrustDb::open(&lock).unwrap();
    collect(&lock, Some(&db), &plan, &mut |_| ()).unwrap();
    plan
}

/// Four generations, each with a blob of its own and one that it shares with the next; leftovers of every
/// kind.
fn busy_host() -> Host {
    let host = Host::new();
    for (name, contents) in [
        ("1-1", ["one", "one and two"]),
        ("2-1", ["two", "one and two"]),
        ("3-1", ["three", "three and four"]),
        ("4-1", ["four", "three and four"]),
    ] {
        host.install(name, &contents);
    }
    let state = host.layout.state();
    for name in [
        "generations/.new-5-1/models/x",
        "generations/.gone-0-1/y",
        "images/.new-abc/z",
        "images/abc.partial/z",
        "arrivals/.acme-2.partial/z",
        ".trust.json.99-0.new",
        "restore.partial/w",
    ] {
        write(&state.join(name), "left over");
    }
    let dead = digest_of(b"dead");
    write(&host.layout.staging().join(dead.hex()), "half of it");
    for manifest in ["one", "four"] {
        let root = host.layout.image_root(&digest_of(manifest.as_bytes()));
        write(&root.join("bin/python"), "unpacked");
    }
    host
}

#[test]
fn what_serves_and_what_it_replaced_stay_and_nothing_else_that_nobody_needs() {
    let host = busy_host();
    let plan = collected(&host, &Uses::default(), 0);
    assert_eq!(
        plan.kept,
        [
            Kept {
                id: id("3-1"),
                why: Why::Before
            },
            Kept {
                id: id("4-1"),
                why: Why::Current
            },
        ]
    );
    for (content, stays) in [
        ("one", false),
        ("two", false),
        ("one and two", false),
        ("three", true),
        ("four", true),
        ("three and four", true),
    ] {
        let path = host.store().path(&digest_of(content.as_bytes()));
        assert_eq!(path.exists(), stays, "{content}");
    }
    Generation::current(&host.layout)
        .unwrap()
        .unwrap()
        .check()
        .unwrap();
    let names: Vec<_> = tree(&host.layout.state())
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    let left = |name: &str| names.iter().any(|path| path.as_str().contains(name));
    for gone in [
        ".new",
        ".gone",
        "restore.partial",
        &digest_of(b"dead").hex(),
        &digest_of(b"one").hex(),
    ] {
        assert!(!left(gone), "{gone}: {names:?}");
    }
    assert!(left("images/"), "the image of what serves is gone");
    // All of it was announced, and there is nothing more to do.
    assert_eq!(planned(&host, &Uses::default(), 0).removals, []);
    let freed = "one".len() + "two".len() + "one and two".len();
    let blobs = plan
        .removals
        .iter()
        .filter(|r| matches!(r, Removal::Blob { .. }));
    assert_eq!(blobs.map(Removal::bytes).sum::<u64>(), freed as u64);
}

#[test]
fn generations_on_trial_and_of_engines_stay_and_as_many_of_the_newest_as_are_wanted() {
    let host = busy_host();
    let uses = Uses {
        engines: vec![id("1-1")],
        images: vec![digest_of(b"one")],
        ..Uses::default()
    };
    let whys = |plan: &Plan| plan.kept.iter().map(|kept| kept.why).collect::<Vec<_>>();
    assert_eq!(
        whys(&planned(&host, &uses, 0)),
        [Why::Engine, Why::Before, Why::Current]
    );
    assert_eq!(
        whys(&planned(
            &host,
            &Uses {
                trial: vec![id("2-1")],
                ..uses.clone()
            },
            0
        )),
        [Why::Engine, Why::Trial, Why::Before, Why::Current]
    );
    assert_eq!(
        whys(&planned(&host, &Uses::default(), 1)),
        [Why::Newest, Why::Before, Why::Current]
    );
    let plan = planned(&host, &uses, 0);
    assert!(
        !plan
            .removals
            .iter()
            .any(|r| matches!(r, Removal::Image { .. }))
    );
}

#[test]
fn where_a_kept_generation_cannot_be_read_no_blob_goes() {
    let host = busy_host();
    write(
        &host.layout.generation(&id("3-1")).join("generation.json"),
        "{}",
    );
    let plan = planned(&host, &Uses::default(), 0);
    assert_eq!(plan.unreadable, ["generation 3-1"]);
    let of_blobs = |r: &Removal| matches!(r, Removal::Blob { .. } | Removal::Image { .. });
    assert!(!plan.removals.iter().any(of_blobs), "{plan:?}");
    assert!(
        plan.removals
            .iter()
            .any(|r| matches!(r, Removal::Generation { .. }))
    );
}

#[test]
fn an_install_under_way_keeps_its_blobs_until_it_is_given_up() {
    let host = Host::new();
    host.install("1-1", &["one"]);
    let early = host.blob("came with the first stick");
    let half = digest_of(b"half");
    write(&host.layout.staging().join(half.hex()), "ha");
    let facts = Facts::gather(&host.layout, Some(&host.db())).unwrap();
    let facts = Facts {
        wanted: Some(Wanted {
            blobs: [early, half].into(),
            noted: NOW,
            path: host.layout.wanted(),
            bytes: 2,
        }),
        ..facts
    };
    let later = |hours| NOW + SignedDuration::from_hours(hours);
    let plan = Plan::new(&facts, &Uses::default(), 0, later(13 * 24));
    assert_eq!(plan.removals, []);
    let plan = Plan::new(&facts, &Uses::default(), 0, later(15 * 24));
    assert_eq!(plan.removals.len(), 3, "{plan:?}");
}

/// As `import` leaves it, as far as collection looks.
fn import(host: &Host, name: &str, generation: &Generation) {
    let bill = serde_json::to_string(&generation.record().bill).unwrap();
    let targets = format!("{name}/MAAS/{name}/targets");
    let file = format!("{}.bundle.json", generation.record().bill_digest.hex());
    write(&host.layout.arrivals().join(targets).join(file), &bill);
}

#[test]
fn a_release_that_was_imported_keeps_its_blobs_until_it_is_installed() {
    let host = Host::new();
    host.install("1-1", &["one"]);
    host.blob("imported");
    // Made on another host, so that this one has not installed it.
    import(&host, "acme-9", &Host::new().install("9-1", &["imported"]));
    assert_eq!(planned(&host, &Uses::default(), 0).removals, []);
    write(
        &host
            .layout
            .arrivals()
            .join("acme-10/MAAS/acme-10/targets/x"),
        "",
    );
    let plan = planned(&host, &Uses::default(), 0);
    assert_eq!(plan.unreadable, ["the import `acme-10`"]);
    assert_eq!(plan.removals, []);
    fs_err::remove_dir_all(host.layout.arrivals().join("acme-10")).unwrap();
    // Installed, and two others after it.
    for name in ["9-1", "10-1", "11-1"] {
        host.install(name, &[if name == "9-1" { "imported" } else { name }]);
    }
    let plan = planned(&host, &Uses::default(), 0);
    let imported = digest_of(b"imported");
    let is_it = |r: &Removal| matches!(r, Removal::Blob { digest, .. } if *digest == imported);
    assert!(plan.removals.iter().any(is_it), "{plan:?}");
}

#[test]
fn a_restore_that_must_be_finished_keeps_what_it_has_written() {
    let host = busy_host();
    write(&host.layout.state().join("restore.journal"), "{}");
    let plan = collected(&host, &Uses::default(), 0);
    assert!(
        host.layout.state().join("restore.partial/w").exists(),
        "{plan:?}"
    );
}

#[test]
fn a_power_cut_at_any_moment_leaves_what_serves_whole_and_the_next_run_completes() {
    let expected = {
        let host = busy_host();
        collected(&host, &Uses::default(), 0);
        names(&host)
    };
    for cuts in 0.. {
        let host = busy_host();
        let cut = PowerCut::before_effect(cuts);
        {
            let plan = planned(&host, &Uses::default(), 0);
            let lock = host.lock_on(cut.disk());
            let db = TrustDb::open(&lock).unwrap();
            let result = collect(&lock, Some(&db), &plan, &mut |_| ());
            assert_eq!(result.is_err(), cut.happened());
        }
        cut.lose_unforced().unwrap();
        let whole = Generation::list(&host.layout).unwrap().whole;
        assert!(whole.len() >= 2, "{cuts}");
        // Those that go, too: as long as one has its name it has its blobs.
        for generation in whole {
            generation.check().unwrap();
            for blob in &generation.record().bill.blobs {
                let presence = host.store().presence(Some(&host.db()), blob).unwrap();
                assert_eq!(presence, Presence::Stored, "{cuts}");
            }
        }
        assert_eq!(
            Generation::current_id(&host.layout).unwrap(),
            Some(id("4-1"))
        );
        collected(&host, &Uses::default(), 0);
        assert_eq!(names(&host), expected, "{cuts}");
        if !cut.happened() {
            assert!(cuts > 20, "{cuts} effects only");
            return;
        }
    }
}

/// Everything below the state folder, databases excepted.
fn names(host: &Host) -> Vec<String> {
    let root = host.layout.root();
    let names = tree(&host.layout.state()).into_iter();
    let names = names.map(|(path, _)| path.strip_prefix(root).unwrap().to_string());
    names.filter(|name| !name.contains("trust.db")).collect()
}

proptest! {
    #[test]
    fn no_needed_blob_goes_and_every_other_does(
        sets in prop::collection::vec(prop::collection::btree_set(0_u8..24, 0..8), 0..9),
        stored in prop::collection::btree_set(0_u8..24, 0..24),
        wanted in prop::option::of(prop::collection::btree_set(0_u8..24, 0..6)),
        current in prop::option::of(0_usize..9),
        before in prop::option::of(0_usize..9),
        trial in prop::option::of(0_usize..9),
        engine in prop::option::of(0_usize..9),
        keep in 0_usize..4,
    ) {
        let digest = |n: &u8| digest_of(&[*n]);
        let name = |n: usize| id(&format!("{}-1", n + 1));
        let exists = |n: Option<usize>| n.filter(|n| *n < sets.len()).map(name);
        let facts = Facts {
            current: exists(current),
            before: exists(before),
            generations: sets.iter().enumerate().map(|(n, set)| Here {
                id: name(n),
                needs: Some(Needs {
                    blobs: set.iter().map(digest).collect(),
                    images: BTreeSet::new(),
                }),
                bytes: 1,
            }).collect(),
            blobs: stored.iter().map(|n| (digest(n), u64::from(*n))).collect(),
            wanted: wanted.as_ref().map(|set| Wanted {
                blobs: set.iter().map(digest).collect(),
                noted: NOW,
                path: "/wanted".into(),
                bytes: 0,
            }),
            ..Facts::default()
        };
        let uses = Uses {
            trial: exists(trial).into_iter().collect(),
            engines: exists(engine).into_iter().collect(),
            images: Vec::new(),
        };
        let plan = Plan::new(&facts, &uses, keep, NOW);
        let gone: BTreeSet<_> = plan.removals.iter().filter_map(|r| {
            if let Removal::Generation { id, .. } = r { Some(*id) } else { None }
        }).collect();
        // In use: never gone. Of the others, exactly the `keep` newest stay.
        let used: BTreeSet<_> = [current, before, trial, engine].into_iter().filter_map(exists).collect();
        prop_assert!(used.is_disjoint(&gone));
        prop_assert_eq!(sets.len() - gone.len(), (used.len() + keep).min(sets.len()));
        let mut needed: BTreeSet<u8> = wanted.unwrap_or_default();
        for (n, set) in sets.iter().enumerate() {
            if !gone.contains(&name(n)) {
                needed.extend(set);
            }
        }
        let removed: BTreeSet<_> = plan.removals.iter().filter_map(|r| {
            if let Removal::Blob { digest, .. } = r { Some(*digest) } else { None }
        }).collect();
        let garbage: BTreeSet<_> = stored.difference(&needed).map(digest).collect();
        prop_assert_eq!(removed, garbage);
    }
}
