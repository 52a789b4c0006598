use std::{collections::BTreeMap, os::unix::fs::MetadataExt as _};

use maas_store::Disk;
use proptest::prelude::*;

use super::site::{Site, item, name};
use crate::{Access, BackupError, Choice, Existing, Item, Owner, Restoring, Source, age::Open};

#[test]
fn a_site_restored_on_an_empty_root_is_the_same_site() {
    let site = Site::new();
    let file = site.backup();
    let target = Site::empty();
    let restored = target.restore(&site, &file).unwrap();
    assert_eq!(restored.units.len(), 5);
    assert!(restored.kept_aside.is_empty());
    let tree = target.tree();
    let listed: Vec<_> = tree
        .iter()
        .map(|(name, (mode, _))| format!("{mode:04o} {name}"))
        .collect();
    insta::assert_snapshot!(listed.join("\n"), @r"
    0750 config
    0640 config/appliance.toml
    0755 config/tls
    0600 config/tls/ca.key
    0644 config/tls/server.crt
    0750 state
    0750 state/gateway
    0600 state/gateway/pepper
    0640 state/gateway/state.db
    0755 state/receipts
    0644 state/receipts/1-1.json
    0644 state/trust.db
    ");
    let theirs = site.tree();
    for (name, (_, digest)) in tree.iter().filter(|(name, _)| !name.contains(".db")) {
        assert_eq!(*digest, theirs[name].1, "{name}");
    }
    assert_eq!(target.rows("state/trust.db"), 3);
    assert_eq!(target.rows("state/gateway/state.db"), 50);
}

#[test]
fn a_state_that_is_there_is_not_replaced_unasked() {
    let site = Site::new();
    let file = site.backup();
    for there in ["state/trust.db", "state/trust.db-wal", "config/tls/x"] {
        let target = Site::empty();
        target.write(there, b"old");
        let before = target.tree();
        let error = target.restore(&site, &file).unwrap_err();
        assert!(
            matches!(error, BackupError::Existing { .. }),
            "{there}: {error}"
        );
        assert_eq!(target.tree(), before);
    }
    // A folder that an installation made and nothing has been put into is no state.
    let target = Site::empty();
    fs_err::create_dir_all(target.path("state/receipts")).unwrap();
    target.restore(&site, &file).unwrap();
}

#[test]
fn what_is_replaced_is_kept_whole_and_what_is_not_is_left_alone() {
    let site = Site::new();
    let file = site.backup();
    let target = Site::empty();
    target.write("state/trust.db", b"old");
    target.write("state/trust.db-wal", b"old journal");
    target.write("state/gateway/ledger/9", b"newer than the backup");
    target.write("state/store/sha256/ab", b"weights");
    let restored = target.replace(&site, &file).unwrap();
    let aside = target.path("state/before-restore-20261125T080000Z");
    assert_eq!(restored.kept_aside, std::slice::from_ref(&aside));
    assert_eq!(fs_err::read(aside.join("trust.db")).unwrap(), b"old");
    assert_eq!(
        fs_err::read(aside.join("trust.db-wal")).unwrap(),
        b"old journal"
    );
    assert!(aside.join("gateway/ledger/9").exists());
    assert_eq!(aside.metadata().unwrap().mode() & 0o777, 0o700);
    assert!(!target.path("state/trust.db-wal").exists());
    assert!(!target.path("state/gateway/ledger").exists());
    assert_eq!(target.rows("state/trust.db"), 3);
    assert!(target.path("state/store/sha256/ab").exists());
    // Again: the first old state stays where it is.
    let restored = target.replace(&site, &file).unwrap();
    let second = target.path("state/before-restore-20261125T080000Z-2");
    assert!(restored.kept_aside.contains(&second), "{restored:?}");
    assert_eq!(fs_err::read(aside.join("trust.db")).unwrap(), b"old");
}

#[test]
fn only_what_is_chosen_is_restored() {
    let site = Site::new();
    let file = site.backup();
    let target = Site::empty();
    let open = Open::Identity(&site.key);
    let chosen = [name("config/tls")];
    target
        .restore_as(Disk::real(), &open, &file, |how| {
            how.choice = Choice::Only(&chosen);
        })
        .unwrap();
    assert!(target.path("config/tls/ca.key").exists());
    assert!(!target.path("config/appliance.toml").exists());
    assert!(!target.path("state/trust.db").exists());
    let inside = [name("config/tls/ca.key")];
    let error = target
        .restore_as(Disk::real(), &open, &file, |how| {
            how.choice = Choice::Only(&inside);
        })
        .unwrap_err();
    assert!(matches!(error, BackupError::NotHeld { .. }), "{error}");
}

/// As root, files are given away; an ordinary user can give them to itself only.
#[test]
fn files_become_whose_they_were() {
    let site = Site::new();
    let file = site.backup();
    let target = Site::empty();
    let me = target.folder.metadata().unwrap();
    let (service, group) = if me.uid() == 0 {
        (1234, 1235)
    } else {
        (me.uid(), me.gid())
    };
    let ids = move |owner| match owner {
        Owner::Service => Some((service, group)),
        Owner::Root | Owner::RootForService => None,
    };
    let open = Open::Identity(&site.key);
    target
        .restore_as(Disk::real(), &open, &file, |how| how.ids = &ids)
        .unwrap();
    let pepper = target.path("state/gateway/pepper").metadata().unwrap();
    assert_eq!(
        (pepper.uid(), pepper.gid(), pepper.mode() & 0o7777),
        (service, group, 0o600)
    );
    let trust = target.path("state/trust.db").metadata().unwrap();
    assert_eq!(trust.uid(), me.uid());
}

#[test]
fn a_journal_that_names_something_else_is_not_followed() {
    let site = Site::new();
    let file = site.backup();
    let target = Site::empty();
    let good = r#"{"schema":"maas-appliance/restore/v1","manifest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","aside":"x","units":[{"name":"state/trust.db","kind":"file"}]}"#;
    for (from, to) in [
        ("state/trust.db", "state/store"),
        ("state/trust.db", "other/trust.db"),
        ("\"x\"", "\"../x\""),
        ("restore/v1", "restore/v2"),
        ("}", ""),
    ] {
        target.write("state/restore.journal", good.replace(from, to).as_bytes());
        let error = target.restore(&site, &file).unwrap_err();
        assert!(
            matches!(error, BackupError::Journal { .. }),
            "{to}: {error}"
        );
    }
}

#[test]
fn what_cannot_fit_is_refused_before_the_first_write() {
    let site = Site::empty();
    // 1 TiB less a bit, of nothing: a manifest may say so, and a disk here has not that much.
    let free = rustix::fs::statvfs(site.folder.as_str()).unwrap();
    let free = free.f_bavail * free.f_frsize;
    if free > 1 << 40 {
        return; // A disk of a terabyte and more: nothing that a manifest may say is too much for it.
    }
    let manifest = crate::Manifest::new(
        super::site::now(),
        "x",
        "x",
        vec![crate::Entry {
            name: name("state/trust.db"),
            kind: crate::Kind::File,
            size: 1 << 40,
            sha256: crate::fingerprint::of(b"x"),
            access: Access::Secret,
            owner: Owner::Root,
        }],
    )
    .unwrap();
    let to = [site.key.recipient()];
    let mut file = Vec::new();
    let seal = crate::age::Seal::Recipients(&to);
    let error = crate::archive::pack(
        &manifest,
        |_| Ok(&b""[..]),
        &seal,
        &mut file,
        &mut super::site::random,
    );
    assert!(error.is_err());
    // The beginning of such a backup is as good: the room is looked at before the rest is read.
    let mut tar = Vec::new();
    let bytes = manifest.to_bytes();
    let header = crate::archive::manifest_header(bytes.len() as u64, manifest.seconds());
    tar.extend_from_slice(header.as_bytes());
    tar.extend_from_slice(&bytes);
    tar.resize(tar.len().next_multiple_of(512), 0);
    let packed = zstd::encode_all(&tar[..], 1).unwrap();
    let mut writer = crate::age::seal(Vec::new(), &seal, &mut super::site::random).unwrap();
    std::io::Write::write_all(&mut writer, &packed).unwrap();
    let file = writer.finish().unwrap();
    let target = Site::empty();
    let error = target.restore(&site, &file).unwrap_err();
    assert!(matches!(error, BackupError::TooSmall { .. }), "{error}");
    assert!(target.tree().is_empty());
}

/// Folders and files under `state/gateway`, by their names.
fn trees() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    let path = proptest::collection::vec("[a-z0-9_@]{1,6}", 1..4).prop_map(|parts| parts.join("/"));
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..600),
        (0..200_000_usize)
            .prop_map(|length| (0..length).map(|n| (n % 251).to_le_bytes()[0]).collect()),
    ];
    proptest::collection::btree_map(path, bytes, 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_tree_comes_back(tree in trees()) {
        let site = Site::empty();
        let mut items = BTreeMap::new();
        let mut add = |item: Item| {
            items.entry(item.name.clone()).or_insert(item);
        };
        add(item("state/gateway", Source::Folder, Access::Public, Owner::Service));
        let mut written = BTreeMap::new();
        for (path, bytes) in tree {
            let file = format!("state/gateway/{path}");
            // A file where another has a folder: the first one stays.
            let clash = written.keys().any(|other: &String| {
                file.starts_with(&format!("{other}/")) || other.starts_with(&format!("{file}/"))
            });
            if clash {
                continue;
            }
            site.write(&file, &bytes);
            let mut parent = name(&file).parent();
            while let Some(folder) = parent {
                parent = folder.parent();
                add(item(folder.as_str(), Source::Folder, Access::Public, Owner::Service));
            }
            add(item(&file, Source::File(site.path(&file)), Access::Secret, Owner::Service));
            written.insert(file, bytes);
        }
        let items: Vec<_> = items.into_values().collect();
        let (backup, created) = site.create(&items).unwrap();
        let verified = crate::verify(&backup[..], &Open::Identity(&site.key), &site.folder).unwrap();
        prop_assert_eq!(verified.digest, created.digest);
        let target = Site::empty();
        target.restore(&site, &backup).unwrap();
        for (file, bytes) in &written {
            prop_assert_eq!(&fs_err::read(target.path(file)).unwrap(), bytes);
        }
        let files = target.tree().values().filter(|(_, digest)| digest.is_some()).count();
        prop_assert_eq!(files, written.len());
    }
}

#[test]
fn replace_on_an_empty_root_keeps_nothing_aside() {
    let site = Site::new();
    let target = Site::empty();
    let how = |how: &mut Restoring<'_>| how.existing = Existing::Replace;
    let restored = target
        .restore_as(
            Disk::real(),
            &Open::Identity(&site.key),
            &site.backup(),
            how,
        )
        .unwrap();
    assert!(restored.kept_aside.is_empty());
}
