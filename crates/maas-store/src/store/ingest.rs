//! A verified bundle's blobs come in: each byte of a medium is read once, and the very buffer that is
//! hashed is the one that is written (defence against a medium that answers differently the second
//! time).
//!
//! Every volume has a lane, and lanes run at the same time. A lane reads one file after the other
//! into a few buffers; each buffer goes to a thread that writes it, one that hashes the part and one
//! that hashes the whole blob. A part that is as signed is forced to the disk and then noted in the
//! journal by the one thread that owns it. So staged parts are a set: in any order, of any volume,
//! of any run. When the set of a blob is full, the whole digest is compared (known by then, if the
//! parts went by in order; else hashed from our own disk), and then: the mode, the rename, the folder
//! forced, and noted as stored.

use maas_bundle::{Bundle, Located, Media, Verified, locate};
use maas_types::{Blob, Digest};

use self::run::Run;
use super::{Presence, Store};
use crate::{Lock, MissingBytes, StoreError, TrustDb};

mod buffers;
mod check;
mod lane;
mod plan;
mod round;
mod run;
mod stages;
mod tries;

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
    /// So many bytes were hashed from this host's own disk.
    Rehashed(u64),
    /// A blob is complete and in the store.
    Stored(Digest),
}

/// What an installation of blobs did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ingested {
    /// Bytes read from volumes. With no failing reads, exactly the bytes that were missing here and
    /// are on the volumes.
    pub bytes_read: u64,
    /// Bytes of parts that were right and are new here.
    pub bytes_written: u64,
    /// Bytes that were hashed from this host's own disk: what earlier runs had staged, and parts
    /// that did not come in order.
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
    /// Brings in every blob of the bundle that is not here yet; when something that is needed is on
    /// none of the volumes, refuses before the first write. Repeating it after any interruption
    /// reads only the parts that were not noted.
    pub fn ingest(
        &self,
        lock: &Lock,
        db: &TrustDb,
        bundle: &Verified<Bundle>,
        media: &[&dyn Media],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Ingested, StoreError> {
        let located = locate(bundle, media)?;
        let complete = |missing: Option<MissingBytes>| match missing {
            Some(missing) => Err(StoreError::Missing(Box::new(missing))),
            None => Ok(()),
        };
        complete(self.missing(Some(db), bundle, &located, media)?)?;
        let run = self.run(lock, db, bundle, media);
        let done = run.take(located.blobs(), progress)?;
        // A staged part may have rotted whose volume is not among these.
        complete(self.missing(Some(db), bundle, &located, media)?)?;
        Ok(done)
    }

    /// Brings in what is on these volumes and not here, and says what is still missing. Called with
    /// one volume after the other, in any order, it ends with every blob stored and every byte read
    /// once: what came in before stays, and is not asked for again.
    pub fn ingest_available(
        &self,
        lock: &Lock,
        db: &TrustDb,
        bundle: &Verified<Bundle>,
        media: &[&dyn Media],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Ingested, Option<MissingBytes>), StoreError> {
        let located = locate(bundle, media)?;
        let run = self.run(lock, db, bundle, media);
        let done = run.take(located.blobs(), progress)?;
        let missing = self.missing(Some(db), bundle, &located, media)?;
        Ok((done, missing))
    }

    fn run<'a>(
        &'a self,
        lock: &'a Lock,
        db: &'a TrustDb,
        bundle: &Verified<Bundle>,
        media: &'a [&'a dyn Media],
    ) -> Run<'a> {
        Run {
            store: self,
            lock,
            db,
            media,
            binary: bundle.bill().binary,
            done: Ingested::default(),
        }
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
            (Presence::Staged(_), Some(db)) => plan::is_staged(db, blob, object)?,
            (Presence::Staged(_), None) | (Presence::Absent, _) => false,
        })
    }
}

#[cfg(test)]
mod tests;
