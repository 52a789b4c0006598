//! What an install under way needs. Its blobs come in before any generation names them, over days where
//! sticks come one after the other; until then this note is what tells them from garbage.

use std::{collections::BTreeSet, io};

use camino::Utf8PathBuf;
use jiff::Timestamp;
use maas_types::Digest;
use serde::{Deserialize, Serialize};

use super::Store;
use crate::{Disk, StoreError, atomic};

/// `wanted.json`
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    schema: String,
    blobs: BTreeSet<Digest>,
}

const SCHEMA: &str = "maas-appliance/wanted/v1";

/// What was noted, and when the install last worked on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) blobs: BTreeSet<Digest>,
    pub(crate) noted: Timestamp,
    pub(crate) path: Utf8PathBuf,
    /// Length of the note itself, bytes.
    pub(crate) bytes: u64,
}

impl Store {
    /// Notes what an install needs.
    pub(super) fn note_wanted(
        &self,
        disk: &Disk,
        blobs: impl Iterator<Item = Digest>,
    ) -> Result<(), StoreError> {
        let note = Note {
            schema: SCHEMA.to_owned(),
            blobs: blobs.collect(),
        };
        let path = &self.wanted;
        let text = serde_json::to_vec(&note).map_err(|error| StoreError::Read {
            path: path.clone(),
            source: error.into(),
        })?;
        Ok(atomic::replace_on(
            disk,
            path,
            &text,
            atomic::Access::Public,
        )?)
    }

    /// The generation names them now.
    pub(crate) fn forget_wanted(&self, disk: &Disk) -> Result<(), StoreError> {
        let path = &self.wanted;
        if path.symlink_metadata().is_ok() {
            disk.remove_file(path)?;
        }
        Ok(())
    }

    /// What an install under way needs; `None` where none is, or where its note says nothing to us.
    pub(crate) fn wanted(&self) -> Result<Option<Wanted>, StoreError> {
        let path = &self.wanted;
        let failed = |source| StoreError::Read {
            path: path.clone(),
            source,
        };
        let bytes = match fs_err::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let changed = fs_err::metadata(path)
            .and_then(|meta| meta.modified())
            .map_err(failed)?;
        let note: Option<Note> = serde_json::from_slice(&bytes).ok();
        Ok(note
            .filter(|note| note.schema == SCHEMA)
            .map(|note| Wanted {
                blobs: note.blobs,
                noted: Timestamp::try_from(changed).unwrap_or(Timestamp::UNIX_EPOCH),
                bytes: bytes.len() as u64,
                path: path.clone(),
            }))
    }
}
