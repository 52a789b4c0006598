//! Putting a backup in place.
//!
//! 1. Everything chosen is written beside the state it will replace (`restore.partial` in each area),
//!    forced to the disk and checked: the whole backup to its last byte, every digest, every database.
//!    Until then nothing that was there has changed, and an error removes what was written.
//! 2. A journal is written: from here on the restore is finished, by whoever runs next.
//! 3. Each unit (a file or folder directly in an area) is put in place by one rename, after what was
//!    there is moved into `before-restore-<time>`, journals of SQLite included: the old journal beside
//!    a new database would be read as its own.
//! 4. The journal is removed.
//!
//! Services must be stopped; the caller does that.

mod area;
mod journal;
mod stage;
mod switch;

use std::io::Read;

use jiff::Timestamp;
use maas_store::Lock;
use maas_types::Digest;

pub use area::Area;

use crate::{
    BackupError, Damage, EntryName, Kind, Manifest, Owner, age::Open, archive::Unpack, database,
};
use journal::Journal;

/// What of a backup is restored.
#[derive(Debug, Clone, Copy)]
pub enum Choice<'a> {
    /// All of it.
    All,
    /// These units: `state/trust.db`, `config/tls`. Files inside a unit cannot be chosen alone.
    Only(&'a [EntryName]),
}

/// What to do with a state that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Refuse to restore.
    Refuse,
    /// Move it into `before-restore-<time>` beside it.
    Replace,
}

/// The user and group of an [`Owner`] on this host; `None`: leave files to whoever restores.
pub type Ids<'a> = &'a dyn Fn(Owner) -> Option<(u32, u32)>;

/// How a backup is restored.
#[derive(Clone, Copy)]
pub struct Restoring<'a> {
    /// The folders that are restored into, and what may be put there. The journal lies in the first.
    pub areas: &'a [Area],
    /// What of the backup is restored.
    pub choice: Choice<'a>,
    /// What to do with a state that is there already.
    pub existing: Existing,
    /// The digest that `create` returned, where it is known.
    pub expect: Option<Digest>,
    /// Whose files become.
    pub ids: Ids<'a>,
    /// The time now, for the name of the folder that the old state is kept in.
    pub now: Timestamp,
}

impl std::fmt::Debug for Restoring<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Restoring")
            .field("areas", &self.areas)
            .field("choice", &self.choice)
            .field("existing", &self.existing)
            .finish_non_exhaustive()
    }
}

/// What a restore has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What was put in place.
    pub units: Vec<EntryName>,
    /// Where what was there before lies now. It holds secrets; remove it when the restored state has
    /// proved itself.
    pub kept_aside: Vec<camino::Utf8PathBuf>,
    /// Of the backup's manifest.
    pub manifest: Digest,
}

/// Restores a backup, or finishes a restore that was cut. Run again after a power cut, the same call
/// comes to the same state.
pub fn restore<R: Read>(
    lock: &Lock,
    how: &Restoring<'_>,
    read: R,
    open: &Open<'_>,
) -> Result<Restored, BackupError> {
    let finished = finish(lock, how.areas)?;
    let mut unpack = Unpack::open(read, open)?;
    if let Some(finished) = finished
        && finished.manifest == unpack.manifest_digest()
    {
        return Ok(finished);
    }
    let manifest = unpack.manifest().clone();
    let digest = unpack.manifest_digest();
    let chosen = area::choose(&manifest, how)?;
    area::check_existing(&chosen, how)?;
    area::check_room(&manifest, &chosen, how)?;
    let stage = stage::Stage::new(lock.disk(), how);
    let staged = fill(&mut unpack, &manifest, &chosen, &stage)
        .and_then(|()| authentic(unpack, how))
        .and_then(|()| area::check_file_systems(&chosen, how))
        .and_then(|()| stage.settle(&chosen));
    if let Err(error) = staged {
        // The first error is told; what cannot be removed now is removed by the next restore.
        stage.clear().ok();
        return Err(error);
    }
    Journal::new(digest, &chosen, how)?.write(lock.disk(), how.areas)?;
    finish(lock, how.areas)?.ok_or_else(|| BackupError::Journal {
        path: journal::path(how.areas),
        detail: "it is gone".to_owned(),
    })
}

/// Finishes a restore that was cut after its journal was written; `None` when there is none. Removes
/// what an earlier one has left.
pub fn finish(lock: &Lock, areas: &[Area]) -> Result<Option<Restored>, BackupError> {
    let disk = lock.disk();
    let journal = Journal::read(areas)?;
    let done = match &journal {
        Some(journal) => Some(switch::roll_forward(disk, areas, journal)?),
        None => None,
    };
    for area in areas {
        if area.partial().symlink_metadata().is_ok() {
            disk.remove_tree(&area.partial())?;
        }
    }
    if journal.is_some() {
        let path = journal::path(areas);
        disk.remove_file(&path)?;
        disk.sync_folder(&areas[0].folder)?;
    }
    Ok(done)
}

/// Reads every entry, and keeps those of chosen units beside.
fn fill<R: Read>(
    unpack: &mut Unpack<R>,
    manifest: &Manifest,
    chosen: &[area::Unit<'_>],
    stage: &stage::Stage<'_>,
) -> Result<(), BackupError> {
    stage.begin(chosen)?;
    for entry in &manifest.entries {
        let unit = entry.name.unit();
        let Some(unit) = chosen.iter().find(|chosen| chosen.name == unit) else {
            unpack.next(entry, |_| Ok(()))?;
            continue;
        };
        let path = unit.area.staged(&entry.name);
        stage.entry(entry, &path, |to| unpack.next(entry, to))?;
        if entry.kind == Kind::Database
            && let Some(detail) = database::problem(&path)?
        {
            let name = entry.name.clone();
            return Err(Damage::Database { name, detail }.into());
        }
    }
    Ok(())
}

/// Whether the backup ends where it should and is the one that was expected.
fn authentic<R: Read>(unpack: Unpack<R>, how: &Restoring<'_>) -> Result<(), BackupError> {
    let (_, found) = unpack.finish()?;
    match how.expect {
        Some(expected) if expected != found => Err(BackupError::NotExpected { expected, found }),
        Some(_) | None => Ok(()),
    }
}
