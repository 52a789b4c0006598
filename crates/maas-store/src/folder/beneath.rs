//! Opening things beneath one folder and nowhere else.
//!
//! Threats (CVE-2020-25860 and kin): a medium is under an attacker's control while it is read. A
//! name on it may be a link to `/etc/shadow`, a pipe that blocks for ever, a device whose reading has
//! effects, a second name of a file that may not be read, a mount of something else; and it may
//! become one of these between a look and an opening.
//!
//! Defences: one descriptor of the folder, taken once; every name is opened by `openat2` with
//! `RESOLVE_BENEATH | NO_SYMLINKS | NO_MAGICLINKS | NO_XDEV`, so the kernel itself refuses to leave;
//! `O_NOFOLLOW | O_NONBLOCK`, so neither a link nor a pipe is ever waited for; and what was opened is
//! judged by `fstat` of the very descriptor that is read. A kernel before 5.6 has no `openat2`: there
//! each component is opened by itself with `O_NOFOLLOW`, and the device number is compared.

use std::{io, os::fd::OwnedFd};

use camino::Utf8Path;
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat},
    io::Errno,
};

/// A folder, held by its descriptor.
#[derive(Debug)]
pub(super) struct Beneath {
    folder: OwnedFd,
    device: u64,
}

impl Beneath {
    /// Takes hold of a folder. The path itself is the operator's and may go through links.
    pub(super) fn new(path: &Utf8Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path.as_str(), flags, Mode::empty())?;
        let device = rustix::fs::fstat(&folder)?.st_dev;
        Ok(Self { folder, device })
    }

    /// Opens `components` beneath the folder; none opens the folder itself.
    pub(super) fn open(
        &self,
        components: &[&str],
        flags: OFlags,
        mode: Mode,
    ) -> io::Result<OwnedFd> {
        let mut flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // `openat2` refuses the two together; what is opened by path only is never waited for.
        flags.set(OFlags::NONBLOCK, !flags.contains(OFlags::PATH));
        let path = if components.is_empty() {
            ".".to_owned()
        } else {
            components.join("/")
        };
        let resolve = ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV;
        loop {
            match rustix::fs::openat2(&self.folder, path.as_str(), flags, mode, resolve) {
                Ok(file) => return Ok(file),
                // The kernel saw a rename on the way and asks to try again (openat2(2)).
                Err(Errno::AGAIN | Errno::INTR) => {}
                // EPERM: seccomp filters of old container engines answer so for unknown calls.
                Err(Errno::NOSYS | Errno::PERM) => {
                    return self.open_by_component(components, flags, mode);
                }
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// The same without `openat2`: component by component, never through a link, never to another
    /// file system.
    pub(super) fn open_by_component(
        &self,
        components: &[&str],
        flags: OFlags,
        mode: Mode,
    ) -> io::Result<OwnedFd> {
        let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let (last, folders) = match components.split_last() {
            Some((last, folders)) => (*last, folders),
            None => (".", components),
        };
        if components
            .iter()
            .any(|part| matches!(*part, "" | "." | "..") || part.contains('/'))
        {
            return Err(Errno::XDEV.into());
        }
        let mut at = rustix::fs::openat(&self.folder, ".", step, Mode::empty())?;
        for part in folders {
            at = rustix::fs::openat(&at, *part, step, Mode::empty())?;
            self.same_device(&at)?;
        }
        let file = rustix::fs::openat(&at, last, flags, mode)?;
        self.same_device(&file)?;
        Ok(file)
    }

    fn same_device(&self, file: &OwnedFd) -> io::Result<()> {
        if rustix::fs::fstat(file)?.st_dev == self.device {
            Ok(())
        } else {
            Err(Errno::XDEV.into())
        }
    }

    /// What lies under a name, the name itself and not where it points.
    pub(super) fn look(&self, components: &[&str]) -> io::Result<Stat> {
        let Some((last, folders)) = components.split_last() else {
            return Ok(rustix::fs::fstat(&self.folder)?);
        };
        let folder = self.open(folders, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
        Ok(rustix::fs::statat(
            &folder,
            *last,
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }
}

/// Whether a status is a regular file's.
pub(super) fn file_type(status: &Stat) -> FileType {
    FileType::from_raw_mode(status.st_mode)
}

/// A file's length.
pub(super) fn length(status: &Stat) -> u64 {
    u64::try_from(status.st_size).unwrap_or(0)
}
