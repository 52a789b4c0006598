//! Reading a file of a volume from one end to the other: ahead of whoever asks, behind nobody's back.
//!
//! Threats: a bundle is bigger than memory, and its pages would push out what an engine at work needs;
//! and after a wrong reading the page cache would give the same wrong bytes again, though the medium
//! may have the right ones. Defences: pages are dropped as soon as they were read; and a second
//! reading goes past the cache: what is cached of the file is dropped first (`POSIX_FADV_DONTNEED`),
//! then it is read with `O_DIRECT`, where the file system takes that. Where it does not (some FUSE
//! file systems), dropping is all there is, and pages that another process has mapped stay.

use std::{
    io::{self, Read},
    num::NonZeroU64,
    ops::Range,
    os::fd::OwnedFd,
};

use rustix::{
    fs::{Advice, OFlags, fadvise, fcntl_getfl, fcntl_setfl},
    io::{Errno, pread},
};

/// 8 MiB ahead: two buffers of whoever reads. USB bridges and flash want long requests, and the
/// kernel's own read-ahead is 128 KiB on a stick.
const AHEAD: u64 = 8 << 20;

/// 32 MiB behind: often enough that a volume never has more than that in memory.
const BEHIND: u64 = 32 << 20;

/// `O_DIRECT` wants memory, offset and length in whole blocks of the device: 512 or 4096 bytes.
const BLOCK: usize = 4096;

/// A bounce buffer for `O_DIRECT`: 1 MiB, so that a stick still gets long requests.
const BOUNCE: usize = 1 << 20;

/// Whether what is cached of a file may be given for what lies on the medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cache {
    Use,
    Avoid,
}

/// An open file of a volume.
pub(crate) struct FileReader {
    file: OwnedFd,
    at: u64,
    /// Up to where the kernel was asked to read ahead.
    asked: u64,
    /// Up to where pages were dropped.
    dropped: u64,
    direct: Option<Bounce>,
}

impl FileReader {
    pub(crate) fn new(file: OwnedFd, cache: Cache) -> Self {
        let direct = match cache {
            Cache::Use => None,
            Cache::Avoid => {
                advise(&file, 0, 0, Advice::DontNeed);
                set_direct(&file, OFlags::DIRECT)
                    .ok()
                    .map(|()| Bounce::new())
            }
        };
        advise(&file, 0, 0, Advice::Sequential);
        Self {
            file,
            at: 0,
            asked: 0,
            dropped: 0,
            direct,
        }
    }

    fn read_cached(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        let wanted = self.at + buffer.len() as u64;
        if buffer.len() as u64 >= AHEAD / 4 && wanted + AHEAD / 2 > self.asked {
            let from = self.asked.max(self.at);
            self.asked = wanted + AHEAD;
            advise(&self.file, from, self.asked - from, Advice::WillNeed);
        }
        let count = pread(&self.file, buffer, self.at)?;
        self.at += count as u64;
        if self.at - self.dropped >= BEHIND {
            let behind = self.at - self.dropped;
            advise(&self.file, self.dropped, behind, Advice::DontNeed);
            self.dropped = self.at;
        }
        Ok(count)
    }

    /// Goes on without `O_DIRECT`: at the end of a file that does not end with a block, or where the
    /// file system takes the flag and not the reading.
    fn give_up_direct(&mut self) -> Result<(), Errno> {
        self.direct = None;
        set_direct(&self.file, OFlags::empty())
    }
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(bounce) = &mut self.direct {
            match bounce.read(&self.file, self.at, buffer) {
                Ok(Some(count)) => {
                    self.at += count as u64;
                    return Ok(count);
                }
                Ok(None) | Err(Errno::INVAL) => self.give_up_direct()?,
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(self.read_cached(buffer)?)
    }
}

impl Drop for FileReader {
    fn drop(&mut self) {
        advise(&self.file, 0, 0, Advice::DontNeed);
    }
}

/// Memory that begins at a block, and what of the file is in it.
struct Bounce {
    memory: Vec<u8>,
    start: usize,
    filled: Range<usize>,
}

impl Bounce {
    fn new() -> Self {
        let memory = vec![0; BOUNCE + BLOCK];
        let start = memory.as_ptr().align_offset(BLOCK).min(BLOCK);
        Self {
            memory,
            start,
            filled: 0..0,
        }
    }

    /// Bytes at this offset, which follow those that were read before; `None` when the next block is
    /// not a whole one.
    fn read(&mut self, file: &OwnedFd, at: u64, into: &mut [u8]) -> Result<Option<usize>, Errno> {
        if self.filled.is_empty() {
            if !at.is_multiple_of(BLOCK as u64) {
                return Ok(None);
            }
            let memory = &mut self.memory[self.start..self.start + BOUNCE];
            self.filled = 0..pread(file, memory, at)?;
        }
        let count = self.filled.len().min(into.len());
        let from = self.start + self.filled.start;
        into[..count].copy_from_slice(&self.memory[from..from + count]);
        self.filled.start += count;
        Ok(Some(count))
    }
}

/// `O_DIRECT`, or nothing of the kind.
fn set_direct(file: &OwnedFd, direct: OFlags) -> Result<(), Errno> {
    let others = fcntl_getfl(file)?.difference(OFlags::DIRECT);
    fcntl_setfl(file, others.union(direct))
}

/// Advice only: a file system that does not know it reads as well without.
fn advise(file: &OwnedFd, from: u64, length: u64, advice: Advice) {
    fadvise(file, from, NonZeroU64::new(length), advice).ok();
}
