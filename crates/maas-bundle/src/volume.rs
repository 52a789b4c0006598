//! Which volume carries which objects, and `volume.json`, which says so to people and to a host
//! that asks for the next stick. It is a hint: unsigned, and checked against the signed bill.

use std::collections::BTreeSet;

use maas_types::{BillOfLading, BundleId, Digest};
use serde::{Deserialize, Serialize};

use crate::{MediaPath, json};

/// `volume.json` of 100,000 objects stays below.
pub(crate) const VOLUME_JSON: u64 = 32 << 20;

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
    let mut seen = BTreeSet::new();
    let all = bill.blobs.iter().flat_map(|blob| {
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

/// Which objects lie on which volume; every volume has at least one (FORMAT.md 2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment(pub(crate) Vec<Vec<ObjectName>>);

/// How a bundle is spread over volumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spread {
    /// About the same number of bytes on each volume.
    Evenly,
    /// The volumes have so many bytes free each, and are filled in their order.
    Capacities(Vec<u64>),
}

/// Why a bundle does not go on these volumes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpreadError {
    /// Too little room.
    #[error("the volumes are {missing} bytes too small for the bundle")]
    TooSmall {
        /// Bytes for which there is no room; at least.
        missing: u64,
    },
    /// Not one capacity for each volume.
    #[error("{capacities} capacities were given for {volumes} volumes")]
    Capacities {
        /// How many capacities.
        capacities: usize,
        /// How many volumes.
        volumes: usize,
    },
    /// A volume would stay empty.
    #[error("{needed} of the {volumes} volumes suffice: leave the others out")]
    TooMany {
        /// How many are needed.
        needed: usize,
        /// How many were given.
        volumes: usize,
    },
}

/// What file systems lose per file at most: exFAT's biggest common cluster.
const CLUSTER: u64 = 128 << 10;

impl Assignment {
    /// Everything on one volume.
    pub(crate) fn single(bill: &BillOfLading) -> Self {
        Self(vec![objects(bill)])
    }

    /// Spreads the objects in their order, so that a blob's parts stay together where they can.
    /// `every` are the bytes that each volume carries beside its objects.
    pub(crate) fn spread(
        bill: &BillOfLading,
        spread: &Spread,
        volumes: usize,
        every: u64,
    ) -> Result<Self, SpreadError> {
        let objects = objects(bill);
        match spread {
            Spread::Evenly => evenly(&objects, volumes),
            Spread::Capacities(bytes) if bytes.len() == volumes => fill(&objects, bytes, every),
            Spread::Capacities(bytes) => Err(SpreadError::Capacities {
                capacities: bytes.len(),
                volumes,
            }),
        }
    }
}

fn evenly(objects: &[ObjectName], volumes: usize) -> Result<Assignment, SpreadError> {
    if volumes == 0 || objects.len() < volumes {
        return Err(SpreadError::TooMany {
            needed: objects.len(),
            volumes,
        });
    }
    let total: u128 = objects.iter().map(|o| u128::from(o.size)).sum();
    let mut shares = vec![Vec::new()];
    let mut placed = 0_u128;
    for (at, object) in objects.iter().enumerate() {
        let left = objects.len() - at;
        let open = shares.len();
        let is_full = placed * volumes as u128 >= total * open as u128;
        let must_move = left <= volumes - open;
        let last = shares.last_mut().expect("there is always a share");
        if open < volumes && !last.is_empty() && (is_full || must_move) {
            shares.push(vec![*object]);
        } else {
            last.push(*object);
        }
        placed += u128::from(object.size);
    }
    Ok(Assignment(shares))
}

