//! The archive inside the envelope: zstd of a ustar stream, the manifest first (clauses 2 and 3).
//!
//! Threats: a header that says another size, type, name or mode than the manifest; links, devices,
//! long names, sparse files; an archive that unpacks to more than it says; something after the end.
//! Defence: no header is interpreted. The manifest says what must come, this code makes the one header
//! that it may have, and the bytes are compared. The window of the compression is 8 MiB at most, and
//! never more is unpacked than the manifest's sizes.

use std::io::{BufReader, Read, Write};

use jiff::Timestamp;
use maas_types::Digest;
use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

use crate::{
    BackupError, Damage, Entry, Kind, Manifest,
    age::{self, Open, Opened, Random, Seal},
    fingerprint::Fingerprint,
    manifest::{LONGEST, NAME},
};

const BLOCK: usize = 512;
const PIECE: usize = 64 << 10;
/// zstd's default: databases shrink to a third, faster than a disk writes.
const LEVEL: i32 = 3;
const WINDOW_LOG: u32 = 23;

/// Writes a backup to `out`; `content` gives the bytes of each file. Says how long it is and its
/// digest.
pub(crate) fn pack<W: Write, C: Read>(
    manifest: &Manifest,
    mut content: impl FnMut(&Entry) -> Result<C, BackupError>,
    seal: &Seal<'_>,
    out: W,
    random: Random<'_>,
) -> Result<(u64, Digest), BackupError> {
    let sealed = age::seal(Fingerprint::new(out), seal, random)?;
    let mut tar = zstd::Encoder::new(sealed, LEVEL).map_err(BackupError::writing)?;
    let bytes = manifest.to_bytes();
    let mut write = |bytes: &[u8]| tar.write_all(bytes).map_err(BackupError::writing);
    write(manifest_header(bytes.len() as u64, manifest.seconds()).as_bytes())?;
    write(&bytes)?;
    write(padding(bytes.len() as u64))?;
    for entry in &manifest.entries {
        write(entry_header(entry, manifest.seconds()).as_bytes())?;
        if entry.kind != Kind::Folder {
            copy(entry, content(entry)?, &mut write)?;
            write(padding(entry.size))?;
        }
    }
    write(&[0; 2 * BLOCK])?;
    let sealed = tar.finish().map_err(BackupError::writing)?;
    let (_, bytes, digest) = sealed.finish().map_err(BackupError::writing)?.finish();
    Ok((bytes, digest))
}

/// Exactly as many bytes as the header has promised.
fn copy(
    entry: &Entry,
    mut content: impl Read,
    write: &mut impl FnMut(&[u8]) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let mut left = entry.size;
    let mut piece = vec![0; PIECE];
    while left > 0 {
        let want = PIECE.min(usize::try_from(left).unwrap_or(PIECE));
        let read = content.read_exact(&mut piece[..want]);
        read.map_err(BackupError::file("read the copy of", entry.name.as_str()))?;
        write(&piece[..want])?;
        left -= want as u64;
    }
    Ok(())
}

/// A backup that is being read; its files come in the order of its manifest.
pub(crate) struct Unpack<R: Read> {
    manifest: Manifest,
    digest: Digest,
    tar: zstd::Decoder<'static, BufReader<Opened<Fingerprint<R>>>>,
}

