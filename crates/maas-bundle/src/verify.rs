//! From a medium to a [`Verified<Bundle>`]: the client workflow of TUF, whose clauses stand in
//! `tuf/workflow.rs`, over the files of a medium.
//!
//! Threats: everything in TUF's "goals to protect against", and what a medium adds: endless data,
//! mixed volumes, another publisher's chain of roots. Nothing is downloaded and nothing persisted
//! here: "download" is a capped read, "persist" is [`Bundle::next_floors`] and
//! [`Bundle::new_roots`], which the store writes before the switch.

use jiff::Timestamp;
use maas_types::{BillOfLading, BundleId, PART_BYTES};

use crate::{
    BillError, Bundle, EntryKind, Floors, Media, MediaError, MediaPath, Metadata, RootFile, Trust,
    TrustError, TrustedRoot, Verified, bill,
    draft::read_bill,
    metadata::root_versions,
    read::read_capped,
    tuf::{FileLength, Workflow},
};

/// `bundle.json` of 100,000 files with long paths stays below (FORMAT.md 4.2).
pub(crate) const BILL: u64 = 16 << 20;

/// Verifies the metadata of a bundle that lies on one or several volumes, in any order.
///
/// `bundle` may be left out when exactly one bundle lies on all of the volumes. Reads metadata and
/// bill only; the contents are [`crate::verify_contents`]' or the store's.
pub fn verify_metadata(
    media: &[&dyn Media],
    bundle: Option<&BundleId>,
    trust: &Trust<'_>,
) -> Result<Verified<Bundle>, TrustError> {
    verify_with(media, bundle, trust, PART_BYTES)
}

pub(crate) fn verify_with(
    media: &[&dyn Media],
    bundle: Option<&BundleId>,
    trust: &Trust<'_>,
    part_bytes: u64,
) -> Result<Verified<Bundle>, TrustError> {
    let (first, others) = media.split_first().ok_or(TrustError::NoMedium)?;
    let id = choose_bundle(media, bundle)?;
    let metadata = Metadata::read(*first, &id)?;
    for other in others {
        same_metadata(*first, *other, &metadata)?;
    }
    let mut check = Check::start(trust);
    let new_roots = check.update_root(&metadata)?;
    let floors = &check.workflow.floors;
    let recovered_floors = (floors != trust.floors).then(|| floors.clone());
    let named = check.update_others(&metadata)?;
    let bill_bytes = fetch_bill(media, &id, named)?;
    let bill = check.accept_bill(&id, &metadata, &bill_bytes, part_bytes)?;
    let next_floors = check.next_floors(&bill);
    Ok(Verified::new(Bundle {
        bill,
        bill_bytes,
        bill_digest: named.digest,
        new_roots,
        recovered_floors,
        next_floors,
        signers: check.workflow.signers,
        accepted_expired: check.workflow.accepted_expired,
        files: metadata.files(),
    }))
}

/// The ids of all bundles on a volume.
pub fn bundles_on(media: &dyn Media) -> Result<Vec<BundleId>, MediaError> {
    let entries = match media.list(&MediaPath::bundles()) {
        Err(MediaError::Missing { .. }) => return Ok(Vec::new()),
        other => other?,
    };
    let mut ids: Vec<_> = entries
        .into_iter()
        .filter(|entry| entry.kind == EntryKind::Folder)
        .filter_map(|entry| entry.name.parse().ok())
        .collect();
    ids.sort();
    Ok(ids)
}

/// The named bundle if it is on every volume, or the only one that is.
pub(crate) fn choose_bundle(
    media: &[&dyn Media],
    wanted: Option<&BundleId>,
) -> Result<BundleId, TrustError> {
    let mut common: Option<Vec<BundleId>> = None;
    for volume in media {
        let here = bundles_on(*volume)?;
        if let Some(bundle) = wanted.filter(|id| !here.contains(id)) {
            return Err(TrustError::WrongVolume {
                bundle: bundle.clone(),
                volume: volume.label().to_owned(),
            });
        }
        common = Some(match common {
            None => here,
            Some(ids) => ids.into_iter().filter(|id| here.contains(id)).collect(),
        });
    }
    match (wanted, common.unwrap_or_default().as_slice()) {
        (Some(bundle), _) => Ok(bundle.clone()),
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err(TrustError::NoBundle {
            volumes: media.iter().map(|m| m.label().to_owned()).collect(),
        }),
        (None, several) => Err(TrustError::SeveralBundles {
            bundles: several.to_vec(),
        }),
    }
}