fn fill(objects: &[ObjectName], capacities: &[u64], every: u64) -> Result<Assignment, SpreadError> {
    let cost = |object: &ObjectName| object.size.saturating_add(CLUSTER);
    let mut left = objects;
    let mut shares = Vec::new();
    for capacity in capacities {
        let mut room = capacity.saturating_sub(every);
        let fits = left
            .iter()
            .take_while(|object| match room.checked_sub(cost(object)) {
                Some(rest) => {
                    room = rest;
                    true
                }
                None => false,
            })
            .count();
        let (here, rest) = left.split_at(fits);
        left = rest;
        shares.push(here.to_vec());
    }
    if !left.is_empty() {
        return Err(SpreadError::TooSmall {
            missing: left.iter().map(cost).fold(0, u64::saturating_add),
        });
    }
    let needed = shares.iter().filter(|share| !share.is_empty()).count();
    if needed < shares.len() {
        return Err(SpreadError::TooMany {
            needed,
            volumes: shares.len(),
        });
    }
    Ok(Assignment(shares))
}

/// `volume.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VolumeRecord {
    schema: String,
    bundle: BundleId,
    /// Digest of the bill of lading.
    bill: Digest,
    /// 1 for the first.
    pub(crate) volume: usize,
    of: usize,
    /// All volumes of this copy, so that any of them can say what another one holds.
    volumes: Vec<VolumeShare>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VolumeShare {
    label: String,
    blobs: Vec<Digest>,
    parts: Vec<Digest>,
}

/// What people write on the stick: `acme-2026.11-a 2 of 3`.
pub(crate) fn label(bundle: &BundleId, volume: usize, of: usize) -> String {
    format!("{bundle} {volume} of {of}")
}

impl VolumeRecord {
    const SCHEMA: &str = "maas-appliance/volume/v1";

    /// The record of volume `volume` (1 for the first).
    pub(crate) fn new(
        bundle: &BundleId,
        bill: &Digest,
        assignment: &Assignment,
        volume: usize,
    ) -> Self {
        let of = assignment.0.len();
        let of_kind = |share: &[ObjectName], kind| {
            let matching = share.iter().filter(|object| object.kind == kind);
            matching.map(|object| object.digest).collect()
        };
        let shares = assignment.0.iter().enumerate();
        Self {
            schema: Self::SCHEMA.to_owned(),
            bundle: bundle.clone(),
            bill: *bill,
            volume,
            of,
            volumes: shares
                .map(|(at, share)| VolumeShare {
                    label: label(bundle, at + 1, of),
                    blobs: of_kind(share, ObjectKind::Blob),
                    parts: of_kind(share, ObjectKind::Part),
                })
                .collect(),
        }
    }

    pub(crate) fn bundle(&self) -> &BundleId {
        &self.bundle
    }

    pub(crate) fn render(&self) -> Vec<u8> {
        json::pretty(self)
    }

    /// Parses a record and holds it to the bill: every object of the bundle on exactly one volume,
    /// every other member as we would write it. Answers the assignment.
    pub(crate) fn parse(
        bytes: &[u8],
        bundle: &BundleId,
        bill_digest: &Digest,
        bill: &BillOfLading,
    ) -> Result<(Self, Assignment), String> {
        let record: Self = json::strict(bytes)?;
        let mut all: std::collections::BTreeMap<_, _> = objects(bill)
            .into_iter()
            .map(|object| ((object.kind, object.digest), object))
            .collect();
        let mut shares = Vec::new();
        for share in &record.volumes {
            let blobs = share.blobs.iter().map(|digest| (ObjectKind::Blob, *digest));
            let parts = share.parts.iter().map(|digest| (ObjectKind::Part, *digest));
            let mut objects = Vec::new();
            for key in blobs.chain(parts) {
                let object = all
                    .remove(&key)
                    .ok_or_else(|| format!("it names {} twice or against the bill", key.1))?;
                objects.push(object);
            }
            shares.push(objects);
        }
        if let Some((_, digest)) = all.keys().next() {
            return Err(format!("it puts {digest} on no volume"));
        }
        if record.volume == 0 || record.volume > shares.len() || shares.iter().any(Vec::is_empty) {
            return Err("its numbers of volumes do not fit".to_owned());
        }
        let assignment = Assignment(shares);
        if Self::new(bundle, bill_digest, &assignment, record.volume).render() != bytes {
            return Err("it is not what this bundle's volume.json must be".to_owned());
        }
        Ok((record, assignment))
    }
}
