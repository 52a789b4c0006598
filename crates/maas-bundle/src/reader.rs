//! Reading exactly what was signed: so many bytes with that digest, and not one more.

use std::io::{self, Read};

use maas_types::Digest;
use sha2::{Digest as _, Sha256};

/// Reads at most the signed length and hashes the very bytes that it hands out (FORMAT.md 6.2).
///
/// [`HashingReader::finish`] answers whether that was all of it and whether it was right; until
/// then nothing read through it may be believed.
#[derive(Debug)]
pub struct HashingReader<R> {
    inner: R,
    left: u64,
    size: u64,
    digest: Digest,
    hash: Sha256,
}

/// How bytes differ from what was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The file ends early.
    #[error("{found} of {expected} bytes are there")]
    Short {
        /// Signed length, bytes.
        expected: u64,
        /// Bytes that were there.
        found: u64,
    },
    /// The file goes on after the signed length.
    #[error("there are more than the {expected} signed bytes")]
    Long {
        /// Signed length, bytes.
        expected: u64,
    },
    /// The bytes are others.
    #[error("the content is {found}, not {expected}")]
    Digest {
        /// Signed digest.
        expected: Digest,
        /// Digest of what was read.
        found: Digest,
    },
}

impl<R: Read> HashingReader<R> {
    /// Reads `size` bytes from `inner`, which should have this digest.
    pub fn new(inner: R, size: u64, digest: Digest) -> Self {
        Self {
            inner,
            left: size,
            size,
            digest,
            hash: Sha256::new(),
        }
    }

    /// All was read that was wanted: compares length and digest. Bytes that were signed and not yet
    /// read are read now. The outer error is the medium's.
    pub fn finish(mut self) -> io::Result<Result<Digest, Mismatch>> {
        io::copy(&mut self, &mut io::sink())?;
        if self.left > 0 {
            return Ok(Err(Mismatch::Short {
                expected: self.size,
                found: self.size - self.left,
            }));
        }
        let mut one = [0];
        loop {
            match self.inner.read(&mut one) {
                Ok(0) => break,
                Ok(_) => {
                    return Ok(Err(Mismatch::Long {
                        expected: self.size,
                    }));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let found = Digest::from_bytes(self.hash.finalize().into());
        Ok(if found == self.digest {
            Ok(found)
        } else {
            Err(Mismatch::Digest {
                expected: self.digest,
                found,
            })
        })
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self.inner.read(&mut buffer[..most])?;
        self.hash.update(&buffer[..count]);
        self.left -= count as u64;
        Ok(count)
    }
}

/// The digest of bytes in memory.
pub fn digest_of(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

/// One mebibyte: large enough that the calls cost nothing, small enough for any host.
const BUFFER: usize = 1 << 20;

/// A buffer that one operation uses for all of its files.
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    pub(crate) fn new() -> Self {
        Self(vec![0; BUFFER])
    }

    /// Hands everything that `reader` has left to `each`, piece by piece.
    pub(crate) fn pump<R: Read + ?Sized, E: From<io::Error>>(
        &mut self,
        reader: &mut R,
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            match reader.read(&mut self.0) {
                Ok(0) => return Ok(()),
                Ok(count) => each(&self.0[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(found: &[u8], signed: &[u8]) -> Result<Digest, Mismatch> {
        HashingReader::new(found, signed.len() as u64, digest_of(signed))
            .finish()
            .unwrap()
    }

    #[test]
    fn only_the_signed_bytes_pass() {
        assert_eq!(read(b"abc", b"abc"), Ok(digest_of(b"abc")));
        let short = Mismatch::Short {
            expected: 3,
            found: 2,
        };
        assert_eq!(read(b"ab", b"abc"), Err(short));
        assert_eq!(read(b"abcd", b"abc"), Err(Mismatch::Long { expected: 3 }));
        let other = Mismatch::Digest {
            expected: digest_of(b"abc"),
            found: digest_of(b"abd"),
        };
        assert_eq!(read(b"abd", b"abc"), Err(other));
    }

    #[test]
    fn a_file_without_end_is_left_after_one_byte_too_many() {
        let endless = io::repeat(0);
        let result = HashingReader::new(endless, 10, digest_of(&[0; 10])).finish();
        assert_eq!(result.unwrap(), Err(Mismatch::Long { expected: 10 }));
    }
}
