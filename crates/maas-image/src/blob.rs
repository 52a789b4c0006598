//! Blobs of a layout, hashed while they are read.

use std::io::{self, Read};

use camino::Utf8Path;
use fs_err::File;
use maas_types::Digest;
use rustix::fs::{CWD, Mode, OFlags, openat};
use sha2::{Digest as _, Sha256};

use crate::{
    document::{Descriptor, blob_path, wrong},
    error::ImageError,
};

/// Longest document, bytes. Registries take 4 MiB of a manifest; configs of real images have 100 KB.
const LONGEST: u64 = 8 << 20;

/// A reader that hashes and counts what passes.
#[derive(Debug)]
pub(crate) struct Hashed<R> {
    inner: R,
    hasher: Sha256,
    count: u64,
}

impl<R: Read> Hashed<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            hasher: Sha256::new(),
            count: 0,
        }
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// Digest of all that passed.
    pub(crate) fn digest(&self) -> Digest {
        Digest::from_bytes(self.hasher.clone().finalize().into())
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.count += count as u64;
        Ok(count)
    }
}

/// Opens a blob that has as many bytes as announced. Links are not followed: blobs are files.
pub(crate) fn open(
    layout: &Utf8Path,
    digest: &Digest,
    size: u64,
) -> Result<Hashed<File>, ImageError> {
    let path = blob_path(layout, digest);
    let file = open_file(&path)?;
    let found = file
        .metadata()
        .map_err(|error| ImageError::io("look at", path.as_str(), error))?;
    if found.len() != size || !found.is_file() {
        return Err(ImageError::Length {
            wanted: size,
            found: found.len(),
            path,
        });
    }
    Ok(Hashed::new(file))
}

/// Reads a document that a descriptor announces, and checks that it is that one.
pub(crate) fn read_document(
    what: &'static str,
    layout: &Utf8Path,
    descriptor: &Descriptor,
) -> Result<Vec<u8>, ImageError> {
    let path = blob_path(layout, &descriptor.digest);
    if descriptor.size > LONGEST {
        return Err(too_long(what, &path));
    }
    let mut blob = open(layout, &descriptor.digest, descriptor.size)?;
    let mut bytes = Vec::new();
    let read = blob.by_ref().take(LONGEST).read_to_end(&mut bytes);
    read.map_err(|error| ImageError::io("read", path.as_str(), error))?;
    is(layout, &descriptor.digest, &blob)?;
    Ok(bytes)
}

/// Reads a file of the layout itself.
pub(crate) fn read_small(what: &'static str, path: &Utf8Path) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    let read = open_file(path)?.take(LONGEST + 1).read_to_end(&mut bytes);
    match read.map_err(|error| ImageError::io("read", path.as_str(), error))? as u64 {
        LONGEST.. => Err(too_long(what, path)),
        _ => Ok(bytes),
    }
}

/// Whether all that was read is the blob of this name.
pub(crate) fn is<R: Read>(
    layout: &Utf8Path,
    wanted: &Digest,
    read: &Hashed<R>,
) -> Result<(), ImageError> {
    let found = read.digest();
    if found == *wanted {
        return Ok(());
    }
    Err(ImageError::Damaged {
        path: blob_path(layout, wanted),
        wanted: *wanted,
        found,
    })
}

fn open_file(path: &Utf8Path) -> Result<File, ImageError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(CWD, path.as_std_path(), flags, Mode::empty())
        .map_err(|errno| ImageError::io("open", path.as_str(), errno.into()))?;
    Ok(File::from_parts(file.into(), path.as_std_path()))
}

fn too_long(what: &'static str, path: &Utf8Path) -> ImageError {
    wrong(what, path, format!("it is longer than {LONGEST} bytes"))
}
