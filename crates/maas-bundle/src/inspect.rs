//! Looking at a bundle without trusting it: what it says of itself, and who signed.

use jiff::Timestamp;
use maas_types::{BundleId, Digest, Document, ImageName, ModelName, Task};
use serde::Serialize;

use crate::{
    Endorsement, Fingerprint, Media, RoleStatus, TrustError, draft::Draft, endorse::wanted_makers,
};

/// `bundle inspect --json`. Nothing in it is verified, and it says so.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// `maas-appliance/bundle-inspect/v1`
    pub schema: &'static str,
    /// Always `false`: this is what the medium says of itself.
    pub verified: bool,
    /// The bundle's name.
    pub bundle: BundleId,
    /// Its epoch.
    pub epoch: u64,
    /// Its version, for people.
    pub version: String,
    /// When it says that it was built.
    pub created: Timestamp,
    /// When its metadata expires.
    pub expires: Timestamp,
    /// SHA-256 of the bill of lading.
    pub bill: Digest,
    /// Blobs.
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Models.
    pub models: Vec<InspectedModel>,
    /// Images.
    pub images: Vec<InspectedImage>,
    /// Files beside `MAAS/`.
    pub medium_files: Vec<String>,
    /// SHA-256 of the program that the release runs.
    pub binary: Digest,
    /// Whose signatures on models and images the release demands.
    pub makers: Vec<Endorsement>,
    /// Bills of materials and statements of origin.
    pub documents: Vec<Document>,
    /// The newest root that it carries.
    pub root: InspectedRoot,
    /// Who has signed what, by that root.
    pub roles: Vec<RoleStatus>,
    /// How far the newest root is signed by the keys of the root before it; absent for root 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handover: Option<RoleStatus>,
}

/// A model in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectedModel {
    /// What clients would ask for.
    pub name: ModelName,
    /// One line for people.
    pub title: String,
    /// Its licence.
    pub licence: String,
    /// What it is for.
    pub task: Task,
    /// Its files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// An image in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectedImage {
    /// What the recipe called it.
    pub name: ImageName,
    /// Where it is said to come from.
    pub reference: String,
    /// Digest of its manifest.
    pub manifest: Digest,
    /// Bytes of its blobs.
    pub bytes: u64,
}

/// The newest root that a bundle carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectedRoot {
    /// Its version.
    pub version: u64,
    /// Its fingerprint, to be compared with the publisher's.
    pub fingerprint: Fingerprint,
    /// The same in words.
    pub words: String,
    /// When it expires.
    pub expires: Timestamp,
}

impl Inspection {
    /// The value of [`Inspection::schema`].
    pub const SCHEMA: &str = "maas-appliance/bundle-inspect/v1";

    /// Whether every role has its signatures by the bundle's own root, which says nothing about
    /// whether a host trusts that root.
    pub fn is_fully_signed(&self) -> bool {
        self.roles
            .iter()
            .chain(&self.handover)
            .all(RoleStatus::is_complete)
    }
}

/// Reads metadata and bill of a bundle, and verifies no signature against any trust.
pub fn inspect(media: &[&dyn Media], bundle: Option<&BundleId>) -> Result<Inspection, TrustError> {
    let Draft { metadata, bundle } = Draft::read(media, bundle)?;
    let bill = bundle.bill;
    let size = |digest: &Digest| bill.blob(digest).map_or(0, |blob| blob.size);
    let root = metadata.newest_root();
    let expires = [
        root.expires(),
        metadata.timestamp.signed.expires,
        metadata.snapshot.signed.expires,
        metadata.targets.signed.expires,
    ];
    let models = bill.models.iter().map(|model| InspectedModel {
        name: model.manifest.name.clone(),
        title: model.manifest.title.clone(),
        licence: model.manifest.licence.clone(),
        task: model.manifest.task,
        files: model.files.len(),
        bytes: model.files.iter().map(|file| size(&file.blob)).sum(),
    });
    let images = bill.images.iter().map(|image| InspectedImage {
        name: image.name.clone(),
        reference: image.reference.clone(),
        manifest: image.manifest,
        bytes: image.blobs.iter().map(size).sum(),
    });
    Ok(Inspection {
        schema: Inspection::SCHEMA,
        verified: false,
        models: models.collect(),
        images: images.collect(),
        root: InspectedRoot {
            version: root.version(),
            fingerprint: root.fingerprint(),
            words: root.fingerprint().words(),
            expires: root.expires(),
        },
        roles: metadata.status(),
        handover: metadata.handover().map(|handover| handover.old),
        expires: expires.into_iter().min().unwrap_or(Timestamp::MIN),
        bundle: bill.bundle.clone(),
        epoch: bill.epoch,
        version: bill.version.clone(),
        created: bill.created,
        bill: bundle.bill_digest,
        blobs: bill.blobs.len(),
        bytes: bill.total_bytes(),
        medium_files: bill.medium_files.iter().map(|f| f.name.clone()).collect(),
        binary: bill.binary,
        makers: wanted_makers(&bill),
        documents: bill.documents.clone(),
    })
}
