use std::{
    cell::Cell, io::Read as _, num::NonZeroU64, os::unix::fs::PermissionsExt as _, time::Duration,
};

use camino::Utf8Path;
use maas_bundle::{digest_of, sample::Sample};
use proptest::prelude::*;

use super::*;
use crate::{
    Disk, Effect, Generation, Lock, Presence, Store, StoreError, TrustDb,
    power_cut::PowerCut,
    testing::{Host, holder, id, write},
};

/// Puts other bytes into a file of the store, as a failing disk does: same file, same length.
fn rot(path: &Utf8Path) {
    let mode = std::fs::Permissions::from_mode(0o644);
    fs_err::set_permissions(path, mode).unwrap();
    let mut bytes = fs_err::read(path).unwrap();
    bytes[0] ^= 1;
    let file = fs_err::OpenOptions::new().write(true).open(path).unwrap();
    rustix::io::pwrite(&file, &bytes, 0).unwrap();
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o444)).unwrap();
}

fn run(host: &Host, begin: Begin, aside: Aside) -> Report {
    run_told(host, begin, aside, &mut |_| ())
}

fn run_told(host: &Host, begin: Begin, aside: Aside, told: &mut dyn FnMut(Event<'_>)) -> Report {
    let scrub = Scrub::begin(Disk::real(), &host.layout, holder()).unwrap();
    let clock = || Duration::ZERO;
    let mut pace = Pace::new(None, &clock, &|_| ());
    scrub
        .run(begin, aside, &|| Timestamp::UNIX_EPOCH, &mut pace, told)
        .unwrap()
}

#[test]
fn a_store_as_it_should_be_is_read_once_from_end_to_end() {
    let host = Host::new();
    host.install("1-1", &["one", "shared"]);
    host.install("2-1", &["two", "shared"]);
    let mut read = 0;
    let report = run_told(&host, Begin::GoOn, Aside::Move, &mut |event| {
        if let Event::Read(bytes) = event {
            read += bytes;
        }
    });
    assert!(report.is_good(), "{report:?}");
    assert_eq!((report.pass.blobs, report.pass.bytes, read), (3, 12, 12));
    assert_eq!(Record::read(&host.layout).unwrap().last, Some(report.pass));
}

#[test]
fn a_damaged_blob_is_named_with_what_it_belongs_to_and_moved_aside() {
    let host = Host::new();
    let generation = host.install("1-1", &["one", "shared"]);
    let digest = digest_of(b"shared");
    let path = host.store().path(&digest);
    rot(&path);
    let report = run(&host, Begin::GoOn, Aside::Move);
    let [found] = &report.found[..] else {
        panic!("{report:?}")
    };
    assert_eq!(
        found.finding.verdict,
        Verdict::Damaged {
            expected: digest,
            found: digest_of(b"rhared"),
        }
    );
    let used = &found.finding.used_by;
    assert_eq!(used[0].what, "image `engine`", "{used:?}");
    assert_eq!(
        found.finding.aside,
        Some(host.layout.quarantine().join(digest.hex()))
    );
    assert!(!path.exists());
    let blob = generation.record().bill.blob(&digest).unwrap();
    let presence = host.store().presence(Some(&host.db()), blob).unwrap();
    assert_eq!(presence, Presence::Absent);
    // Whoever runs from it still can.
    generation.check().unwrap();
    // The next pass does not forget it.
    let again = run(&host, Begin::GoOn, Aside::Move);
    assert_eq!(again.found[0].finding.verdict, Verdict::Missing);
    assert_eq!(again.found[0].finding.aside, found.finding.aside);
}

#[test]
fn who_only_looks_moves_nothing() {
    let host = Host::new();
    host.install("1-1", &["one"]);
    let path = host.store().path(&digest_of(b"one"));
    rot(&path);
    let report = run(&host, Begin::GoOn, Aside::Leave);
    assert_eq!(report.found[0].finding.aside, None);
    assert!(path.exists());
}

#[test]
fn while_another_holds_the_lock_damage_is_told_and_left() {
    let host = Host::new();
    host.install("1-1", &["one"]);
    rot(&host.store().path(&digest_of(b"one")));
    let lock = host.lock();
    let report = run(&host, Begin::GoOn, Aside::Move);
    let why = report.found[0].not_moved.as_ref().unwrap();
    assert!(why.contains("is held by `test`"), "{why}");
    drop(lock);
    let report = run(&host, Begin::GoOn, Aside::Move);
    assert!(report.found[0].finding.aside.is_some());
}

#[test]
fn what_is_missing_is_told_only_if_a_generation_needs_it() {
    let host = Host::new();
    host.install("1-1", &["one", "two"]);
    fs_err::remove_file(host.store().path(&digest_of(b"two"))).unwrap();
    let report = run(&host, Begin::GoOn, Aside::Move);
    assert_eq!(report.found[0].finding.verdict, Verdict::Missing);
    assert_eq!(report.found.len(), 1);
}

#[test]
fn a_pass_that_was_cut_off_goes_on_behind_the_last_noted_blob() {
    let host = Host::new();
    let contents: Vec<_> = (0..9).map(|n| format!("blob {n}")).collect();
    let contents: Vec<_> = contents.iter().map(String::as_str).collect();
    host.install("1-1", &contents);
    let mut digests: Vec<_> = contents.iter().map(|c| digest_of(c.as_bytes())).collect();
    digests.sort();
    let underway = Underway {
        after: Some(digests[5]),
        ..Underway::new("2026-11-01T00:00:00Z".parse().unwrap())
    };
    let record = Record {
        underway: Some(underway),
        ..Record::default()
    };
    fs_err::create_dir_all(host.layout.scrub()).unwrap();
    record.write(&Disk::real(), &host.layout).unwrap();
    let mut read = 0;
    let mut count = |event: Event<'_>| {
        if let Event::Read(bytes) = event {
            read += bytes;
        }
    };
    let report = run_told(&host, Begin::GoOn, Aside::Move, &mut count);
    assert_eq!(read, 3 * 6);
    assert_eq!((report.pass.blobs, report.pass.bytes), (9, 9 * 6));
    assert_eq!(report.pass.began.to_string(), "2026-11-01T00:00:00Z");
    record.write(&Disk::real(), &host.layout).unwrap();
    let mut read = 0;
    let mut count = |event: Event<'_>| {
        if let Event::Read(bytes) = event {
            read += bytes;
        }
    };
    run_told(&host, Begin::Anew, Aside::Move, &mut count);
    assert_eq!(read, 9 * 6);
}

