//! `volume.json`: which volume of a copy holds what.

use std::collections::{BTreeMap, BTreeSet};

use maas_types::{BillOfLading, BundleId, Digest};
use serde::{Deserialize, Serialize};

use super::{Assignment, ObjectKind, ObjectName, carried, label};
use crate::json;

/// `volume.json` of 100,000 objects stays below.
pub(crate) const VOLUME_JSON: u64 = 32 << 20;

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
    /// Blobs on none of them, which the host is expected to have.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    left_out: BTreeSet<Digest>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VolumeShare {
    label: String,
    blobs: Vec<Digest>,
    parts: Vec<Digest>,
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
        let of = assignment.shares.len();
        let of_kind = |share: &[ObjectName], kind| {
            let matching = share.iter().filter(|object| object.kind == kind);
            matching.map(|object| object.digest).collect()
        };
        let shares = assignment.shares.iter().enumerate();
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
            left_out: assignment.left_out.clone(),
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
        if let Some(stranger) = record.left_out.iter().find(|d| bill.blob(d).is_none()) {
            return Err(format!(
                "it leaves out {stranger}, which is not in the bill"
            ));
        }
        let mut all: BTreeMap<_, _> = carried(bill, &record.left_out)
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
        // Only a delta of nothing but metadata has a volume without objects.
        let may_be_empty = shares.len() == 1 && !record.left_out.is_empty();
        let is_empty = shares.iter().any(Vec::is_empty) && !may_be_empty;
        if record.volume == 0 || record.volume > shares.len() || is_empty {
            return Err("its numbers of volumes do not fit".to_owned());
        }
        let assignment = Assignment {
            shares,
            left_out: record.left_out.clone(),
        };
        if Self::new(bundle, bill_digest, &assignment, record.volume).render() != bytes {
            return Err("it is not what this bundle's volume.json must be".to_owned());
        }
        Ok((record, assignment))
    }
}
