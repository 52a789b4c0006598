use jiff::Timestamp;
use maas_bundle::{Floors, RootFile, TrustedRoot, sample::Sample};
use maas_types::Exit;

use super::*;
use crate::Holder;

struct Host {
    _keep: tempfile::TempDir,
    layout: Layout,
}

fn host() -> Host {
    let keep = tempfile::tempdir().unwrap();
    let layout = Layout::new(Utf8Path::from_path(keep.path()).unwrap());
    Host {
        _keep: keep,
        layout,
    }
}

fn lock(host: &Host) -> Lock {
    let holder = Holder {
        pid: 1,
        command: "test".to_owned(),
        since: Timestamp::UNIX_EPOCH,
    };
    Lock::acquire(&host.layout, &holder).unwrap()
}

fn floors(epoch: u64, targets: u64) -> Floors {
    Floors {
        epoch,
        targets,
        ..Floors::default()
    }
}

#[test]
fn reading_makes_nothing() {
    let host = host();
    assert!(TrustDb::read(&host.layout).unwrap().is_none());
    assert_eq!(fs_err::read_dir(host.layout.root()).unwrap().count(), 0);
}

#[test]
fn floors_survive_and_never_go_down() {
    let host = host();
    let lock = lock(&host);
    let db = TrustDb::open(&lock).unwrap();
    assert_eq!(db.floors().unwrap(), Floors::default());
    db.raise_floors(&lock, 1, &floors(7, 3)).unwrap();
    drop(db);
    let db = TrustDb::open(&lock).unwrap();
    assert_eq!(db.floors().unwrap(), floors(7, 3));
    for lower in [floors(6, 3), floors(7, 2)] {
        let error = db.raise_floors(&lock, 1, &lower).unwrap_err();
        assert_eq!(error.exit(), Exit::Stale, "{error}");
    }
    assert_eq!(db.floors().unwrap(), floors(7, 3));
}

#[test]
fn floors_fall_with_the_keys_behind_them_and_only_together_with_a_new_root() {
    let host = host();
    let lock = lock(&host);
    let db = TrustDb::open(&lock).unwrap();
    let absurd = Floors {
        timestamp: 9,
        ..floors(1 << 32, 1 << 32)
    };
    db.raise_floors(&lock, 1, &absurd).unwrap();
    // A newer root alone lets nothing fall.
    assert!(db.raise_floors(&lock, 2, &floors(7, 7)).is_err());
    let root = Sample::new(7).unwrap().root;
    let stored = StoredRoot {
        root,
        name: "us".to_owned(),
        added: Timestamp::UNIX_EPOCH,
    };
    let stored = [stored];
    // Read before somebody else raised the timestamp to 9: that stays.
    let recovered = Floors {
        timestamp: 5,
        ..floors(0, 0)
    };
    db.add_roots(&lock, &stored, Some(&recovered)).unwrap();
    let timestamp = Floors {
        timestamp: 9,
        ..floors(0, 0)
    };
    assert_eq!(db.floors().unwrap(), timestamp);
    let floors = |epoch, targets| Floors {
        timestamp: 9,
        ..floors(epoch, targets)
    };
    db.raise_floors(&lock, 2, &floors(7, 7)).unwrap();
    // The same roots once more are not new: nothing falls.
    db.add_roots(&lock, &stored, Some(&floors(0, 0))).unwrap();
    assert_eq!(db.floors().unwrap(), floors(7, 7));
    assert!(db.raise_floors(&lock, 1, &floors(8, 8)).is_err());
}

#[test]
fn a_replaced_root_begins_another_chain_and_floors_fall_with_the_keys_that_are_gone() {
    let host = host();
    let lock = lock(&host);
    let db = TrustDb::open(&lock).unwrap();
    let stored = |root| StoredRoot {
        root,
        name: "us".to_owned(),
        added: Timestamp::UNIX_EPOCH,
    };
    let sample = Sample::new(7).unwrap();
    db.add_roots(&lock, &[stored(sample.root.clone())], None)
        .unwrap();
    let late = Floors {
        time: "2026-11-22T00:00:00Z".parse().unwrap(),
        ..floors(9, 9)
    };
    db.raise_floors(&lock, 3, &late).unwrap();
    // The same keys in a chain that begins at 1: what they have signed counts on.
    db.replace_roots(&lock, &stored(sample.root.clone()))
        .unwrap();
    assert_eq!(db.floors().unwrap(), late);
    db.raise_floors(&lock, 1, &late).unwrap();
    assert!(db.raise_floors(&lock, 1, &floors(8, 8)).is_err());
    // Other keys: nothing of theirs was ever accepted here.
    let keys = [Sample::key(21), Sample::key(22)];
    let publics: Vec<_> = keys.iter().map(|key| *key.public()).collect();
    let mut file = RootFile::init(&publics, 2, sample.now).unwrap();
    for key in &keys {
        file.sign(key, None).unwrap();
    }
    let other = TrustedRoot::pin(&file.bytes(), &file.fingerprint()).unwrap();
    db.replace_roots(&lock, &stored(other)).unwrap();
    assert_eq!(db.floors().unwrap(), Floors::default());
    db.raise_floors(&lock, 1, &floors(1, 1)).unwrap();
}

