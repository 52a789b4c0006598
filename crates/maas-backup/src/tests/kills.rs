//! The power goes before each effect of a restore; the same call again comes to the same state.

use maas_store::power_cut::PowerCut;

use super::site::Site;
use crate::{BackupError, Existing, Restoring, age::Open};

/// An old state, of which nothing may be lost.
fn old() -> Site {
    let target = Site::empty();
    target.write("state/trust.db", b"old");
    target.write("state/trust.db-wal", b"old journal");
    target.write("state/gateway/pepper", b"old pepper");
    target.write("config/appliance.toml", b"old settings");
    target
}

fn old_is_somewhere(target: &Site) -> bool {
    let tree = target.tree();
    [&b"old"[..], b"old journal", b"old pepper", b"old settings"]
        .iter()
        .all(|bytes| {
            let digest = Some(crate::fingerprint::of(bytes));
            tree.values().any(|(_, found)| *found == digest)
        })
}

#[test]
fn a_power_cut_at_any_effect_converges_and_loses_nothing() {
    let site = Site::new();
    let file = site.backup();
    let open = Open::Identity(&site.key);
    let replace = |how: &mut Restoring<'_>| how.existing = Existing::Replace;
    let expected = {
        let target = old();
        target.replace(&site, &file).unwrap();
        target.tree()
    };
    let mut cuts = 0;
    for effect in 0.. {
        let target = old();
        let before = target.tree();
        let cut = PowerCut::before_effect(effect);
        let result = target.restore_as(cut.disk(), &open, &file, replace);
        cut.lose_unforced().unwrap();
        if !cut.happened() {
            result.unwrap();
            break;
        }
        cuts += 1;
        result.unwrap_err();
        assert!(old_is_somewhere(&target), "before effect {effect}");
        if !target.path("state/restore.journal").exists()
            && target.path("state/restore.partial").exists()
        {
            // Not decided yet: everything is where it was.
            let now = target.tree();
            assert!(
                before.iter().all(|(name, _)| now.contains_key(name)),
                "before effect {effect}"
            );
        }
        // The same backup; what was finished by the journal is not done twice.
        let again = target.replace(&site, &file).unwrap();
        assert_eq!(again.units.len(), 5);
        assert!(old_is_somewhere(&target), "before effect {effect}");
        let mut tree = target.tree();
        // Cut after the end, the second restore keeps the first one's result aside too.
        // What `atomic` leaves beside is hidden and holds no secret.
        tree.retain(|name, _| !name.contains("Z-2") && !name.contains("/.restore.journal."));
        assert_eq!(tree, expected, "before effect {effect}");
    }
    assert!(cuts > 60, "only {cuts} effects were seen");
}

#[test]
fn on_an_empty_root_a_cut_restore_is_finished_or_begun_anew() {
    let site = Site::new();
    let file = site.backup();
    let open = Open::Identity(&site.key);
    for effect in 0.. {
        let target = Site::empty();
        let cut = PowerCut::before_effect(effect);
        target.restore_as(cut.disk(), &open, &file, |_| {}).ok();
        cut.lose_unforced().unwrap();
        if !cut.happened() {
            break;
        }
        match target.restore(&site, &file) {
            // The second when it was cut after the journal was removed: all was done.
            Ok(_) | Err(BackupError::Existing { .. }) => {}
            Err(error) => panic!("before effect {effect}: {error}"),
        }
        assert_eq!(target.rows("state/trust.db"), 3, "before effect {effect}");
        assert_eq!(target.rows("state/gateway/state.db"), 50);
        assert!(!target.path("state/restore.partial").exists());
        assert!(!target.path("config/restore.partial").exists());
        assert!(!target.path("state/restore.journal").exists());
    }
}

#[test]
fn a_full_disk_while_restoring_has_its_own_error_and_leaves_nothing() {
    let site = Site::new();
    let file = site.backup();
    let open = Open::Identity(&site.key);
    let full = maas_store::Disk::watched(|effect| {
        if let maas_store::Effect::Write(path, ..) = effect
            && path.file_name() == Some("state.db")
        {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        Ok(())
    });
    let target = old();
    let before = target.tree();
    let replace = |how: &mut Restoring<'_>| how.existing = Existing::Replace;
    let error = target.restore_as(full, &open, &file, replace).unwrap_err();
    assert!(matches!(error, BackupError::NoSpace { .. }), "{error}");
    let mut after = target.tree();
    after.retain(|name, _| name != "config/tls");
    assert_eq!(after, before);
}
