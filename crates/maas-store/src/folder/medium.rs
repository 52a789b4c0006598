//! A volume on a mounted folder, read. Threats and defences: see `beneath`.

use std::{collections::HashSet, io, os::fd::OwnedFd};

use camino::Utf8Path;
use maas_bundle::{Entry, EntryKind, Media, MediaError, MediaFile, MediaPath};
use parking_lot::Mutex;
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat},
    io::Errno,
};

use super::{
    beneath::{Beneath, file_type, length},
    reader::{Cache, FileReader},
};

/// A mounted stick, disc or any folder that holds a bundle.
///
/// A file that is opened again is read past the page cache. Whoever does that wants to know what
/// the medium says now: after a wrong reading, or when what was verified is installed.
#[derive(Debug)]
pub struct MediaFolder {
    label: String,
    beneath: Beneath,
    opened: Mutex<HashSet<MediaPath>>,
}

impl MediaFolder {
    /// Takes hold of the folder; its path is the volume's label.
    pub fn open(path: &Utf8Path) -> Result<Self, MediaError> {
        let label = path.to_string();
        match Beneath::new(path) {
            Ok(beneath) => Ok(Self {
                label,
                beneath,
                opened: Mutex::default(),
            }),
            Err(source) => Err(MediaError::Io {
                volume: label,
                path: MediaPath::volume_root(),
                source,
            }),
        }
    }

    fn refused(&self, path: &MediaPath, source: io::Error) -> MediaError {
        let volume = self.label.clone();
        let path = path.clone();
        match Errno::from_io_error(&source) {
            Some(Errno::NOENT) => MediaError::Missing { volume, path },
            // NOTDIR: a file stands where a folder should; LOOP: a link on the way or at its end;
            // NXIO: a socket, or a device that is not there.
            Some(Errno::LOOP) => MediaError::NotRegular {
                volume,
                path,
                found: EntryKind::Link,
            },
            Some(Errno::NXIO) => MediaError::NotRegular {
                volume,
                path,
                found: EntryKind::Special,
            },
            _ => MediaError::Io {
                volume,
                path,
                source,
            },
        }
    }

    fn not_regular(&self, path: &MediaPath, found: EntryKind) -> MediaError {
        MediaError::NotRegular {
            volume: self.label.clone(),
            path: path.clone(),
            found,
        }
    }

    /// When the kernel refused, what is it that lies there? For the message only; nothing is opened.
    fn explain(&self, path: &MediaPath, components: &[&str], source: io::Error) -> MediaError {
        match self.beneath.look(components).map(|status| kind(&status)) {
            Ok(found @ (EntryKind::Link | EntryKind::Special)) => self.not_regular(path, found),
            Ok(found @ EntryKind::File { .. })
                if Errno::from_io_error(&source) == Some(Errno::NOTDIR) =>
            {
                self.not_regular(path, found)
            }
            Ok(EntryKind::File { .. } | EntryKind::Folder) | Err(_) => self.refused(path, source),
        }
    }
}

impl Media for MediaFolder {
    fn label(&self) -> &str {
        &self.label
    }

    fn list(&self, folder: &MediaPath) -> Result<Vec<Entry>, MediaError> {
        let components: Vec<_> = folder.components().collect();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let opened = self
            .beneath
            .open(&components, flags, Mode::empty())
            .map_err(|source| self.explain(folder, &components, source))?;
        entries(&opened).map_err(|source| self.refused(folder, source))
    }

    fn open(&self, path: &MediaPath) -> Result<MediaFile<'_>, MediaError> {
        let components: Vec<_> = path.components().collect();
        let file = self
            .beneath
            .open(&components, OFlags::RDONLY, Mode::empty())
            .map_err(|source| self.explain(path, &components, source))?;
        let status = rustix::fs::fstat(&file).map_err(|errno| self.refused(path, errno.into()))?;
        match kind(&status) {
            EntryKind::File { size } if status.st_nlink == 1 => {
                let cache = if self.opened.lock().insert(path.clone()) {
                    Cache::Use
                } else {
                    Cache::Avoid
                };
                Ok(MediaFile {
                    size,
                    reader: Box::new(FileReader::new(file, cache)),
                })
            }
            EntryKind::File { .. } => {
                let links = status.st_nlink;
                let source = io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("the file has {links} names (hard links); on a medium it has one"),
                );
                Err(self.refused(path, source))
            }
            found @ (EntryKind::Folder | EntryKind::Link | EntryKind::Special) => {
                Err(self.not_regular(path, found))
            }
        }
    }
}

fn entries(folder: &OwnedFd) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let status = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        entries.push(Entry {
            name: name.to_string_lossy().into_owned(),
            kind: kind(&status),
        });
    }
    Ok(entries)
}

fn kind(status: &Stat) -> EntryKind {
    match file_type(status) {
        FileType::RegularFile => EntryKind::File {
            size: length(status),
        },
        FileType::Directory => EntryKind::Folder,
        FileType::Symlink => EntryKind::Link,
        FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => EntryKind::Special,
    }
}
