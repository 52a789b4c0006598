//! Following the journal. Each step looks at what there is, so that it may be run any number of times
//! and from any point.

use camino::{Utf8Path, Utf8PathBuf};
use maas_store::Disk;
use rustix::fs::{Mode, OFlags};

use super::{
    Area, Restored,
    area::{exists, places},
    journal::{self, Journal, Step},
};
use crate::{Access, BackupError, Kind};

pub(super) fn roll_forward(
    disk: &Disk,
    areas: &[Area],
    journal: &Journal,
) -> Result<Restored, BackupError> {
    for step in &journal.units {
        // The journal was read with these areas.
        let area = areas.iter().find(|area| area.name == step.name.area());
        if let Some(area) = area {
            put(disk, areas, area, step, &journal.aside)?;
        }
    }
    let aside = areas.iter().map(|area| area.folder.join(&journal.aside));
    Ok(Restored {
        units: journal.units.iter().map(|step| step.name.clone()).collect(),
        kept_aside: aside.filter(|path| path.is_dir()).collect(),
        manifest: journal.manifest,
    })
}

fn put(
    disk: &Disk,
    areas: &[Area],
    area: &Area,
    step: &Step,
    aside: &str,
) -> Result<(), BackupError> {
    let (new, place) = (area.staged(&step.name), area.placed(&step.name));
    if !exists(&new)? {
        // Done before the power went, unless somebody has removed it.
        if exists(&place)? {
            return Ok(());
        }
        return Err(BackupError::Journal {
            path: journal::path(areas),
            detail: format!("neither `{new}` nor `{place}` is there"),
        });
    }
    for old in places(&place, step.kind) {
        if exists(&old)? {
            keep(disk, &area.folder.join(aside), &old)?;
        }
    }
    Ok(disk.rename(&new, &place)?)
}

/// Moves what is there into the folder for it.
fn keep(disk: &Disk, aside: &Utf8Path, old: &Utf8Path) -> Result<(), BackupError> {
    disk.make_folder(aside)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::open(aside.as_str(), flags, Mode::empty());
    let folder = folder.map_err(|errno| BackupError::file("open", aside)(errno.into()))?;
    // What was readable for few must not become readable for more.
    disk.set_mode(&folder, aside, Access::Secret.mode(Kind::Folder))?;
    let to = free_name(aside, old)?;
    Ok(disk.rename(old, &to)?)
}

/// Nothing that is kept aside is ever replaced: a service that was not stopped may have made the file
/// again between two runs.
fn free_name(aside: &Utf8Path, old: &Utf8Path) -> Result<Utf8PathBuf, BackupError> {
    let name = old.file_name().unwrap_or_default();
    let mut to = aside.join(name);
    let mut number = 1;
    while exists(&to)? {
        number += 1;
        to = aside.join(format!("{name}.{number}"));
    }
    Ok(to)
}
