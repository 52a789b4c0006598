//! Every change that this crate makes to a file system goes through here, one small effect at a time.
//!
//! Why a seam: an install must survive a power cut after any of its writes. A test watches the
//! effects, lets the k-th one and all later ones fail, and looks at what is left. The effects are the
//! real system calls either way; only the watcher differs.

use std::{
    fmt, io,
    num::NonZeroU64,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use camino::Utf8Path;
use rustix::{
    fs::{Advice, AtFlags, CWD, FallocateFlags, Mode, OFlags},
    io::Errno,
};

/// One change to a disk, told to the watcher before it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect<'a> {
    /// A folder is made.
    MakeFolder(&'a Utf8Path),
    /// A file is created, which was not there before.
    Create(&'a Utf8Path),
    /// Blocks are set aside for a file.
    Allocate(&'a Utf8Path, u64),
    /// Bytes are written: where, from which offset, how many.
    Write(&'a Utf8Path, u64, u64),
    /// A file's bytes are forced to the disk.
    Sync(&'a Utf8Path),
    /// A folder's entries are forced to the disk.
    SyncFolder(&'a Utf8Path),
    /// A name changes: from, to.
    Rename(&'a Utf8Path, &'a Utf8Path),
    /// A file gets a second name: existing, new.
    Link(&'a Utf8Path, &'a Utf8Path),
    /// A symbolic link is made: where, what it says.
    Symlink(&'a Utf8Path, &'a Utf8Path),
    /// Permissions change.
    SetMode(&'a Utf8Path, u32),
    /// A file, link or folder tree goes away.
    Remove(&'a Utf8Path),
    /// A database transaction is about to be committed.
    Commit(&'a Utf8Path, &'static str),
}

impl fmt::Display for Effect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MakeFolder(path) => write!(f, "make the folder `{path}`"),
            Self::Create(path) => write!(f, "create `{path}`"),
            Self::Allocate(path, bytes) => write!(f, "set {bytes} bytes aside for `{path}`"),
            Self::Write(path, offset, bytes) => {
                write!(f, "write {bytes} bytes at offset {offset} of `{path}`")
            }
            Self::Sync(path) => write!(f, "force `{path}` to the disk"),
            Self::SyncFolder(path) => write!(f, "force the folder `{path}` to the disk"),
            Self::Rename(from, to) => write!(f, "rename `{from}` to `{to}`"),
            Self::Link(from, to) => write!(f, "link `{from}` as `{to}`"),
            Self::Symlink(link, target) => write!(f, "make the link `{link}` to `{target}`"),
            Self::SetMode(path, mode) => write!(f, "set the mode of `{path}` to {mode:04o}"),
            Self::Remove(path) => write!(f, "remove `{path}`"),
            Self::Commit(path, what) => write!(f, "commit {what} to `{path}`"),
        }
    }
}

/// A change that did not happen.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing}")]
pub struct DiskError {
    /// The effect, in words: `write 4096 bytes at offset 0 of /x`.
    pub doing: String,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl DiskError {
    /// Whether the disk, or the quota on it, is full.
    pub fn is_full(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }
}

type Watch = dyn Fn(&Effect<'_>) -> io::Result<()> + Send + Sync;

/// The machine's file systems.
#[derive(Clone, Default)]
pub struct Disk {
    watch: Option<Arc<Watch>>,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk")
            .field("watched", &self.watch.is_some())
            .finish()
    }
}

impl Disk {
    /// The disk as it is.
    pub fn real() -> Self {
        Self::default()
    }

    /// The same disk, but `watch` hears of each effect first, and an error of its own is as if the
    /// system had refused.
    pub fn watched(watch: impl Fn(&Effect<'_>) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self {
            watch: Some(Arc::new(watch)),
        }
    }

    fn perform<T>(
        &self,
        effect: Effect<'_>,
        act: impl FnOnce() -> Result<T, Errno>,
    ) -> Result<T, DiskError> {
        let allowed = match &self.watch {
            Some(watch) => watch(&effect),
            None => Ok(()),
        };
        allowed
            .and_then(|()| act().map_err(io::Error::from))
            .map_err(|source| DiskError {
                doing: effect.to_string(),
                source,
            })
    }

    /// Tells the watcher that a transaction is about to be committed.
    pub(crate) fn commit(&self, path: &Utf8Path, what: &'static str) -> Result<(), DiskError> {
        self.perform(Effect::Commit(path, what), || Ok(()))
    }

    /// Makes a folder and those above it that are missing, each forced into its parent. 0755: the
    /// services read what root installs.
    pub fn make_folder(&self, path: &Utf8Path) -> Result<(), DiskError> {
        if path.as_str().is_empty() || path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.make_folder(parent)?;
        }
        let mode = Mode::from_raw_mode(0o755);
        self.perform(Effect::MakeFolder(path), || {
            match rustix::fs::mkdir(path.as_str(), mode) {
                Err(Errno::EXIST) => return Ok(()),
                other => other?,
            }
            // The umask of the caller must not decide: 077 is common for root on hardened hosts.
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let folder = rustix::fs::open(path.as_str(), flags, Mode::empty())?;
            rustix::fs::fchmod(folder, mode)
        })?;
        self.sync_folder(parent_of(path))
    }

    /// Creates a file that is not there yet; never follows a link, never replaces.
    pub fn create(&self, path: &Utf8Path, mode: u32) -> Result<OwnedFd, DiskError> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.perform(Effect::Create(path), || {
            let file = rustix::fs::open(path.as_str(), flags, Mode::from_raw_mode(mode))?;
            // The umask of the caller must not decide who can read an installed file. FAT knows no
            // modes and answers EPERM; there the mount decides.
            match rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)) {
                Ok(()) | Err(Errno::PERM | Errno::OPNOTSUPP) => Ok(file),
                Err(errno) => Err(errno),
            }
        })
    }

    /// Sets blocks aside, so that a full disk is found out before the first byte is read. A file
    /// system that cannot do that gets the length only.
    pub fn allocate(&self, file: impl AsFd, path: &Utf8Path, bytes: u64) -> Result<(), DiskError> {
        if bytes == 0 {
            return Ok(());
        }
        self.perform(
            Effect::Allocate(path, bytes),
            || match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes) {
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => rustix::fs::ftruncate(&file, bytes),
                other => other,
            },
        )
    }

    /// Writes all of `bytes` at `offset`.
    pub fn write_at(
        &self,
        file: impl AsFd,
        path: &Utf8Path,
        bytes: &[u8],
        offset: u64,
    ) -> Result<(), DiskError> {
        self.perform(Effect::Write(path, offset, bytes.len() as u64), || {
            let mut done = 0;
            while done < bytes.len() {
                match rustix::io::pwrite(&file, &bytes[done..], offset + done as u64) {
                    Ok(0) => return Err(Errno::IO),
                    Ok(count) => done += count,
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })
    }

    /// Asks for bytes that were written to go to the disk now, so that forcing the file later is
    /// short. No effect: it promises nothing, and after a power cut nothing shows that it was asked.
    ///
    /// `POSIX_FADV_DONTNEED` on dirty pages does what `sync_file_range(SYNC_FILE_RANGE_WRITE)` does,
    /// starts writing them back, and keeps them until they are clean.
    pub(crate) fn start_writing_back(file: impl AsFd, offset: u64, bytes: u64) {
        let length = NonZeroU64::new(bytes);
        // Advice only: where it is not known, forcing the file takes longer.
        rustix::fs::fadvise(file, offset, length, Advice::DontNeed).ok();
    }

    /// Forces a file's bytes to the disk.
    pub fn sync(&self, file: impl AsFd, path: &Utf8Path) -> Result<(), DiskError> {
        self.perform(Effect::Sync(path), || rustix::fs::fsync(&file))
    }

    /// Forces a folder's entries to the disk: a rename that is not forced can be undone by a power
    /// cut.
    pub fn sync_folder(&self, path: &Utf8Path) -> Result<(), DiskError> {
        self.perform(Effect::SyncFolder(path), || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            rustix::fs::fsync(rustix::fs::open(path.as_str(), flags, Mode::empty())?)
        })
    }

    /// Gives a file or folder another name, replacing what had it; then forces the folder.
    pub fn rename(&self, from: &Utf8Path, to: &Utf8Path) -> Result<(), DiskError> {
        self.perform(Effect::Rename(from, to), || {
            rustix::fs::rename(from.as_str(), to.as_str())
        })?;
        self.sync_folder(parent_of(to))
    }

    /// Gives a file a second name.
    pub fn link(&self, existing: &Utf8Path, new: &Utf8Path) -> Result<(), DiskError> {
        self.perform(Effect::Link(existing, new), || {
            rustix::fs::linkat(CWD, existing.as_str(), CWD, new.as_str(), AtFlags::empty())
        })
    }

    /// Makes a symbolic link.
    pub fn symlink(&self, link: &Utf8Path, target: &Utf8Path) -> Result<(), DiskError> {
        self.perform(Effect::Symlink(link, target), || {
            rustix::fs::symlink(target.as_str(), link.as_str())
        })
    }

    /// Sets an open file's permissions.
    pub fn set_mode(&self, file: impl AsFd, path: &Utf8Path, mode: u32) -> Result<(), DiskError> {
        self.perform(Effect::SetMode(path, mode), || {
            rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))
        })
    }

    /// Removes a file or link; one that is not there is as good as removed.
    pub fn remove_file(&self, path: &Utf8Path) -> Result<(), DiskError> {
        self.perform(Effect::Remove(path), || {
            match rustix::fs::unlink(path.as_str()) {
                Err(Errno::NOENT) => Ok(()),
                other => other,
            }
        })
    }

    /// Removes a folder and all that is in it, not following links; absent is as good as removed.
    pub fn remove_tree(&self, path: &Utf8Path) -> Result<(), DiskError> {
        let result = match &self.watch {
            Some(watch) => watch(&Effect::Remove(path)),
            None => Ok(()),
        };
        result
            .and_then(|()| match fs_err::remove_dir_all(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            })
            .map_err(|source| DiskError {
                doing: Effect::Remove(path).to_string(),
                source,
            })
    }
}

/// The folder that a name lies in.
pub(crate) fn parent_of(path: &Utf8Path) -> &Utf8Path {
    match path.parent() {
        Some(parent) if !parent.as_str().is_empty() => parent,
        _ => Utf8Path::new("."),
    }
}
