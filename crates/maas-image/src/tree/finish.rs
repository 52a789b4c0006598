//! The end: folders get what they are to be, from the leaves up, and the disk gets everything.

use rustix::fs::{FileType, fstat};

use super::{Place, Tree, hide::names, kind_of, open_folder};
use crate::error::Failure;

/// What the finished tree has.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) entries: u64,
    /// Bytes of files, holes included; a file with two names counts once.
    pub(crate) bytes: u64,
}

impl Tree<'_> {
    /// Sets what folders are to be and counts the tree. Nothing may be added afterwards.
    pub(crate) fn finish(mut self) -> Result<(Census, crate::metadata::Left), Failure> {
        let handle = open_folder(self.root.handle(), b".")?;
        let root = Place {
            handle,
            inode: self.root_inode,
        };
        let mut linked = std::collections::HashSet::new();
        let mut census = Census::default();
        self.settle(&root, &mut census, &mut linked)?;
        Ok((census, self.left))
    }

    fn settle(
        &mut self,
        place: &Place,
        census: &mut Census,
        linked: &mut std::collections::HashSet<u64>,
    ) -> Result<(), Failure> {
        for name in names(&place.handle)? {
            census.entries += 1;
            match kind_of(&place.handle, &name)? {
                Some((FileType::Directory, inode)) => {
                    let handle = open_folder(&place.handle, &name)?;
                    self.settle(&Place { handle, inode }, census, linked)?;
                }
                Some((FileType::RegularFile, _)) => {
                    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
                    let stat = rustix::fs::statat(&place.handle, name.as_slice(), flags)
                        .map_err(|errno| Failure::Disk("look at", errno))?;
                    if stat.st_nlink == 1 || linked.insert(stat.st_ino) {
                        census.bytes += u64::try_from(stat.st_size).unwrap_or(0);
                    }
                }
                _ => {}
            }
        }
        let inode = fstat(&place.handle)
            .map_err(|errno| Failure::Disk("look at", errno))?
            .st_ino;
        let Some(folder) = self.folders.remove(&inode) else {
            return Ok(());
        };
        let owner = self.owner(&folder.attributes);
        let left = &mut self.left;
        folder.attributes.set_on(&place.handle, owner, left)
    }
}
