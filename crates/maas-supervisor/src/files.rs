//! Small state files that tell living processes about each other.
//!
//! They are replaced by rename, so a reader sees the old one or the new one. They are not synced to
//! the disk: after a power cut no process that they speak of is alive, and a reader takes a damaged
//! file for an absent one.

use std::io::{self, Read as _};

use camino::Utf8Path;
use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt;
use rustix::fs::{FlockOperation, flock};
use serde::{Serialize, de::DeserializeOwned};

/// No state file of ours comes near it; what does is not ours.
const LARGEST: u64 = 4 << 20;

/// Replaces the file at `path` by `value` as JSON.
pub(crate) fn replace(path: &Utf8Path, value: &impl Serialize) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let beside = path.with_file_name(format!(".{name}.new"));
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    #[expect(
        clippy::disallowed_methods,
        reason = "beside its target and renamed over it; see the module's words on syncing"
    )]
    std::fs::write(&beside, &bytes)?;
    fs::rename(&beside, path)
}

/// Reads a state file. `None` if there is none, or none that can be read.
pub(crate) fn read<T: DeserializeOwned>(path: &Utf8Path) -> Option<T> {
    match read_plain(path).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?)) {
        Ok(value) => Some(value),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!(%path, %error, "ignored the state file `{path}`: {error}");
            None
        }
    }
}

/// Threat: an engine that was taken over puts a pipe, a link or an endless file where its status should be,
/// and whoever reads it waits for ever or reads another's file. Defence: no link is followed, nothing is
/// waited for, plain files only, and no more of them than a state file can hold.
fn read_plain(path: &Utf8Path) -> io::Result<Vec<u8>> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() || meta.len() > LARGEST {
        return Err(io::Error::other(
            "it is no plain file of a state file's size",
        ));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Removes a file that may be absent.
pub(crate) fn remove(path: &Utf8Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A lock that the kernel takes back when this process ends, however it ends.
#[derive(Debug)]
pub(crate) struct ProcessLock {
    _file: fs::File,
}

impl ProcessLock {
    /// Takes the lock at `path`; `None` if another process holds it.
    pub(crate) fn take(path: &Utf8Path) -> io::Result<Option<Self>> {
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            // The supervisor looks whether an engine of another user holds it.
            .mode(0o660)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_or_absent_state_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("a.json");
        assert_eq!(read::<Vec<u8>>(&path), None);
        replace(&path, &[1u8, 2]).unwrap();
        assert_eq!(read(&path), Some(vec![1u8, 2]));
        fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(3)
            .unwrap();
        assert_eq!(read::<Vec<u8>>(&path), None);
    }

    #[test]
    fn a_lock_has_one_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("lock");
        let held = ProcessLock::take(&path).unwrap();
        assert!(held.is_some());
        assert!(ProcessLock::take(&path).unwrap().is_none());
        drop(held);
        assert!(ProcessLock::take(&path).unwrap().is_some());
    }
}
