//! A blob that was damaged and came in again is a new file. Generations still have the old one under their
//! own names; here they get the new one.

use camino::Utf8Path;
use maas_types::{Digest, Layout};

use super::Generation;
use crate::{Disk, Lock, Presence, Store, StoreError, TrustDb, store::inode};

/// Gives every generation that can be read the store's files. A file that an engine has open stays with that
/// engine as it was: only the name changes, at one instant, and the next start reads what is right.
///
/// What is missing in a generation is not mended: its bundle is then assembled anew.
pub(super) fn all(lock: &Lock, db: &TrustDb) -> Result<(), StoreError> {
    for generation in Generation::list(lock.layout())?.whole {
        for (path, digest) in generation.links() {
            if is_another(lock.layout(), db, &generation, &path, &digest)? {
                relink(lock.disk(), lock.layout(), &path, &digest)?;
            }
        }
    }
    Ok(())
}

/// Whether a generation's file is not the one that the store has verified.
fn is_another(
    layout: &Layout,
    db: &TrustDb,
    generation: &Generation,
    path: &Utf8Path,
    digest: &Digest,
) -> Result<bool, StoreError> {
    let store = Store::new(layout);
    let (here, there) = (inode(path), inode(&store.path(digest)));
    if here.is_none() || there.is_none() || here == there {
        return Ok(false);
    }
    let blob = generation.record().bill.blob(digest);
    let presence = blob
        .map(|blob| store.presence(Some(db), blob))
        .transpose()?;
    Ok(presence == Some(Presence::Stored))
}

/// The second link is made in staging, where a leftover is swept, and not in a folder that an engine reads.
fn relink(
    disk: &Disk,
    layout: &Layout,
    path: &Utf8Path,
    digest: &Digest,
) -> Result<(), StoreError> {
    let beside = layout.staging().join(format!("{}.link", digest.hex()));
    disk.make_folder(&layout.staging())?;
    disk.remove_file(&beside)?;
    disk.link(&Store::new(layout).path(digest), &beside)?;
    Ok(disk.rename(&beside, path)?)
}
