//! A volume on a mounted folder, read. Threats and defences: see `beneath`.

use std::{
    io::{self, Read},
    os::fd::OwnedFd,
};

use camino::Utf8Path;
use maas_bundle::{Entry, EntryKind, Media, MediaError, MediaFile, MediaPath};
use rustix::{
    fs::{Advice, AtFlags, Dir, FileType, Mode, OFlags, Stat},
    io::Errno,
};

use super::beneath::{Beneath, file_type, length};

/// A mounted stick, disc or any folder that holds a bundle.
#[derive(Debug)]
pub struct MediaFolder {
    label: String,
    beneath: Beneath,
}

impl MediaFolder {
    /// Takes hold of the folder; its path is the volume's label.
    pub fn open(path: &Utf8Path) -> Result<Self, MediaError> {
        let label = path.to_string();
        match Beneath::new(path) {
            Ok(beneath) => Ok(Self { label, beneath }),
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
                // Advice only: a file system that does not know it reads as well without.
                rustix::fs::fadvise(&file, 0, None, Advice::Sequential).ok();
                Ok(MediaFile {
                    size,
                    reader: Box::new(OpenFile(file)),
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

/// A descriptor that reads.
struct OpenFile(OwnedFd);

impl Drop for OpenFile {
    fn drop(&mut self) {
        // A bundle is bigger than memory and is read once: its pages would only push out others. And
        // whoever opens the file again, after a wrong reading, shall get it from the medium.
        rustix::fs::fadvise(&self.0, 0, None, Advice::DontNeed).ok();
    }
}

impl Read for OpenFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(&self.0, buffer)?)
    }
}
