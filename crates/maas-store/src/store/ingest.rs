//! A verified bundle's blobs come in: each byte of a medium is read once, and the very buffer that is
//! hashed is the one that is written (defence against a medium that answers differently the second
//! time). Order per blob: part into staging, forced to the disk, noted in the journal, next part;
//! then the whole digest, the mode, the rename, the folder forced, and noted as stored.

use std::collections::HashSet;

use maas_bundle::{Bundle, Located, LocatedBlob, Media, Verified, locate};
use maas_types::{Blob, Digest};

use super::{Presence, Store, copy::copy_object, staging::Staging};
use crate::{Lock, MissingBytes, StoreError, TrustDb, disk::parent_of};

/// How far an installation of blobs has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Told once, first: how much must be read from the volumes and how much is already here.
    Planned {
        /// Bytes to read.
        to_read: u64,
        /// Bytes of blobs and parts that are here from before.
        here: u64,
    },
    /// So many more bytes were read from a volume, hashed and written.
    Read(u64),
    /// So many bytes of an interrupted run were hashed again from this host's own disk.
    Rehashed(u64),
    /// A blob is complete and in the store.
    Stored(Digest),
}

/// What an installation of blobs did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ingested {
    /// Bytes read from volumes. With no failing reads, exactly the bytes that were missing here.
    pub bytes_read: u64,
    /// Bytes written to the store.
    pub bytes_written: u64,
    /// Bytes of an interrupted run that were hashed again from this host's own disk.
    pub bytes_resumed: u64,
    /// Bytes of blobs that were in the store before.
    pub bytes_present: u64,
    /// Blobs that came in.
    pub blobs_written: u64,
    /// Blobs that were in the store before.
    pub blobs_present: u64,
    /// Readings that failed and were repeated.
    pub retries: u64,
}

impl Store {
    /// Brings in every blob of the bundle that is not here yet. Repeating it after any interruption
    /// continues behind the last part that was noted.
    pub fn ingest(
        &self,
        lock: &Lock,
        db: &TrustDb,
        bundle: &Verified<Bundle>,
        media: &[&dyn Media],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Ingested, StoreError> {
        let located = locate(bundle, media)?;
        if let Some(missing) = self.missing(Some(db), bundle, &located, media)? {
            return Err(StoreError::Missing(Box::new(missing)));
        }
        let binary = bundle.bill().binary;
        Run::new(self, lock, db, media, binary).take(located.blobs(), progress)
    }

    /// What is needed, not here, and on none of the volumes.
    pub fn missing(
        &self,
        db: Option<&TrustDb>,
        bundle: &Verified<Bundle>,
        located: &Located<'_>,
        media: &[&dyn Media],
    ) -> Result<Option<MissingBytes>, StoreError> {
        let mut needed = Vec::new();
        for object in located.missing() {
            let here = match bundle.bill().blob(&object.blob) {
                Some(blob) => self.holds(db, blob, &object.digest)?,
                None => false,
            };
            if !here {
                needed.push(object);
            }
        }
        let hint = |volume: &String| volume.escape_debug().to_string();
        Ok(needed.first().map(|first| MissingBytes {
            objects: needed.len(),
            bytes: needed.iter().map(|object| object.size).sum(),
            path: first.path.to_string(),
            should_be_on: first.volume.as_ref().map(hint),
            volumes: media.iter().map(|m| m.label().to_owned()).collect(),
        }))
    }

    /// Whether an object need not be read again: its blob is stored, or the part is staged.
    fn holds(
        &self,
        db: Option<&TrustDb>,
        blob: &Blob,
        object: &Digest,
    ) -> Result<bool, StoreError> {
        Ok(match (self.presence(db, blob)?, db) {
            (Presence::Stored | Presence::Unnoted, _) => true,
            (Presence::Staged(_), Some(db)) => db.staged_parts(&blob.digest)?.contains(object),
            (Presence::Staged(_), None) | (Presence::Absent, _) => false,
        })
    }
}

/// One run over all blobs.
struct Run<'a> {
    store: &'a Store,
    lock: &'a Lock,
    db: &'a TrustDb,
    media: &'a [&'a dyn Media],
    binary: Digest,
    done: Ingested,
}