#[test]
fn two_do_not_read_the_store_at_the_same_time() {
    let host = Host::new();
    let _first = Scrub::begin(Disk::real(), &host.layout, holder()).unwrap();
    let second = Scrub::begin(Disk::real(), &host.layout, holder());
    assert!(matches!(
        second,
        Err(StoreError::Busy {
            holder: Some(_),
            ..
        })
    ));
}

#[test]
fn a_file_that_is_not_the_stores_or_may_be_written_to_is_crooked() {
    let host = Host::new();
    let generation = host.install("1-1", &["one", "two", "three"]);
    let links: Vec<_> = generation.links().collect();
    let of = |content: &str| {
        let digest = digest_of(content.as_bytes());
        let mut all = links
            .iter()
            .filter(|(path, _)| path.as_str().contains("images/"));
        all.find(|(_, d)| *d == digest).unwrap().0.clone()
    };
    let copy = fs_err::read(of("two")).unwrap();
    fs_err::remove_file(of("two")).unwrap();
    fs_err::write(of("two"), copy).unwrap();
    fs_err::remove_file(of("three")).unwrap();
    let loose = host.store().path(&digest_of(b"one"));
    fs_err::set_permissions(&loose, std::fs::Permissions::from_mode(0o644)).unwrap();
    let found = crooked(&host.layout).unwrap();
    let expected = [
        (loose, Fault::Writable { mode: 0o644 }),
        (of("two"), Fault::Another),
        (of("three"), Fault::Absent),
    ];
    for (path, fault) in expected {
        assert!(found.contains(&Crooked { path, fault }), "{found:?}");
    }
    assert_eq!(found.len(), 3);
}

/// A host on which the sample bundle is installed.
fn sample_host() -> (Host, Sample) {
    let (host, sample) = (Host::new(), Sample::new(1).unwrap());
    install(&host, &sample, Disk::real()).unwrap();
    (host, sample)
}

fn install(host: &Host, sample: &Sample, disk: Disk) -> Result<Generation, StoreError> {
    let lock = Lock::acquire_on(disk, &host.layout, &holder())?;
    let db = TrustDb::open(&lock)?;
    let bundle = sample.verified().unwrap();
    Store::new(&host.layout).ingest(&lock, &db, &bundle, &sample.volumes(), &mut |_| ())?;
    let generation = Generation::assemble(&lock, &db, &bundle, sample.now)?;
    generation.switch(&lock, &db)?;
    Ok(generation)
}

#[test]
fn a_damaged_blob_that_was_not_moved_aside_would_count_as_stored_for_ever() {
    let (host, sample) = sample_host();
    let generation = Generation::current(&host.layout).unwrap().unwrap();
    let weights = generation.models()[0].folder.join("model.safetensors");
    rot(&weights);
    let damaged = fs_err::read(&weights).unwrap();
    install(&host, &sample, Disk::real()).unwrap();
    assert_eq!(fs_err::read(&weights).unwrap(), damaged);
}

