//! A blob on its way in: one file in `staging/`, of its final length from the start, filled part by
//! part.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::{Blob, Digest};
use rustix::fs::{Mode, OFlags};
use sha2::{Digest as _, Sha256};

use super::{Store, file_length};
use crate::{Disk, Lock, Mismatch, StoreError, TrustDb};

/// 4 MiB: big enough that a USB bridge works at full speed, small enough that a handful in flight do
/// not matter beside a 200 MB budget (`field` measurements: 4 to 8 MiB).
pub(super) const BUFFER: usize = 4 << 20;

/// The staging file of one blob, and the hash of what is in it.
pub(super) struct Staging<'a> {
    blob: &'a Blob,
    path: Utf8PathBuf,
    file: OwnedFd,
    disk: Disk,
    parts_done: usize,
    resumed_bytes: u64,
    /// Of all bytes so far. For a blob that travels whole it is the part's hash too.
    whole: Sha256,
}

impl<'a> Staging<'a> {
    /// Continues the staging file of an interrupted run, or starts one.
    pub(super) fn open(
        store: &Store,
        lock: &Lock,
        db: &TrustDb,
        blob: &'a Blob,
    ) -> Result<Self, StoreError> {
        let path = store.staging_path(&blob.digest);
        let noted = db.staged_parts(&blob.digest)?;
        let continued = !noted.is_empty() && file_length(&path) == Some(blob.size);
        let file = if continued {
            let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::open(path.as_str(), flags, Mode::empty()).map_err(failed(&path))?
        } else {
            if !noted.is_empty() {
                db.forget_staged(lock, &blob.digest, 0)?;
            }
            lock.disk().remove_file(&path)?;
            let file = lock.disk().create(&path, 0o600)?;
            lock.disk().allocate(&file, &path, blob.size)?;
            file
        };
        let mut staging = Self {
            blob,
            path,
            file,
            disk: lock.disk().clone(),
            parts_done: 0,
            resumed_bytes: 0,
            whole: Sha256::new(),
        };
        if continued {
            staging.rehash(&noted)?;
            if staging.parts_done < noted.len() {
                db.forget_staged(lock, &blob.digest, staging.parts_done)?;
            }
        }
        Ok(staging)
    }

    /// Hashes the parts that the journal says are here. The first that is not what was signed, and
    /// all after it, are read from the medium again.
    fn rehash(&mut self, noted: &[Digest]) -> Result<(), StoreError> {
        let mut buffer = vec![0; BUFFER];
        for (number, noted) in noted.iter().enumerate() {
            let Some((digest, offset, size)) = part(self.blob, number) else {
                break;
            };
            let (mut hash, mut whole) = (Sha256::new(), self.whole.clone());
            let mut at = offset;
            while at < offset + size {
                let want = usize::try_from(offset + size - at).map_or(BUFFER, |n| n.min(BUFFER));
                let count =
                    read_at(&self.file, &mut buffer[..want], at).map_err(failed(&self.path))?;
                if count == 0 {
                    break;
                }
                hash.update(&buffer[..count]);
                whole.update(&buffer[..count]);
                at += count as u64;
            }
            let found = Digest::from_bytes(hash.finalize().into());
            if *noted != digest || found != digest {
                break;
            }
            self.whole = whole;
            self.parts_done += 1;
            self.resumed_bytes += size;
        }
        Ok(())
    }

    pub(super) fn parts_done(&self) -> usize {
        self.parts_done
    }

    pub(super) fn resumed_bytes(&self) -> u64 {
        self.resumed_bytes
    }

    pub(super) fn path(&self) -> &Utf8Path {
        &self.path
    }

    pub(super) fn file(&self) -> impl AsFd + '_ {
        &self.file
    }

    pub(super) fn blob(&self) -> &'a Blob {
        self.blob
    }

    /// The hash of everything up to here, to be continued.
    pub(super) fn hash_so_far(&self) -> Sha256 {
        self.whole.clone()
    }

    /// Writes bytes of the part that is being read.
    pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), StoreError> {
        Ok(self.disk.write_at(&self.file, &self.path, bytes, offset)?)
    }

    /// Takes over the hash after a part turned out right.
    pub(super) fn accept(&mut self, whole: Sha256) {
        self.whole = whole;
    }

    /// Forces a part to the disk and then notes it: never the other way round.
    pub(super) fn part_is_done(
        &mut self,
        lock: &Lock,
        db: &TrustDb,
        number: usize,
        digest: Digest,
    ) -> Result<(), StoreError> {
        self.disk.sync(&self.file, &self.path)?;
        db.part_is_staged(lock, &self.blob.digest, number, &digest)?;
        self.parts_done = number + 1;
        Ok(())
    }

    /// Digest of the whole blob, when all parts are in.
    pub(super) fn whole(&self) -> Digest {
        Digest::from_bytes(self.whole.clone().finalize().into())
    }

    /// Every part was as signed, and together they are not the signed blob: a fault of the bundle.
    pub(super) fn wrong_whole(&self, found: Digest) -> StoreError {
        StoreError::Content(Box::new(Mismatch {
            volume: "all".to_owned(),
            file: format!(
                "the {} parts of {}",
                self.blob.parts.len(),
                self.blob.digest
            ),
            blob: self.blob.digest,
            part: None,
            offset: 0,
            expected: self.blob.digest.to_string(),
            found: found.to_string(),
        }))
    }

    /// Removes the file and what the journal knows of it.
    pub(super) fn remove(self, lock: &Lock, db: &TrustDb) -> Result<(), StoreError> {
        db.forget_staged(lock, &self.blob.digest, 0)?;
        Ok(self.disk.remove_file(&self.path)?)
    }
}

/// Digest, offset and length of a part; the blob itself when it travels whole.
pub(super) fn part(blob: &Blob, number: usize) -> Option<(Digest, u64, u64)> {
    if blob.parts.is_empty() {
        return (number == 0).then_some((blob.digest, 0, blob.size));
    }
    let part = blob.parts.get(number)?;
    let offset = blob.parts.iter().take(number).map(|part| part.size).sum();
    Some((part.digest, offset, part.size))
}

/// Hashes a file of our own.
pub(super) fn hash_file(path: &Utf8Path) -> Result<Digest, StoreError> {
    let file = open_for_reading(path)?;
    let (mut hash, mut buffer, mut at) = (Sha256::new(), vec![0; BUFFER], 0);
    loop {
        let count = read_at(&file, &mut buffer, at).map_err(failed(path))?;
        if count == 0 {
            return Ok(Digest::from_bytes(hash.finalize().into()));
        }
        hash.update(&buffer[..count]);
        at += count as u64;
    }
}

pub(super) fn open_for_reading(path: &Utf8Path) -> Result<OwnedFd, StoreError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path.as_str(), flags, Mode::empty()).map_err(failed(path))
}

/// Permission bits of a file of our own.
pub(super) fn mode(path: &Utf8Path) -> Result<u32, StoreError> {
    let status = rustix::fs::lstat(path.as_str()).map_err(failed(path))?;
    Ok(status.st_mode & 0o777)
}

fn read_at(file: &OwnedFd, buffer: &mut [u8], at: u64) -> Result<usize, rustix::io::Errno> {
    loop {
        match rustix::io::pread(file, &mut *buffer, at) {
            Err(rustix::io::Errno::INTR) => {}
            other => return other,
        }
    }
}

fn failed(path: &Utf8Path) -> impl FnOnce(rustix::io::Errno) -> StoreError + '_ {
    move |errno| StoreError::Read {
        path: path.to_owned(),
        source: io::Error::from(errno),
    }
}
