//! The bill of lading: `bundle.json`, the one file that a release's signatures cover and that names
//! every other byte on the medium by its digest.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{BlobPath, BundleId, Digest, ImageName, ModelManifest};

/// The format that this code writes, [`BillOfLading::format`].
pub const FORMAT: &str = "maas-bundle/1";

/// A blob bigger than this travels in parts of this size; the last one is shorter.
///
/// Why 1,000,000,000: below FAT32's 4 GiB limit, the default shard of OMS v1.0 (6.3.2), at most a
/// gigabyte of work lost to a power cut, and few enough files for a FAT32 folder (10,922 long names)
/// to hold 10.9 TB.
pub const PART_BYTES: u64 = 1_000_000_000;

/// What a release consists of. Unknown fields are ignored, so that an old installer reads a newer
/// bundle; what it must not ignore stands in `critical` and is refused by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BillOfLading {
    /// [`FORMAT`].
    pub format: String,
    /// Features that a reader must know to install this bundle; unknown ones are refused by name.
    #[serde(default)]
    pub critical: Vec<String>,
    /// `maas-appliance`: a bundle for another product is refused.
    pub product: String,
    /// The bundle's name.
    pub bundle: BundleId,
    /// The rollback floor: an installed epoch is never followed by a smaller one.
    pub epoch: u64,
    /// The release's version, for people.
    pub version: String,
    /// When it was built.
    pub created: Timestamp,
    /// What the host must be.
    pub requires: Requirements,
    /// Every blob, once, sorted by digest.
    pub blobs: Vec<Blob>,
    /// Models, by name.
    pub models: Vec<ShippedModel>,
    /// Container images, by name.
    pub images: Vec<Image>,
    /// The `maas-appliance` binary that this release runs.
    pub binary: Digest,
    /// Files at the root of every volume, beside `MAAS/`: bootstrap, binary, a page for the operator.
    pub medium_files: Vec<MediumFile>,
    /// Bills of materials and statements of origin, by subject and kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Document>,
}

/// What the host must be for this bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirements {
    /// `x86_64`, as `uname -m` says.
    pub arch: String,
    /// `linux`.
    pub os: String,
}

/// A run of bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// SHA-256 of all of it.
    pub digest: Digest,
    /// Its length, bytes.
    pub size: u64,
    /// Its parts in order when it is bigger than [`PART_BYTES`]; else empty, and it travels whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// A piece of a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// SHA-256 of the piece.
    pub digest: Digest,
    /// Its length, bytes: [`PART_BYTES`] for all but the last.
    pub size: u64,
}

/// A model in the bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShippedModel {
    /// What is known about it.
    pub manifest: ModelManifest,
    /// Its files, by path.
    pub files: Vec<ModelFile>,
    /// Digest of its OCI manifest (`application/vnd.cncf.model.manifest.v1+json`), a blob too.
    pub oci_manifest: Digest,
    /// Digest of its `ModelPack` config (`application/vnd.cncf.model.config.v1+json`), a blob too.
    pub oci_config: Digest,
    /// The signature of whoever made the model, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<ModelSignature>,
}

/// An OMS v1.0 signature over a model's files, and who must have made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSignature {
    /// The Sigstore bundle, a blob too.
    pub blob: Digest,
    /// Whose signature it must be.
    pub signer: ModelSigner,
}

/// Whose signature on a model counts: the release's own word, as it is signed itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelSigner {
    /// The holder of a key: `PUBLIC KEY` PEM.
    Key(String),
    /// Somebody whom a certificate authority knows.
    Certificate {
        /// The authority's certificates, PEM.
        roots: Vec<String>,
        /// The name in the certificate, exactly.
        identity: String,
    },
}

/// A file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Where it lies in the model's folder.
    pub path: BlobPath,
    /// Its bytes.
    pub blob: Digest,
}

/// A container image in the bundle. Its blobs keep the bytes that the registry had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// What the recipe calls it.
    pub name: ImageName,
    /// Where it came from, `docker.io/vllm/vllm-openai:v0.32.0`; for people.
    pub reference: String,
    /// Digest of its OCI image manifest.
    pub manifest: Digest,
    /// Size of that manifest, bytes.
    pub manifest_size: u64,
    /// Its media type.
    pub media_type: String,
    /// Every blob that it needs, its manifest and config included.
    pub blobs: Vec<Digest>,
    /// The cosign signatures of whoever made the image, where it has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signatures: Option<ImageSignatures>,
}

/// Signatures over a container image, and whose one must be among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSignatures {
    /// `PUBLIC KEY` PEM of who must have signed.
    pub key: String,
    /// The index that names the image's manifest, where that is what was signed; a blob too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Digest>,
    /// cosign's old layout: the manifests that tags `sha256-….sig` name, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub simple: Vec<Digest>,
    /// What those manifests name, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payloads: Vec<Digest>,
    /// cosign's new layout: Sigstore bundles, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bundles: Vec<Digest>,
}

/// A document about something in the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// What it is.
    pub kind: DocumentKind,
    /// What it is about: a model or an image by name, or `binary`.
    pub of: String,
    /// `application/vnd.cyclonedx+json`, `application/vnd.in-toto+json`.
    pub media_type: String,
    /// Its bytes, a blob too.
    pub blob: Digest,
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// A bill of materials: what something is made of.
    Sbom,
    /// How something was made, by its maker's word.
    Provenance,
}

/// A file at the root of every volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediumFile {
    /// `install.sh`, `maas-appliance` or `README.txt`.
    pub name: String,
    /// Its bytes.
    pub digest: Digest,
    /// Its length, bytes.
    pub size: u64,
}

impl BillOfLading {
    /// The blob with this digest, by binary search; `blobs` is sorted.
    pub fn blob(&self, digest: &Digest) -> Option<&Blob> {
        let at = self
            .blobs
            .binary_search_by(|blob| blob.digest.cmp(digest))
            .ok()?;
        self.blobs.get(at)
    }

    /// Bytes of all blobs together.
    pub fn total_bytes(&self) -> u64 {
        self.blobs
            .iter()
            .fold(0, |sum, blob| sum.saturating_add(blob.size))
    }
}
