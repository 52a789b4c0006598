//! A tar archive as a stream of headers.
//!
//! Threats: names and extensions of gigabytes, sizes that two readers understand differently
//! (CVE-2025-62518), sparse files, checksums that do not fit, an end in the middle. Defences: numbers
//! and flags mean what they mean to Go's `archive/tar`, with which engines unpack; extensions have a
//! limit; what does not add up is an error. The `tar` crate's own iterator reads extensions of any
//! length into memory, so only its header is used.

use std::io::{self, BufReader, Read};

use maas_types::Digest;
use tar::{EntryType, GnuExtSparseHeader, Header};

use super::ScanError;

const BLOCK: u64 = 512;

/// Longest extension, such as a long name. Go's reader has the same limit (`maxSpecialFileSize`).
const LONGEST_EXTENSION: u64 = 1 << 20;

/// Extensions before one entry: a long name, a long link, PAX of its own and global, and to spare.
const MOST_EXTENSIONS: u32 = 16;

/// What a header announces.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: Vec<u8>,
    /// Where a link leads; empty for all else.
    pub(super) link: Vec<u8>,
    pub(super) kind: EntryKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Folder,
    HardLink,
    /// Symbolic links, devices, FIFOs, sparse files, and what only some tools know.
    Other,
}

#[derive(Debug)]
pub(super) enum ArchiveError {
    Read(io::Error),
    Malformed(&'static str),
}

/// An archive being read.
#[derive(Debug)]
pub(super) struct Archive<R> {
    reader: BufReader<R>,
    /// Bytes of the present entry's contents that are not read.
    left: u64,
    /// Bytes that fill its last block.
    padding: u64,
}

/// What extensions say about the entry after them.
#[derive(Debug, Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    is_sparse: bool,
}

impl ArchiveError {
    pub(super) fn of(self, layer: Digest) -> ScanError {
        match self {
            Self::Read(source) => ScanError::Read { layer, source },
            Self::Malformed(reason) => ScanError::Malformed { layer, reason },
        }
    }
}

