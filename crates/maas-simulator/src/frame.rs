//! What API process and core say to each other over their socket: frames of fixed length, numbers
//! little-endian. Both ends are this crate, of one build.

use std::{io, time::Duration};

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// From the API to the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// Produce tokens for a sequence.
    Add(Add),
    /// The client has gone.
    Cancel {
        /// [`Add::id`].
        id: u64,
    },
    /// Produce nothing until told otherwise.
    Hang,
    /// Produce again.
    Resume,
    /// Die.
    Die,
}

/// A sequence to be produced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Add {
    /// The API's number for it.
    pub(crate) id: u64,
    /// Tokens to prefill, for the count of the first step.
    pub(crate) prefill: u64,
    /// Tokens to produce.
    pub(crate) tokens: u64,
    /// Until the first.
    pub(crate) first: Duration,
    /// Until each further one.
    pub(crate) each: Duration,
}

/// From the core to the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// The core is there.
    Hello {
        /// The worker's process id; 0 when there is none.
        worker: u64,
    },
    /// A sequence has left the queue.
    Scheduled {
        /// [`Add::id`].
        id: u64,
    },
    /// The next token of a sequence exists.
    Token {
        /// [`Add::id`].
        id: u64,
    },
    /// A step of the engine is done.
    Step {
        /// Tokens prefilled and produced in it.
        tokens: u64,
    },
    /// How many sequences there are.
    Queue {
        /// Being produced.
        running: u64,
        /// Not yet.
        waiting: u64,
    },
}

/// A message of fixed length.
pub(crate) trait Frame: Sized {
    /// Its length, bytes.
    const LEN: usize;
    /// Appends it.
    fn write(&self, to: &mut BytesMut);
    /// Reads one from exactly [`Frame::LEN`] bytes; `None` for an unknown one.
    fn read(from: &[u8]) -> Option<Self>;
}

impl Frame for Command {
    const LEN: usize = 48;

    fn write(&self, to: &mut BytesMut) {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let words = match *self {
            Self::Add(add) => {
                let (first, each) = (micros(add.first), micros(add.each));
                [0, add.id, add.prefill, add.tokens, first, each]
            }
            Self::Cancel { id } => [1, id, 0, 0, 0, 0],
            Self::Hang => [2, 0, 0, 0, 0, 0],
            Self::Resume => [3, 0, 0, 0, 0, 0],
            Self::Die => [4, 0, 0, 0, 0, 0],
        };
        for word in words {
            to.put_u64_le(word);
        }
    }

    fn read(mut from: &[u8]) -> Option<Self> {
        let words = [(); 6].map(|()| from.get_u64_le());
        let [kind, id, prefill, tokens, first, each] = words;
        let (first, each) = (Duration::from_micros(first), Duration::from_micros(each));
        match kind {
            0 => Some(Self::Add(Add {
                id,
                prefill,
                tokens,
                first,
                each,
            })),
            1 => Some(Self::Cancel { id }),
            2 => Some(Self::Hang),
            3 => Some(Self::Resume),
            4 => Some(Self::Die),
            _ => None,
        }
    }
}

impl Frame for Event {
    const LEN: usize = 24;

    fn write(&self, to: &mut BytesMut) {
        let words = match *self {
            Self::Hello { worker } => [0, worker, 0],
            Self::Scheduled { id } => [1, id, 0],
            Self::Token { id } => [2, id, 0],
            Self::Step { tokens } => [3, tokens, 0],
            Self::Queue { running, waiting } => [4, running, waiting],
        };
        for word in words {
            to.put_u64_le(word);
        }
    }

    fn read(mut from: &[u8]) -> Option<Self> {
        let [kind, a, b] = [(); 3].map(|()| from.get_u64_le());
        match kind {
            0 => Some(Self::Hello { worker: a }),
            1 => Some(Self::Scheduled { id: a }),
            2 => Some(Self::Token { id: a }),
            3 => Some(Self::Step { tokens: a }),
            4 => Some(Self::Queue {
                running: a,
                waiting: b,
            }),
            _ => None,
        }
    }
}

/// Reads frames; a read that is given up in the middle loses nothing.
#[derive(Debug)]
pub(crate) struct Frames<R> {
    from: R,
    read: BytesMut,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub(crate) fn new(from: R) -> Self {
        Self {
            from,
            read: BytesMut::new(),
        }
    }

    /// The next frame; `None` when the other side is gone.
    pub(crate) async fn next<F: Frame>(&mut self) -> io::Result<Option<F>> {
        while self.read.len() < F::LEN {
            if self.from.read_buf(&mut self.read).await? == 0 {
                return Ok(None);
            }
        }
        let frame = self.read.split_to(F::LEN);
        F::read(&frame)
            .map(Some)
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_arrive_as_they_were_sent() {
        let add = Add {
            id: 7,
            prefill: 15,
            tokens: 24,
            first: Duration::from_millis(50),
            each: Duration::from_micros(5),
        };
        let sent = [
            Command::Add(add),
            Command::Cancel { id: 7 },
            Command::Hang,
            Command::Die,
        ];
        let mut bytes = BytesMut::new();
        for command in sent {
            command.write(&mut bytes);
        }
        let mut frames = Frames::new(&bytes[..]);
        for command in sent {
            assert_eq!(frames.next().await.unwrap(), Some(command));
        }
        assert_eq!(frames.next::<Command>().await.unwrap(), None);
    }
}
