//! A volume in memory: a real second implementation of [`Media`], [`Sink`] and [`Source`], for tests
//! of every crate that reads or writes a bundle.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Cursor, Read, Seek, SeekFrom, Write},
    sync::Arc,
};

use camino::{Utf8Component, Utf8Path};

use crate::{
    Entry, EntryKind, Media, MediaError, MediaFile, MediaPath, Sink, SinkFile, Source, SourceEntry,
    SourceError, SourceFile, SourceKind,
};

/// What lies under a name in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A file.
    Bytes(Arc<[u8]>),
    /// A file of so many zero bytes, which needs no memory: for files above [`maas_types::PART_BYTES`].
    Zeros(u64),
    /// A symbolic link.
    Link,
    /// A pipe or a device.
    Special,
}

impl Content {
    fn kind(&self) -> EntryKind {
        match self {
            Self::Bytes(bytes) => EntryKind::File {
                size: bytes.len() as u64,
            },
            Self::Zeros(size) => EntryKind::File { size: *size },
            Self::Link => EntryKind::Link,
            Self::Special => EntryKind::Special,
        }
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<&[u8]> for Content {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// A volume in memory. Files are named by their path with `/`; folders exist when a file is below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryMedia {
    label: String,
    /// Every file by its path; public, so that a test damages what it likes.
    pub files: BTreeMap<String, Content>,
}

impl MemoryMedia {
    /// An empty volume.
    pub fn new(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            files: BTreeMap::new(),
        }
    }

    /// The same volume with one more file: for inputs of a build.
    #[must_use]
    pub fn with(mut self, path: &str, content: impl Into<Content>) -> Self {
        self.files.insert(path.to_owned(), content.into());
        self
    }

    /// Gives the volume another label.
    pub fn relabel(&mut self, label: impl Into<String>) {
        self.label = label.into();
    }

    /// The bytes of a file; `None` when it is not there or not made of bytes.
    pub fn bytes(&self, path: &str) -> Option<&[u8]> {
        match self.files.get(path)? {
            Content::Bytes(bytes) => Some(bytes),
            Content::Zeros(_) | Content::Link | Content::Special => None,
        }
    }

    /// Changes a file's bytes in place; does nothing to a file that is not there.
    pub fn change(&mut self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(Content::Bytes(bytes)) = self.files.get_mut(path) {
            let mut owned = bytes.to_vec();
            change(&mut owned);
            *bytes = owned.into();
        }
    }

    /// Entries directly below `folder` (empty for the root); `None` when there is no such folder.
    fn entries(&self, folder: &str) -> Option<Vec<Entry>> {
        let prefix = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let mut folders = BTreeSet::new();
        let mut entries = Vec::new();
        for (path, content) in &self.files {
            match path.strip_prefix(&prefix).map(|rest| rest.split_once('/')) {
                None => {}
                Some(None) => entries.push(Entry {
                    name: path[prefix.len()..].to_owned(),
                    kind: content.kind(),
                }),
                Some(Some((name, _))) => {
                    folders.insert(name.to_owned());
                }
            }
        }
        let found = !folders.is_empty() || !entries.is_empty() || folder.is_empty();
        entries.extend(folders.into_iter().map(|name| Entry {
            name,
            kind: EntryKind::Folder,
        }));
        found.then_some(entries)
    }

    fn missing(&self, path: &MediaPath) -> MediaError {
        MediaError::Missing {
            volume: self.label.clone(),
            path: path.clone(),
        }
    }
}

// === impl Media ===

impl Media for MemoryMedia {
    fn label(&self) -> &str {
        &self.label
    }

    fn list(&self, folder: &MediaPath) -> Result<Vec<Entry>, MediaError> {
        if let Some(content) = self.files.get(folder.as_str()) {
            return Err(MediaError::NotRegular {
                volume: self.label.clone(),
                path: folder.clone(),
                found: content.kind(),
            });
        }
        self.entries(folder.as_str())
            .ok_or_else(|| self.missing(folder))
    }

    fn open(&self, path: &MediaPath) -> Result<MediaFile<'_>, MediaError> {
        let not_regular = |found| MediaError::NotRegular {
            volume: self.label.clone(),
            path: path.clone(),
            found,
        };
        match self.files.get(path.as_str()) {
            Some(Content::Bytes(bytes)) => Ok(MediaFile {
                size: bytes.len() as u64,
                reader: Box::new(Cursor::new(&bytes[..])),
            }),
            Some(Content::Zeros(size)) => Ok(MediaFile {
                size: *size,
                reader: Box::new(ZeroFile::new(*size)),
            }),
            Some(Content::Link) => Err(not_regular(EntryKind::Link)),
            Some(Content::Special) => Err(not_regular(EntryKind::Special)),
            None if self.entries(path.as_str()).is_some() => Err(not_regular(EntryKind::Folder)),
            None => Err(self.missing(path)),
        }
    }
}

