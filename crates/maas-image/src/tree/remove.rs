//! Removing what an interrupted or failed run left, whatever modes it has.

use std::os::fd::{AsFd as _, BorrowedFd};

use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, chmodat, openat, statat, unlinkat},
    io::Errno,
};

use super::READ_FOLDER;

/// Removes a path and all below it, following nothing. One that is not there is removed already.
pub(crate) fn remove_tree(path: &str) -> Result<(), Errno> {
    remove(CWD, path.as_bytes())
}

fn remove(folder: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    let stat = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(errno),
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return unlinkat(folder, name, AtFlags::empty());
    }
    if stat.st_mode & 0o700 != 0o700 {
        // An ordinary user cannot empty a folder of mode 0555. It is a folder of ours, seen just now.
        chmodat(folder, name, Mode::RWXU, AtFlags::empty())?;
    }
    let inner = openat(folder, name, READ_FOLDER, Mode::empty())?;
    let names: Result<Vec<_>, _> = Dir::read_from(&inner)?
        .map(|entry| entry.map(|entry| entry.file_name().to_bytes().to_owned()))
        .collect();
    for below in names? {
        if below != b"." && below != b".." {
            remove(inner.as_fd(), &below)?;
        }
    }
    unlinkat(folder, name, AtFlags::REMOVEDIR)
}
