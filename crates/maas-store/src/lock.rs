//! The one lock of the appliance: whoever writes to the store, the generations or the trust database
//! holds it, and shows it as an argument.

use std::{fmt, os::fd::OwnedFd};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use maas_types::Layout;
use rustix::{
    fs::{FlockOperation, Mode, OFlags},
    io::Errno,
};
use serde::{Deserialize, Serialize};

use crate::{Disk, StoreError, disk::DiskError};

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// What it does: `maas-appliance install`.
    pub command: String,
    /// Since when it holds the lock.
    pub since: Timestamp,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` (process {}) since {}",
            self.command.escape_debug(),
            self.pid,
            self.since
        )
    }
}

/// The lock, held. The kernel releases it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    held: Held,
    layout: Layout,
    disk: Disk,
}

impl Lock {
    /// Takes the lock, or says who has it. Makes the state folder when there is none.
    pub fn acquire(layout: &Layout, holder: &Holder) -> Result<Self, StoreError> {
        Self::acquire_on(Disk::real(), layout, holder)
    }

    /// As [`Lock::acquire`], on a disk that may be watched. All that is written under this lock goes
    /// through that disk.
    pub fn acquire_on(disk: Disk, layout: &Layout, holder: &Holder) -> Result<Self, StoreError> {
        disk.make_folder(&layout.state())?;
        Ok(Self {
            held: Held::acquire(layout.lock(), holder)?,
            layout: layout.clone(),
            disk,
        })
    }

    /// Where the lock lies.
    pub fn path(&self) -> &Utf8Path {
        &self.held.path
    }

    /// The appliance that is locked.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The disk that everything under this lock is written through.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }
}

/// A file that one process at a time holds, with its name in it.
#[derive(Debug)]
pub(crate) struct Held {
    file: OwnedFd,
    path: Utf8PathBuf,
}

impl Held {
    /// Takes the file, or says who has it. Its folder must be there.
    pub(crate) fn acquire(path: Utf8PathBuf, holder: &Holder) -> Result<Self, StoreError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::open(path.as_str(), flags, Mode::from_raw_mode(0o644))
            .map_err(|errno| failed("open", &path, errno))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let holder = read_holder(&path);
                return Err(StoreError::Busy { path, holder });
            }
            Err(errno) => return Err(failed("lock", &path, errno)),
        }
        let held = Self { file, path };
        held.sign(holder)?;
        Ok(held)
    }

    fn sign(&self, holder: &Holder) -> Result<(), StoreError> {
        let text = serde_json::to_vec(holder).map_err(|error| {
            StoreError::Disk(DiskError {
                doing: format!("write `{}`", self.path),
                source: error.into(),
            })
        })?;
        rustix::fs::ftruncate(&self.file, 0).map_err(|errno| failed("empty", &self.path, errno))?;
        // Not an effect that a crash test needs to see: the content is for people only.
        Disk::real().write_at(&self.file, &self.path, &text, 0)?;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // So that nobody reads a stale name in the moment before the next holder signs. If it
        // fails, a stale name is all the harm.
        rustix::fs::ftruncate(&self.file, 0).ok();
        // Closing alone would leave the lock with a child that another thread is just starting and
        // that has not yet dropped its copies of our descriptors.
        rustix::fs::flock(&self.file, FlockOperation::Unlock).ok();
    }
}

fn read_holder(path: &Utf8Path) -> Option<Holder> {
    let text = fs_err::read(path).ok()?;
    serde_json::from_slice(&text).ok()
}

fn failed(what: &str, path: &Utf8Path, errno: Errno) -> StoreError {
    StoreError::Disk(DiskError {
        doing: format!("{what} `{path}`"),
        source: errno.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(command: &str) -> Holder {
        Holder {
            pid: 4711,
            command: command.to_owned(),
            since: "2026-11-22T12:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_second_holder_is_told_who_and_since_when() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(Utf8Path::from_path(folder.path()).unwrap());
        let first = Lock::acquire(&layout, &holder("maas-appliance install")).unwrap();
        let error = Lock::acquire(&layout, &holder("maas-appliance rollback")).unwrap_err();
        assert_eq!(error.exit(), maas_types::Exit::Busy);
        let text = error.to_string().replace(layout.root().as_str(), "");
        insta::assert_snapshot!(text, @"`/var/lib/maas-appliance/lock` is held by `maas-appliance install` (process 4711) since 2026-11-22T12:00:00Z");
        drop(first);
        Lock::acquire(&layout, &holder("maas-appliance rollback")).unwrap();
    }

    #[test]
    fn a_name_from_an_earlier_holder_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(Utf8Path::from_path(folder.path()).unwrap());
        drop(Lock::acquire(&layout, &holder("maas-appliance install")).unwrap());
        assert_eq!(fs_err::read(layout.lock()).unwrap(), b"");
    }
}
