//! What is read: which blobs, and what each belongs to.

use std::collections::{BTreeMap, BTreeSet};

use maas_types::{BillOfLading, Digest, Layout};

use super::UsedBy;
use crate::{Generation, Store, StoreError};

/// A blob that is to be read.
#[derive(Debug, Default)]
pub(super) struct Subject {
    pub(super) size: u64,
    pub(super) used_by: BTreeSet<UsedBy>,
}

/// Every blob that a generation needs, with what it belongs to, and every other that lies in the store.
pub(super) fn subjects(layout: &Layout) -> Result<BTreeMap<Digest, Subject>, StoreError> {
    let mut subjects = BTreeMap::new();
    for (digest, size) in Store::new(layout).files()? {
        let used_by = BTreeSet::new();
        subjects.insert(digest, Subject { size, used_by });
    }
    for generation in Generation::list(layout)?.whole {
        let bill = &generation.record().bill;
        for blob in &bill.blobs {
            let subject: &mut Subject = subjects.entry(blob.digest).or_default();
            subject.size = blob.size;
        }
        for (digest, what) in parts_of(bill) {
            if let Some(subject) = subjects.get_mut(&digest) {
                let generation = generation.id();
                subject.used_by.insert(UsedBy { generation, what });
            }
        }
    }
    Ok(subjects)
}

/// What each blob of a release belongs to, in words.
fn parts_of(bill: &BillOfLading) -> Vec<(Digest, String)> {
    let mut parts = vec![(bill.binary, "the binary".to_owned())];
    for model in &bill.models {
        let blobs = model.files.iter().map(|file| file.blob);
        let others = [model.oci_manifest, model.oci_config];
        let signature = model.signature.as_ref().map(|signature| signature.blob);
        let what = format!("model `{}`", model.manifest.name);
        parts.extend(
            blobs
                .chain(others)
                .chain(signature)
                .map(|b| (b, what.clone())),
        );
    }
    for image in &bill.images {
        let what = format!("image `{}`", image.name);
        let blobs = image.blobs.iter().chain([&image.manifest]).copied();
        parts.extend(blobs.map(|blob| (blob, what.clone())));
        if let Some(signatures) = &image.signatures {
            let blobs = signatures.simple.iter().chain(&signatures.payloads);
            let blobs = blobs.chain(&signatures.bundles).chain(&signatures.index);
            let what = format!("signatures of image `{}`", image.name);
            parts.extend(blobs.map(|blob| (*blob, what.clone())));
        }
    }
    for document in &bill.documents {
        let what = format!("a document about `{}`", document.of);
        parts.push((document.blob, what));
    }
    parts
}
