use std::{
    io::{self, Read as _},
    sync::atomic::{AtomicBool, Ordering},
};

use rusqlite::Connection;

use super::site::{Site, item, name, now, random};
use crate::{
    Access, BackupError, Kind, Making, Owner, Source,
    age::{Open, Passphrase, Seal, Work, open},
};

#[test]
fn a_backup_says_what_it_holds_and_is_verified() {
    let site = Site::new();
    let (file, created) = site.create(&site.items()).unwrap();
    let verified = crate::verify(&file[..], &Open::Identity(&site.key), &site.folder).unwrap();
    assert_eq!(verified.manifest, created.manifest);
    assert_eq!(
        (verified.bytes, verified.digest),
        (created.bytes, created.digest)
    );
    assert_eq!(created.bytes, file.len() as u64);
    assert_eq!(created.digest, crate::fingerprint::of(&file));
    let names: Vec<_> = created
        .manifest
        .entries
        .iter()
        .map(|e| e.name.as_str())
        .collect();
    insta::assert_snapshot!(names.join(" "), @"config/appliance.toml config/tls config/tls/ca.key config/tls/server.crt state/gateway state/gateway/pepper state/gateway/state.db state/receipts state/receipts/1-1.json state/trust.db");
    assert!(!site.path("backup.partial").exists());
}

#[test]
fn nothing_of_the_site_can_be_read_in_the_file() {
    let site = Site::new();
    let file = site.backup();
    for secret in [&b"secret key of the CA"[..], b"trust.db", b"row 1"] {
        assert!(!file.windows(secret.len()).any(|window| window == secret));
    }
}

#[test]
fn inside_the_envelope_is_a_tar_file_that_others_read() {
    let site = Site::new();
    let file = site.backup();
    let mut packed = Vec::new();
    let mut reader = open(&file[..], &Open::Identity(&site.key)).unwrap();
    reader.read_to_end(&mut packed).unwrap();
    let plain = zstd::decode_all(&packed[..]).unwrap();
    let mut archive = tar::Archive::new(&plain[..]);
    let names: Vec<_> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(names[0], "manifest.json");
    assert_eq!(names.len(), site.items().len() + 1);
}

/// Ten thousand pairs of rows are written while backups are made; in each copy the pairs are whole.
#[test]
fn a_database_that_is_written_to_is_copied_as_of_one_moment() {
    let site = Site::empty();
    site.database("state/trust.db", 0);
    let path = site.path("state/trust.db");
    let done = AtomicBool::new(false);
    let items = [item(
        "state/trust.db",
        Source::Database(path.clone()),
        Access::Secret,
        Owner::Root,
    )];
    let mut seen = std::collections::BTreeSet::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let writer = Connection::open(&path).unwrap();
            writer.pragma_update(None, "journal_mode", "wal").unwrap();
            writer.pragma_update(None, "synchronous", "off").unwrap();
            let mut n = 0;
            while !done.load(Ordering::SeqCst) && n < 100_000 {
                let pair = format!("BEGIN; INSERT INTO t VALUES ({n}, 'a'); INSERT INTO t VALUES ({}, 'b'); COMMIT", n + 1);
                writer.execute_batch(&pair).unwrap();
                n += 2;
            }
        });
        for _ in 0..5 {
            let (file, _) = site.create(&items).unwrap();
            let copy = Site::empty();
            copy.restore(&site, &file).unwrap();
            let rows = copy.rows("state/trust.db");
            assert_eq!(rows % 2, 0, "half a transaction was copied");
            seen.insert(rows);
        }
        done.store(true, Ordering::SeqCst);
    });
    assert!(*seen.last().unwrap() > 0, "nothing was written meanwhile");
}

#[test]
fn what_sqlite_keeps_about_a_database_is_kept() {
    let site = Site::new();
    let file = site.backup();
    let copy = Site::empty();
    copy.restore(&site, &file).unwrap();
    let database = Connection::open(copy.path("state/trust.db")).unwrap();
    let version: i64 = database
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(version, 4);
}

#[test]
fn a_damaged_database_is_not_backed_up() {
    let site = Site::new();
    let path = site.path("state/trust.db");
    let mut bytes = fs_err::read(&path).unwrap();
    bytes[4096..].fill(0xff);
    fs_err::write(&path, bytes).unwrap();
    let error = site.create(&site.items()).unwrap_err();
    assert!(
        matches!(error, BackupError::DatabaseDamaged { .. }),
        "{error}"
    );
    assert!(!site.path("backup.partial").exists());
}

#[test]
fn a_link_is_not_followed_and_a_pipe_does_not_hang() {
    let site = Site::new();
    let link = site.path("state/link");
    std::os::unix::fs::symlink("/etc/shadow", &link).unwrap();
    let pipe = site.path("state/pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        pipe.as_str(),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    for path in [link, pipe] {
        let items = [item(
            "state/x",
            Source::File(path),
            Access::Secret,
            Owner::Root,
        )];
        let error = site.create(&items).unwrap_err();
        assert!(matches!(error, BackupError::NotPlain { .. }), "{error}");
    }
}

#[test]
fn a_list_that_names_a_file_twice_or_in_no_folder_is_refused() {
    let site = Site::new();
    let source = || Source::File(site.path("config/appliance.toml"));
    let one = item("config/a", source(), Access::Secret, Owner::Root);
    let deep = item("config/a/b", source(), Access::Secret, Owner::Root);
    for items in [
        vec![one.clone(), one.clone()],
        vec![deep.clone()],
        vec![one, deep],
    ] {
        let error = site.create(&items).unwrap_err();
        assert!(matches!(error, BackupError::Items { .. }), "{error}");
    }
}

#[test]
fn two_backups_do_not_share_a_scratch_folder_and_leftovers_go() {
    let site = Site::new();
    site.write("backup.partial/3", b"left by a power cut");
    site.backup();
    assert!(!site.path("backup.partial").exists());
    let _held = crate::scratch::Scratch::claim(&site.folder).unwrap();
    let error = site.create(&site.items()).unwrap_err();
    assert!(matches!(error, BackupError::Busy { .. }), "{error}");
}

#[test]
fn a_full_disk_has_its_own_error() {
    struct Full(usize);
    impl io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.checked_sub(bytes.len()) {
                Some(left) => self.0 = left,
                None => return Err(io::ErrorKind::StorageFull.into()),
            }
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let site = Site::new();
    let words = Passphrase::new("x".to_owned()).unwrap();
    for room in [0, 100, 500, 1000] {
        let items = site.items();
        let what = Making {
            items: &items,
            scratch: &site.folder,
            made_by: "x",
            host: "x",
            now: now(),
        };
        let seal = Seal::Passphrase(&words, Work::new(1).unwrap());
        let error = crate::create(&what, &seal, Full(room), &mut random).unwrap_err();
        assert!(
            matches!(error, BackupError::NoSpace { .. }),
            "{room}: {error}"
        );
        assert_eq!(error.exit(), maas_types::Exit::NoSpace);
    }
}

#[test]
fn a_copy_of_a_database_is_a_database_of_the_manifest() {
    let site = Site::new();
    let (_, created) = site.create(&site.items()).unwrap();
    let trust = created
        .manifest
        .entries
        .iter()
        .find(|e| e.name == name("state/trust.db"));
    assert_eq!(trust.unwrap().kind, Kind::Database);
}
