//! Which volume carries which objects, and `volume.json`, which says so to people and to a host
//! that asks for the next stick. It is a hint: unsigned, and checked against the signed bill.

use std::collections::BTreeSet;

use maas_types::{BillOfLading, BundleId, Digest};
use serde::{Deserialize, Serialize};

pub(crate) use record::{VOLUME_JSON, VolumeRecord};
pub(crate) use spread::volumes_of;
pub use spread::{Spread, SpreadError};

use crate::MediaPath;

mod record;
mod spread;

/// Whether a file carries a whole blob or a part of one; also the folder that it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ObjectKind {
    /// `blobs/sha256/`
    Blob,
    /// `parts/sha256/`
    Part,
}

/// A file that carries content: a whole blob or a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ObjectName {
    pub(crate) kind: ObjectKind,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

impl ObjectName {
    pub(crate) fn path(&self, bundle: &BundleId) -> MediaPath {
        match self.kind {
            ObjectKind::Blob => MediaPath::blob(bundle, &self.digest),
            ObjectKind::Part => MediaPath::part(bundle, &self.digest),
        }
    }
}

/// Every object of a bundle, once, blobs in the bill's order, parts in their blob's.
pub(crate) fn objects(bill: &BillOfLading) -> Vec<ObjectName> {
    objects_of_all(bill.blobs.iter())
}

fn objects_of_all<'a>(blobs: impl Iterator<Item = &'a maas_types::Blob>) -> Vec<ObjectName> {
    let mut seen = BTreeSet::new();
    let all = blobs.flat_map(|blob| {
        let whole = blob.parts.is_empty().then_some(ObjectName {
            kind: ObjectKind::Blob,
            digest: blob.digest,
            size: blob.size,
        });
        let parts = blob.parts.iter().map(|part| ObjectName {
            kind: ObjectKind::Part,
            digest: part.digest,
            size: part.size,
        });
        whole.into_iter().chain(parts)
    });
    all.filter(|object| seen.insert((object.kind, object.digest)))
        .collect()
}

/// Which objects lie on which volume of a copy, and which blobs on none (FORMAT.md 2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// The objects of each volume.
    pub(crate) shares: Vec<Vec<ObjectName>>,
    /// Blobs that the host is expected to have: what makes a copy a delta.
    pub(crate) left_out: BTreeSet<Digest>,
}

impl Assignment {
    /// Everything on one volume but these blobs.
    pub(crate) fn single(bill: &BillOfLading, left_out: BTreeSet<Digest>) -> Self {
        Self {
            shares: vec![carried(bill, &left_out)],
            left_out,
        }
    }

    /// What lies on a volume (1 for the first).
    pub(crate) fn share(&self, volume: usize) -> &[ObjectName] {
        volume
            .checked_sub(1)
            .and_then(|at| self.shares.get(at))
            .map_or(&[], Vec::as_slice)
    }
}

/// The objects that travel when these blobs do not.
pub(crate) fn carried(bill: &BillOfLading, left_out: &BTreeSet<Digest>) -> Vec<ObjectName> {
    // A part may belong to two blobs, of which one stays at home.
    let travels = |blob: &&maas_types::Blob| !left_out.contains(&blob.digest);
    objects_of_all(bill.blobs.iter().filter(travels))
}

/// What people write on the stick: `acme-2026.11-a 2 of 3`.
pub(crate) fn label(bundle: &BundleId, volume: usize, of: usize) -> String {
    format!("{bundle} {volume} of {of}")
}
