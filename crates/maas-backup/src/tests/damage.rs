//! Files that are not what was made: nothing of them is written.

use std::io::Write as _;

use super::site::{Site, item, name, random};
use crate::{
    Access, BackupError, Damage, Owner, Restoring, Source,
    age::{Open, Seal, seal},
};

/// One small file, so that each bit of the backup can be tried.
fn small() -> (Site, Vec<u8>) {
    let site = Site::empty();
    site.write("config/appliance.toml", b"a");
    let source = Source::File(site.path("config/appliance.toml"));
    let items = [item(
        "config/appliance.toml",
        source,
        Access::Public,
        Owner::Root,
    )];
    let (file, _) = site.create(&items).unwrap();
    (site, file)
}

#[test]
fn no_damaged_file_is_restored_and_nothing_is_written() {
    let (site, file) = small();
    let target = Site::empty();
    let refused = |bad: &[u8], what: &str| {
        let error = target.restore(&site, bad).unwrap_err();
        let typed = matches!(error, BackupError::Damaged(_) | BackupError::NotARecipient)
            || matches!(error, BackupError::NeedsPassphrase);
        assert!(typed, "{what}: {error}");
        let left: Vec<_> = target
            .tree()
            .into_keys()
            .filter(|name| name.contains('/'))
            .collect();
        assert!(left.is_empty(), "{what}: {left:?}");
    };
    for byte in 0..file.len() {
        // Every bit is tried in the envelope's own tests, where a try costs less.
        let mut bad = file.clone();
        bad[byte] ^= 1 << (byte % 8);
        refused(&bad, &format!("byte {byte}"));
    }
    for length in (0..file.len()).step_by(5).chain([file.len() - 1]) {
        refused(&file[..length], &format!("cut to {length}"));
    }
    refused(&[&file[..], b"\0"].concat(), "a byte more");
    refused(&[&file[..], &file[..]].concat(), "twice");
    target.restore(&site, &file).unwrap();
}

/// Somebody with the public key makes a file of their own: what is authentic may still be hostile.
fn forged(site: &Site, packed: &[u8]) -> Vec<u8> {
    let to = [site.key.recipient()];
    let mut writer = seal(Vec::new(), &Seal::Recipients(&to), &mut random).unwrap();
    writer.write_all(packed).unwrap();
    writer.finish().unwrap()
}

/// The tar stream of a backup.
fn plain(site: &Site, file: &[u8]) -> Vec<u8> {
    let opened = crate::age::open(file, &Open::Identity(&site.key)).unwrap();
    zstd::decode_all(opened).unwrap()
}

#[test]
fn an_archive_that_is_not_its_manifest_is_refused() {
    let (site, file) = small();
    let target = Site::empty();
    let tar = plain(&site, &file);
    let manifest = 512..512 + manifest_size(&tar);
    // Of the zeros, which are most of it, some.
    let tried = (0..tar.len()).filter(|at| tar[*at] != 0 || at % 37 == 0);
    for at in tried {
        let mut tar = tar.clone();
        tar[at] ^= 1;
        let bad = forged(&site, &zstd::encode_all(&tar[..], 1).unwrap());
        match target.restore(&site, &bad) {
            Err(BackupError::Damaged(_) | BackupError::Foreign { .. }) => {}
            Err(error) => panic!("byte {at}: {error}"),
            // Another host, program, access or owner: that is another manifest, not a broken one.
            Ok(_) => {
                assert!(manifest.contains(&at), "byte {at} may be anything");
                fs_err::remove_file(target.path("config/appliance.toml")).unwrap();
            }
        }
    }
    for bad in [
        &tar[..512],
        &tar[..tar.len() - 1],
        &[&tar[..], &[0]].concat(),
    ] {
        let bad = forged(&site, &zstd::encode_all(bad, 1).unwrap());
        assert!(matches!(
            target.restore(&site, &bad),
            Err(BackupError::Damaged(_))
        ));
    }
    let whole = zstd::encode_all(&tar[..], 1).unwrap();
    let bad = forged(&site, &[&whole[..], &whole[..]].concat());
    let error = target.restore(&site, &bad).unwrap_err();
    assert!(
        matches!(error, BackupError::Damaged(Damage::Trailing)),
        "{error}"
    );
    let error = target
        .restore(&site, &forged(&site, b"not zstd"))
        .unwrap_err();
    assert!(
        matches!(error, BackupError::Damaged(Damage::Packing { .. })),
        "{error}"
    );
}

fn manifest_size(tar: &[u8]) -> usize {
    let header = tar::Header::from_byte_slice(&tar[..512]);
    usize::try_from(header.entry_size().unwrap()).unwrap()
}

