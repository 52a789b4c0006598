//! Buffers of one lane: few, big, and used again.

use std::sync::{
    Arc,
    mpsc::{Receiver, Sender, channel},
};

/// 4 MiB: big enough that a USB bridge works at full speed, small enough that a handful in flight do
/// not matter beside a budget of 200 MB for the process.
pub(super) const BUFFER: usize = 4 << 20;

/// Buffers of all lanes together: 96 MiB, half of that budget.
const IN_ALL: usize = 24;

/// A lane needs one that is being filled, one that is being hashed and written, and one in between.
const LEAST: usize = 3;

/// More than 48 MiB in flight do not make one stick faster.
const MOST: usize = 12;

/// How many buffers each of so many lanes may have.
pub(super) fn share(lanes: usize) -> usize {
    (IN_ALL / lanes.max(1)).clamp(LEAST, MOST)
}

/// The buffers of one lane. Whoever reads waits for one to come back: that is all the flow control
/// that a lane has, and it bounds every queue behind the reader.
#[derive(Debug)]
pub(super) struct Pool {
    left: usize,
    home: Sender<Vec<u8>>,
    free: Receiver<Vec<u8>>,
}

impl Pool {
    pub(super) fn new(buffers: usize) -> Self {
        let (home, free) = channel();
        Self {
            left: buffers,
            home,
            free,
        }
    }

    /// A buffer, new as long as there may be more. Waits for those in flight.
    pub(super) fn take(&mut self) -> Buffer {
        let again = self.free.try_recv().ok();
        let bytes = again.or_else(|| {
            self.left = self.left.checked_sub(1)?;
            Some(vec![0; BUFFER])
        });
        // This side holds a sender, so the channel cannot close while it waits.
        let bytes = bytes.or_else(|| self.free.recv().ok());
        Buffer {
            bytes: bytes.unwrap_or_default(),
            home: self.home.clone(),
        }
    }
}

/// A buffer that goes home when the last of its users drops it.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    home: Sender<Vec<u8>>,
}

impl Buffer {
    /// All of it, to be filled.
    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// The first `length` bytes of it, which lie at `offset` of their blob.
    pub(super) fn filled(self, length: usize, offset: u64) -> Chunk {
        Chunk {
            length,
            offset,
            buffer: Arc::new(self),
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // The lane is over when nobody is at home.
        self.home.send(std::mem::take(&mut self.bytes)).ok();
    }
}

/// Bytes of a blob, shared by those who hash and the one who writes.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    length: usize,
    /// Where in the blob they belong.
    pub(super) offset: u64,
    buffer: Arc<Buffer>,
}

impl Chunk {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer.bytes[..self.length]
    }
}
