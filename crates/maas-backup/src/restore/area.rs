//! Where a backup is restored to, and what stands in the way.
//!
//! Threat: a backup, perhaps made by somebody else, that puts files where they are run or trusted.
//! Defence: the caller names the folders and, by name, everything that may be put directly into them;
//! one other name and nothing is restored.

use std::{collections::BTreeMap, io, os::unix::fs::MetadataExt as _};

use camino::{Utf8Path, Utf8PathBuf};

use super::{Choice, Existing, Restoring};
use crate::{Access, BackupError, EntryName, Kind, Manifest, Owner};

/// A folder that is restored into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// Its name in backups: `config`, `state`.
    pub name: String,
    /// The folder.
    pub folder: Utf8PathBuf,
    /// What may be put directly into it: `trust.db`, `gateway`.
    pub units: Vec<String>,
    /// Who may enter it, when it has to be made.
    pub access: Access,
    /// Whose it is, when it has to be made.
    pub owner: Owner,
}

impl Area {
    /// Where a file lies once restored.
    pub(super) fn placed(&self, name: &EntryName) -> Utf8PathBuf {
        self.folder.join(name.within())
    }

    /// Where it lies until then.
    pub(super) fn staged(&self, name: &EntryName) -> Utf8PathBuf {
        self.partial().join(name.within())
    }

    /// The folder beside, on the same file system.
    pub(super) fn partial(&self) -> Utf8PathBuf {
        self.folder.join("restore.partial")
    }
}

/// A file or folder that is put in place by one rename.
#[derive(Debug, Clone)]
pub(super) struct Unit<'a> {
    pub(super) area: &'a Area,
    pub(super) name: EntryName,
    pub(super) kind: Kind,
}

impl Unit<'_> {
    /// What is in the way of it, whether it is there or not.
    pub(super) fn places(&self) -> Vec<Utf8PathBuf> {
        places(&self.area.placed(&self.name), self.kind)
    }
}

/// The path itself and, for a database, the journals that SQLite would read with it.
pub(super) fn places(path: &Utf8Path, kind: Kind) -> Vec<Utf8PathBuf> {
    let mut places = vec![path.to_owned()];
    if kind == Kind::Database {
        let journals = ["-wal", "-shm", "-journal"];
        places.extend(journals.map(|end| Utf8PathBuf::from(format!("{path}{end}"))));
    }
    places
}

/// The units of a backup that are to be restored.
pub(super) fn choose<'a>(
    manifest: &Manifest,
    how: &Restoring<'a>,
) -> Result<Vec<Unit<'a>>, BackupError> {
    let mut units = Vec::new();
    for entry in manifest
        .entries
        .iter()
        .filter(|entry| entry.name.parent().is_none())
    {
        let area = how.areas.iter().find(|area| area.name == entry.name.area());
        let area = area.filter(|area| area.units.iter().any(|unit| unit == entry.name.within()));
        let name = entry.name.clone();
        let Some(area) = area else {
            return Err(BackupError::Foreign { name });
        };
        let kind = entry.kind;
        units.push(Unit { area, name, kind });
    }
    match how.choice {
        Choice::All => {}
        Choice::Only(names) => {
            let missing = names
                .iter()
                .find(|name| units.iter().all(|u| u.name != **name));
            if let Some(name) = missing.cloned() {
                return Err(BackupError::NotHeld { name });
            }
            units.retain(|unit| names.contains(&unit.name));
        }
    }
    Ok(units)
}

/// Refuses to go over a state that is there; an empty folder is none.
pub(super) fn check_existing(units: &[Unit<'_>], how: &Restoring<'_>) -> Result<(), BackupError> {
    if how.existing == Existing::Replace {
        return Ok(());
    }
    for path in units.iter().flat_map(Unit::places) {
        let empty = path
            .read_dir_utf8()
            .is_ok_and(|mut found| found.next().is_none());
        if exists(&path)? && !empty {
            return Err(BackupError::Existing { path });
        }
    }
    Ok(())
}

/// Refuses before the first write what cannot fit.
pub(super) fn check_room(
    manifest: &Manifest,
    units: &[Unit<'_>],
    how: &Restoring<'_>,
) -> Result<(), BackupError> {
    let mut needs: BTreeMap<u64, (u64, &Utf8Path)> = BTreeMap::new();
    for area in how.areas {
        let of_area = units.iter().filter(|unit| unit.area == area);
        let names: Vec<_> = of_area.map(|unit| &unit.name).collect();
        let entries = manifest.entries.iter();
        let chosen = entries.filter(|entry| names.contains(&&entry.name.unit()));
        let bytes: u64 = chosen.map(|entry| entry.size).sum();
        let folder = nearest(&area.folder);
        let device = folder.metadata().map(|m| m.dev());
        let device = device.map_err(BackupError::file("look at", folder))?;
        needs.entry(device).or_insert((0, folder)).0 += bytes;
    }
    for (needed, folder) in needs.into_values() {
        let space = rustix::fs::statvfs(folder.as_str());
        let space = space.map_err(|e| BackupError::file("look at", folder)(e.into()))?;
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        if needed > free {
            let folder = folder.to_owned();
            return Err(BackupError::TooSmall {
                folder,
                needed,
                free,
            });
        }
    }
    Ok(())
}

/// Whether everything that is replaced can be moved by a rename.
pub(super) fn check_file_systems(
    units: &[Unit<'_>],
    how: &Restoring<'_>,
) -> Result<(), BackupError> {
    for area in how.areas {
        let of_area = units.iter().filter(|unit| unit.area == area);
        let mut device = None;
        for path in of_area.flat_map(Unit::places) {
            let look = |path: &Utf8Path| path.symlink_metadata().map(|m| m.dev());
            if !exists(&path)? {
                continue;
            }
            let partial = area.partial();
            let beside = match device {
                Some(known) => known,
                None => look(&partial).map_err(BackupError::file("look at", partial))?,
            };
            device = Some(beside);
            if look(&path).map_err(BackupError::file("look at", &path))? != beside {
                return Err(BackupError::OtherFileSystem { path });
            }
        }
    }
    Ok(())
}

/// Whether there is something, a dangling link included; not knowing is an error.
pub(super) fn exists(path: &Utf8Path) -> Result<bool, BackupError> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(BackupError::file("look at", path)(error)),
    }
}

/// The folder, or the nearest above it that there is.
fn nearest(folder: &Utf8Path) -> &Utf8Path {
    let found = folder.ancestors().find(|folder| folder.is_dir());
    found.unwrap_or_else(|| Utf8Path::new("/"))
}
