//! Inputs of a bundle, on the connected side's own disks.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use maas_bundle::{Source, SourceEntry, SourceError, SourceFile, SourceKind};
use rustix::fs::{FileType, Mode, OFlags};

use super::beneath::{file_type, length};

/// A folder of inputs: the recipe's. Links are followed, because the caches of model hubs are made
/// of them; pipes, sockets and devices behind them are refused and never opened for reading.
#[derive(Debug)]
pub struct SourceFolder {
    folder: Utf8PathBuf,
}

impl SourceFolder {
    /// Paths are read relative to `folder`; absolute ones as they stand.
    pub fn new(folder: impl Into<Utf8PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }
}

fn failed(path: &Utf8Path, source: impl Into<io::Error>) -> SourceError {
    SourceError::Io {
        path: path.to_owned(),
        source: source.into(),
    }
}

impl Source for SourceFolder {
    fn kind(&self, path: &Utf8Path) -> Result<SourceKind, SourceError> {
        let status = rustix::fs::stat(self.folder.join(path).as_str())
            .map_err(|errno| failed(path, errno))?;
        match file_type(&status) {
            FileType::RegularFile => Ok(SourceKind::File {
                size: length(&status),
            }),
            FileType::Directory => Ok(SourceKind::Folder),
            FileType::Symlink
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => Err(SourceError::NotRegular {
                path: path.to_owned(),
            }),
        }
    }

    fn list(&self, folder: &Utf8Path) -> Result<Vec<SourceEntry>, SourceError> {
        let entries =
            fs_err::read_dir(self.folder.join(folder)).map_err(|error| failed(folder, error))?;
        entries
            .map(|entry| {
                let entry = entry.map_err(|error| failed(folder, error))?;
                let name =
                    entry
                        .file_name()
                        .into_string()
                        .map_err(|name| SourceError::NotRegular {
                            path: folder.join(name.to_string_lossy().as_ref()),
                        })?;
                Ok(SourceEntry {
                    kind: self.kind(&folder.join(&name))?,
                    name,
                })
            })
            .collect()
    }

    fn open(&self, path: &Utf8Path) -> Result<Box<dyn SourceFile + '_>, SourceError> {
        let place = self.folder.join(path);
        // NONBLOCK: a pipe must not be waited for. It is judged by its descriptor, not by its name.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::open(place.as_str(), flags, Mode::empty())
            .map_err(|errno| failed(path, errno))?;
        let status = rustix::fs::fstat(&file).map_err(|errno| failed(path, errno))?;
        if file_type(&status) != FileType::RegularFile {
            return Err(SourceError::NotRegular {
                path: path.to_owned(),
            });
        }
        Ok(Box::new(fs_err::File::from_parts(
            file.into(),
            place.into_std_path_buf(),
        )))
    }
}
