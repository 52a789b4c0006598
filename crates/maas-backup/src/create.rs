//! Making a backup while the services run.
//!
//! Every file is copied first and what is sealed is the copy: a file that changes meanwhile cannot get
//! another digest than the manifest has, and a database is the state of one moment.

use std::io::{Read as _, Write};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err::os::unix::fs::OpenOptionsExt as _;
use jiff::Timestamp;
use maas_types::Digest;
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};

use crate::{
    Access, BackupError, Entry, EntryName, Kind, Manifest, Owner,
    age::{Random, Seal},
    archive, database, fingerprint,
    scratch::Scratch,
};

/// Something to back up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name in the backup.
    pub name: EntryName,
    /// Where it comes from.
    pub source: Source,
    /// Who may read it once restored.
    pub access: Access,
    /// Whose it is once restored.
    pub owner: Owner,
}

/// Where something that is backed up comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder, made by a restore. What lies in it are items of their own, and every folder that has
    /// one is an item, because nothing else says who may enter it.
    Folder,
    /// A plain file.
    File(Utf8PathBuf),
    /// A SQLite database, which others may be writing to.
    Database(Utf8PathBuf),
}

/// What a backup is made of.
#[derive(Debug, Clone, Copy)]
pub struct Making<'a> {
    /// What goes in, in any order.
    pub items: &'a [Item],
    /// A folder with room for a copy of all of it, on a disk that secrets may lie on; `backup.partial`
    /// in it is used and removed.
    pub scratch: &'a Utf8Path,
    /// The program and its version.
    pub made_by: &'a str,
    /// The name of the host.
    pub host: &'a str,
    /// The time now.
    pub now: Timestamp,
}

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// What is in it.
    pub manifest: Manifest,
    /// How many bytes were written.
    pub bytes: u64,
    /// Of the bytes that were written. Kept elsewhere, it shows later that a file is this one: a
    /// backup sealed to a public key could be anybody's.
    pub digest: Digest,
}

/// Makes a backup and writes it to `out`, which the caller forces to the disk and puts in place. What
/// was written before an error is no backup, and no reader takes it for one.
pub fn create<W: Write>(
    what: &Making<'_>,
    seal: &Seal<'_>,
    out: W,
    random: Random<'_>,
) -> Result<Created, BackupError> {
    let scratch = Scratch::claim(what.scratch)?;
    let mut copies = std::collections::BTreeMap::new();
    let mut entries = Vec::with_capacity(what.items.len());
    for (number, item) in what.items.iter().enumerate() {
        entries.push(take(item, &scratch, number)?);
        copies.insert(item.name.clone(), number);
    }
    let manifest = Manifest::new(what.now, what.made_by, what.host, entries)?;
    let content = |entry: &Entry| {
        let path = scratch.path(copies[&entry.name]);
        fs_err::File::open(&path).map_err(BackupError::file("read", path))
    };
    let (bytes, digest) = archive::pack(&manifest, content, seal, out, random)?;
    Ok(Created {
        manifest,
        bytes,
        digest,
    })
}

fn take(item: &Item, scratch: &Scratch, number: usize) -> Result<Entry, BackupError> {
    let (kind, size, sha256) = match &item.source {
        Source::Folder => (Kind::Folder, 0, fingerprint::of(b"")),
        Source::File(path) => {
            let (size, digest) = copy(path, Some(&mut scratch.create(number)?))?;
            (Kind::File, size, digest)
        }
        Source::Database(path) => {
            // Made first, so that it is its owner's only from the beginning.
            drop(scratch.create(number)?);
            let to = scratch.path(number);
            database::copy(path, &to)?;
            if let Some(detail) = database::problem(&to)? {
                let path = path.clone();
                return Err(BackupError::DatabaseDamaged { path, detail });
            }
            let (size, digest) = copy(&to, None)?;
            (Kind::Database, size, digest)
        }
    };
    Ok(Entry {
        name: item.name.clone(),
        kind,
        size,
        sha256,
        access: item.access,
        owner: item.owner,
    })
}

/// Reads a plain file once: counts, hashes and copies it.
fn copy(path: &Utf8Path, mut to: Option<&mut fs_err::File>) -> Result<(u64, Digest), BackupError> {
    // Not blocking: a pipe in the place of a file must not hang the backup.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = fs_err::OpenOptions::new();
    options.read(true).custom_flags(flags.bits().cast_signed());
    let plain = path.symlink_metadata();
    let plain = plain.map_err(BackupError::file("read", path))?.is_file();
    if !plain {
        let path = path.to_owned();
        return Err(BackupError::NotPlain { path });
    }
    let file = options.open(path);
    let mut file = file.map_err(BackupError::file("read", path))?;
    let still = file.metadata();
    if !still.map_err(BackupError::file("read", path))?.is_file() {
        let path = path.to_owned();
        return Err(BackupError::NotPlain { path });
    }
    let (mut hash, mut size) = (Sha256::new(), 0);
    let mut piece = vec![0; 64 << 10];
    loop {
        let count = file.read(&mut piece);
        let count = count.map_err(BackupError::file("read", path))?;
        if count == 0 {
            return Ok((size, Digest::from_bytes(hash.finalize().into())));
        }
        hash.update(&piece[..count]);
        size += count as u64;
        if let Some(to) = &mut to {
            let written = to.write_all(&piece[..count]);
            written.map_err(BackupError::file("copy", path))?;
        }
    }
}
