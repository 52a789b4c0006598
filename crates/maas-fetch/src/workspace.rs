//! The folder that is filled, and `.maas-fetch` in it: the lock, what has been verified, and files
//! that are not whole yet. The bundle builder leaves out names that begin with a dot.

mod memory;
mod part;

use std::{io, sync::Mutex, sync::PoisonError};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err::{File, OpenOptions};
use maas_types::{BlobPath, Digest};
use rustix::fs::FlockOperation;

use self::memory::{Memory, Stamp};
pub(crate) use self::part::Part;
use crate::{
    FetchError,
    content::{ContentId, Hasher, Sums},
    transfer::Want,
};

const OWN_FOLDER: &str = ".maas-fetch";

/// Kept free beside what is fetched: a full disk stops more than this download.
const SPARE: u64 = 64 << 20;

/// A folder that this process alone fills.
#[derive(Debug)]
pub(crate) struct Workspace {
    folder: Utf8PathBuf,
    memory: Mutex<Memory>,
    /// Held until drop.
    _lock: File,
}

impl Workspace {
    /// Makes the folder if it is not there, and takes its lock.
    pub(crate) fn open(folder: &Utf8Path) -> Result<Self, FetchError> {
        let own = folder.join(OWN_FOLDER);
        fs_err::create_dir_all(&own).map_err(FetchError::disk)?;
        let mut options = OpenOptions::new();
        let lock = options
            .create(true)
            .truncate(false)
            .write(true)
            .open(own.join("lock"));
        let lock = lock.map_err(FetchError::disk)?;
        if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(FetchError::Busy {
                folder: folder.to_owned(),
            });
        }
        Ok(Self {
            memory: Mutex::new(Memory::read(&own.join("verified.json"))),
            folder: folder.to_owned(),
            _lock: lock,
        })
    }

    pub(crate) fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    fn own(&self, name: &str) -> Utf8PathBuf {
        self.folder.join(OWN_FOLDER).join(name)
    }

    /// The SHA-256 of the file at `path`, if it is there and is what it must be. Hashed at most once:
    /// a file whose size, time and inode are those of the last time is believed.
    pub(crate) async fn verified(
        &self,
        path: &str,
        size: u64,
        id: ContentId,
    ) -> Result<Option<Digest>, FetchError> {
        let place = self.folder.join(path);
        let Some(stamp) = Stamp::of(&place)? else {
            return Ok(None);
        };
        if stamp.size != size {
            return Ok(None);
        }
        if let Some(known) = self.memory().recall(path, stamp, id) {
            return Ok(Some(known));
        }
        let sums = hash(place, id, size).await?.finish();
        if !sums.are(id) {
            return Ok(None);
        }
        self.remember(path, id, &sums)?;
        Ok(Some(sums.sha256))
    }

    /// Writes down that the file at `path` is what it must be.
    pub(crate) fn remember(
        &self,
        path: &str,
        id: ContentId,
        sums: &Sums,
    ) -> Result<(), FetchError> {
        let Some(stamp) = Stamp::of(&self.folder.join(path))? else {
            return Ok(());
        };
        let bytes = self.memory().learn(path, stamp, id, sums.sha256);
        self.replace(&self.own("verified.json"), &bytes)
    }

    /// Removes files that an earlier run put here, that are as it left them, and that `keep` does not
    /// want any more. Returns their paths.
    pub(crate) fn remove_own(
        &self,
        keep: impl Fn(&str) -> bool,
    ) -> Result<Vec<BlobPath>, FetchError> {
        let mut removed = Vec::new();
        // Not in the head of the loop, where the lock would be held to its end.
        let paths = self.memory().paths();
        for path in paths {
            let Ok(path) = path.parse::<BlobPath>() else {
                continue;
            };
            if keep(path.as_str()) {
                continue;
            }
            let place = self.folder.join(path.as_str());
            let stamp = Stamp::of(&place)?;
            if stamp.is_some_and(|stamp| self.memory().is_as_left(path.as_str(), stamp)) {
                fs_err::remove_file(&place).map_err(FetchError::disk)?;
                removed.push(path);
            }
        }
        Ok(removed)
    }

    /// Writes a whole small file, or leaves the old one.
    pub(crate) fn replace(&self, place: &Utf8Path, bytes: &[u8]) -> Result<(), FetchError> {
        if let Some(parent) = place.parent() {
            fs_err::create_dir_all(parent).map_err(FetchError::disk)?;
        }
        let name = place.file_name().unwrap_or_default();
        let fresh = self.own(&format!("{name}.new"));
        let write = || {
            let mut file = File::create(&fresh)?;
            io::Write::write_all(&mut file, bytes)?;
            file.sync_all()?;
            fs_err::rename(&fresh, place)
        };
        write().map_err(FetchError::disk)
    }

    /// Refuses before the first byte what would not fit.
    pub(crate) fn require_space(&self, needed: u64) -> Result<(), FetchError> {
        let stat = rustix::fs::statvfs(self.folder.as_str()).map_err(|errno| {
            FetchError::disk(io::Error::other(format!(
                "failed to ask for the free space of `{}`: {errno}",
                self.folder
            )))
        })?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        if needed > 0 && needed.saturating_add(SPARE) > free {
            return Err(FetchError::NoSpace {
                folder: self.folder.clone(),
                needed,
                free,
            });
        }
        Ok(())
    }

    /// Refuses before the first byte if what is missing of `wants` would not fit.
    pub(crate) async fn require_space_for(&self, wants: &[Want]) -> Result<(), FetchError> {
        let mut missing = 0_u64;
        for want in wants {
            if self
                .verified(&want.path, want.size, want.id)
                .await?
                .is_none()
            {
                let here = self.part_length(&want.path, want.size, want.id);
                missing = missing.saturating_add(want.size - here);
            }
        }
        self.require_space(missing)
    }

    /// Files that are neither wanted nor ours, sorted. What begins with a dot is nobody's concern.
    pub(crate) fn strangers(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<Utf8PathBuf>, FetchError> {
        let (mut found, mut folders) = (Vec::new(), vec![self.folder.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs_err::read_dir(&folder).map_err(FetchError::disk)? {
                let entry = entry.map_err(FetchError::disk)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with('.') {
                    continue;
                }
                let place = folder.join(name);
                let below = place.strip_prefix(&self.folder).unwrap_or(&place);
                if entry.file_type().map_err(FetchError::disk)?.is_dir() {
                    folders.push(place);
                } else if !wanted(below.as_str()) {
                    found.push(below.to_owned());
                }
            }
        }
        found.sort();
        Ok(found)
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        // A panic elsewhere leaves a whole map: each change is one insert.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a file through, off the threads that wait for the network.
async fn hash(place: Utf8PathBuf, id: ContentId, size: u64) -> Result<Hasher, FetchError> {
    let read = move || {
        let mut hasher = Hasher::new(id, size);
        let mut file = File::open(&place)?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            match io::Read::read(&mut file, &mut buffer)? {
                0 => return Ok(hasher),
                read => hasher.update(&buffer[..read]),
            }
        }
    };
    let joined = tokio::task::spawn_blocking(read).await;
    joined
        .expect("hashing does not panic")
        .map_err(FetchError::disk)
}
