//! `scrub/record.json`: how far a pass is, when the last whole one ended, and what is still wrong.

use camino::Utf8PathBuf;
use jiff::Timestamp;
use maas_types::{Blob, Digest, Layout};
use serde::{Deserialize, Serialize};

use super::{Finding, Verdict};
use crate::{Disk, Presence, Store, StoreError, TrustDb, atomic};

/// What is known of the store from reading it over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// `maas-appliance/scrub-record/v1`
    pub schema: String,
    /// The pass that is going on, or was interrupted.
    pub underway: Option<Underway>,
    /// The last pass that came to its end.
    pub last: Option<WholePass>,
    /// What was found and is not known to be mended, by digest.
    pub damage: Vec<Damage>,
}

/// A blob that is not as it should be, and its length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
    /// The length that it should have, bytes.
    pub size: u64,
}

/// A pass that has not come to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Underway {
    /// When it began.
    pub began: Timestamp,
    /// The last blob that was read; `None` before the first.
    pub after: Option<Digest>,
    /// Bytes that were read.
    pub bytes_done: u64,
    /// Bytes of all blobs, as it was last counted.
    pub bytes: u64,
    /// Blobs that were read.
    pub blobs_done: u64,
}

/// A pass that came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WholePass {
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Blobs that were read.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many of them were not as they should be.
    pub damaged: u64,
}

impl Underway {
    pub(super) fn new(began: Timestamp) -> Self {
        Self {
            began,
            after: None,
            bytes_done: 0,
            bytes: 0,
            blobs_done: 0,
        }
    }
}

impl Default for Record {
    fn default() -> Self {
        Self {
            schema: Self::SCHEMA.to_owned(),
            underway: None,
            last: None,
            damage: Vec::new(),
        }
    }
}

impl Record {
    /// The value of [`Record::schema`].
    pub const SCHEMA: &'static str = "maas-appliance/scrub-record/v1";

    /// What was written down; nothing, where nothing was or where it says nothing to us: a pass from the
    /// start is all that costs.
    pub fn read(layout: &Layout) -> Result<Self, StoreError> {
        let path = path(layout);
        match fs_err::read(&path) {
            Ok(bytes) => {
                let record: Option<Self> = serde_json::from_slice(&bytes).ok();
                let known = record.filter(|record| record.schema == Self::SCHEMA);
                Ok(known.unwrap_or_default())
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(StoreError::Read { path, source }),
        }
    }

    /// Leaves out the damage of blobs that came in again since: an install has verified them.
    pub fn still_damaged(
        mut self,
        layout: &Layout,
        db: Option<&TrustDb>,
    ) -> Result<Self, StoreError> {
        let store = Store::new(layout);
        let mut left = Vec::new();
        for damage in self.damage {
            let blob = Blob {
                digest: damage.finding.digest,
                size: damage.size,
                parts: Vec::new(),
            };
            let was_gone =
                damage.finding.aside.is_some() || damage.finding.verdict == Verdict::Missing;
            if !(was_gone && store.presence(db, &blob)? == Presence::Stored) {
                left.push(damage);
            }
        }
        self.damage = left;
        Ok(self)
    }

    pub(super) fn write(&self, disk: &Disk, layout: &Layout) -> Result<(), StoreError> {
        let path = path(layout);
        let text = serde_json::to_vec_pretty(self).map_err(|error| StoreError::Read {
            path: path.clone(),
            source: error.into(),
        })?;
        Ok(atomic::replace_on(
            disk,
            &path,
            &text,
            atomic::Access::Public,
        )?)
    }

    /// A blob was read: what was known of it before no longer counts.
    pub(super) fn note(&mut self, digest: &Digest, damage: Option<Damage>) {
        self.damage.retain(|known| known.finding.digest != *digest);
        self.damage.extend(damage);
        self.damage.sort_by_key(|damage| damage.finding.digest);
    }
}

fn path(layout: &Layout) -> Utf8PathBuf {
    layout.scrub().join("record.json")
}
