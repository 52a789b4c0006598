//! The documents of a registry: manifests and indexes (OCI image specification 1.1).
//!
//! Threat: a document that is a manifest to one reader and an index to another (CVE-2021-41190).
//! Defences: what the descriptor or the server announces and what the document says of itself must
//! agree; a document with both `manifests` and `layers` is refused; members that occur twice are.

use maas_types::Digest;
use serde::{Deserialize, Serialize};

use super::Reference;
use crate::{FetchError, content::sha256, plain};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// What we ask a registry for; it would send Docker's first schema otherwise, which no digest covers.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

const CONFIGS: [&str; 2] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];

const LAYERS: [&str; 4] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
];

/// The distribution specification has registries take 4 MiB at least, and none sends more.
pub(super) const LONGEST: usize = 4 << 20;

/// Overlay file systems end at 128; the bundle builder's own limit.
const MOST_LAYERS: usize = 512;

/// A pointer to a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
    pub(super) digest: Digest,
    pub(super) size: u64,
    #[serde(default, skip_serializing)]
    urls: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub(super) annotations: serde_json::Map<String, serde_json::Value>,
}

/// What a manifest runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Platform {
    architecture: String,
    os: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
}

/// What of an image's config we look at: it has the members of a platform.
pub(super) type ImageConfig = Platform;

/// Any document, before it is known what it is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: u32,
    media_type: Option<String>,
    artifact_type: Option<String>,
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
}

/// A document and what it says.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) digest: Digest,
    pub(super) media_type: String,
    pub(super) bytes: Vec<u8>,
    pub(super) body: Body,
}

/// One of the two, and never both.
#[derive(Debug)]
pub(super) enum Body {
    Index(Vec<Descriptor>),
    Manifest(Box<Manifest>),
}

/// A manifest of an image or of an artifact.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) artifact_type: Option<String>,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
    pub(super) subject: Option<Digest>,
}

impl Fetched {
    /// Reads a document; `announced` is what a descriptor or the server's `Content-Type` calls it.
    pub(super) fn parse(bytes: Vec<u8>, announced: &[&str]) -> Result<Self, String> {
        let raw: Raw = serde_json::from_slice(&bytes).map_err(|error| plain(&error.to_string()))?;
        if raw.schema_version != 2 {
            return Err("it is not of schema 2".to_owned());
        }
        let says = raw.media_type.as_deref();
        let media_type = says
            .or(announced.first().copied())
            .unwrap_or_default()
            .to_owned();
        if let Some(other) = announced.iter().find(|other| **other != media_type) {
            let (is, other) = (plain(&media_type), plain(other));
            return Err(format!(
                "it is {is} by its own word, and was announced as {other}"
            ));
        }
        let is_index = match media_type.as_str() {
            INDEX | DOCKER_LIST => true,
            MANIFEST | DOCKER_MANIFEST => false,
            other => return Err(format!("its media type is `{}`", plain(other))),
        };
        // Docker's documents must say what they are; OCI's should.
        if says.is_none() && !matches!(media_type.as_str(), INDEX | MANIFEST) {
            return Err("it does not say what it is".to_owned());
        }
        let body = match (is_index, raw.manifests, raw.config, raw.layers) {
            (true, Some(manifests), None, None) => Body::Index(manifests),
            (false, None, Some(config), Some(layers)) => Body::Manifest(Box::new(Manifest {
                artifact_type: raw.artifact_type,
                config,
                layers,
                subject: raw.subject.map(|subject| subject.digest),
            })),
            (_, _, _, _) => {
                return Err("it wants to be an index and a manifest, or is neither".to_owned());
            }
        };
        Ok(Self {
            digest: sha256(&bytes),
            media_type,
            bytes,
            body,
        })
    }

    /// The descriptor that leads here.
    pub(super) fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: self.media_type.clone(),
            artifact_type: None,
            digest: self.digest,
            size: self.bytes.len() as u64,
            urls: Vec::new(),
            platform: None,
            annotations: serde_json::Map::new(),
        }
    }
}

impl Manifest {
    /// All blobs that the manifest needs.
    pub(super) fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        std::iter::once(&self.config).chain(&self.layers)
    }

    /// Whether this is an image that an engine unpacks, whole and from this registry.
    pub(super) fn check_image(&self, reference: &Reference) -> Result<(), FetchError> {
        let refuse = |reason: String| {
            let what = reference.to_string();
            Err(FetchError::Malformed { what, reason })
        };
        if let Some(other) = &self.artifact_type {
            return refuse(format!(
                "it is an artifact of type `{}`, no image",
                plain(other)
            ));
        }
        if !CONFIGS.contains(&self.config.media_type.as_str()) {
            let other = plain(&self.config.media_type);
            return refuse(format!("its config is of type `{other}`, that of no image"));
        }
        if self.layers.len() > MOST_LAYERS {
            return refuse(format!("it has {} layers", self.layers.len()));
        }
        for blob in self.blobs() {
            let media_type = plain(&blob.media_type);
            let foreign = ["foreign", "nondistributable"];
            if !blob.urls.is_empty() || foreign.iter().any(|word| media_type.contains(word)) {
                let reference = reference.to_string();
                return Err(FetchError::Foreign {
                    reference,
                    media_type,
                });
            }
        }
        let unknown = |layer: &&Descriptor| !LAYERS.contains(&layer.media_type.as_str());
        match self.layers.iter().find(unknown) {
            Some(layer) => refuse(format!("a layer is of type `{}`", plain(&layer.media_type))),
            None => Ok(()),
        }
    }
}

impl Descriptor {
    pub(super) fn is_linux_amd64(&self) -> bool {
        self.platform.as_ref().is_some_and(Platform::is_linux_amd64)
    }

    /// `v1` is every processor of 64 bits.
    pub(super) fn has_no_variant(&self) -> bool {
        let variant = self
            .platform
            .as_ref()
            .and_then(|platform| platform.variant.as_deref());
        variant.is_none_or(|variant| variant == "v1" || variant.is_empty())
    }

    pub(super) fn platform_name(&self) -> String {
        let name = self.platform.as_ref().map(Platform::platform_name);
        name.unwrap_or_else(|| "no platform".to_owned())
    }

    pub(super) fn with_annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.into());
        self
    }
}

impl Platform {
    pub(super) fn linux_amd64() -> Self {
        Self {
            architecture: "amd64".to_owned(),
            os: "linux".to_owned(),
            variant: None,
        }
    }

    pub(super) fn is_linux_amd64(&self) -> bool {
        self.os == "linux" && self.architecture == "amd64"
    }

    pub(super) fn platform_name(&self) -> String {
        plain(&format!("{}/{}", self.os, self.architecture))
    }
}
