//! A run over all blobs of a bundle, and what it does with each: the store and the journal are
//! written here, by one thread.

use std::{
    collections::HashSet,
    io,
    sync::{atomic::AtomicBool, mpsc::channel},
};

use maas_bundle::{LocatedBlob, Media};
use maas_types::{Blob, Digest};

use super::{Ingested, Progress, buffers, check, plan::Plan, round::Round, stages};
use crate::{
    Lock, Store, StoreError, TrustDb,
    disk::parent_of,
    store::staging::{Target, mode, open_for_reading},
};

/// One run over all blobs.
pub(super) struct Run<'a> {
    pub(super) store: &'a Store,
    pub(super) lock: &'a Lock,
    pub(super) db: &'a TrustDb,
    pub(super) media: &'a [&'a dyn Media],
    /// The blob that is executable.
    pub(super) binary: Digest,
    pub(super) done: Ingested,
}

impl Run<'_> {
    /// Brings in what is on the volumes and not here. A second round reads again what turned out to
    /// have rotted on our own disk.
    pub(super) fn take(
        mut self,
        blobs: &[LocatedBlob<'_>],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Ingested, StoreError> {
        self.lock.disk().make_folder(&self.store.staging)?;
        self.clear_staging(blobs)?;
        let blobs: Vec<_> = blobs.iter().collect();
        let plan = Plan::of(self.store, self.lock, self.db, &blobs)?;
        if !plan.open.is_empty() || !plan.unnoted.is_empty() {
            let needed = blobs.iter().map(|located| located.blob.digest);
            self.store.note_wanted(self.lock.disk(), needed)?;
        }
        let to_read = plan.lanes(self.media);
        let to_read = to_read.iter().flatten().map(|item| item.object.size);
        progress(Progress::Planned {
            to_read: to_read.sum(),
            here: plan.bytes_here(),
        });
        let rotten = self.round(&plan, progress)?;
        if !rotten.is_empty() {
            let plan = Plan::of(self.store, self.lock, self.db, &rotten)?;
            if let Some(again) = self.round(&plan, progress)?.first() {
                return Err(failing_disk(self.store, again.blob));
            }
        }
        Ok(self.done)
    }

    /// What an abandoned install of another bundle left in staging would eat space for ever. What
    /// belongs to this bundle stays, whether its volume is at hand or not.
    fn clear_staging(&self, blobs: &[LocatedBlob<'_>]) -> Result<(), StoreError> {
        let wanted: HashSet<_> = blobs.iter().map(|located| located.blob.digest).collect();
        let path = &self.store.staging;
        let read = |source| StoreError::Read {
            path: path.clone(),
            source,
        };
        for entry in fs_err::read_dir(path).map_err(read)? {
            let name = entry.map_err(read)?.file_name();
            let Some(name) = name.to_str() else { continue };
            match Digest::from_hex(name) {
                Ok(digest) if !wanted.contains(&digest) => {
                    self.db.forget_staged(self.lock, &digest)?;
                    self.lock.disk().remove_file(&path.join(name))?;
                }
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// One pass over the volumes. Answers the blobs of which something must be read again.
    fn round<'p>(
        &mut self,
        plan: &Plan<'p>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<&'p LocatedBlob<'p>>, StoreError> {
        for located in &plan.stored {
            self.is_present(located.blob)?;
        }
        let (lanes, stop) = (plan.lanes(self.media), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let ((events, inbox), (jobs, todo)) = (channel(), channel());
            for items in &lanes {
                let buffers = buffers::share(lanes.len());
                stages::spawn(scope, items, buffers, &events, &stop);
            }
            let stop = &stop;
            scope.spawn(move || check::run(&todo, &events, stop));
            Round::new(self, plan, lanes.len(), jobs, stop).hear_all(&inbox, progress)
        })
    }

    /// A blob that was in the store before. It may have come in as something else before it became
    /// the binary.
    fn is_present(&mut self, blob: &Blob) -> Result<(), StoreError> {
        let path = self.store.path(&blob.digest);
        if blob.digest == self.binary && mode(&path)? != self.mode(blob) {
            let file = open_for_reading(&path)?;
            self.lock.disk().set_mode(&file, &path, self.mode(blob))?;
        }
        self.done.blobs_present += 1;
        self.done.bytes_present += blob.size;
        Ok(())
    }

    /// Moves a complete, verified staging file into the store.
    pub(super) fn keep(&mut self, target: &Target<'_>) -> Result<(), StoreError> {
        let (disk, blob) = (self.lock.disk(), target.blob);
        let place = self.store.path(&blob.digest);
        let file = open_for_reading(target.path())?;
        disk.make_folder(parent_of(&place))?;
        disk.set_mode(&file, target.path(), self.mode(blob))?;
        disk.sync(&file, target.path())?;
        disk.rename(target.path(), &place)?;
        self.db.blob_is_stored(self.lock, &blob.digest, blob.size)?;
        self.done.blobs_written += 1;
        Ok(())
    }

    /// A file in the store is what its name says, and the journal did not know it.
    pub(super) fn note_present(&mut self, blob: &Blob) -> Result<(), StoreError> {
        self.db.blob_is_stored(self.lock, &blob.digest, blob.size)?;
        self.is_present(blob)
    }

    /// A file in the store is not what its name says.
    pub(super) fn remove(&self, blob: &Blob) -> Result<(), StoreError> {
        let path = self.store.path(&blob.digest);
        Ok(self.lock.disk().remove_file(&path)?)
    }

    /// Wrong bytes must not eat space. What else of that blob was right is worth keeping.
    pub(super) fn tidy(&self, error: &StoreError) {
        let StoreError::Content(wrong) = error else {
            return;
        };
        let nothing_right = self
            .db
            .staged_parts(&wrong.blob)
            .is_ok_and(|p| p.is_empty());
        if nothing_right {
            let path = self.store.staging_path(&wrong.blob);
            // The first error is the one to tell; what stays is never taken without hashing.
            self.lock.disk().remove_file(&path).err();
        }
    }

    /// A closed list of two modes: nobody writes to the store, and only the binary is executed.
    fn mode(&self, blob: &Blob) -> u32 {
        if blob.digest == self.binary {
            0o555
        } else {
            0o444
        }
    }
}

/// What was read rightly, written and forced to the disk comes back wrong, twice.
fn failing_disk(store: &Store, blob: &Blob) -> StoreError {
    let words =
        "what was written there comes back as something else, twice: a failing disk or memory";
    StoreError::Read {
        path: store.staging_path(&blob.digest),
        source: io::Error::new(io::ErrorKind::InvalidData, words),
    }
}
