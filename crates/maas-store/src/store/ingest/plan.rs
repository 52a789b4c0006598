//! What a round has to do, decided before its first byte is read: what is here, what is staged, what
//! is read from which volume.

use std::collections::BTreeMap;

use maas_bundle::{LocatedBlob, Media};
use maas_types::{Blob, Digest};

use super::lane::Item;
use crate::{
    Lock, Presence, Store, StoreError, TrustDb,
    store::staging::{Target, pieces, staged},
};

/// Lanes at a time. No host has more ports that are faster together than eight of them; what lies on
/// further volumes is read by the same lanes afterwards.
const LANES: usize = 8;

/// A blob that is not in the store yet.
#[derive(Debug)]
pub(super) struct Open<'a> {
    pub(super) located: &'a LocatedBlob<'a>,
    pub(super) target: Target<'a>,
    /// For each piece, whether it is staged.
    pub(super) staged: Vec<bool>,
}

/// What a round works on.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    /// In the store and noted.
    pub(super) stored: Vec<&'a LocatedBlob<'a>>,
    /// In the store, and to be hashed before it counts.
    pub(super) unnoted: Vec<&'a LocatedBlob<'a>>,
    /// To be put together.
    pub(super) open: Vec<Open<'a>>,
}

impl<'a> Plan<'a> {
    pub(super) fn of(
        store: &Store,
        lock: &Lock,
        db: &TrustDb,
        blobs: &[&'a LocatedBlob<'a>],
    ) -> Result<Self, StoreError> {
        let mut plan = Self::default();
        for located in blobs {
            match store.presence(Some(db), located.blob)? {
                Presence::Stored => plan.stored.push(located),
                Presence::Unnoted => plan.unnoted.push(located),
                Presence::Staged(_) | Presence::Absent => {
                    let (target, staged) = Target::prepare(store, lock, db, located.blob)?;
                    plan.open.push(Open {
                        located,
                        target,
                        staged,
                    });
                }
            }
        }
        Ok(plan)
    }

    /// Bytes that need not be read.
    pub(super) fn bytes_here(&self) -> u64 {
        let whole = self.stored.iter().chain(&self.unnoted);
        let whole: u64 = whole.map(|located| located.blob.size).sum();
        whole + self.open.iter().map(Open::bytes_staged).sum::<u64>()
    }

    /// The files to be read, by lane. What no volume holds is in none of them.
    pub(super) fn lanes<'p>(&'p self, media: &'p [&'p dyn Media]) -> Vec<Vec<Item<'p>>> {
        let mut volumes: BTreeMap<usize, Vec<Item<'p>>> = BTreeMap::new();
        for (index, open) in self.open.iter().enumerate() {
            open.read(index, media, &mut volumes);
        }
        let mut lanes: Vec<Vec<_>> = Vec::new();
        for (nth, items) in volumes.into_values().enumerate() {
            match lanes.get_mut(nth % LANES) {
                Some(lane) => lane.extend(items),
                None => lanes.push(items),
            }
        }
        lanes
    }
}

impl Open<'_> {
    fn bytes_staged(&self) -> u64 {
        let pieces = self.target.pieces.iter().zip(&self.staged);
        pieces
            .map(|(piece, staged)| if *staged { piece.size } else { 0 })
            .sum()
    }

    fn read<'p>(
        &'p self,
        index: usize,
        media: &'p [&'p dyn Media],
        volumes: &mut BTreeMap<usize, Vec<Item<'p>>>,
    ) {
        // By offset: missing objects are left out of the list, so a place in it means nothing.
        let objects = self.located.objects.iter();
        let objects: BTreeMap<_, _> = objects.map(|object| (object.offset, object)).collect();
        let pieces = self.target.pieces.iter().zip(&self.staged).enumerate();
        for (number, (piece, _)) in pieces.filter(|(_, (_, staged))| !**staged) {
            let Some(object) = objects.get(&piece.offset) else {
                continue;
            };
            if let Some(medium) = media.get(object.medium) {
                volumes.entry(object.medium).or_default().push(Item {
                    target: &self.target,
                    index,
                    number,
                    object,
                    medium: *medium,
                });
            }
        }
    }
}

/// Whether an object of a blob need not be read: every piece that it is lies in staging.
pub(super) fn is_staged(db: &TrustDb, blob: &Blob, object: &Digest) -> Result<bool, StoreError> {
    let staged = staged(db, blob)?;
    let mut pieces = pieces(blob).into_iter().zip(staged);
    Ok(pieces.all(|(piece, here)| here || piece.digest != *object))
}