impl<'a> Run<'a> {
    fn new(
        store: &'a Store,
        lock: &'a Lock,
        db: &'a TrustDb,
        media: &'a [&'a dyn Media],
        binary: Digest,
    ) -> Self {
        Self {
            store,
            lock,
            db,
            media,
            binary,
            done: Ingested::default(),
        }
    }

    /// Brings in located blobs, which came from a verified bundle.
    fn take(
        mut self,
        blobs: &[LocatedBlob<'_>],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Ingested, StoreError> {
        self.plan(blobs, progress)?;
        for blob in blobs {
            self.blob(blob, progress)?;
        }
        Ok(self.done)
    }

    fn plan(
        &self,
        blobs: &[LocatedBlob<'_>],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), StoreError> {
        let (mut to_read, mut here) = (0, 0);
        let mut wanted = HashSet::new();
        for LocatedBlob { blob, .. } in blobs {
            wanted.insert(blob.digest.hex());
            let present = match self.store.presence(Some(self.db), blob)? {
                Presence::Stored | Presence::Unnoted => blob.size,
                Presence::Staged(bytes) => bytes,
                Presence::Absent => 0,
            };
            here += present;
            to_read += blob.size - present;
        }
        progress(Progress::Planned { to_read, here });
        self.lock.disk().make_folder(&self.store.staging)?;
        self.clear_staging(&wanted)
    }

    /// What an abandoned install of another bundle left in staging would eat space for ever.
    fn clear_staging(&self, wanted: &HashSet<String>) -> Result<(), StoreError> {
        let path = &self.store.staging;
        let read = |source| StoreError::Read {
            path: path.clone(),
            source,
        };
        for entry in fs_err::read_dir(path).map_err(read)? {
            let name = entry.map_err(read)?.file_name();
            let Some(name) = name.to_str() else { continue };
            if wanted.contains(name) {
                continue;
            }
            if let Ok(digest) = Digest::from_hex(name) {
                self.db.forget_staged(self.lock, &digest, 0)?;
                self.lock.disk().remove_file(&path.join(name))?;
            }
        }
        Ok(())
    }

    fn blob(
        &mut self,
        located: &LocatedBlob<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), StoreError> {
        let blob = located.blob;
        if self.is_here(blob, progress)? {
            self.done.blobs_present += 1;
            self.done.bytes_present += blob.size;
            return Ok(());
        }
        let mut staging = Staging::open(self.store, self.lock, self.db, blob)?;
        self.done.bytes_resumed += staging.resumed_bytes();
        progress(Progress::Rehashed(staging.resumed_bytes()));
        for number in staging.parts_done()..part_count(blob) {
            let copied = copy_object(&mut staging, self.media, located, number, progress);
            let copied = match copied {
                Ok(copied) => copied,
                Err(error) => return Err(self.abandon(staging, error)),
            };
            self.done.bytes_read += copied.bytes_read;
            self.done.retries += copied.retries;
            staging.part_is_done(self.lock, self.db, number, copied.digest)?;
        }
        let whole = staging.whole();
        if whole != blob.digest {
            let error = staging.wrong_whole(whole);
            return Err(self.abandon(staging, error));
        }
        self.keep(&staging, blob)?;
        self.done.blobs_written += 1;
        self.done.bytes_written += blob.size - staging.resumed_bytes();
        progress(Progress::Stored(blob.digest));
        Ok(())
    }

    /// Moves a complete, verified staging file into the store.
    fn keep(&self, staging: &Staging<'_>, blob: &Blob) -> Result<(), StoreError> {
        let (disk, place) = (self.lock.disk(), self.store.path(&blob.digest));
        disk.make_folder(parent_of(&place))?;
        disk.set_mode(staging.file(), staging.path(), self.mode(blob))?;
        disk.sync(staging.file(), staging.path())?;
        disk.rename(staging.path(), &place)?;
        self.db.blob_is_stored(self.lock, &blob.digest, blob.size)
    }

    /// A closed list of two modes: nobody writes to the store, and only the binary is executed.
    fn mode(&self, blob: &Blob) -> u32 {
        if blob.digest == self.binary {
            0o555
        } else {
            0o444
        }
    }

    /// Whether the blob is in the store. One that the journal does not know is hashed first.
    fn is_here(
        &mut self,
        blob: &Blob,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<bool, StoreError> {
        match self.store.presence(Some(self.db), blob)? {
            Presence::Absent | Presence::Staged(_) => return Ok(false),
            Presence::Stored => {}
            Presence::Unnoted => {
                let path = self.store.path(&blob.digest);
                let found = super::staging::hash_file(&path)?;
                self.done.bytes_resumed += blob.size;
                progress(Progress::Rehashed(blob.size));
                if found != blob.digest {
                    self.lock.disk().remove_file(&path)?;
                    return Ok(false);
                }
                self.db.blob_is_stored(self.lock, &blob.digest, blob.size)?;
            }
        }
        self.make_executable(blob)?;
        Ok(true)
    }

    /// A blob may have come in as something else before it became the binary.
    fn make_executable(&self, blob: &Blob) -> Result<(), StoreError> {
        let path = self.store.path(&blob.digest);
        if blob.digest == self.binary && super::staging::mode(&path)? != self.mode(blob) {
            let file = super::staging::open_for_reading(&path)?;
            self.lock.disk().set_mode(&file, &path, self.mode(blob))?;
        }
        Ok(())
    }

    /// Wrong bytes must not stay; after a failing medium the staged parts are worth keeping.
    fn abandon(&self, staging: Staging<'_>, error: StoreError) -> StoreError {
        if matches!(error, StoreError::Content(_)) {
            // The first error is the one to tell; what stays is never taken without hashing.
            staging.remove(self.lock, self.db).err();
        }
        error
    }
}

fn part_count(blob: &Blob) -> usize {
    blob.parts.len().max(1)
}

#[cfg(test)]
mod tests;
