//! Writing a backup beside the state that it will replace.

use std::os::fd::OwnedFd;

use camino::{Utf8Path, Utf8PathBuf};
use maas_store::Disk;
use rustix::fs::{Mode, OFlags};

use super::{Area, Restoring, area::Unit};
use crate::{Access, BackupError, Entry, Kind, Owner};

/// The folders beside.
pub(super) struct Stage<'a> {
    disk: &'a Disk,
    how: &'a Restoring<'a>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(disk: &'a Disk, how: &'a Restoring<'a>) -> Self {
        Self { disk, how }
    }

    /// Makes the folders of the areas that something goes into.
    pub(super) fn begin(&self, units: &[Unit<'_>]) -> Result<(), BackupError> {
        for area in self.areas(units) {
            if !area.folder.is_dir() {
                self.folder(&area.folder, area.access, area.owner)?;
            }
            // Root's only: files get their modes in it, and are seen once they are in place.
            self.disk.make_folder(&area.partial())?;
            let folder = open_folder(&area.partial())?;
            let mode = Access::Secret.mode(Kind::Folder);
            self.disk.set_mode(&folder, &area.partial(), mode)?;
        }
        Ok(())
    }

    /// Writes one entry at `path`; `content` gives its bytes to what it is given.
    pub(super) fn entry(
        &self,
        entry: &Entry,
        path: &Utf8Path,
        content: impl FnOnce(
            &mut dyn FnMut(&[u8]) -> Result<(), BackupError>,
        ) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        if entry.kind == Kind::Folder {
            self.folder(path, entry.access, entry.owner)?;
            return content(&mut |_| Ok(()));
        }
        let mode = entry.access.mode(entry.kind);
        let file = self.disk.create(path, Access::Secret.mode(entry.kind))?;
        let mut offset = 0;
        content(&mut |bytes| {
            self.disk.write_at(&file, path, bytes, offset)?;
            offset += bytes.len() as u64;
            Ok(())
        })?;
        self.give(&file, path, mode, entry.owner)?;
        Ok(self.disk.sync(&file, path)?)
    }

    /// Forces the folders to the disk, the inner ones first.
    pub(super) fn settle(&self, units: &[Unit<'_>]) -> Result<(), BackupError> {
        for area in self.areas(units) {
            for folder in folders(&area.partial())?.iter().rev() {
                self.disk.sync_folder(folder)?;
            }
            self.disk.sync_folder(&area.folder)?;
        }
        Ok(())
    }

    /// Removes what was written.
    pub(super) fn clear(&self) -> Result<(), BackupError> {
        for area in self.how.areas {
            self.disk.remove_tree(&area.partial())?;
        }
        Ok(())
    }

    fn areas<'b>(&'b self, units: &'b [Unit<'_>]) -> impl Iterator<Item = &'b Area> {
        let used = |area: &&Area| units.iter().any(|unit| unit.area == *area);
        self.how.areas.iter().filter(used)
    }

    fn folder(&self, path: &Utf8Path, access: Access, owner: Owner) -> Result<(), BackupError> {
        self.disk.make_folder(path)?;
        let folder = open_folder(path)?;
        self.give(&folder, path, access.mode(Kind::Folder), owner)
    }

    /// The owner first: a change of owner can take bits of the mode away.
    fn give(
        &self,
        file: &OwnedFd,
        path: &Utf8Path,
        mode: u32,
        owner: Owner,
    ) -> Result<(), BackupError> {
        if let Some((user, group)) = (self.how.ids)(owner) {
            std::os::unix::fs::fchown(file, Some(user), Some(group))
                .map_err(BackupError::file("give away", path))?;
        }
        Ok(self.disk.set_mode(file, path, mode)?)
    }
}

fn open_folder(path: &Utf8Path) -> Result<OwnedFd, BackupError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path.as_str(), flags, Mode::empty())
        .map_err(|errno| BackupError::file("open", path)(errno.into()))
}

/// A folder and those below it, each after the one it lies in.
fn folders(top: &Utf8Path) -> Result<Vec<Utf8PathBuf>, BackupError> {
    let mut found = vec![top.to_owned()];
    let mut next = 0;
    while let Some(folder) = found.get(next).cloned() {
        next += 1;
        let entries = folder.read_dir_utf8();
        for entry in entries.map_err(BackupError::file("list", &folder))? {
            let entry = entry.map_err(BackupError::file("list", &folder))?;
            let kind = entry.file_type();
            if kind.map_err(BackupError::file("list", &folder))?.is_dir() {
                found.push(entry.into_path());
            }
        }
    }
    Ok(found)
}
