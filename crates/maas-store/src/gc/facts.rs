//! What is on the disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::{Digest, GenerationId, Layout};
use rustix::fs::FileType;

use super::imports::{Import, waiting};
use crate::{
    Generation, Store, StoreError, TrustDb,
    generation::{before_id, ids},
    store::{Wanted, entries, file_length},
};

/// Everything that could be garbage, and what decides whether it is.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub(super) current: Option<GenerationId>,
    pub(super) before: Option<GenerationId>,
    pub(super) generations: Vec<Here>,
    pub(super) blobs: BTreeMap<Digest, u64>,
    pub(super) images: BTreeMap<Digest, u64>,
    pub(super) staged: BTreeMap<Digest, u64>,
    pub(super) wanted: Option<Wanted>,
    pub(super) imports: Vec<Import>,
    pub(super) quarantined: BTreeMap<Digest, (Utf8PathBuf, u64)>,
    /// Hidden names of killed commands, in folders that only the holder of the lock writes.
    pub(super) leftovers: Vec<(Utf8PathBuf, u64)>,
}

/// A generation that is here.
#[derive(Debug, Clone)]
pub(super) struct Here {
    pub(super) id: GenerationId,
    /// What it needs; `None` when its record cannot be read.
    pub(super) needs: Option<Needs>,
    /// Bytes that its folder alone occupies.
    pub(super) bytes: u64,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Needs {
    pub(super) blobs: BTreeSet<Digest>,
    pub(super) images: BTreeSet<Digest>,
}

impl Facts {
    /// Looks. Should be called under the lock; without it, what it says may be old.
    pub fn gather(layout: &Layout, db: Option<&TrustDb>) -> Result<Self, StoreError> {
        let store = Store::new(layout);
        let before = match db.map(|db| before_id(layout, db)) {
            Some(Ok((_, before))) => Some(before),
            None | Some(Err(StoreError::NoCurrent { .. } | StoreError::NothingBefore { .. })) => {
                None
            }
            Some(Err(error)) => return Err(error),
        };
        let generations = ids(layout)?.into_iter().map(|id| Here::look(layout, id));
        Ok(Self {
            current: Generation::current_id(layout)?,
            before,
            generations: generations.collect::<Result<_, _>>()?,
            blobs: store.files()?,
            images: named(&layout.images(), &|path| tree_bytes(path))?,
            staged: named(
                &layout.staging(),
                &|path| Ok(file_length(path).unwrap_or(0)),
            )?,
            wanted: store.wanted()?,
            imports: waiting(layout, db)?,
            quarantined: quarantined(layout)?,
            leftovers: leftovers(layout)?,
        })
    }
}

impl Here {
    fn look(layout: &Layout, id: GenerationId) -> Result<Self, StoreError> {
        let needs = Generation::open(layout, &id).ok().map(|generation| Needs {
            blobs: generation
                .record()
                .bill
                .blobs
                .iter()
                .map(|b| b.digest)
                .collect(),
            images: generation.images().iter().map(|i| i.manifest).collect(),
        });
        Ok(Self {
            id,
            needs,
            bytes: tree_bytes(&layout.generation(&id))?,
        })
    }
}

/// What in a folder has a digest for a name, and how big it is.
fn named(
    folder: &Utf8Path,
    bytes: &dyn Fn(&Utf8Path) -> Result<u64, StoreError>,
) -> Result<BTreeMap<Digest, u64>, StoreError> {
    let mut found = BTreeMap::new();
    for path in entries(folder)? {
        if let Some(Ok(digest)) = path.file_name().map(Digest::from_hex) {
            found.insert(digest, bytes(&path)?);
        }
    }
    Ok(found)
}

fn quarantined(layout: &Layout) -> Result<BTreeMap<Digest, (Utf8PathBuf, u64)>, StoreError> {
    let folder = layout.quarantine();
    let found = named(&folder, &|path| tree_bytes(path))?;
    Ok(found
        .into_iter()
        .map(|(digest, bytes)| (digest, (folder.join(digest.hex()), bytes)))
        .collect())
}

/// Names that only a killed command leaves: of generations half assembled or half removed, of images half
/// unpacked, of links and files that were about to be renamed, of a restore that was cut off.
fn leftovers(layout: &Layout) -> Result<Vec<(Utf8PathBuf, u64)>, StoreError> {
    let mut found = Vec::new();
    let hidden = |path: &Utf8Path| path.file_name().is_some_and(|name| name.starts_with('.'));
    let folders = [
        layout.generations(),
        layout.images(),
        layout.receipts(),
        layout.arrivals(),
    ];
    for folder in folders {
        let partial = |path: &Utf8Path| path.extension() == Some("partial");
        let left = |path: &Utf8PathBuf| hidden(path) || partial(path);
        found.extend(entries(&folder)?.into_iter().filter(left));
    }
    for path in entries(&layout.state())? {
        if hidden(&path) && path.extension() == Some("new") {
            found.push(path);
        }
    }
    found.extend(restore_partial(layout));
    for path in entries(&layout.staging())? {
        if path.extension() == Some("link") {
            found.push(path);
        }
    }
    found
        .into_iter()
        .map(|path| tree_bytes(&path).map(|bytes| (path, bytes)))
        .collect()
}

/// What a restore has written beside the state, where it was cut off before its journal: nothing was put in
/// place then. With a journal somebody must finish it, and every byte of it is needed.
fn restore_partial(layout: &Layout) -> Option<Utf8PathBuf> {
    let config = layout.config();
    let mut areas = [layout.state(), crate::disk::parent_of(&config).to_owned()].into_iter();
    let under_way = areas.any(|area| area.join("restore.journal").symlink_metadata().is_ok());
    let partial = layout.state().join("restore.partial");
    (!under_way && partial.symlink_metadata().is_ok()).then_some(partial)
}

/// Bytes that are free when a file or a folder with all that is in it is gone: files that have a name outside
/// of it, hard links into the store among them, do not count. Follows no link.
pub(super) fn tree_bytes(path: &Utf8Path) -> Result<u64, StoreError> {
    // By file: how many names were met, how many it has, its length.
    let mut files = BTreeMap::new();
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let status = match rustix::fs::lstat(path.as_str()) {
            Ok(status) => status,
            Err(rustix::io::Errno::NOENT) => continue,
            Err(errno) => {
                return Err(StoreError::Read {
                    path,
                    source: io::Error::from(errno),
                });
            }
        };
        let kind = FileType::from_raw_mode(status.st_mode);
        if kind == FileType::Directory {
            open.extend(entries(&path)?);
        } else if kind == FileType::RegularFile {
            let length = u64::try_from(status.st_size).unwrap_or(0);
            let file = (status.st_dev, status.st_ino);
            let file = files.entry(file).or_insert((0, status.st_nlink, length));
            file.0 += 1;
        }
    }
    let freed = files.values().filter(|(met, names, _)| met >= names);
    Ok(freed.map(|(_, _, length)| *length).sum())
}
