//! SHA-256 of what passes by.

use std::io::{self, Read, Write};

use maas_types::Digest;
use sha2::{Digest as _, Sha256};

/// The digest of some bytes.
pub(crate) fn of(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

/// Counts and hashes what is read or written through it.
pub(crate) struct Fingerprint<T> {
    inner: T,
    hash: Sha256,
    bytes: u64,
}

impl<T> Fingerprint<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            bytes: 0,
        }
    }

    /// The inner stream, the count and the digest.
    pub(crate) fn finish(self) -> (T, u64, Digest) {
        let digest = Digest::from_bytes(self.hash.finalize().into());
        (self.inner, self.bytes, digest)
    }

    fn saw(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

impl<R: Read> Read for Fingerprint<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.saw(&into[..count]);
        Ok(count)
    }
}

impl<W: Write> Write for Fingerprint<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.saw(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