impl From<io::Error> for ArchiveError {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl<R: Read> Archive<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader: BufReader::with_capacity(1 << 16, reader),
            left: 0,
            padding: 0,
        }
    }

    /// The next entry; `None` at the archive's end.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, ArchiveError> {
        let mut extensions = Extensions::default();
        for _ in 0..MOST_EXTENSIONS {
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            let size = header
                .entry_size()
                .map_err(|_| ArchiveError::Malformed("a size is not a number"))?;
            let kind = header.entry_type();
            if kind.is_gnu_longname() {
                extensions.path = Some(self.name(size)?);
            } else if kind.is_gnu_longlink() {
                extensions.link = Some(self.name(size)?);
            } else if kind.is_pax_local_extensions() {
                extensions.read_pax(&self.extension(size)?)?;
            } else if kind.is_pax_global_extensions() {
                self.extension(size)?;
            } else {
                return self.entry(&header, kind, size, extensions).map(Some);
            }
        }
        Err(ArchiveError::Malformed(
            "too many extensions before one entry",
        ))
    }

    /// At most `limit` bytes of the present entry.
    pub(super) fn contents(&mut self, limit: u64) -> Result<Vec<u8>, ArchiveError> {
        let wanted = self.left.min(limit);
        let mut bytes = Vec::new();
        let read = self.reader.by_ref().take(wanted).read_to_end(&mut bytes)? as u64;
        self.left -= read;
        if read == wanted {
            Ok(bytes)
        } else {
            Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
        }
    }

    /// Whether the present entry has more than was read of it.
    pub(super) const fn is_cut(&self) -> bool {
        self.left > 0
    }

    /// Reads whatever follows the archive's end, as padding does.
    pub(super) fn drain(&mut self) -> Result<(), ArchiveError> {
        io::copy(&mut self.reader, &mut io::sink())?;
        Ok(())
    }

    fn entry(
        &mut self,
        header: &Header,
        kind: EntryType,
        size: u64,
        extensions: Extensions,
    ) -> Result<Entry, ArchiveError> {
        let path = extensions
            .path
            .unwrap_or_else(|| header.path_bytes().into());
        let link = extensions
            .link
            .or_else(|| header.link_name_bytes().map(Into::into));
        // These have no contents, whatever their size says; Go's `isHeaderOnly`.
        let is_header_only = kind.is_hard_link()
            || kind.is_symlink()
            || kind.is_character_special()
            || kind.is_block_special()
            || kind.is_dir()
            || kind.is_fifo();
        if kind.is_gnu_sparse() {
            self.skip_sparse_map(header)?;
        }
        self.begin(if is_header_only {
            0
        } else {
            extensions.size.unwrap_or(size)
        })?;
        let is_file = (kind.is_file() || kind.is_contiguous()) && !extensions.is_sparse;
        Ok(Entry {
            kind: match () {
                () if kind.is_dir() || (is_file && path.ends_with(b"/")) => EntryKind::Folder,
                () if is_file => EntryKind::File,
                () if kind.is_hard_link() => EntryKind::HardLink,
                () => EntryKind::Other,
            },
            link: link.unwrap_or_default(),
            path,
        })
    }

    fn begin(&mut self, size: u64) -> Result<(), ArchiveError> {
        // Beyond this a sum could overflow; no file system has such a file.
        if size > i64::MAX as u64 {
            return Err(ArchiveError::Malformed("a size is beyond all measure"));
        }
        self.left = size;
        self.padding = size.wrapping_neg() % BLOCK;
        Ok(())
    }

    fn header(&mut self) -> Result<Option<Header>, ArchiveError> {
        let rest = self.left + self.padding;
        let skipped = io::copy(&mut self.reader.by_ref().take(rest), &mut io::sink())?;
        (self.left, self.padding) = (0, 0);
        if skipped < rest {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let mut header = Header::new_old();
        if self.block(header.as_mut_bytes())? == Block::End {
            return Ok(None);
        }
        let bytes = header.as_bytes();
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        // The field itself counts as eight spaces (POSIX, ustar).
        let sum: u32 = bytes
            .iter()
            .enumerate()
            .map(|(at, byte)| {
                if (148..156).contains(&at) {
                    b' '
                } else {
                    *byte
                }
            })
            .map(u32::from)
            .sum();
        match header.cksum() {
            Ok(stated) if stated == sum => Ok(Some(header)),
            _ => Err(ArchiveError::Malformed("a header's checksum does not fit")),
        }
    }

    fn block(&mut self, block: &mut [u8; 512]) -> Result<Block, ArchiveError> {
        let mut bytes = Vec::with_capacity(block.len());
        match self.reader.by_ref().take(BLOCK).read_to_end(&mut bytes)? {
            0 => Ok(Block::End),
            512 => {
                block.copy_from_slice(&bytes);
                Ok(Block::Full)
            }
            _ => Err(ArchiveError::Malformed("it ends in the middle of a header")),
        }
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, ArchiveError> {
        if size > LONGEST_EXTENSION {
            return Err(ArchiveError::Malformed("an extension is longer than 1 MiB"));
        }
        self.begin(size)?;
        self.contents(size)
    }

    fn name(&mut self, size: u64) -> Result<Vec<u8>, ArchiveError> {
        let mut name = self.extension(size)?;
        let end = name.iter().position(|byte| *byte == 0);
        name.truncate(end.unwrap_or(name.len()));
        Ok(name)
    }

    /// Old GNU sparse files may continue their map in blocks of its own before the contents.
    fn skip_sparse_map(&mut self, header: &Header) -> Result<(), ArchiveError> {
        let mut is_extended = header.as_gnu().is_some_and(tar::GnuHeader::is_extended);
        while is_extended {
            let mut map = GnuExtSparseHeader::new();
            if self.block(map.as_mut_bytes())? == Block::End {
                return Err(ArchiveError::Malformed("it ends in a sparse map"));
            }
            is_extended = map.is_extended();
        }
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Block {
    Full,
    End,
}

impl Extensions {
    /// PAX records, `<length> <key>=<value>\n` each (POSIX, "pax Extended Header").
    fn read_pax(&mut self, mut records: &[u8]) -> Result<(), ArchiveError> {
        const MALFORMED: ArchiveError = ArchiveError::Malformed("a PAX record is malformed");
        while !records.is_empty() {
            let space = records
                .iter()
                .position(|byte| *byte == b' ')
                .ok_or(MALFORMED)?;
            let length: usize = number(&records[..space]).ok_or(MALFORMED)?;
            let record = records.get(space + 1..length).ok_or(MALFORMED)?;
            let record = record.strip_suffix(b"\n").ok_or(MALFORMED)?;
            let equals = record
                .iter()
                .position(|byte| *byte == b'=')
                .ok_or(MALFORMED)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" => self.path = Some(value.to_owned()),
                b"linkpath" => self.link = Some(value.to_owned()),
                b"size" => self.size = Some(number(value).ok_or(MALFORMED)?),
                _ if key.starts_with(b"GNU.sparse.") => self.is_sparse = true,
                _ => {}
            }
            records = &records[length..];
        }
        Ok(())
    }
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    let all_digits = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits)
        .ok()
        .filter(|_| all_digits)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests;