/// Metadata is byte-equal on all volumes (FORMAT.md 5.2), so that no mixture of two signings or two
/// releases is ever assembled (mix-and-match attack).
fn same_metadata(
    first: &dyn Media,
    other: &dyn Media,
    metadata: &Metadata,
) -> Result<(), TrustError> {
    let differs = |path: &MediaPath| TrustError::MixedVolumes {
        file: path.as_str().to_owned(),
        first: first.label().to_owned(),
        other: other.label().to_owned(),
    };
    for file in metadata.files() {
        match read_capped(other, &file.path, file.bytes.len() as u64) {
            Ok(bytes) if bytes == file.bytes => {}
            Ok(_)
            | Err(TrustError::TooLarge { .. } | TrustError::Medium(MediaError::Missing { .. })) => {
                return Err(differs(&file.path));
            }
            Err(error) => return Err(error),
        }
    }
    let roots = root_versions(other, metadata.bundle())?;
    if roots.len() != metadata.roots.len() {
        return Err(differs(&MediaPath::metadata(metadata.bundle())));
    }
    Ok(())
}

/// Reads the bill from every volume; all must be the signed bytes (TUF 5.7.3).
fn fetch_bill(
    media: &[&dyn Media],
    id: &BundleId,
    named: FileLength,
) -> Result<Vec<u8>, TrustError> {
    let mut bytes = Vec::new();
    for volume in media {
        bytes = read_bill(*volume, id, named)?;
    }
    Ok(bytes)
}

/// A verification under way.
struct Check<'a> {
    trust: &'a Trust<'a>,
    workflow: Workflow<'a>,
}

impl<'a> Check<'a> {
    fn start(trust: &'a Trust<'a>) -> Self {
        let (root, floors) = (trust.root.clone(), trust.floors.clone());
        Self {
            trust,
            workflow: Workflow::start(root, floors, trust.now, trust.expired),
        }
    }

    /// TUF 5.3. Answers the roots that are new to this host.
    fn update_root(&mut self, metadata: &Metadata) -> Result<Vec<TrustedRoot>, TrustError> {
        self.check_chain_on_medium(metadata)?;
        let mut new_roots = Vec::new();
        let path = |version| MediaPath::root(metadata.bundle(), version);
        // "5.3.3. Try downloading version N+1 of the root metadata file … If this file is not
        // available … then go to step 5.3.10."
        for next in &metadata.roots {
            if next.version() <= self.workflow.root.version() {
                continue;
            }
            let file = path(next.version());
            self.workflow.next_root(file.as_str(), next.clone())?;
            new_roots.push(self.workflow.root.clone());
        }
        let newest = path(self.workflow.root.version());
        self.workflow.end_of_roots(newest.as_str())?;
        Ok(new_roots)
    }

    /// FORMAT.md 4.8: the chain on the medium starts at 1, holds in itself, and has our own root at
    /// our own version; otherwise it is another publisher's, or changed.
    fn check_chain_on_medium(&self, metadata: &Metadata) -> Result<(), TrustError> {
        let bundle = metadata.bundle();
        let mut chain: Option<TrustedRoot> = None;
        for root in &metadata.roots {
            let path = MediaPath::root(bundle, root.version());
            self.same_as_ours(root)?;
            chain = Some(match chain {
                None if root.version() != 1 => {
                    return Err(TrustError::RootChain {
                        reason: format!("it starts with `{path}`, not with version 1"),
                    });
                }
                None => TrustedRoot::own_threshold(path.as_str(), root.clone())?,
                Some(previous) => previous.next(path.as_str(), root.clone())?,
            });
        }
        let newest = chain.as_ref().map_or(0, TrustedRoot::version);
        if newest < self.trust.root.version() {
            return Err(TrustError::RootChain {
                reason: format!(
                    "it ends with version {newest}, and this host trusts version {}",
                    self.trust.root.version()
                ),
            });
        }
        Ok(())
    }

