//! Everything but folders: made anew, never opened where something is.

use std::{io::Read, os::fd::OwnedFd};

use rustix::{
    fs::{
        AtFlags, FileType, Mode, OFlags, chmodat, chownat, ftruncate, mkfifoat, openat, symlinkat,
        utimensat,
    },
    io::Errno,
};

use super::{Place, Tree, kind_of};
use crate::{
    archive::{Archive, Entry},
    error::{Failure, Flaw, shown},
    metadata::Attributes,
    name::Name,
};

const NEW_FILE: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Tree<'_> {
    pub(super) fn file<R: Read>(
        &mut self,
        place: &Place,
        name: &[u8],
        entry: &Entry,
        archive: &mut Archive<'_, R>,
    ) -> Result<(), Failure> {
        let file = openat(&place.handle, name, NEW_FILE, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| Failure::Disk("create", errno))?;
        let mut end = 0;
        while let Some((offset, count)) = archive.read(&mut self.buffer)? {
            write(&file, &self.buffer[..count], offset)?;
            end = offset + count as u64;
        }
        if end < entry.size {
            // A hole at the end.
            ftruncate(&file, entry.size).map_err(|errno| Failure::Disk("write", errno))?;
        }
        let attributes = Attributes::of(entry, self.policy, &mut self.left);
        attributes.set_on(&file, self.owner(&attributes), &mut self.left)
    }

    /// A symbolic link, as it stands. Nothing here ever follows it out of the tree.
    pub(super) fn symlink(
        &mut self,
        place: &Place,
        name: &[u8],
        entry: &Entry,
    ) -> Result<(), Failure> {
        let longest = self.policy.limits.path_bytes;
        if entry.link.is_empty() || entry.link.contains(&0) || entry.link.len() as u64 > longest {
            return Err(Flaw::LinkTarget(shown(&entry.link)).into());
        }
        symlinkat(entry.link.as_slice(), &place.handle, name)
            .map_err(|errno| Failure::Disk("link", errno))?;
        self.describe_beside(place, name, entry)
    }

    pub(super) fn fifo(
        &mut self,
        place: &Place,
        name: &[u8],
        entry: &Entry,
    ) -> Result<(), Failure> {
        mkfifoat(&place.handle, name, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| Failure::Disk("create", errno))?;
        let attributes = Attributes::of(entry, self.policy, &mut self.left);
        self.describe_beside(place, name, entry)?;
        // It was made just now and is no link, so there is nothing to follow.
        chmodat(
            &place.handle,
            name,
            Mode::from_raw_mode(attributes.mode),
            AtFlags::empty(),
        )
        .map_err(|errno| Failure::Disk("set the mode of", errno))
    }

    /// Owner and time of what cannot be opened.
    fn describe_beside(&self, place: &Place, name: &[u8], entry: &Entry) -> Result<(), Failure> {
        if let Some((user, group)) = self.owner(&Attributes::plain(entry)) {
            chownat(&place.handle, name, user, group, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|errno| Failure::Disk("set the owner of", errno))?;
        }
        let times = Attributes::plain(entry).times();
        utimensat(&place.handle, name, &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| Failure::Disk("set the time of", errno))
    }

    /// Where the target of a hard link lies: a file of this layer or of a lower one, itself and not what
    /// it leads to.
    pub(super) fn link_target(
        &self,
        place: &Place,
        name: &[u8],
        entry: &Entry,
    ) -> Result<(Place, Vec<u8>), Failure> {
        let wrong = || Flaw::LinkTarget(shown(&entry.link));
        let target = Name::parse(&entry.link, &self.policy.limits).map_err(|_| wrong())?;
        let (folder, last) = target.split().ok_or_else(wrong)?;
        let folder = match self.find(&folder.path()) {
            Ok(folder) => folder,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => {
                return Err(wrong().into());
            }
            Err(errno) => return Err(Failure::Disk("open the target of", errno)),
        };
        let is_itself = folder.inode == place.inode && last == name;
        match kind_of(&folder.handle, &last)? {
            Some((FileType::RegularFile | FileType::Symlink | FileType::Fifo, _)) if !is_itself => {
                Ok((folder, last))
            }
            _ => Err(wrong().into()),
        }
    }
}

fn write(file: &OwnedFd, mut bytes: &[u8], mut offset: u64) -> Result<(), Failure> {
    while !bytes.is_empty() {
        match rustix::io::pwrite(file, bytes, offset) {
            Ok(0) => return Err(Failure::Disk("write", Errno::IO)),
            Ok(count) => {
                bytes = &bytes[count..];
                offset += count as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Failure::Disk("write", errno)),
        }
    }
    Ok(())
}
