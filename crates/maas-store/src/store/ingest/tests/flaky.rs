//! A volume that counts, fails, or changes its mind.

use std::{
    io::{self, Read},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use maas_bundle::{Entry, Media, MediaError, MediaFile, MediaPath, MemoryMedia};

/// A volume that counts, fails, or changes its mind.
#[derive(Debug)]
pub(super) struct Flaky<'a> {
    pub(super) inner: &'a MemoryMedia,
    pub(super) read: AtomicU64,
    pub(super) opened: AtomicUsize,
    /// How many openings give a file that fails in its middle.
    pub(super) failures: AtomicUsize,
    /// Only this one fails, when given.
    pub(super) bad_file: Option<String>,
    pub(super) noise: bool,
}

impl<'a> Flaky<'a> {
    pub(super) fn counting(inner: &'a MemoryMedia) -> Self {
        Self::failing(inner, 0)
    }

    pub(super) fn failing(inner: &'a MemoryMedia, failures: usize) -> Self {
        Self {
            inner,
            read: AtomicU64::new(0),
            opened: AtomicUsize::new(0),
            failures: AtomicUsize::new(failures),
            bad_file: None,
            noise: false,
        }
    }

    fn fails(&self, path: &MediaPath) -> bool {
        let this_one = self
            .bad_file
            .as_ref()
            .is_none_or(|bad| bad == path.as_str());
        let one_less = |left: usize| left.checked_sub(1);
        let order = Ordering::SeqCst;
        this_one && self.failures.fetch_update(order, order, one_less).is_ok()
    }
}

impl Media for Flaky<'_> {
    fn label(&self) -> &str {
        Media::label(self.inner)
    }

    fn list(&self, folder: &MediaPath) -> Result<Vec<Entry>, MediaError> {
        Media::list(self.inner, folder)
    }

    fn open(&self, path: &MediaPath) -> Result<MediaFile<'_>, MediaError> {
        let file = Media::open(self.inner, path)?;
        let opening = self.opened.fetch_add(1, Ordering::SeqCst);
        let reader = FlakyFile {
            inner: file.reader,
            read: &self.read,
            left: self.fails(path).then_some(file.size / 2),
            noise: self.noise.then_some(opening.to_le_bytes()[0]),
        };
        Ok(MediaFile {
            size: file.size,
            reader: Box::new(reader),
        })
    }
}

struct FlakyFile<'a> {
    inner: Box<dyn Read + Send + 'a>,
    read: &'a AtomicU64,
    left: Option<u64>,
    noise: Option<u8>,
}

impl Read for FlakyFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = match self.left {
            Some(0) => return Err(io::Error::other("input/output error of the test")),
            Some(left) => buffer.len().min(usize::try_from(left).unwrap()),
            None => buffer.len(),
        };
        let count = self.inner.read(&mut buffer[..most])?;
        if let (Some(noise), Some(first)) = (self.noise, buffer.first_mut()) {
            *first = first.wrapping_add(noise).wrapping_add(1);
        }
        self.left = self.left.map(|left| left - count as u64);
        self.read.fetch_add(count as u64, Ordering::SeqCst);
        Ok(count)
    }
}
