//! Whiteouts: what lower layers have is gone, what this layer brings stays, whichever comes first.

use std::os::fd::OwnedFd;

use rustix::{
    fs::{AtFlags, Dir, FileType, unlinkat},
    io::Errno,
};

use super::{Place, Tree, kind_of, open_folder, parent};
use crate::{
    error::{Failure, Flaw},
    metadata::Attributes,
    name::Name,
};

impl Tree<'_> {
    /// Hides one name. What leads to it is not made: nothing lower can be there then.
    pub(super) fn hide(&mut self, folder: &Name, name: &[u8]) -> Result<(), Failure> {
        if let Some(place) = self.lower(folder)? {
            self.hide_in(&place, name)?;
        }
        Ok(())
    }

    /// Hides everything in a folder.
    pub(super) fn clear(&mut self, folder: &Name) -> Result<(), Failure> {
        match self.lower(folder)? {
            Some(place) => {
                let handle = open_folder(&place.handle, b".")?;
                self.clear_in(&Place { handle, ..place })
            }
            None => Ok(()),
        }
    }

    fn lower(&self, folder: &Name) -> Result<Option<Place>, Failure> {
        match self.find(&folder.path()) {
            Ok(place) => Ok(Some(place)),
            // Where a file is there are no entries either.
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(parent(errno)),
        }
    }

    fn clear_in(&mut self, place: &Place) -> Result<(), Failure> {
        for name in names(&place.handle)? {
            self.hide_in(place, &name)?;
        }
        Ok(())
    }

    fn hide_in(&mut self, place: &Place, name: &[u8]) -> Result<(), Failure> {
        let Some((kind, inode)) = kind_of(&place.handle, name)? else {
            return Ok(());
        };
        if kind != FileType::Directory {
            let is_brought = self.brought.contains(&(place.inode, name.to_owned()));
            return if is_brought {
                Ok(())
            } else {
                self.remove(place, name)
            };
        }
        let layer = self.layer;
        let Some(folder) = self.folders.get_mut(&inode).filter(|f| f.layer == layer) else {
            return self.remove(place, name);
        };
        if folder.said_by != layer {
            // Its owner and mode were the lower layer's, and are hidden with it.
            folder.attributes = Attributes::of_unnamed_folder();
        }
        let handle = open_folder(&place.handle, name)?;
        self.clear_in(&Place { handle, inode })
    }

    /// Removes a name and, of a folder, all below it.
    pub(super) fn remove(&mut self, place: &Place, name: &[u8]) -> Result<(), Failure> {
        match kind_of(&place.handle, name)? {
            None => Ok(()),
            Some((FileType::Directory, inode)) => {
                let inner = Place {
                    handle: open_folder(&place.handle, name)?,
                    inode,
                };
                for below in names(&inner.handle)? {
                    self.remove(&inner, &below)?;
                }
                self.folders.remove(&inode);
                unlink(&place.handle, name, AtFlags::REMOVEDIR)
            }
            Some(_) => unlink(&place.handle, name, AtFlags::empty()),
        }
    }
}

fn unlink(folder: &OwnedFd, name: &[u8], flags: AtFlags) -> Result<(), Failure> {
    unlinkat(folder, name, flags).map_err(|errno| Failure::Disk("remove", errno))
}

/// What is in a folder.
pub(super) fn names(folder: &OwnedFd) -> Result<Vec<Vec<u8>>, Failure> {
    let failed = |errno| Failure::Disk("list", errno);
    let mut names = Vec::new();
    for entry in Dir::read_from(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_bytes();
        if name.is_empty() {
            return Err(Flaw::Name.into());
        }
        if name != b"." && name != b".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}
