//! What has been hashed before. A cache: lost or damaged, it costs one reading of the files.

use std::{collections::BTreeMap, io, os::unix::fs::MetadataExt};

use camino::Utf8Path;
use maas_types::Digest;
use serde::{Deserialize, Serialize};

use crate::{FetchError, content::ContentId};

/// By what a file is recognised without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) size: u64,
    seconds: i64,
    nanoseconds: i64,
    inode: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    #[serde(flatten)]
    stamp: Stamp,
    id: ContentId,
    sha256: Digest,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory(BTreeMap<String, Known>);

impl Stamp {
    /// `None` when nothing is there. A link or a folder in a file's place is an error: writing through
    /// it would change something else.
    pub(super) fn of(place: &Utf8Path) -> Result<Option<Self>, FetchError> {
        let metadata = match fs_err::symlink_metadata(place) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FetchError::disk(error)),
        };
        if !metadata.is_file() {
            let path = place.to_owned();
            return Err(FetchError::InTheWay { path });
        }
        Ok(Some(Self {
            size: metadata.len(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
            inode: metadata.ino(),
        }))
    }
}

impl Memory {
    pub(super) fn read(place: &Utf8Path) -> Self {
        let bytes = fs_err::read(place).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    pub(super) fn recall(&self, path: &str, stamp: Stamp, id: ContentId) -> Option<Digest> {
        let known = self.0.get(path)?;
        (known.stamp == stamp && known.id == id).then_some(known.sha256)
    }

    pub(super) fn is_as_left(&self, path: &str, stamp: Stamp) -> bool {
        self.0.get(path).is_some_and(|known| known.stamp == stamp)
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// Returns the memory as it is to be written.
    pub(super) fn learn(
        &mut self,
        path: &str,
        stamp: Stamp,
        id: ContentId,
        sha256: Digest,
    ) -> Vec<u8> {
        self.0.insert(path.to_owned(), Known { stamp, id, sha256 });
        serde_json::to_vec(&self).expect("text keys and numbers are JSON")
    }
}
