//! What changes from one bundle to another, by their bills of lading.

use std::collections::{BTreeMap, BTreeSet};

use maas_types::{BillOfLading, BundleId, Digest};
use serde::Serialize;

use crate::{Media, TrustError, draft::Draft};

/// `bundle diff --json`. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `maas-appliance/bundle-diff/v1`
    pub schema: &'static str,
    /// The first one.
    pub from: Side,
    /// The second one.
    pub to: Side,
    /// Models, images, documents and files beside `MAAS/` that are not the same.
    pub changes: Vec<Change>,
    /// Bytes that a host with the first one needs for the second.
    pub new_bytes: u64,
    /// Bytes that both have.
    pub common_bytes: u64,
}

/// One of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Its name.
    pub bundle: BundleId,
    /// Its version, for people.
    pub version: String,
    /// Its epoch.
    pub epoch: u64,
    /// SHA-256 of its bill.
    pub bill: Digest,
}

/// One thing that is not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `model tiny`, `image engine`, `model tiny: config.json`.
    pub what: String,
    /// How.
    pub how: How,
}

/// How something is not the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Only the second has it.
    Added,
    /// Only the first has it.
    Removed,
    /// Both have it, and not the same.
    Changed,
}

impl How {
    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// Compares two bundles. Verifies no signature.
pub fn diff(from: &[&dyn Media], to: &[&dyn Media]) -> Result<Difference, TrustError> {
    let (from, to) = (Draft::read(from, None)?, Draft::read(to, None)?);
    let side = |draft: &Draft| Side {
        bundle: draft.bundle.bill.bundle.clone(),
        version: draft.bundle.bill.version.clone(),
        epoch: draft.bundle.bill.epoch,
        bill: draft.bundle.bill_digest,
    };
    let sides = (side(&from), side(&to));
    let (from, to) = (from.bundle.bill, to.bundle.bill);
    let have: BTreeSet<_> = from.blobs.iter().map(|blob| blob.digest).collect();
    let (common, new): (Vec<_>, Vec<_>) = to.blobs.iter().partition(|b| have.contains(&b.digest));
    let bytes = |blobs: &[&maas_types::Blob]| blobs.iter().map(|blob| blob.size).sum();
    Ok(Difference {
        schema: "maas-appliance/bundle-diff/v1",
        from: sides.0,
        to: sides.1,
        changes: changes(&items(&from), &items(&to)),
        new_bytes: bytes(&new),
        common_bytes: bytes(&common),
    })
}

/// Everything that has a name, with something that changes when it does.
fn items(bill: &BillOfLading) -> BTreeMap<String, String> {
    let mut items = BTreeMap::new();
    let mut put = |what: String, is: String| drop(items.insert(what, is));
    put("program".to_owned(), bill.binary.to_string());
    for model in &bill.models {
        let name = &model.manifest.name;
        // Debug of a manifest is all of it.
        put(format!("model {name}"), format!("{:?}", model.manifest));
        for file in &model.files {
            put(
                format!("model {name}: {}", file.path),
                file.blob.to_string(),
            );
        }
        if let Some(signature) = &model.signature {
            put(
                format!("model {name}: its signer"),
                format!("{:?}", signature.signer),
            );
        }
    }
    for image in &bill.images {
        let name = &image.name;
        put(format!("image {name}"), image.manifest.to_string());
        if let Some(signatures) = &image.signatures {
            put(format!("image {name}: its signer"), signatures.key.clone());
        }
    }
    for file in &bill.medium_files {
        put(format!("file {}", file.name), file.digest.to_string());
    }
    items
}

fn changes(from: &BTreeMap<String, String>, to: &BTreeMap<String, String>) -> Vec<Change> {
    let names: BTreeSet<_> = from.keys().chain(to.keys()).collect();
    let how = |name: &String| match (from.get(name), to.get(name)) {
        (None, Some(_)) => Some(How::Added),
        (Some(_), None) => Some(How::Removed),
        (Some(a), Some(b)) if a != b => Some(How::Changed),
        (Some(_), Some(_)) | (None, None) => None,
    };
    let changed = names.into_iter().filter_map(|name| {
        Some(Change {
            what: name.clone(),
            how: how(name)?,
        })
    });
    changed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    #[test]
    fn a_bundle_differs_from_itself_in_nothing_and_from_its_successor_in_what_changed() {
        let sample = Sample::new(7).unwrap();
        let same = diff(&sample.volumes(), &sample.volumes()).unwrap();
        assert_eq!((same.changes, same.new_bytes), (Vec::new(), 0));
        let mut other = Sample::new(7).unwrap();
        other.forge_model_file("tokenizer/tokenizer.json", "tokenizer/vocab.json", b"{}");
        let changed = diff(&sample.volumes(), &other.volumes()).unwrap();
        let said: Vec<_> = changed
            .changes
            .iter()
            .map(|change| (change.what.as_str(), change.how))
            .collect();
        assert_eq!(
            said,
            [
                ("model tiny: tokenizer/tokenizer.json", How::Removed),
                ("model tiny: tokenizer/vocab.json", How::Added),
            ]
        );
        assert_eq!(changed.new_bytes, 2);
    }
}
