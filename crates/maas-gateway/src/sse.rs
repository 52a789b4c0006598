//! Server-sent events, taken apart as they arrive and passed on as the bytes they were.
//!
//! Threats: an event cut at any byte, line ends of three kinds, an event that never ends.
//! Defences: a frame is only what ends in an empty line, found without looking at a byte twice; a
//! carriage return at the end of what has arrived waits for the byte after it; a frame has a limit.
//! The grammar is that of the HTML standard, 9.2.6.

use std::{borrow::Cow, fmt, ops::Range};

use bytes::{Bytes, BytesMut};

use crate::body::content::Content;

/// The largest frame, bytes.
///
/// Why 32 MiB: `response.completed` repeats the whole answer, and log probabilities of a long prompt
/// reach megabytes; beyond it the engine is not speaking SSE.
pub(crate) const LARGEST_FRAME: usize = 32 * 1024 * 1024;

/// Collects bytes and gives frames.
#[derive(Default)]
pub(crate) struct Frames {
    buffer: BytesMut,
    /// Before this, no line end is left to be found.
    searched: usize,
    /// Where the line begins that is being read.
    line: usize,
}

/// One event, or a comment: all bytes up to and with its empty line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    raw: Content,
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.buffer.len();
        f.debug_struct("Frames")
            .field("bytes", &bytes)
            .finish_non_exhaustive()
    }
}

impl Frames {
    /// Adds what has arrived.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        loop {
            let Some(found) = memchr::memchr2(b'\n', b'\r', &self.buffer[self.searched..]) else {
                self.searched = self.buffer.len();
                return None;
            };
            let end = self.searched + found;
            let after = match (self.buffer[end], self.buffer.get(end + 1)) {
                (b'\r', Some(b'\n')) => end + 2,
                (b'\r', None) => {
                    self.searched = end;
                    return None;
                }
                _ => end + 1,
            };
            let empty = end == self.line;
            self.searched = after;
            self.line = after;
            if empty {
                self.searched = 0;
                self.line = 0;
                return Some(Frame {
                    raw: Content(self.buffer.split_to(after).freeze()),
                });
            }
        }
    }

    /// Whether the frame that is being collected has grown beyond [`LARGEST_FRAME`].
    pub(crate) fn is_too_large(&self) -> bool {
        self.buffer.len() > LARGEST_FRAME
    }

    /// What has arrived since the last whole frame.
    pub(crate) fn rest(&mut self) -> Bytes {
        (self.searched, self.line) = (0, 0);
        self.buffer.split().freeze()
    }
}

impl Frame {
    /// The bytes as they came.
    pub(crate) fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The data, its lines joined; empty for a comment.
    pub(crate) fn data(&self) -> Cow<'_, [u8]> {
        match self.data_range() {
            Some(range) => Cow::Borrowed(&self.raw[range]),
            None => Cow::Owned(self.joined()),
        }
    }

    /// The frame with other data; `data` must not hold line ends.
    pub(crate) fn with_data(&self, data: &[u8]) -> Bytes {
        let (before, after): (&[u8], &[u8]) = match self.data_range() {
            Some(range) => (&self.raw[..range.start], &self.raw[range.end..]),
            None => (b"data: ", b"\n\n"),
        };
        [before, data, after].concat().into()
    }

    /// Where the data stands if it is all on one line.
    fn data_range(&self) -> Option<Range<usize>> {
        let mut lines = self.data_lines();
        let first = lines.next()?;
        lines.next().is_none().then_some(first)
    }

    fn joined(&self) -> Vec<u8> {
        let lines: Vec<_> = self.data_lines().map(|range| &self.raw[range]).collect();
        lines.join(&b'\n')
    }

    fn data_lines(&self) -> impl Iterator<Item = Range<usize>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let start = at;
            let rest = self.raw.get(start..).filter(|rest| !rest.is_empty())?;
            let end = start + memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            at = end + 1;
            Some(start..end)
        })
        .filter_map(|line| {
            let text = self.raw[line.clone()].strip_prefix(b"data")?;
            let value = match text {
                [] => line.end,
                [b':', b' ', ..] => line.start + 6,
                [b':', ..] => line.start + 5,
                _ => return None,
            };
            Some(value..line.end)
        })
    }
}

#[cfg(test)]
mod tests;
