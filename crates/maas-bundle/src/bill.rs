//! What a bill of lading must hold to, beyond its types (FORMAT.md 3).
//!
//! It is signed, and still not believed in everything: a signer's builder may be broken, or of
//! another time. Threats: digests that are named and not listed or listed and not named, sizes that
//! overflow, parts that do not make up their blob, paths that are one name on some file systems.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use maas_types::{
    BillOfLading, Blob, BlobPath, BundleId, Digest, Exit, FORMAT, Image, MediumFile, ShippedModel,
};

pub(crate) use attached::{IMAGE_SIGNATURES, MODEL_SIGNATURES};

use crate::{MediumName, json, tuf::HIGHEST_VERSION};

mod attached;

/// What this program is called in a bill.
pub(crate) const PRODUCT: &str = "maas-appliance";

/// The machines that this program is built for.
const ARCHITECTURES: [&str; 1] = ["x86_64"];

/// Features of the `critical` list that this version knows: signatures of others, which a reader that
/// does not know them would not check.
const KNOWN_FEATURES: [&str; 2] = [IMAGE_SIGNATURES, MODEL_SIGNATURES];

/// Files of all models, blobs, and parts each (FORMAT.md 3.8). Far above the largest release known,
/// and few enough that a plan of them takes no time.
const MOST_FILES: usize = 100_000;

/// No medium of today holds an exabyte; sums of sizes below it cannot overflow 64 bits.
const MOST_BYTES: u64 = 1 << 60;

/// A manifest is read into memory (the limit that registries use).
pub(crate) const MANIFEST_BYTES: u64 = 4 << 20;

/// Why a bill of lading is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BillError {
    /// Not JSON of the wanted shape.
    #[error("it is malformed: {reason}")]
    Malformed {
        /// Where and why.
        reason: String,
    },
    /// Another format, or another version of it.
    #[error("its format is `{found}`, this version reads `{FORMAT}`")]
    Format {
        /// What it says.
        found: String,
    },
    /// This program is too old for the bundle.
    #[error("it needs `{feature}`, which this version does not know")]
    UnknownFeature {
        /// What is needed.
        feature: String,
    },
    /// Another product's bundle.
    #[error("it is for the product `{found}`, not `{PRODUCT}`")]
    Product {
        /// What it says.
        found: String,
    },
    /// For another kind of machine.
    #[error("it is for {os} on {arch}, not for Linux on x86_64")]
    Machine {
        /// Operating system.
        os: String,
        /// Architecture.
        arch: String,
    },
    /// It lies in another bundle's folder.
    #[error("it is the bill of `{found}`")]
    OtherBundle {
        /// The bundle that it is of.
        found: BundleId,
    },
    /// Its epoch and the versions of its metadata are not the same.
    #[error("its epoch is {epoch}; timestamp, snapshot and targets have versions {versions:?}")]
    OtherEpoch {
        /// The bill's epoch.
        epoch: u64,
        /// Versions of timestamp, snapshot and targets.
        versions: [u64; 3],
    },
    /// It says that it was built when its metadata had expired.
    #[error("it says that it was created on {created}, after it expires")]
    CreatedLate {
        /// What it says.
        created: Timestamp,
    },
    /// Something in it contradicts itself.
    #[error("{what}")]
    Inconsistent {
        /// What and where.
        what: String,
    },
}

impl BillError {
    /// The exit code that answers this.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Format { .. } | Self::UnknownFeature { .. } | Self::Machine { .. } => {
                Exit::HostCheck
            }
            Self::Malformed { .. }
            | Self::Product { .. }
            | Self::OtherBundle { .. }
            | Self::OtherEpoch { .. }
            | Self::CreatedLate { .. }
            | Self::Inconsistent { .. } => Exit::Content,
        }
    }
}

/// What is read first: whether the rest may be read at all.
#[derive(serde::Deserialize)]
struct Preface {
    format: String,
    #[serde(default)]
    critical: Vec<String>,
}

/// Parses a bill of lading and holds it to its rules. `part_bytes` is
/// [`maas_types::PART_BYTES`] except in this crate's own tests.
pub(crate) fn parse(bytes: &[u8], part_bytes: u64) -> Result<BillOfLading, BillError> {
    let malformed = |reason| BillError::Malformed { reason };
    // Before the whole: a newer format may have another shape, and should be refused by name.
    let preface: Preface = json::strict(bytes).map_err(malformed)?;
    if preface.format != FORMAT {
        return Err(BillError::Format {
            found: json::plain(&preface.format),
        });
    }
    let known = |feature: &&String| !KNOWN_FEATURES.contains(&feature.as_str());
    if let Some(feature) = preface.critical.iter().find(known) {
        return Err(BillError::UnknownFeature {
            feature: json::plain(feature),
        });
    }
    let bill: BillOfLading = json::strict(bytes).map_err(malformed)?;
    json::same_shape(bytes, &bill).map_err(malformed)?;
    check(&bill, part_bytes)?;
    Ok(bill)
}