// === impl Sink ===

impl Sink for MemoryMedia {
    fn label(&self) -> &str {
        &self.label
    }

    fn create(&mut self, path: &MediaPath) -> Result<Box<dyn SinkFile + '_>, MediaError> {
        if self.files.contains_key(path.as_str()) {
            return Err(MediaError::Io {
                volume: self.label.clone(),
                path: path.clone(),
                source: io::ErrorKind::AlreadyExists.into(),
            });
        }
        Ok(Box::new(MemoryFile {
            files: &mut self.files,
            path: path.as_str().to_owned(),
            zeros: 0,
            bytes: Vec::new(),
        }))
    }

    fn replace(&mut self, path: &MediaPath, bytes: &[u8]) -> Result<(), MediaError> {
        self.files.insert(path.as_str().to_owned(), bytes.into());
        Ok(())
    }
}

/// Leading zeros are counted, not kept, until another byte comes.
struct MemoryFile<'a> {
    files: &'a mut BTreeMap<String, Content>,
    path: String,
    zeros: u64,
    bytes: Vec<u8>,
}

impl Write for MemoryFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.is_empty() && bytes.iter().all(|byte| *byte == 0) {
            self.zeros += bytes.len() as u64;
        } else {
            if self.bytes.is_empty() {
                let zeros = usize::try_from(self.zeros).map_err(io::Error::other)?;
                self.bytes.resize(zeros, 0);
            }
            self.bytes.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkFile for MemoryFile<'_> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        let content = if self.bytes.is_empty() && self.zeros > 0 {
            Content::Zeros(self.zeros)
        } else {
            Content::from(self.bytes)
        };
        self.files.insert(self.path, content);
        Ok(())
    }
}

// === impl Source ===

impl Source for MemoryMedia {
    fn kind(&self, path: &Utf8Path) -> Result<SourceKind, SourceError> {
        let plain = plain(path);
        match self.files.get(&plain).map(Content::kind) {
            Some(EntryKind::File { size }) => Ok(SourceKind::File { size }),
            Some(EntryKind::Link | EntryKind::Special) => Err(SourceError::NotRegular {
                path: path.to_owned(),
            }),
            Some(EntryKind::Folder) | None => match self.entries(&plain) {
                Some(_) => Ok(SourceKind::Folder),
                None => Err(missing_input(path)),
            },
        }
    }

    fn list(&self, folder: &Utf8Path) -> Result<Vec<SourceEntry>, SourceError> {
        let entries = self
            .entries(&plain(folder))
            .ok_or_else(|| missing_input(folder))?;
        entries
            .into_iter()
            .map(|entry| {
                Ok(SourceEntry {
                    kind: self.kind(&folder.join(&entry.name))?,
                    name: entry.name,
                })
            })
            .collect()
    }

    fn open(&self, path: &Utf8Path) -> Result<Box<dyn SourceFile + '_>, SourceError> {
        match self.files.get(&plain(path)) {
            Some(Content::Bytes(bytes)) => Ok(Box::new(Cursor::new(&bytes[..]))),
            Some(Content::Zeros(size)) => Ok(Box::new(ZeroFile::new(*size))),
            Some(Content::Link | Content::Special) => Err(SourceError::NotRegular {
                path: path.to_owned(),
            }),
            None => Err(missing_input(path)),
        }
    }
}

/// `./a/../b` as `b`: memory has no current folder and no links.
fn plain(path: &Utf8Path) -> String {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Utf8Component::Normal(part) => parts.push(part),
            Utf8Component::ParentDir => {
                parts.pop();
            }
            Utf8Component::CurDir | Utf8Component::RootDir | Utf8Component::Prefix(_) => {}
        }
    }
    parts.join("/")
}

fn missing_input(path: &Utf8Path) -> SourceError {
    SourceError::Io {
        path: path.to_owned(),
        source: io::ErrorKind::NotFound.into(),
    }
}

/// So many zero bytes, with a position.
struct ZeroFile {
    size: u64,
    at: u64,
}

impl ZeroFile {
    fn new(size: u64) -> Self {
        Self { size, at: 0 }
    }
}

impl Read for ZeroFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.size.saturating_sub(self.at);
        let count = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        buffer[..count].fill(0);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for ZeroFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, offset) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::End(offset) => (self.size, offset),
            SeekFrom::Current(offset) => (self.at, offset),
        };
        self.at = base
            .checked_add_signed(offset)
            .ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