#[test]
fn the_next_install_brings_a_damaged_blob_back_and_who_has_it_open_keeps_it() {
    let (host, sample) = sample_host();
    let generation = Generation::current(&host.layout).unwrap().unwrap();
    let weights = generation.models()[0].folder.join("model.safetensors");
    let right = fs_err::read(&weights).unwrap();
    rot(&weights);
    let damaged = fs_err::read(&weights).unwrap();
    let mut engine = fs_err::File::open(&weights).unwrap();
    assert_eq!(run(&host, Begin::GoOn, Aside::Move).found.len(), 1);
    let again = install(&host, &sample, Disk::real()).unwrap();
    assert_eq!(again.id(), id("1-1"), "it was mended in place");
    assert_eq!(fs_err::read(&weights).unwrap(), right);
    let mut kept = Vec::new();
    engine.read_to_end(&mut kept).unwrap();
    assert_eq!(kept, damaged, "an open file stays as it was");
    // Known before the next pass, too.
    let record = Record::read(&host.layout).unwrap();
    let record = record
        .still_damaged(&host.layout, Some(&host.db()))
        .unwrap();
    assert_eq!(record.damage, []);
    let report = run(&host, Begin::GoOn, Aside::Move);
    assert!(report.is_good(), "{report:?}");
}

#[test]
fn a_power_cut_before_a_blob_is_moved_aside_does_not_let_it_count_as_stored() {
    let (host, sample) = sample_host();
    let generation = Generation::current(&host.layout).unwrap().unwrap();
    let weights = generation.models()[0].folder.join("model.safetensors");
    let right = fs_err::read(&weights).unwrap();
    rot(&weights);
    let disk = Disk::watched(|effect| {
        let aside = matches!(effect, Effect::Rename(_, to) if to.as_str().contains("/quarantine/"));
        if aside {
            Err(std::io::Error::other("the power is gone"))
        } else {
            Ok(())
        }
    });
    let scrub = Scrub::begin(disk, &host.layout, holder()).unwrap();
    let clock = || Duration::ZERO;
    let mut pace = Pace::new(None, &clock, &|_| ());
    let now = || Timestamp::UNIX_EPOCH;
    scrub
        .run(Begin::GoOn, Aside::Move, &now, &mut pace, &mut |_| ())
        .unwrap_err();
    install(&host, &sample, Disk::real()).unwrap();
    assert_eq!(fs_err::read(&weights).unwrap(), right);
}

#[test]
fn a_power_cut_while_a_blob_is_mended_leaves_the_old_file_or_the_new_one() {
    for cuts in 0.. {
        let (host, sample) = sample_host();
        let generation = Generation::current(&host.layout).unwrap().unwrap();
        let weights = generation.models()[0].folder.join("model.safetensors");
        let right = fs_err::read(&weights).unwrap();
        rot(&weights);
        run(&host, Begin::GoOn, Aside::Move);
        let cut = PowerCut::before_effect(cuts);
        let result = install(&host, &sample, cut.disk());
        assert_eq!(result.is_err(), cut.happened());
        cut.lose_unforced().unwrap();
        let current = Generation::current(&host.layout).unwrap().unwrap();
        current.check().unwrap();
        install(&host, &sample, Disk::real()).unwrap();
        assert_eq!(fs_err::read(&weights).unwrap(), right, "{cuts}");
        assert!(run(&host, Begin::Anew, Aside::Move).is_good(), "{cuts}");
        if !cut.happened() {
            assert!(cuts > 8, "{cuts} effects only");
            return;
        }
    }
}

#[test]
fn a_record_that_says_nothing_to_us_costs_a_pass_from_the_start() {
    let host = Host::new();
    write(&host.layout.scrub().join("record.json"), "{\"schema\": 2");
    assert_eq!(Record::read(&host.layout).unwrap(), Record::default());
}

proptest! {
    #[test]
    fn the_rate_is_kept_and_lost_time_is_not_made_up_for(
        rate in 1_u64..1_000_000,
        steps in prop::collection::vec((1_u64..100_000, 0_u64..2_000), 1..30),
    ) {
        let now = Cell::new(Duration::ZERO);
        let clock = || now.get();
        let pause = |pause: Duration| now.set(now.get() + pause);
        let mut pace = Pace::new(NonZeroU64::new(rate), &clock, &pause);
        for (bytes, milliseconds) in steps {
            now.set(now.get() + Duration::from_millis(milliseconds));
            let began = now.get();
            pace.spend(bytes);
            let took = now.get().saturating_sub(began);
            let due = Duration::from_nanos(bytes * 1_000_000_000 / rate);
            prop_assert!(took >= due.saturating_sub(Duration::from_nanos(1)), "{took:?} < {due:?}");
            prop_assert!(took <= due + Duration::from_nanos(1));
        }
    }
}