impl<R: Read> Unpack<R> {
    /// Opens the envelope and reads the manifest.
    pub(crate) fn open(read: R, open: &Open<'_>) -> Result<Self, BackupError> {
        let opened = age::open(Fingerprint::new(read), open)?;
        let tar = zstd::Decoder::with_buffer(BufReader::with_capacity(PIECE, opened));
        let mut tar = tar.map_err(BackupError::reading)?.single_frame();
        tar.window_log_max(WINDOW_LOG)
            .map_err(BackupError::reading)?;
        let (manifest, digest) = read_manifest(&mut tar)?;
        Ok(Self {
            manifest,
            digest,
            tar,
        })
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Of the manifest's bytes: two backups with the same one hold the same.
    pub(crate) fn manifest_digest(&self) -> Digest {
        self.digest
    }

    /// Reads the next entry, which must be this one, gives its bytes to `to` and checks them.
    pub(crate) fn next(
        &mut self,
        entry: &Entry,
        mut to: impl FnMut(&[u8]) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let name = entry.name.as_str();
        let header = entry_header(entry, self.manifest.seconds());
        expect(&mut self.tar, header.as_bytes(), name)?;
        let mut hash = Sha256::new();
        let mut left = entry.size;
        let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
        while left > 0 {
            let want = piece.len().min(usize::try_from(left).unwrap_or(PIECE));
            read_exact(&mut self.tar, &mut piece[..want], name)?;
            hash.update(&piece[..want]);
            to(&piece[..want])?;
            left -= want as u64;
        }
        let found = Digest::from_bytes(hash.finalize().into());
        if found != entry.sha256 {
            return Err(Damage::Content {
                name: entry.name.clone(),
                expected: entry.sha256,
                found,
            }
            .into());
        }
        expect(&mut self.tar, padding(entry.size), name)
    }

    /// Reads the end, and that it is the end; says how long the backup is and its digest.
    pub(crate) fn finish(mut self) -> Result<(u64, Digest), BackupError> {
        expect(&mut self.tar, &[0; 2 * BLOCK], "the end")?;
        if self.tar.read(&mut [0]).map_err(BackupError::reading)? != 0 {
            return Err(Damage::Trailing.into());
        }
        let mut rest = self.tar.finish();
        if rest.read(&mut [0]).map_err(BackupError::reading)? != 0 {
            return Err(Damage::Trailing.into());
        }
        let (_, bytes, digest) = rest.into_inner().into_inner().finish();
        Ok((bytes, digest))
    }
}

fn read_manifest(tar: &mut impl Read) -> Result<(Manifest, Digest), BackupError> {
    let mut header = [0; BLOCK];
    read_exact(tar, &mut header, NAME)?;
    let archive = || Damage::Archive {
        name: NAME.to_owned(),
    };
    // The one number that nothing has promised; what else the header says is compared below.
    let size = Header::from_byte_slice(&header).entry_size().ok();
    let size = size.filter(|size| *size <= LONGEST).ok_or_else(archive)?;
    let mut bytes = Vec::new();
    tar.take(size)
        .read_to_end(&mut bytes)
        .map_err(BackupError::reading)?;
    if bytes.len() as u64 != size {
        return Err(archive().into());
    }
    let manifest = Manifest::parse(&bytes)?;
    if header != *manifest_header(size, manifest.seconds()).as_bytes() {
        return Err(archive().into());
    }
    expect(tar, padding(size), NAME)?;
    Ok((manifest, crate::fingerprint::of(&bytes)))
}

fn expect(tar: &mut impl Read, expected: &[u8], name: &str) -> Result<(), BackupError> {
    let mut found = vec![0; expected.len()];
    read_exact(tar, &mut found, name)?;
    if found == expected {
        return Ok(());
    }
    let name = name.to_owned();
    Err(Damage::Archive { name }.into())
}

/// As `Read::read_exact`, but an early end says where.
fn read_exact(tar: &mut impl Read, into: &mut [u8], name: &str) -> Result<(), BackupError> {
    let mut done = 0;
    while done < into.len() {
        match tar.read(&mut into[done..]).map_err(BackupError::reading)? {
            0 => {
                let name = name.to_owned();
                return Err(Damage::Archive { name }.into());
            }
            count => done += count,
        }
    }
    Ok(())
}

pub(crate) fn manifest_header(size: u64, seconds: u64) -> Header {
    header(NAME, size, EntryType::Regular, 0o600, seconds)
}

fn entry_header(entry: &Entry, seconds: u64) -> Header {
    let mode = entry.access.mode(entry.kind);
    let kind = match entry.kind {
        Kind::Folder => EntryType::Directory,
        Kind::File | Kind::Database => EntryType::Regular,
    };
    header(entry.name.as_str(), entry.size, kind, mode, seconds)
}

/// The one header that such an entry has.
fn header(name: &str, size: u64, kind: EntryType, mode: u32, seconds: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_path(name).expect("a name fits into ustar");
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(seconds);
    header.set_size(size);
    header.set_cksum();
    header
}

/// Zeros up to the next block.
fn padding(size: u64) -> &'static [u8] {
    let over = usize::try_from(size % BLOCK as u64).expect("less than a block");
    &[0; BLOCK][..(BLOCK - over) % BLOCK]
}

/// Writes texts as zstd of a ustar stream: a support bundle, which needs no manifest.
pub(crate) fn pack_texts<'a, W: Write>(
    files: impl Iterator<Item = (&'a str, &'a String)>,
    now: Timestamp,
    out: W,
) -> Result<W, BackupError> {
    let mut tar = zstd::Encoder::new(out, LEVEL).map_err(BackupError::writing)?;
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    for (name, text) in files {
        let size = text.len() as u64;
        let header = header(name, size, EntryType::Regular, 0o600, seconds);
        let parts = [header.as_bytes(), text.as_bytes(), padding(size)];
        for part in parts {
            tar.write_all(part).map_err(BackupError::writing)?;
        }
    }
    tar.write_all(&[0; 2 * BLOCK])
        .map_err(BackupError::writing)?;
    tar.finish().map_err(BackupError::writing)
}
