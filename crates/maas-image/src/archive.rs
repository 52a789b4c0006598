//! A layer's tar archive as a stream of entries.
//!
//! Threats: names and extensions of gigabytes, sizes that two readers understand differently
//! (CVE-2025-62518, GHSA-3cv2-h65g-fgmm), negative sizes, numbers that wrap, sparse maps that overlap,
//! a second archive behind the end of the first. Defences: what Go's `archive/tar`, with which engines
//! unpack, means by a header is meant here; where readers are known to differ (two sizes, one key twice,
//! an extension twice, a global name, bytes behind the end) the archive is refused. Of the `tar` crate
//! only the header's layout is used: its iterator reads extensions of any length into memory, and takes
//! the first of two values where others take the last.

use std::io::{self, BufReader, Read};

use tar::{EntryType, Header};

use crate::{
    error::{Failure, Flaw},
    policy::Limits,
};

use self::{extension::Extensions, number::number, sparse::Map};

mod extension;
mod number;
mod sparse;

const BLOCK: u64 = 512;

/// Extensions before one entry: a long name, a long link, PAX of its own, some global.
const MOST_EXTENSIONS: u32 = 16;

/// What a header announces.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    /// Where a link leads; empty for all else.
    pub(crate) link: Vec<u8>,
    pub(crate) kind: Kind,
    /// Bytes of a file, holes included.
    pub(crate) size: u64,
    /// Permissions, setuid, setgid and sticky bit.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: Time,
    pub(crate) xattrs: Vec<(String, Vec<u8>)>,
}

/// A moment: seconds since 1970, and nanoseconds after that second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Time {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    HardLink,
    Symlink,
    Fifo,
    /// A device with its numbers.
    CharDevice(u64, u64),
    BlockDevice,
}

/// An archive being read.
#[derive(Debug)]
pub(crate) struct Archive<'a, R> {
    reader: BufReader<R>,
    limits: &'a Limits,
    /// Stored bytes of the present entry that are not read.
    left: u64,
    /// Bytes that fill its last block.
    padding: u64,
    /// Where the present file's stored bytes belong.
    map: Map,
}

impl<'a, R: Read> Archive<'a, R> {
    pub(crate) fn new(reader: R, limits: &'a Limits) -> Self {
        Self {
            reader: BufReader::with_capacity(1 << 16, reader),
            limits,
            left: 0,
            padding: 0,
            map: Map::default(),
        }
    }

