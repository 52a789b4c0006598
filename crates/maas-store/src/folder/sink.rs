//! A volume on a mounted folder, written by the connected side.

use std::{
    io::{self, Write},
    os::fd::OwnedFd,
};

use camino::{Utf8Path, Utf8PathBuf};
use maas_bundle::{MediaError, MediaPath, Sink, SinkFile};

use crate::{
    atomic::{Access, replace_on},
    disk::{Disk, parent_of},
};

/// A stick or any folder that a bundle is written to. The folder is the release engineer's own; what
/// is already in it is never overwritten silently.
#[derive(Debug)]
pub struct SinkFolder {
    folder: Utf8PathBuf,
    disk: Disk,
}

impl SinkFolder {
    /// Writes below `folder`, which is made when it is not there.
    pub fn create(folder: &Utf8Path) -> Result<Self, MediaError> {
        let sink = Self {
            folder: folder.to_owned(),
            disk: Disk::real(),
        };
        sink.disk
            .make_folder(folder)
            .map_err(|error| sink.failed(&MediaPath::volume_root(), error.source))?;
        Ok(sink)
    }

    fn failed(&self, path: &MediaPath, source: io::Error) -> MediaError {
        MediaError::Io {
            volume: self.folder.to_string(),
            path: path.clone(),
            source,
        }
    }

    fn place(&self, path: &MediaPath) -> Result<Utf8PathBuf, MediaError> {
        let place = self.folder.join(path.as_str());
        self.disk
            .make_folder(parent_of(&place))
            .map_err(|error| self.failed(path, error.source))?;
        Ok(place)
    }
}

impl Sink for SinkFolder {
    fn label(&self) -> &str {
        self.folder.as_str()
    }

    fn create(&mut self, path: &MediaPath) -> Result<Box<dyn SinkFile + '_>, MediaError> {
        let place = self.place(path)?;
        if place.symlink_metadata().is_ok() {
            return Err(self.failed(path, io::ErrorKind::AlreadyExists.into()));
        }
        // FAT has no links and no modes, so the bytes wait under a name with a suffix.
        let beside = Utf8PathBuf::from(format!("{place}.new"));
        let mode = if path.is_executable() { 0o755 } else { 0o644 };
        let opened = self
            .disk
            .remove_file(&beside)
            .and_then(|()| self.disk.create(&beside, mode));
        match opened {
            Ok(file) => Ok(Box::new(NewFile {
                file,
                disk: self.disk.clone(),
                beside,
                place,
                written: 0,
                finished: false,
            })),
            Err(error) => Err(self.failed(path, error.source)),
        }
    }

    fn replace(&mut self, path: &MediaPath, bytes: &[u8]) -> Result<(), MediaError> {
        let place = self.place(path)?;
        replace_on(&self.disk, &place, bytes, Access::Public)
            .map_err(|error| self.failed(path, error.source))
    }
}

/// A file that has its name only when all of it is on the medium.
struct NewFile {
    file: OwnedFd,
    disk: Disk,
    beside: Utf8PathBuf,
    place: Utf8PathBuf,
    written: u64,
    finished: bool,
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk
            .write_at(&self.file, &self.beside, bytes, self.written)
            .map_err(|error| error.source)?;
        self.written += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SinkFile for NewFile {
    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if self.place.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.disk
            .sync(&self.file, &self.beside)
            .and_then(|()| self.disk.rename(&self.beside, &self.place))
            .map_err(|error| error.source)?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.finished {
            // The caller's error is the one that matters; a leftover has no name of the format's.
            self.disk.remove_file(&self.beside).ok();
        }
    }
}
