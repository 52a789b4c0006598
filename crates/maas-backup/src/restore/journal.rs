//! What a restore has decided to put in place, so that whoever runs after a power cut finishes it.
//!
//! The file is root's own, in a folder that a service may own too: it is taken apart as strictly as a
//! manifest, and names paths by areas of the caller only.

use std::io;

use camino::Utf8PathBuf;
use maas_store::{
    Disk,
    atomic::{Access, replace_on},
};
use maas_types::Digest;
use serde::{Deserialize, Serialize};

use super::{Area, Restoring, area::Unit};
use crate::{BackupError, EntryName, Kind, name::is_segment};

const SCHEMA: &str = "maas-appliance/restore/v1";

/// The decision.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Journal {
    schema: String,
    /// Of the backup's manifest.
    pub(super) manifest: Digest,
    /// The folder, in each area, for what was there before.
    pub(super) aside: String,
    /// What is put in place.
    pub(super) units: Vec<Step>,
}

/// One unit.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) name: EntryName,
    pub(super) kind: Kind,
}

/// Where it lies.
pub(super) fn path(areas: &[Area]) -> Utf8PathBuf {
    let folder = areas.first().map(|area| area.folder.clone());
    folder.unwrap_or_default().join("restore.journal")
}

impl Journal {
    pub(super) fn new(
        manifest: Digest,
        units: &[Unit<'_>],
        how: &Restoring<'_>,
    ) -> Result<Self, BackupError> {
        let step = |unit: &Unit<'_>| Step {
            name: unit.name.clone(),
            kind: unit.kind,
        };
        Ok(Self {
            schema: SCHEMA.to_owned(),
            manifest,
            aside: aside(how)?,
            units: units.iter().map(step).collect(),
        })
    }

    /// From here on the restore will be finished.
    pub(super) fn write(&self, disk: &Disk, areas: &[Area]) -> Result<(), BackupError> {
        let path = path(areas);
        let bytes = serde_json::to_vec(self).expect("a journal is text");
        // The first area need not be one that something goes into.
        disk.make_folder(path.parent().expect("it lies in a folder"))?;
        Ok(replace_on(disk, &path, &bytes, Access::Private)?)
    }

    pub(super) fn read(areas: &[Area]) -> Result<Option<Self>, BackupError> {
        let path = path(areas);
        let bytes = match fs_err::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(BackupError::file("read", path)(error)),
        };
        let wrong = |detail: String| BackupError::Journal {
            path: path.clone(),
            detail,
        };
        let journal: Self = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
        if journal.schema != SCHEMA {
            return Err(wrong("it is another release's".to_owned()));
        }
        if !is_segment(&journal.aside) {
            return Err(wrong("it names no folder for the old state".to_owned()));
        }
        let unknown = |step: &&Step| {
            let area = areas.iter().find(|area| area.name == step.name.area());
            area.is_none_or(|area| !area.units.iter().any(|unit| unit == step.name.within()))
        };
        match journal.units.iter().find(unknown) {
            Some(step) => Err(wrong(format!("it names `{}`", step.name))),
            None => Ok(Some(journal)),
        }
    }
}

/// A name that no area has in use.
fn aside(how: &Restoring<'_>) -> Result<String, BackupError> {
    let name = format!("before-restore-{}", how.now.strftime("%Y%m%dT%H%M%SZ"));
    let taken = |name: &String| {
        let mut areas = how.areas.iter();
        areas.any(|area| area.folder.join(name).symlink_metadata().is_ok())
    };
    let later = (2..100).map(|number| format!("{name}-{number}"));
    let mut names = std::iter::once(name.clone()).chain(later);
    names.find(|name| !taken(name)).ok_or_else(|| {
        let path = how.areas.first().map(|area| area.folder.join(&name));
        BackupError::Existing {
            path: path.unwrap_or_default(),
        }
    })
}
