//! Replacing a file or a link so that a reader, and a power cut, sees the old one or the new one and
//! never half of either.

use std::{
    io::Read as _,
    sync::atomic::{AtomicU64, Ordering},
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::disk::{Disk, DiskError, parent_of};

/// Who may read a file that is written here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody on the host: 0644.
    Public,
    /// The owner only: 0600. Keys and other secrets.
    Private,
}

impl Access {
    /// The permission bits.
    pub const fn mode(self) -> u32 {
        match self {
            Self::Public => 0o644,
            Self::Private => 0o600,
        }
    }
}

/// Puts `bytes` at `path` (0644): a file beside it, forced to the disk, renamed over it, and the
/// folder forced.
pub fn replace(path: &Utf8Path, bytes: &[u8]) -> Result<(), DiskError> {
    replace_on(&Disk::real(), path, bytes, Access::Public)
}

/// As [`replace`], but only the owner can read the result (0600), from its first byte on.
pub fn replace_private(path: &Utf8Path, bytes: &[u8]) -> Result<(), DiskError> {
    replace_on(&Disk::real(), path, bytes, Access::Private)
}

/// As [`replace`], on a disk that may be watched.
pub fn replace_on(
    disk: &Disk,
    path: &Utf8Path,
    bytes: &[u8],
    access: Access,
) -> Result<(), DiskError> {
    let beside = beside(path);
    let written =
        write_new(disk, &beside, bytes, access.mode()).and_then(|()| disk.rename(&beside, path));
    clear_up(disk, &beside, written)
}

/// Writes a file that is not there yet and forces it, not its folder, to the disk.
pub(crate) fn write_new(
    disk: &Disk,
    path: &Utf8Path,
    bytes: &[u8],
    mode: u32,
) -> Result<(), DiskError> {
    let file = disk.create(path, mode)?;
    disk.write_at(&file, path, bytes, 0)?;
    disk.sync(&file, path)
}

/// Makes `link` a symbolic link that says `target`, replacing the one that was there.
pub fn flip_link(link: &Utf8Path, target: &Utf8Path) -> Result<(), DiskError> {
    flip_link_on(&Disk::real(), link, target)
}

/// As [`flip_link`], on a disk that may be watched.
pub fn flip_link_on(disk: &Disk, link: &Utf8Path, target: &Utf8Path) -> Result<(), DiskError> {
    let beside = beside(link);
    let flipped = disk
        .symlink(&beside, target)
        .and_then(|()| disk.rename(&beside, link));
    clear_up(disk, &beside, flipped)
}

/// A name beside `path` that nobody else uses: hidden, with this process and a number of its own.
/// What a crash leaves behind is never taken for anything.
/// Replaces `to` by a copy of `from` with this mode: another file system may be between them.
pub fn copy_on(disk: &Disk, from: &Utf8Path, to: &Utf8Path, mode: u32) -> Result<(), DiskError> {
    let beside = beside(to);
    let copied = copy_new(disk, from, &beside, mode).and_then(|()| disk.rename(&beside, to));
    clear_up(disk, &beside, copied)
}

/// One read and one write of this size: few calls, little memory.
const COPY_BYTES: usize = 1 << 20;

fn copy_new(disk: &Disk, from: &Utf8Path, to: &Utf8Path, mode: u32) -> Result<(), DiskError> {
    let failed = |source| DiskError {
        doing: format!("read `{from}`"),
        source,
    };
    let mut source = fs_err::File::open(from).map_err(failed)?;
    let file = disk.create(to, mode)?;
    let mut buffer = vec![0; COPY_BYTES];
    let mut offset = 0;
    loop {
        match source.read(&mut buffer).map_err(failed)? {
            0 => break,
            read => {
                disk.write_at(&file, to, &buffer[..read], offset)?;
                offset += read as u64;
            }
        }
    }
    // Whatever the umask of whoever runs this is.
    disk.set_mode(&file, to, mode)?;
    disk.sync(&file, to)
}

fn beside(path: &Utf8Path) -> Utf8PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or("file");
    let process = std::process::id();
    parent_of(path).join(format!(".{name}.{process}-{number}.new"))
}

/// Takes the file beside away again when it could not be put in place; the first error is told.
fn clear_up(
    disk: &Disk,
    beside: &Utf8Path,
    result: Result<(), DiskError>,
) -> Result<(), DiskError> {
    if result.is_err() && beside.symlink_metadata().is_ok() {
        // The first error is the one that matters; a leftover is hidden and harmless.
        disk.remove_file(beside).ok();
    }
    result
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
        (folder, path)
    }

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let (_keep, folder) = folder();
        let path = folder.join("a.json");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs_err::read(&path).unwrap(), b"two");
        assert_eq!(fs_err::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn a_private_file_is_readable_by_its_owner_only() {
        let (_keep, folder) = folder();
        let path = folder.join("secret");
        replace_private(&path, b"x").unwrap();
        let mode = fs_err::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_link_flips_and_stays_relative() {
        let (_keep, folder) = folder();
        let link = folder.join("current");
        flip_link(&link, Utf8Path::new("generations/1-1")).unwrap();
        flip_link(&link, Utf8Path::new("generations/2-1")).unwrap();
        assert_eq!(link.read_link_utf8().unwrap(), "generations/2-1");
        assert_eq!(fs_err::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn whatever_effect_fails_the_file_is_the_old_one_or_the_new_one() {
        use std::sync::{Arc, atomic::AtomicUsize};
        for fail_at in 0..8 {
            let (_keep, folder) = folder();
            let path = folder.join("a.json");
            replace(&path, b"old").unwrap();
            let count = Arc::new(AtomicUsize::new(0));
            let disk = Disk::watched(move |_| {
                if count.fetch_add(1, Ordering::SeqCst) < fail_at {
                    Ok(())
                } else {
                    Err(std::io::Error::other("power cut"))
                }
            });
            let result = replace_on(&disk, &path, b"new", Access::Public);
            let found = fs_err::read(&path).unwrap();
            assert!(found == b"old" || found == b"new", "{fail_at}");
            assert!(result.is_err() || found == b"new");
        }
    }
}
