//! The execution. Every step may be cut off and repeated.

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::Digest;

use super::{Plan, Removal};
use crate::{Lock, Store, StoreError, TrustDb, disk::parent_of};

/// Removes what the plan says, and tells of each thing before it goes. The plan's facts must have been
/// gathered under this very lock.
pub fn collect(
    lock: &Lock,
    db: Option<&TrustDb>,
    plan: &Plan,
    told: &mut dyn FnMut(&Removal),
) -> Result<(), StoreError> {
    // Generations first: one that is left in place is never without its blobs.
    for removal in &plan.removals {
        if let Removal::Generation { id, .. } = removal {
            told(removal);
            remove_folder(lock, &lock.layout().generation(id))?;
        }
    }
    if let Some(db) = db {
        forget(lock, db, plan)?;
    }
    let store = Store::new(lock.layout());
    for removal in &plan.removals {
        let path = match removal {
            Removal::Generation { .. } => continue,
            Removal::Image { manifest, .. } => {
                told(removal);
                remove_folder(lock, &image_folder(lock, manifest))?;
                continue;
            }
            Removal::Blob { digest, .. } => store.path(digest),
            Removal::Staged { digest, .. } => lock.layout().staging().join(digest.hex()),
            Removal::Leftover { path, .. } => path.clone(),
        };
        told(removal);
        if path.is_dir() && !path.is_symlink() {
            lock.disk().remove_tree(&path)?;
        } else {
            lock.disk().remove_file(&path)?;
        }
    }
    Ok(())
}

/// The journal first: a file that it does not know is hashed before it counts, while a note without a file is
/// a blob that is believed to be here until somebody looks.
fn forget(lock: &Lock, db: &TrustDb, plan: &Plan) -> Result<(), StoreError> {
    let blobs: Vec<_> = plan
        .removals
        .iter()
        .filter_map(|removal| match removal {
            Removal::Blob { digest, .. } => Some(*digest),
            Removal::Generation { .. }
            | Removal::Image { .. }
            | Removal::Staged { .. }
            | Removal::Leftover { .. } => None,
        })
        .collect();
    if !blobs.is_empty() {
        db.forget_blobs(lock, blobs)?;
    }
    for removal in &plan.removals {
        if let Removal::Staged { digest, .. } = removal {
            db.forget_staged(lock, digest)?;
        }
    }
    Ok(())
}

/// A folder loses its name at one instant, and its content then.
fn remove_folder(lock: &Lock, folder: &Utf8Path) -> Result<(), StoreError> {
    let name = folder.file_name().unwrap_or_default();
    let gone = parent_of(folder).join(format!(".gone-{name}"));
    lock.disk().remove_tree(&gone)?;
    lock.disk().rename(folder, &gone)?;
    Ok(lock.disk().remove_tree(&gone)?)
}

fn image_folder(lock: &Lock, manifest: &Digest) -> Utf8PathBuf {
    lock.layout().images().join(manifest.hex())
}