#[test]
fn the_trusted_time_only_goes_forward() {
    let host = host();
    let lock = lock(&host);
    let db = TrustDb::open(&lock).unwrap();
    let late: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
    let at = |time| Floors {
        time,
        ..floors(1, 1)
    };
    db.raise_floors(&lock, 1, &at(late)).unwrap();
    db.raise_floors(&lock, 1, &at(Timestamp::UNIX_EPOCH))
        .unwrap();
    assert_eq!(db.floors().unwrap().time, late);
}

#[test]
fn a_version_that_does_not_fit_is_refused_and_not_wrapped() {
    let host = host();
    let lock = lock(&host);
    let db = TrustDb::open(&lock).unwrap();
    assert!(db.raise_floors(&lock, 1, &floors(u64::MAX, 1)).is_err());
    assert_eq!(db.floors().unwrap(), Floors::default());
}

fn refused_and_untouched(host: &Host, bytes: &[u8]) -> StoreError {
    let lock = lock(host);
    for side in ["-wal", "-shm"] {
        let path = format!("{}{side}", host.layout.trust_db());
        assert!(!Utf8Path::new(&path).exists(), "{path} was left open");
    }
    fs_err::write(host.layout.trust_db(), bytes).unwrap();
    let read = TrustDb::read(&host.layout).unwrap_err();
    let open = TrustDb::open(&lock).unwrap_err();
    assert_eq!(read.to_string(), open.to_string());
    let after = fs_err::read(host.layout.trust_db()).unwrap();
    assert!(after == bytes, "it was changed");
    open
}

fn made(host: &Host) -> Vec<u8> {
    let lock = lock(host);
    let db = TrustDb::open(&lock).unwrap();
    db.raise_floors(&lock, 1, &floors(7, 3)).unwrap();
    drop(db);
    fs_err::read(host.layout.trust_db()).unwrap()
}

#[test]
fn an_emptied_database_is_refused_and_not_made_anew() {
    let host = host();
    made(&host);
    let error = refused_and_untouched(&host, b"");
    assert!(
        matches!(error, StoreError::DatabaseDamaged { .. }),
        "{error:?}"
    );
}

#[test]
fn a_file_that_is_no_database_is_refused_and_not_made_anew() {
    let host = host();
    made(&host);
    let error = refused_and_untouched(&host, &[b'x'; 8192]);
    assert!(
        matches!(error, StoreError::DatabaseDamaged { .. }),
        "{error:?}"
    );
    let text = error.to_string().replace(host.layout.root().as_str(), "");
    insta::assert_snapshot!(text, @"the trust database `/var/lib/maas-appliance/trust.db` is damaged: file is not a database; it is not made anew, because it holds the floors that refuse old bundles");
}

#[test]
fn a_database_with_a_wrong_page_is_refused() {
    let host = host();
    let mut bytes = made(&host);
    let page = bytes.len() - 4096;
    bytes[page..].fill(0xa5);
    let error = refused_and_untouched(&host, &bytes);
    assert!(
        matches!(error, StoreError::DatabaseDamaged { .. }),
        "{error:?}"
    );
}

#[test]
fn a_database_of_a_newer_program_is_refused() {
    let host = host();
    made(&host);
    {
        let connection = Connection::open(host.layout.trust_db()).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
    }
    let error = TrustDb::read(&host.layout).unwrap_err();
    assert!(
        matches!(error, StoreError::DatabaseNewer { found: 99, .. }),
        "{error:?}"
    );
}

#[test]
fn a_removed_database_is_not_made_anew_where_something_is_installed() {
    let host = host();
    made(&host);
    std::os::unix::fs::symlink("generations/7-1", host.layout.current()).unwrap();
    fs_err::remove_file(host.layout.trust_db()).unwrap();
    let lock = lock(&host);
    for error in [
        TrustDb::read(&host.layout).unwrap_err(),
        TrustDb::open(&lock).unwrap_err(),
    ] {
        assert!(
            matches!(error, StoreError::DatabaseGone { .. }),
            "{error:?}"
        );
    }
    assert!(!host.layout.trust_db().exists());
}

#[test]
fn a_power_cut_while_it_is_made_leaves_nothing_that_is_taken_for_it() {
    for cut in 0..6 {
        let host = host();
        drop(lock(&host));
        let count = std::sync::atomic::AtomicUsize::new(0);
        let disk = Disk::watched(move |_| {
            if count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < cut {
                Ok(())
            } else {
                Err(std::io::Error::other("power cut"))
            }
        });
        let path = host.layout.trust_db();
        let made = schema::create(&disk, &path);
        assert!(made.is_err() || schema::open(&path).is_ok());
        let lock = lock(&host);
        let db = TrustDb::open(&lock).unwrap();
        db.raise_floors(&lock, 1, &floors(1, 1)).unwrap();
    }
}
