//! The parts of the OCI image specification 1.1 and of ModelPack that a bundle uses.
//!
//! Threats: a document that is a manifest to one reader and an index to another (CVE-2021-41190),
//! digests that become paths. Defences: `mediaType` must be present and fit, a document with both
//! `layers` and `manifests` is refused, digests are 32 bytes before anything else happens.

use std::collections::BTreeMap;

use maas_types::Digest;
use serde::{Deserialize, Serialize};

/// An OCI image manifest.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An OCI image index.
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An OCI image config.
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// A layer as an uncompressed tar archive.
pub(crate) const LAYER_TAR: &str = "application/vnd.oci.image.layer.v1.tar";
/// Docker's manifest, schema 2.
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's index.
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker's config.
pub(crate) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// ModelPack: the artifact type of a model's manifest.
pub(crate) const MODEL_ARTIFACT: &str = "application/vnd.cncf.model.manifest.v1+json";
/// ModelPack: a model's config.
pub(crate) const MODEL_CONFIG: &str = "application/vnd.cncf.model.config.v1+json";
/// ModelPack: a weight file, as it is.
pub(crate) const MODEL_WEIGHT: &str = "application/vnd.cncf.model.weight.v1.raw";
/// ModelPack: a file that describes the weights (`config.json`, tokenizer), as it is.
pub(crate) const MODEL_WEIGHT_CONFIG: &str = "application/vnd.cncf.model.weight.config.v1.raw";
/// ModelPack: documentation and licence, as it is.
pub(crate) const MODEL_DOC: &str = "application/vnd.cncf.model.doc.v1.raw";
/// ModelPack: code, as it is.
pub(crate) const MODEL_CODE: &str = "application/vnd.cncf.model.code.v1.raw";
/// ModelPack: where a layer's file lies in the model's folder.
pub(crate) const MODEL_FILEPATH: &str = "org.cncf.model.filepath";

/// OCI: a name within a layout.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// A pointer to a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// What a manifest runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Platform {
    pub(crate) architecture: String,
    pub(crate) os: String,
}

/// An index: of a layout, or of an image for several platforms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
    pub(crate) manifests: Vec<Descriptor>,
    /// Present only in a document that wants to be two things.
    #[serde(default, skip_serializing)]
    layers: Option<serde::de::IgnoredAny>,
}

/// A manifest of an image or of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
    /// Present only in a document that wants to be two things.
    #[serde(default, skip_serializing)]
    manifests: Option<serde::de::IgnoredAny>,
}

/// What of an image's config must fit its layers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct ImageConfig {
    pub(crate) architecture: String,
    pub(crate) os: String,
    pub(crate) rootfs: RootFs,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct RootFs {
    pub(crate) diff_ids: Vec<Digest>,
}

impl Descriptor {
    pub(crate) fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.to_owned(),
            artifact_type: None,
            digest,
            size,
            platform: None,
            annotations: BTreeMap::new(),
        }
    }

    pub(crate) fn with_artifact_type(mut self, artifact_type: &str) -> Self {
        self.artifact_type = Some(artifact_type.to_owned());
        self
    }

    pub(crate) fn with_platform(mut self) -> Self {
        self.platform = Some(Platform {
            architecture: "amd64".to_owned(),
            os: "linux".to_owned(),
        });
        self
    }

    pub(crate) fn with_name(self, name: &str) -> Self {
        self.with_annotation(REF_NAME, name)
    }

    pub(crate) fn with_annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }
}

impl Index {
    pub(crate) fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(INDEX.to_owned()),
            manifests,
            layers: None,
        }
    }

    /// Whether the document may be read as an index; `expected` is what the descriptor that led here
    /// says, `None` for the index of a layout. OCI documents may leave their media type out (image
    /// specification, "mediaType": SHOULD).
    pub(crate) fn check(&self, expected: Option<&str>) -> Result<(), String> {
        if self.schema_version != 2 || self.layers.is_some() {
            return Err("it is not an index of schema 2, or a manifest as well".to_owned());
        }
        match (self.media_type.as_deref(), expected) {
            (Some(found), Some(expected)) if found == expected => Ok(()),
            (Some(INDEX) | None, None) | (None, Some(INDEX)) => Ok(()),
            (found, _) => Err(format!("its media type is {found:?}")),
        }
    }
}

impl Manifest {
    pub(crate) fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            artifact_type: None,
            config,
            layers,
            manifests: None,
        }
    }

    /// Whether the document may be read as the manifest that the descriptor announced. An OCI manifest
    /// may leave its media type out, as podman's do (image specification, "mediaType": SHOULD); that it
    /// holds no `manifests` keeps it from being read as an index by others (CVE-2021-41190).
    pub(crate) fn check(&self, expected: &str) -> Result<(), String> {
        if self.schema_version != 2 || self.manifests.is_some() {
            return Err("it is not a manifest of schema 2, or an index as well".to_owned());
        }
        match self.media_type.as_deref() {
            Some(found) if found == expected => Ok(()),
            None if expected == MANIFEST => Ok(()),
            found => Err(format!(
                "its media type is {found:?}, announced was {expected}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &serde_json::Value, expected: &str) -> Result<(), String> {
        let text = document.to_string();
        serde_json::from_str::<Manifest>(&text)
            .map_err(|error| error.to_string())?
            .check(expected)
    }

    #[test]
    fn an_oci_manifest_may_leave_its_type_out_and_may_not_be_an_index_as_well() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let config = serde_json::json!({"mediaType": "x", "digest": digest, "size": 1});
        let mut manifest = serde_json::json!({"schemaVersion": 2, "config": config, "layers": []});
        assert_eq!(check(&manifest, MANIFEST), Ok(()));
        // Docker's specification requires it.
        assert!(check(&manifest, DOCKER_MANIFEST).is_err());
        manifest["mediaType"] = DOCKER_MANIFEST.into();
        assert_eq!(check(&manifest, DOCKER_MANIFEST), Ok(()));
        assert!(check(&manifest, MANIFEST).is_err());
        manifest["mediaType"] = MANIFEST.into();
        manifest["manifests"] = serde_json::json!([]);
        assert!(check(&manifest, MANIFEST).is_err());
    }
}