/// Every rule of FORMAT.md 3 that one bill can break by itself.
pub(crate) fn check(bill: &BillOfLading, part_bytes: u64) -> Result<(), BillError> {
    if bill.product != PRODUCT {
        return Err(BillError::Product {
            found: json::plain(&bill.product),
        });
    }
    let requires = &bill.requires;
    if requires.os != "linux" || !ARCHITECTURES.contains(&requires.arch.as_str()) {
        return Err(BillError::Machine {
            os: json::plain(&requires.os),
            arch: json::plain(&requires.arch),
        });
    }
    if !(1..=HIGHEST_VERSION).contains(&bill.epoch) {
        return inconsistent(format!("epoch {} is not possible", bill.epoch));
    }
    check_counts(bill)?;
    check_blobs(&bill.blobs, part_bytes)?;
    unique(
        "model",
        bill.models.iter().map(|model| model.manifest.name.as_str()),
    )?;
    unique("image", bill.images.iter().map(|image| image.name.as_str()))?;
    for model in &bill.models {
        check_model(model)?;
    }
    for image in &bill.images {
        check_image(bill, image)?;
    }
    check_medium_files(bill)?;
    attached::check(bill)?;
    check_references(bill)
}

/// Every digest that is named by something, with a word for what names it.
pub(crate) fn references(bill: &BillOfLading) -> impl Iterator<Item = (Digest, String)> {
    let models = bill.models.iter().flat_map(|model| {
        let name = &model.manifest.name;
        let manifest = (
            model.oci_manifest,
            format!("the manifest of model `{name}`"),
        );
        let files = model
            .files
            .iter()
            .map(move |file| (file.blob, format!("`{}` of model `{name}`", file.path)));
        let config = (model.oci_config, format!("the config of model `{name}`"));
        [manifest, config].into_iter().chain(files)
    });
    let attached = attached::references(bill);
    let images = bill.images.iter().flat_map(|image| {
        let blobs = image
            .blobs
            .iter()
            .map(|blob| (*blob, format!("image `{}`", image.name)));
        std::iter::once((
            image.manifest,
            format!("the manifest of image `{}`", image.name),
        ))
        .chain(blobs)
    });
    std::iter::once((bill.binary, "the binary".to_owned()))
        .chain(models)
        .chain(images)
        .chain(attached)
}

fn inconsistent<T>(what: impl Into<String>) -> Result<T, BillError> {
    Err(BillError::Inconsistent { what: what.into() })
}

fn check_counts(bill: &BillOfLading) -> Result<(), BillError> {
    let files: usize = bill.models.iter().map(|model| model.files.len()).sum();
    let parts: usize = bill.blobs.iter().map(|blob| blob.parts.len()).sum();
    for (what, count) in [
        ("model files", files),
        ("blobs", bill.blobs.len()),
        ("parts", parts),
    ] {
        if count > MOST_FILES {
            return inconsistent(format!("there are {count} {what}, more than {MOST_FILES}"));
        }
    }
    Ok(())
}

fn check_blobs(blobs: &[Blob], part_bytes: u64) -> Result<(), BillError> {
    if let Some([_, twice]) = blobs
        .windows(2)
        .find(|pair| pair[0].digest >= pair[1].digest)
    {
        return inconsistent(format!(
            "blob {} is not in its place or stands there twice",
            twice.digest
        ));
    }
    let mut total = 0_u64;
    for blob in blobs {
        total = total.saturating_add(blob.size);
        if total > MOST_BYTES {
            return inconsistent("the blobs are bigger than 2^60 bytes together");
        }
        check_parts(blob, part_bytes)?;
    }
    Ok(())
}

