//! Whether a backup could be restored.

use std::io::{Read, Write as _};

use camino::Utf8Path;
use maas_types::Digest;

use crate::{
    BackupError, Damage, Kind, Manifest, age::Open, archive::Unpack, database, scratch::Scratch,
};

/// A backup that was read to its end and found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What is in it.
    pub manifest: Manifest,
    /// How many bytes it has.
    pub bytes: u64,
    /// Of its bytes; the same as when it was made, if it is the same file.
    pub digest: Digest,
}

/// Reads a whole backup, checks every digest and looks into every database. Copies of databases go
/// into `backup.partial` in `scratch`, one at a time, and are removed.
pub fn verify<R: Read>(
    read: R,
    open: &Open<'_>,
    scratch: &Utf8Path,
) -> Result<Verified, BackupError> {
    let mut unpack = Unpack::open(read, open)?;
    let manifest = unpack.manifest().clone();
    let scratch = Scratch::claim(scratch)?;
    for (number, entry) in manifest.entries.iter().enumerate() {
        if entry.kind != Kind::Database {
            unpack.next(entry, |_| Ok(()))?;
            continue;
        }
        let path = scratch.path(number);
        let mut copy = scratch.create(number)?;
        unpack.next(entry, |bytes| {
            copy.write_all(bytes)
                .map_err(BackupError::file("write", &path))
        })?;
        if let Some(detail) = database::problem(&path)? {
            let name = entry.name.clone();
            return Err(Damage::Database { name, detail }.into());
        }
        fs_err::remove_file(&path).map_err(BackupError::file("remove", &path))?;
    }
    let (bytes, digest) = unpack.finish()?;
    Ok(Verified {
        manifest,
        bytes,
        digest,
    })
}