#[test]
fn a_manifest_that_lies_is_refused() {
    let (site, file) = small();
    let tar = plain(&site, &file);
    let size = tar::Header::from_byte_slice(&tar[..512])
        .entry_size()
        .unwrap();
    let text = std::str::from_utf8(&tar[512..512 + usize::try_from(size).unwrap()]).unwrap();
    assert!(crate::Manifest::parse(text.as_bytes()).is_ok());
    for (from, to) in [
        ("config/appliance.toml", "config/../../../etc/passwd"),
        ("config/appliance.toml", "config/deep/file"),
        ("\"size\":1", "\"size\":2000000000000"),
        ("\"size\":1", "\"size\":-1"),
        ("\"kind\":\"file\"", "\"kind\":\"link\""),
        ("\"kind\":\"file\"", "\"kind\":\"folder\""),
        ("\"kind\":", "\"mode\":4095,\"kind\":"),
        ("gpu-1", "gpu\\u001b[2J"),
    ] {
        let bad = text.replace(from, to);
        assert_ne!(bad, text);
        let error = crate::Manifest::parse(bad.as_bytes()).unwrap_err();
        assert!(matches!(error, Damage::Manifest { .. }), "{to}: {error}");
    }
    let newer = text.replace("backup/v1", "backup/v2");
    let error = crate::Manifest::parse(newer.as_bytes()).unwrap_err();
    insta::assert_snapshot!(error, @"it is `maas-appliance/backup/v2`, and this release reads `maas-appliance/backup/v1`; use the release that made it");
}

#[test]
fn a_backup_that_names_the_store_is_refused_before_anything_is_written() {
    let site = Site::new();
    let source = Source::File(site.path("config/appliance.toml"));
    let mut items = site.items();
    items.push(item("state/current", source, Access::Public, Owner::Root));
    let (file, _) = site.create(&items).unwrap();
    let target = Site::empty();
    let error = target.restore(&site, &file).unwrap_err();
    assert!(
        matches!(&error, BackupError::Foreign { name: bad } if *bad == name("state/current")),
        "{error}"
    );
    assert!(target.tree().is_empty());
}

#[test]
fn a_damaged_database_in_a_backup_is_found_when_it_is_verified_and_restored() {
    let site = Site::new();
    // As a file it is taken as it is; in the manifest it then becomes a database.
    let path = site.path("state/trust.db");
    let mut bytes = fs_err::read(&path).unwrap();
    bytes[4096..].fill(0xff);
    fs_err::write(&path, bytes).unwrap();
    let items = [item(
        "state/trust.db",
        Source::File(path),
        Access::Secret,
        Owner::Root,
    )];
    let (file, _) = site.create(&items).unwrap();
    let tar = plain(&site, &file);
    let bad = forged(&site, &zstd::encode_all(&as_database(&tar)[..], 1).unwrap());
    let open = Open::Identity(&site.key);
    let error = crate::verify(&bad[..], &open, &site.folder).unwrap_err();
    assert!(
        matches!(error, BackupError::Damaged(Damage::Database { .. })),
        "{error}"
    );
    let target = Site::empty();
    let error = target.restore(&site, &bad).unwrap_err();
    assert!(
        matches!(error, BackupError::Damaged(Damage::Database { .. })),
        "{error}"
    );
    assert!(!target.path("state/trust.db").exists());
}

/// The same archive with `file` made `database` in its manifest.
fn as_database(tar: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::from_byte_slice(&tar[..512]).clone();
    let size = usize::try_from(header.entry_size().unwrap()).unwrap();
    let text = std::str::from_utf8(&tar[512..512 + size]).unwrap();
    let text = text.replace("\"kind\":\"file\"", "\"kind\":\"database\"");
    header.set_size(text.len() as u64);
    header.set_cksum();
    let mut changed = [header.as_bytes(), text.as_bytes()].concat();
    changed.resize(changed.len().next_multiple_of(512), 0);
    changed.extend_from_slice(&tar[512 + size.next_multiple_of(512)..]);
    changed
}

#[test]
fn another_backup_than_the_expected_one_is_refused() {
    let site = Site::new();
    let file = site.backup();
    let target = Site::empty();
    let other = crate::fingerprint::of(b"another");
    let expect = |how: &mut Restoring<'_>| how.expect = Some(other);
    let open = Open::Identity(&site.key);
    let error = target
        .restore_as(maas_store::Disk::real(), &open, &file, expect)
        .unwrap_err();
    assert!(matches!(error, BackupError::NotExpected { .. }), "{error}");
    assert!(!target.path("state/trust.db").exists());
    let right = |how: &mut Restoring<'_>| how.expect = Some(crate::fingerprint::of(&file));
    target
        .restore_as(maas_store::Disk::real(), &open, &file, right)
        .unwrap();
}