    fn same_as_ours(&self, root: &RootFile) -> Result<(), TrustError> {
        if root.version() != self.trust.root.version()
            || root.fingerprint() == self.trust.root.fingerprint()
        {
            return Ok(());
        }
        Err(TrustError::OtherRoot {
            version: root.version(),
            found: Box::new(root.fingerprint()),
            trusted: Box::new(self.trust.root.fingerprint()),
        })
    }

    /// TUF 5.4 to 5.6; 5.5.2 and 5.6.2 (hashes) do not apply, since ours name versions only. An equal
    /// timestamp is the same bundle once more. Answers what the bill must be.
    fn update_others(&mut self, metadata: &Metadata) -> Result<FileLength, TrustError> {
        let Metadata {
            timestamp,
            snapshot,
            targets,
            ..
        } = metadata;
        let path = metadata.timestamp_path();
        let wanted = self.workflow.timestamp(path.as_str(), timestamp)?;
        self.workflow.timestamp_expiry(path.as_str(), timestamp)?;
        let path = metadata.snapshot_path();
        let wanted = self.workflow.snapshot(path.as_str(), snapshot, wanted)?;
        let path = metadata.targets_path();
        self.workflow.targets(path.as_str(), targets, wanted)?;
        // "5.7.2. If there is no targets metadata about this target, abort the update cycle".
        targets.signed.bill().ok_or_else(|| TrustError::Malformed {
            file: path.as_str().to_owned(),
            reason: "it names no bill of lading".to_owned(),
        })
    }

    /// Parses the signed bill and holds it to its rules and to the metadata around it.
    fn accept_bill(
        &self,
        id: &BundleId,
        metadata: &Metadata,
        bytes: &[u8],
        part_bytes: u64,
    ) -> Result<BillOfLading, TrustError> {
        let wrong = |source| TrustError::Bill {
            bundle: id.clone(),
            source,
        };
        let bill = bill::parse(bytes, part_bytes).map_err(wrong)?;
        if bill.bundle != *id {
            return Err(wrong(BillError::OtherBundle { found: bill.bundle }));
        }
        // FORMAT.md 4.4: one number for the release. A timestamp of one release cannot be put
        // beside the targets of another (mix-and-match).
        let versions = [
            metadata.timestamp.signed.version,
            metadata.snapshot.signed.version,
            metadata.targets.signed.version,
        ];
        if versions.iter().any(|version| *version != bill.epoch) {
            return Err(wrong(BillError::OtherEpoch {
                epoch: bill.epoch,
                versions,
            }));
        }
        // FORMAT.md 5.3: the time of building becomes this host's floor, so it must be possible.
        let ends = [
            metadata.timestamp.signed.expires,
            metadata.snapshot.signed.expires,
            metadata.targets.signed.expires,
        ];
        if ends.iter().any(|end| bill.created >= *end) {
            return Err(wrong(BillError::CreatedLate {
                created: bill.created,
            }));
        }
        if bill.epoch < self.workflow.floors.epoch {
            return Err(TrustError::OlderEpoch {
                bundle: id.clone(),
                epoch: bill.epoch,
                floor: self.workflow.floors.epoch,
            });
        }
        Ok(bill)
    }

    fn next_floors(&self, bill: &BillOfLading) -> Floors {
        Floors {
            timestamp: bill.epoch,
            snapshot: bill.epoch,
            targets: bill.epoch,
            epoch: self.workflow.floors.epoch.max(bill.epoch),
            time: time_floor(
                self.workflow.floors.time,
                bill.created,
                self.workflow.root.expires(),
            ),
        }
    }
}

/// The time floor rises with signed times only: a clock that once ran ahead must not make every later
/// bundle look expired. And never beyond the end of the root that says who may sign: whoever stole release
/// keys could otherwise name a year after which every honest bundle is too old.
fn time_floor(before: Timestamp, created: Timestamp, end_of_root: Timestamp) -> Timestamp {
    before.max(created.min(end_of_root))
}

#[cfg(test)]
mod tests;