    /// The next entry; `None` at the archive's end, which is then checked to be one.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, Failure> {
        let mut extensions = Extensions::default();
        for count in 0..MOST_EXTENSIONS {
            let Some(header) = self.header()? else {
                return match count {
                    0 => self.nothing_follows().map(|()| None),
                    _ => Err(Flaw::Archive("an extension of an entry that is not there").into()),
                };
            };
            let size = size(&header)?;
            let kind = header.entry_type();
            if kind.is_gnu_longname() {
                let name = self.extension(size)?;
                extensions.long_name(name)?;
            } else if kind.is_gnu_longlink() {
                let name = self.extension(size)?;
                extensions.long_link(name)?;
            } else if kind.is_pax_local_extensions() {
                let records = self.extension(size)?;
                extensions.local(&records)?;
            } else if kind.is_pax_global_extensions() {
                let records = self.extension(size)?;
                Extensions::global(&records)?;
            } else {
                return self.entry(&header, kind, size, extensions).map(Some);
            }
        }
        Err(Flaw::Archive("too many extensions before one entry").into())
    }

    /// The next run of the present file's bytes: fills `buffer` from its start, and says at which
    /// offset of the file they belong and how many they are. `None` when there are no more.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<Option<(u64, usize)>, Failure> {
        let Some((offset, run)) = self.map.next() else {
            return Ok(None);
        };
        let most = usize::try_from(run).map_or(buffer.len(), |run| run.min(buffer.len()));
        let count = self
            .reader
            .read(&mut buffer[..most])
            .map_err(Failure::Read)?;
        if count == 0 {
            return Err(Flaw::Archive("it ends in the middle of a file").into());
        }
        self.left -= count as u64;
        self.map.advance(count as u64);
        Ok(Some((offset, count)))
    }

    fn entry(
        &mut self,
        header: &Header,
        kind: EntryType,
        stored: u64,
        extensions: Extensions,
    ) -> Result<Entry, Failure> {
        let stored = extensions.size(stored)?;
        let name = extensions.name(&header.path_bytes())?;
        let kind = entry_kind(header, kind, &name)?;
        self.map = Map::default();
        let size = if kind == Kind::File {
            self.begin(stored)?;
            self.map = self.sparse(header, &extensions, stored)?;
            self.map.size()
        } else {
            // These have no contents, whatever their size says; Go's `isHeaderOnly`.
            self.begin(0)?;
            0
        };
        let bytes = header.as_bytes();
        Ok(Entry {
            link: extensions.link(&header.link_name_bytes().unwrap_or_default())?,
            name,
            kind,
            size,
            mode: number::mode(&bytes[100..108])?,
            uid: extensions.uid(&bytes[108..116])?,
            gid: extensions.gid(&bytes[116..124])?,
            mtime: extensions.mtime(&bytes[136..148])?,
            xattrs: extensions.xattrs,
        })
    }

    fn begin(&mut self, size: u64) -> Result<(), Failure> {
        // Beyond this a sum could overflow; no file system has such a file.
        if size > i64::MAX as u64 - BLOCK {
            return Err(Flaw::Archive("a size is beyond all measure").into());
        }
        self.left = size;
        self.padding = size.wrapping_neg() % BLOCK;
        Ok(())
    }

    fn header(&mut self) -> Result<Option<Header>, Failure> {
        let rest = self.left + self.padding;
        let skipped = io::copy(&mut self.reader.by_ref().take(rest), &mut io::sink());
        if skipped.map_err(Failure::Read)? < rest {
            return Err(Flaw::Archive("it ends in the middle of an entry").into());
        }
        (self.left, self.padding) = (0, 0);
        let Some(block) = self.block()? else {
            return Ok(None);
        };
        let header = Header::from_byte_slice(&block).clone();
        let bytes = header.as_bytes();
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        // The field itself counts as eight spaces (POSIX, ustar).
        let others = bytes[..148].iter().chain(&bytes[156..]);
        let sum = others.map(|byte| u64::from(*byte)).sum::<u64>() + 8 * u64::from(b' ');
        if number(&bytes[148..156])? != i128::from(sum) {
            return Err(Flaw::Archive("a header's checksum does not fit").into());
        }
        Ok(Some(header))
    }

    /// The next 512 bytes; `None` at the end.
    fn block(&mut self) -> Result<Option<[u8; 512]>, Failure> {
        let mut bytes = Vec::with_capacity(512);
        let read = self.reader.by_ref().take(BLOCK).read_to_end(&mut bytes);
        match read.map_err(Failure::Read)? {
            0 => Ok(None),
            _ => <[u8; 512]>::try_from(bytes)
                .map(Some)
                .map_err(|_| Flaw::Archive("it ends in the middle of a block").into()),
        }
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, Failure> {
        let limit = self.limits.extension_bytes;
        if size > limit {
            return Err(Flaw::limit("bytes of an extended header", limit).into());
        }
        self.begin(size)?;
        self.stored(size)
    }

    fn stored(&mut self, count: u64) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let read = self.reader.by_ref().take(count).read_to_end(&mut bytes);
        let read = read.map_err(Failure::Read)? as u64;
        self.left = self.left.saturating_sub(read);
        if read < count {
            return Err(Flaw::Archive("it ends in the middle of an extension").into());
        }
        Ok(bytes)
    }

    /// Archives end in zeros. What follows them is another archive to some readers.
    fn nothing_follows(&mut self) -> Result<(), Failure> {
        let mut buffer = [0; 4096];
        loop {
            match self.reader.read(&mut buffer).map_err(Failure::Read)? {
                0 => return Ok(()),
                count if buffer[..count].iter().all(|byte| *byte == 0) => {}
                _ => return Err(Flaw::Archive("something follows its end").into()),
            }
        }
    }
}

fn size(header: &Header) -> Result<u64, Flaw> {
    u64::try_from(number(&header.as_bytes()[124..136])?)
        .map_err(|_| Flaw::Archive("a size is not a size"))
}

fn entry_kind(header: &Header, kind: EntryType, name: &[u8]) -> Result<Kind, Flaw> {
    let device = |at: usize| {
        number(&header.as_bytes()[at..at + 8])
            .and_then(|n| u64::try_from(n).map_err(|_| Flaw::Archive("a device has no number")))
    };
    Ok(match () {
        // Before POSIX a folder was a file whose name ends so.
        () if kind.is_file() && name.ends_with(b"/") => Kind::Folder,
        () if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() => Kind::File,
        () if kind.is_dir() => Kind::Folder,
        () if kind.is_hard_link() => Kind::HardLink,
        () if kind.is_symlink() => Kind::Symlink,
        () if kind.is_fifo() => Kind::Fifo,
        () if kind.is_character_special() => Kind::CharDevice(device(329)?, device(337)?),
        () if kind.is_block_special() => Kind::BlockDevice,
        () => return Err(Flaw::Type(char::from(kind.as_byte()))),
    })
}
