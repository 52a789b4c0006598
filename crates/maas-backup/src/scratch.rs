//! A folder for copies that live as long as one backup is made or verified.
//!
//! The copies hold secrets: the folder is its owner's only, one process uses it at a time, and it is
//! emptied at the beginning too, because a power cut leaves what was in it.

use std::{io, os::fd::OwnedFd};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err::os::unix::fs::OpenOptionsExt as _;
use rustix::{
    fs::{FlockOperation, Mode, OFlags},
    io::Errno,
};

use crate::BackupError;

const NAME: &str = "backup.partial";

/// The folder, ours until it is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: Utf8PathBuf,
    _lock: OwnedFd,
}

impl Scratch {
    /// Makes, locks and empties `backup.partial` in `folder`.
    pub(crate) fn claim(folder: &Utf8Path) -> Result<Self, BackupError> {
        let path = folder.join(NAME);
        match rustix::fs::mkdir(path.as_str(), Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(BackupError::file("make", path)(errno.into())),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = rustix::fs::open(path.as_str(), flags, Mode::empty());
        let lock = lock.map_err(|errno| BackupError::file("open", &path)(errno.into()))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(BackupError::Busy { path }),
            Err(errno) => return Err(BackupError::file("lock", path)(errno.into())),
        }
        empty(&path).map_err(BackupError::file("empty", &path))?;
        Ok(Self { path, _lock: lock })
    }

    /// A file of that number, not there yet.
    pub(crate) fn path(&self, number: usize) -> Utf8PathBuf {
        self.path.join(number.to_string())
    }

    /// Makes the file of that number, for its owner only.
    pub(crate) fn create(&self, number: usize) -> Result<fs_err::File, BackupError> {
        let path = self.path(number);
        let mut options = fs_err::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options.open(&path).map_err(BackupError::file("make", path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next backup.
        fs_err::remove_dir_all(&self.path).ok();
    }
}

fn empty(path: &Utf8Path) -> io::Result<()> {
    for entry in fs_err::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs_err::remove_dir_all(entry.path())?;
        } else {
            fs_err::remove_file(entry.path())?;
        }
    }
    Ok(())
}
