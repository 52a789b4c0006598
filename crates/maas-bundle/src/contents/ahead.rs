//! Reading ahead of the hashes: one thread reads, this one hashes the part, a third the whole. A medium is
//! slower than a core hashes, so it never waits; a blob in parts costs two hashes, on two cores.

use std::{
    io::{self, Read},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use maas_types::Digest;
use sha2::{Digest as _, Sha256};

use crate::Mismatch;

/// Big enough that a USB bridge works at full speed; a handful of them are in memory at once.
const BUFFER: usize = 4 << 20;

/// Buffers that wait for a hash.
const IN_FLIGHT: usize = 2;

/// Below this, threads cost more than they save.
const WORTH_IT: u64 = 2 * BUFFER as u64;

type Chunk = io::Result<Arc<Vec<u8>>>;

/// What was signed of one object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signed {
    pub(super) size: u64,
    pub(super) digest: Digest,
}

/// Whether reading ahead is worth its threads.
pub(super) fn is_worth_it(signed: &Signed) -> bool {
    signed.size >= WORTH_IT
}

/// Reads at most the signed length and one byte more, and compares. `whole` goes on hashing the blob that
/// the object is a part of; `count` hears of bytes.
pub(super) fn compare(
    reader: Box<dyn Read + Send + '_>,
    signed: &Signed,
    whole: Option<&mut Sha256>,
    count: &mut dyn FnMut(u64),
) -> io::Result<Result<(), Mismatch>> {
    thread::scope(|scope| {
        let (send, receive) = sync_channel(IN_FLIGHT);
        let limit = signed.size.saturating_add(1);
        scope.spawn(move || read_all(reader, limit, &send));
        let Some(whole) = whole else {
            return hash(&receive, signed, None, count);
        };
        let (send, second) = sync_channel::<Arc<Vec<u8>>>(IN_FLIGHT);
        let mut hashing = whole.clone();
        let second = scope.spawn(move || {
            for chunk in second {
                hashing.update(chunk.as_slice());
            }
            hashing
        });
        let compared = hash(&receive, signed, Some(&send), count);
        drop(send);
        if let Ok(hashed) = second.join() {
            *whole = hashed;
        }
        compared
    })
}

/// Returning early ends the reading thread, because nobody takes its buffers any more.
fn hash(
    receive: &Receiver<Chunk>,
    signed: &Signed,
    whole: Option<&SyncSender<Arc<Vec<u8>>>>,
    count: &mut dyn FnMut(u64),
) -> io::Result<Result<(), Mismatch>> {
    let mut hash = Sha256::new();
    let mut found = 0_u64;
    for chunk in receive {
        let chunk = chunk?;
        found += chunk.len() as u64;
        if found > signed.size {
            return Ok(Err(Mismatch::Long {
                expected: signed.size,
            }));
        }
        if let Some(whole) = whole {
            // It ends only when this end is dropped.
            whole.send(Arc::clone(&chunk)).ok();
        }
        hash.update(chunk.as_slice());
        count(chunk.len() as u64);
    }
    if found < signed.size {
        return Ok(Err(Mismatch::Short {
            expected: signed.size,
            found,
        }));
    }
    let found = Digest::from_bytes(hash.finalize().into());
    Ok(if found == signed.digest {
        Ok(())
    } else {
        Err(Mismatch::Digest {
            expected: signed.digest,
            found,
        })
    })
}

fn read_all(reader: Box<dyn Read + Send + '_>, limit: u64, send: &SyncSender<Chunk>) {
    let mut reader = reader.take(limit);
    loop {
        let mut buffer = Vec::with_capacity(BUFFER);
        let read = reader.by_ref().take(BUFFER as u64).read_to_end(&mut buffer);
        let last = !matches!(read, Ok(count) if count == BUFFER);
        let chunk = read.map(|_| Arc::new(buffer));
        let is_empty = matches!(&chunk, Ok(buffer) if buffer.is_empty());
        if (!is_empty && send.send(chunk).is_err()) || last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest_of;

    fn compared(bytes: &[u8], signed: &Signed) -> (io::Result<Result<(), Mismatch>>, Digest) {
        let mut whole = Sha256::new();
        whole.update(b"before");
        let compared = compare(
            Box::new(io::Cursor::new(bytes.to_vec())),
            signed,
            Some(&mut whole),
            &mut |_| {},
        );
        (compared, Digest::from_bytes(whole.finalize().into()))
    }

    #[test]
    fn part_and_whole_are_hashed_of_the_same_bytes() {
        for size in [0, 1, BUFFER - 1, BUFFER, BUFFER + 1, 3 * BUFFER + 7] {
            let bytes: Vec<u8> = (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let signed = Signed {
                size: size as u64,
                digest: digest_of(&bytes),
            };
            let (right, whole) = compared(&bytes, &signed);
            assert_eq!(right.unwrap(), Ok(()), "{size}");
            assert_eq!(whole, digest_of(&[&b"before"[..], &bytes].concat()));
        }
    }

    #[test]
    fn what_is_short_long_or_other_is_told_apart() {
        let bytes = vec![7; BUFFER + 100];
        let signed = Signed {
            size: bytes.len() as u64,
            digest: digest_of(&bytes),
        };
        let (short, _) = compared(&bytes[1..], &signed);
        assert!(matches!(short.unwrap(), Err(Mismatch::Short { .. })));
        let (long, _) = compared(&[&bytes[..], b"x"].concat(), &signed);
        assert!(matches!(long.unwrap(), Err(Mismatch::Long { .. })));
        let mut other = bytes;
        other[BUFFER] ^= 1;
        let (other, _) = compared(&other, &signed);
        assert!(matches!(other.unwrap(), Err(Mismatch::Digest { .. })));
    }

    /// Gives some bytes and then fails.
    struct Failing(usize);

    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::Error::other("the stick was pulled"));
            }
            let count = self.0.min(buffer.len());
            self.0 -= count;
            Ok(count)
        }
    }

    #[test]
    fn a_stick_that_is_pulled_is_an_error_and_not_a_short_file() {
        let signed = Signed {
            size: 100_000_000,
            digest: digest_of(b""),
        };
        let failed = compare(Box::new(Failing(BUFFER + 1)), &signed, None, &mut |_| {});
        assert_eq!(failed.unwrap_err().to_string(), "the stick was pulled");
    }
}
