//! A blob on its way in: one file in `staging/`, of its final length from the start, whose parts come
//! in any order, from any lane, in any run.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::{Blob, Digest};
use parking_lot::Mutex;
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use sha2::Sha256;

use super::{Store, file_length};
use crate::{Disk, DiskError, Lock, Mismatch, StoreError, TrustDb};

/// A part of a blob; the blob itself when it travels whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) digest: Digest,
    /// Where in the blob it begins, bytes.
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// What a blob is put together from, in order.
pub(super) fn pieces(blob: &Blob) -> Vec<Piece> {
    if blob.parts.is_empty() {
        return vec![Piece {
            digest: blob.digest,
            offset: 0,
            size: blob.size,
        }];
    }
    let mut offset = 0;
    let pieces = blob.parts.iter().map(|part| {
        let piece = Piece {
            digest: part.digest,
            offset,
            size: part.size,
        };
        offset += part.size;
        piece
    });
    pieces.collect()
}

/// For each piece of a blob, whether the journal says that it lies in staging. A part that the
/// journal knows under another digest is of another time, and does not count.
pub(super) fn staged(db: &TrustDb, blob: &Blob) -> Result<Vec<bool>, StoreError> {
    let noted = db.staged_parts(&blob.digest)?;
    let pieces = pieces(blob).into_iter().enumerate();
    let here = pieces.map(|(number, piece)| noted.get(&number) == Some(&piece.digest));
    Ok(here.collect())
}

/// The staging file of one blob.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) blob: &'a Blob,
    pub(super) pieces: Vec<Piece>,
    path: Utf8PathBuf,
    disk: Disk,
    /// Whether the file is there: an earlier run's, or made by the first lane that needs it.
    made: Mutex<bool>,
    /// The hash of the whole blob, as far as its parts went by in order.
    pub(super) passing: Mutex<Passing>,
}

impl<'a> Target<'a> {
    /// Takes over what an interrupted run has left, and forgets what is of no use: parts without a
    /// file of the right length. Says which pieces are staged.
    pub(super) fn prepare(
        store: &Store,
        lock: &Lock,
        db: &TrustDb,
        blob: &'a Blob,
    ) -> Result<(Self, Vec<bool>), StoreError> {
        let path = store.staging_path(&blob.digest);
        let pieces = pieces(blob);
        let mut staged = staged(db, blob)?;
        let made = staged.contains(&true) && file_length(&path) == Some(blob.size);
        if !made {
            if !db.staged_parts(&blob.digest)?.is_empty() {
                db.forget_staged(lock, &blob.digest)?;
            }
            staged.fill(false);
        }
        let target = Self {
            blob,
            pieces,
            path,
            disk: lock.disk().clone(),
            made: Mutex::new(made),
            passing: Mutex::new(Passing::default()),
        };
        Ok((target, staged))
    }

    pub(super) fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Whether the blob is its own only part. Hashing it twice would halve the speed.
    pub(super) fn is_whole(&self) -> bool {
        self.blob.parts.is_empty()
    }

    /// Opens the file to write to it, and makes it where there is none: with all its room set aside,
    /// so that a full disk is found out before the first byte is written.
    pub(super) fn open(&self) -> Result<OwnedFd, StoreError> {
        let mut made = self.made.lock();
        if *made {
            let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let opened = rustix::fs::open(self.path.as_str(), flags, Mode::empty());
            return opened.map_err(failed(&self.path));
        }
        self.disk.remove_file(&self.path)?;
        let file = self.disk.create(&self.path, 0o600)?;
        self.disk.allocate(&file, &self.path, self.blob.size)?;
        *made = true;
        Ok(file)
    }

    /// Writes bytes of a part.
    pub(super) fn write_at(
        &self,
        file: impl AsFd,
        bytes: &[u8],
        offset: u64,
    ) -> Result<(), DiskError> {
        self.disk.write_at(file, &self.path, bytes, offset)
    }

    /// Forces what was written to the disk.
    pub(super) fn sync(&self, file: impl AsFd) -> Result<(), DiskError> {
        self.disk.sync(file, &self.path)
    }

    /// Every part was as signed, and together they are not the signed blob: a fault of the bundle.
    pub(super) fn wrong_whole(&self, found: Digest) -> StoreError {
        let (digest, parts) = (self.blob.digest, self.pieces.len());
        StoreError::Content(Box::new(Mismatch {
            volume: "all".to_owned(),
            file: format!("the {parts} parts of {digest}"),
            blob: digest,
            part: None,
            offset: 0,
            expected: digest.to_string(),
            found: found.to_string(),
        }))
    }
}

/// The hash of a blob whose parts go by. It follows one lane, as long as that reads the parts in
/// order from the first; the rest is hashed from the staging file.
#[derive(Debug, Clone, Default)]
pub(super) struct Passing {
    hash: Sha256,
    next: usize,
    taken: bool,
    broken: bool,
}

impl Passing {
    /// The hash so far, to be continued with this part; `None` when another part comes next.
    pub(super) fn take(&mut self, number: usize) -> Option<Sha256> {
        let follows = number == self.next && !self.taken && !self.broken;
        self.taken |= follows;
        follows.then(|| self.hash.clone())
    }

    /// The part went by completely.
    pub(super) fn give_back(&mut self, hash: Sha256) {
        self.hash = hash;
        self.next += 1;
        self.taken = false;
    }

    /// The part broke off; it may go by again.
    pub(super) fn put_down(&mut self) {
        self.taken = false;
    }

    /// A part that went by was wrong: nothing of this is to be used.
    pub(super) fn spoil(&mut self) {
        *self = Self {
            broken: true,
            ..Self::default()
        };
    }

    /// The hash, and how many parts are in it.
    pub(super) fn so_far(&self) -> (Sha256, usize) {
        (self.hash.clone(), self.next)
    }
}

/// Opens a file of our own.
pub(super) fn open_for_reading(path: &Utf8Path) -> Result<OwnedFd, StoreError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path.as_str(), flags, Mode::empty()).map_err(failed(path))
}

/// Permission bits of a file of our own.
pub(super) fn mode(path: &Utf8Path) -> Result<u32, StoreError> {
    let status = rustix::fs::lstat(path.as_str()).map_err(failed(path))?;
    Ok(status.st_mode & 0o777)
}

pub(super) fn failed(path: &Utf8Path) -> impl FnOnce(Errno) -> StoreError + '_ {
    move |errno| StoreError::Read {
        path: path.to_owned(),
        source: io::Error::from(errno),
    }
}