fn check_parts(blob: &Blob, part_bytes: u64) -> Result<(), BillError> {
    if blob.size <= part_bytes {
        return if blob.parts.is_empty() {
            Ok(())
        } else {
            inconsistent(format!(
                "blob {} is too small to travel in parts",
                blob.digest
            ))
        };
    }
    let mut left = blob.size;
    for part in &blob.parts {
        if part.size != left.min(part_bytes) || part.size == 0 {
            return inconsistent(format!(
                "a part of blob {} has {} bytes where {} belong",
                blob.digest,
                part.size,
                left.min(part_bytes)
            ));
        }
        left -= part.size;
    }
    if left > 0 {
        return inconsistent(format!(
            "the parts of blob {} lack {left} bytes",
            blob.digest
        ));
    }
    Ok(())
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), BillError> {
    let mut seen = BTreeSet::new();
    let mut previous = "";
    for name in names {
        // Names become folders: `Qwen` and `qwen` are one on some file systems.
        if !seen.insert(name.to_ascii_lowercase()) {
            return inconsistent(format!("two {what}s are called `{name}`"));
        }
        if previous > name {
            return inconsistent(format!("{what} `{name}` is not in its place by name"));
        }
        previous = name;
    }
    Ok(())
}

fn check_model(model: &ShippedModel) -> Result<(), BillError> {
    let name = &model.manifest.name;
    let mut folded: BTreeMap<String, &BlobPath> = BTreeMap::new();
    for file in &model.files {
        let path = file.path.as_str().to_ascii_lowercase();
        if let Some(other) = folded.insert(path, &file.path) {
            return inconsistent(format!(
                "`{}` and `{other}` of model `{name}` are one file on some file systems",
                file.path
            ));
        }
    }
    if !model.files.is_sorted_by_key(|file| &file.path) {
        return inconsistent(format!("the files of model `{name}` are not sorted"));
    }
    for (path, original) in &folded {
        let mut folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        if let Some(file) = folders.find_map(|folder| folded.get(folder)) {
            return inconsistent(format!(
                "`{file}` of model `{name}` is a file, and the folder of `{original}`"
            ));
        }
    }
    if !model
        .files
        .iter()
        .any(|file| file.path.as_str() == "config.json")
    {
        return inconsistent(format!("model `{name}` has no config.json"));
    }
    Ok(())
}

fn check_image(bill: &BillOfLading, image: &Image) -> Result<(), BillError> {
    let name = &image.name;
    if image.media_type != crate::oci::MANIFEST && image.media_type != crate::oci::DOCKER_MANIFEST {
        return inconsistent(format!(
            "image `{name}` has a manifest of another media type"
        ));
    }
    let size = bill.blob(&image.manifest).map(|blob| blob.size);
    if size != Some(image.manifest_size) || image.manifest_size > MANIFEST_BYTES {
        return inconsistent(format!("the manifest of image `{name}` has another size"));
    }
    if image.reference.len() > 512 || image.reference.chars().any(char::is_control) {
        return inconsistent(format!("the reference of image `{name}` is not plain text"));
    }
    if !image.blobs.contains(&image.manifest) {
        return inconsistent(format!("image `{name}` does not list its own manifest"));
    }
    if !image.blobs.is_sorted_by(|a, b| a < b) {
        return inconsistent(format!(
            "the blobs of image `{name}` are not sorted and unique"
        ));
    }
    Ok(())
}

fn check_medium_files(bill: &BillOfLading) -> Result<(), BillError> {
    let files = &bill.medium_files;
    let names: Vec<_> = files
        .iter()
        .map(|file| MediumName::from_name(&file.name))
        .collect();
    if let Some(at) = names.iter().position(Option::is_none) {
        let name = json::plain(&files[at].name);
        return inconsistent(format!("`{name}` is not a file that may lie beside MAAS"));
    }
    if !names.is_sorted_by(|a, b| a < b) {
        return inconsistent("the files beside MAAS are not sorted and unique");
    }
    let beside = |file: &&MediumFile| file.name == MediumName::Appliance.as_str();
    if files.iter().find(beside).map(|file| file.digest) != Some(bill.binary) {
        return inconsistent("the program beside MAAS is not the one that the release runs");
    }
    let blobs = bill.total_bytes();
    let beside = files.iter().map(|file| file.size);
    if beside.fold(blobs, u64::saturating_add) > MOST_BYTES {
        return inconsistent("blobs and files beside MAAS are bigger than 2^60 bytes together");
    }
    Ok(())
}

fn check_references(bill: &BillOfLading) -> Result<(), BillError> {
    let mut named = BTreeSet::new();
    for (digest, by) in references(bill) {
        if bill.blob(&digest).is_none() {
            return inconsistent(format!("{by} is {digest}, which is not listed"));
        }
        named.insert(digest);
    }
    match bill.blobs.iter().find(|blob| !named.contains(&blob.digest)) {
        None => Ok(()),
        Some(blob) => inconsistent(format!("blob {} belongs to nothing", blob.digest)),
    }
}

#[cfg(test)]
mod tests;
