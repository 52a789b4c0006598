//! What is sealed, in chunks of 64 KiB (STREAM): each under its number, the last one marked as last.

use std::{
    fmt,
    io::{self, Read, Write},
};

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};
use zeroize::Zeroizing;

use crate::{Damage, error::SourceFailed};

/// Bytes between the header and the first chunk.
pub(super) const NONCE: usize = 16;
const CHUNK: usize = 64 << 10;
const TAG: usize = 16;

/// Whether a chunk is the last one; it is part of the chunk's nonce.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Within,
    Last,
}

/// 11 bytes of number, one that says whether it is the last.
fn nonce(number: u64, place: Place) -> Nonce {
    let mut bytes = [0; 12];
    bytes[3..11].copy_from_slice(&number.to_be_bytes());
    bytes[11] = u8::from(place == Place::Last);
    Nonce::assume_unique_for_key(bytes)
}

/// Seals what is written to it. Memory: one chunk.
pub struct Sealed<W> {
    out: W,
    key: LessSafeKey,
    number: u64,
    buffer: Zeroizing<Vec<u8>>,
}

impl<W> fmt::Debug for Sealed<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed")
    }
}

impl<W: Write> Sealed<W> {
    pub(super) fn new(out: W, key: LessSafeKey) -> Self {
        Self {
            out,
            key,
            number: 0,
            buffer: Zeroizing::new(Vec::with_capacity(CHUNK + TAG)),
        }
    }

    /// Writes the last chunk. Without it, whoever opens the file finds that it was cut.
    pub fn finish(mut self) -> io::Result<W> {
        self.write_chunk(Place::Last)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn write_chunk(&mut self, place: Place) -> io::Result<()> {
        let nonce = nonce(self.number, place);
        self.key
            .seal_in_place_append_tag(nonce, Aad::empty(), &mut *self.buffer)
            .expect("a chunk is short");
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        self.number += 1;
        Ok(())
    }
}

impl<W: Write> Write for Sealed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        // Only now, because the last chunk may be a full one.
        if self.buffer.len() == CHUNK {
            self.write_chunk(Place::Within)?;
        }
        let count = bytes.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    /// Keeps what does not fill a chunk.
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Gives what was sealed, each byte after its chunk was found authentic. Memory: one chunk.
pub struct Opened<R> {
    read: R,
    key: LessSafeKey,
    number: u64,
    /// The chunk, and the first byte of the next one.
    buffer: Zeroizing<Vec<u8>>,
    carried: Option<u8>,
    plain: std::ops::Range<usize>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Within,
    Ended,
    /// For ever: an error that a caller passes over must not become an end.
    Damaged,
}

impl<R> fmt::Debug for Opened<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened")
    }
}

impl<R: Read> Opened<R> {
    pub(super) fn new(read: R, key: LessSafeKey) -> Self {
        Self {
            read,
            key,
            number: 0,
            buffer: Zeroizing::new(vec![0; CHUNK + TAG + 1]),
            carried: None,
            plain: 0..0,
            state: State::Within,
        }
    }

    /// What it reads from.
    pub fn into_inner(self) -> R {
        self.read
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        let start = match self.carried.take() {
            Some(byte) => {
                self.buffer[0] = byte;
                1
            }
            None => 0,
        };
        let got = start + fill(&mut self.read, &mut self.buffer[start..])?;
        let place = if got > CHUNK + TAG {
            self.carried = Some(self.buffer[CHUNK + TAG]);
            Place::Within
        } else {
            self.state = State::Ended;
            Place::Last
        };
        let chunk = &mut self.buffer[..got.min(CHUNK + TAG)];
        let opened = self
            .key
            .open_in_place(nonce(self.number, place), Aad::empty(), chunk);
        let length = opened.map(|plain| plain.len());
        // An empty last chunk is how an empty file is written, and nothing else.
        let length = length.ok().filter(|n| *n > 0 || self.number == 0);
        let Some(length) = length else {
            self.state = State::Damaged;
            return Ok(());
        };
        self.plain = 0..length;
        self.number += 1;
        Ok(())
    }
}

impl<R: Read> Read for Opened<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.plain.is_empty() && self.state == State::Within && !into.is_empty() {
            self.next_chunk()?;
        }
        if self.state == State::Damaged {
            let number = self.number;
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                Damage::Chunk { number },
            ));
        }
        let count = into.len().min(self.plain.len());
        let from = self.plain.start;
        into[..count].copy_from_slice(&self.buffer[from..from + count]);
        self.plain.start += count;
        Ok(count)
    }
}

/// Reads until `into` is full or the source has ended; says how much came. A failure of the source
/// keeps its name, so that it is not taken for damage.
pub(super) fn fill(read: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < into.len() {
        match read.read(&mut into[done..]) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(SourceFailed::wrap(error)),
        }
    }
    Ok(done)
}
