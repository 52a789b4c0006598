//! Blobs by digest: `store/sha256/ab/<64 hex digits>`, read-only, each verified on its way in.

mod ingest;
mod quarantine;
mod staging;
mod wanted;

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err::File;
use maas_types::{Blob, Digest, Layout};
use rustix::fs::FileType;

pub use self::ingest::{Ingested, Progress};
pub(crate) use self::wanted::Wanted;
use crate::{StoreError, TrustDb};

/// The content store of one appliance.
#[derive(Debug, Clone)]
pub struct Store {
    blobs: Utf8PathBuf,
    quarantine: Utf8PathBuf,
    staging: Utf8PathBuf,
    wanted: Utf8PathBuf,
}

/// How much of a blob is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// All of it, verified when it came in.
    Stored,
    /// A file of its name and length lies in the store, but the journal does not know it: the power
    /// went between the last two steps. It is hashed before it counts.
    Unnoted,
    /// So many bytes of it lie in staging, in parts that were right when they came in, and room for
    /// the rest is set aside.
    Staged(u64),
    /// Nothing.
    Absent,
}

impl Store {
    /// The store of this appliance. Makes nothing.
    pub fn new(layout: &Layout) -> Self {
        Self {
            blobs: layout.store().join("sha256"),
            quarantine: layout.quarantine(),
            staging: layout.staging(),
            wanted: layout.wanted(),
        }
    }

    /// Where a blob lies when it is here.
    pub fn path(&self, digest: &Digest) -> Utf8PathBuf {
        let hex = digest.hex();
        self.blobs.join(&hex[..2]).join(hex)
    }

    /// Every file in the store that has the name of a blob, and its length in bytes. A name that is none is
    /// passed over.
    pub(crate) fn files(&self) -> Result<BTreeMap<Digest, u64>, StoreError> {
        let mut files = BTreeMap::new();
        for folder in entries(&self.blobs)? {
            if !folder.is_dir() || folder.is_symlink() {
                continue;
            }
            for path in entries(&folder)? {
                let digest = path.file_name().map(Digest::from_hex);
                if let (Some(Ok(digest)), Some(length)) = (digest, file_length(&path)) {
                    files.insert(digest, length);
                }
            }
        }
        Ok(files)
    }

    /// The first `limit` bytes of a blob that is here, or all of a shorter one.
    pub fn head(&self, digest: &Digest, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.path(digest))?
            .take(limit)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// How much of a blob is here. Looks at names, lengths and the journal; reads no content.
    pub fn presence(&self, db: Option<&TrustDb>, blob: &Blob) -> Result<Presence, StoreError> {
        if file_length(&self.path(&blob.digest)) == Some(blob.size) {
            let noted = match db {
                Some(db) => db.stored_size(&blob.digest)?,
                None => None,
            };
            return Ok(if noted == Some(blob.size) {
                Presence::Stored
            } else {
                Presence::Unnoted
            });
        }
        let Some(db) = db else {
            return Ok(Presence::Absent);
        };
        if file_length(&self.staging_path(&blob.digest)) != Some(blob.size) {
            return Ok(Presence::Absent);
        }
        let staged = staging::staged(db, blob)?;
        let pieces = staging::pieces(blob).into_iter().zip(staged);
        let bytes = pieces.map(|(piece, here)| if here { piece.size } else { 0 });
        Ok(Presence::Staged(bytes.sum()))
    }

    /// Bytes of disk that a blob occupies already, stored or with room set aside in staging.
    pub fn on_disk(&self, blob: &Blob) -> u64 {
        // `stat(2)`: blocks are counted in units of 512 bytes, whatever the file system uses.
        let occupied = |path: &Utf8Path| {
            let status = rustix::fs::lstat(path.as_str()).ok()?;
            Some(
                u64::try_from(status.st_blocks)
                    .unwrap_or(0)
                    .saturating_mul(512),
            )
        };
        occupied(&self.path(&blob.digest))
            .or_else(|| occupied(&self.staging_path(&blob.digest)))
            .map_or(0, |bytes| bytes.min(blob.size))
    }

    fn staging_path(&self, digest: &Digest) -> Utf8PathBuf {
        self.staging.join(digest.hex())
    }
}

/// Length of a regular file; `None` for anything else, a link among them.
pub(crate) fn file_length(path: &Utf8Path) -> Option<u64> {
    let status = rustix::fs::lstat(path.as_str()).ok()?;
    (FileType::from_raw_mode(status.st_mode) == FileType::RegularFile)
        .then(|| u64::try_from(status.st_size).unwrap_or(0))
}

/// Which file lies under a name: its device and number; `None` for anything but a regular file.
pub(crate) fn inode(path: &Utf8Path) -> Option<(u64, u64)> {
    let status = rustix::fs::lstat(path.as_str()).ok()?;
    (FileType::from_raw_mode(status.st_mode) == FileType::RegularFile)
        .then_some((status.st_dev, status.st_ino))
}

/// What a folder holds, by name; nothing, where there is no such folder.
pub(crate) fn entries(folder: &Utf8Path) -> Result<Vec<Utf8PathBuf>, StoreError> {
    let read = || -> io::Result<Vec<Utf8PathBuf>> {
        let entries = folder.read_dir_utf8()?;
        let mut paths: Vec<_> = entries
            .map(|entry| Ok(entry?.into_path()))
            .collect::<io::Result<_>>()?;
        paths.sort();
        Ok(paths)
    };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(|source| StoreError::Read {
            path: folder.to_owned(),
            source,
        }),
    }
}
