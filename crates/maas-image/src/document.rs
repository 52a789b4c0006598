//! Index, manifest and config of an image in OCI image layout (image specification 1.1).
//!
//! Threats: a document that is a manifest to one reader and an index to another (CVE-2021-41190), a
//! layout whose index leads to another image, documents of gigabytes, a key that stands twice, layers
//! that are to be fetched from elsewhere. Defences: the one manifest is the one whose digest the caller
//! names; every document is hashed before it is parsed, has a limit, and is parsed strictly; a document
//! with both `layers` and `manifests` is refused; digests are 32 bytes before they are part of a path.

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::{Digest, json};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{
    blob::{read_document, read_small},
    error::{Flaw, ImageError},
    layer::Packing,
    policy::Limits,
};

pub(crate) const MANIFESTS: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIGS: [&str; 2] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];

/// A pointer to a blob.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(default)]
    urls: Vec<IgnoredAny>,
}

/// A layer of an image.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) packing: Packing,
    /// SHA-256 of the layer when unpacked.
    pub(crate) diff_id: Digest,
}

/// An image whose documents were read.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) manifest: Descriptor,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Layer>,
    pub(crate) run: RunConfig,
}

/// How a container of the image is to be started, as the image says.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RunConfig {
    /// The program with its first arguments.
    #[serde(deserialize_with = "or_empty")]
    pub entrypoint: Vec<String>,
    /// Further arguments, or the program where there is no entry point.
    #[serde(deserialize_with = "or_empty")]
    pub cmd: Vec<String>,
    /// `NAME=value`.
    #[serde(deserialize_with = "or_empty")]
    pub env: Vec<String>,
    /// Where it starts; empty for `/`.
    #[serde(deserialize_with = "or_empty")]
    pub working_dir: String,
    /// User and perhaps group, by name or number; empty for root.
    #[serde(deserialize_with = "or_empty")]
    pub user: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    media_type: Option<String>,
    manifests: Vec<Descriptor>,
    layers: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    media_type: Option<String>,
    config: Descriptor,
    layers: Vec<Descriptor>,
    manifests: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Config {
    os: String,
    rootfs: RootFs,
    #[serde(default, rename = "config", deserialize_with = "or_empty")]
    run: RunConfig,
}

#[derive(Deserialize)]
struct RootFs {
    r#type: String,
    diff_ids: Vec<Digest>,
}

#[derive(Deserialize)]
struct Mark {
    #[serde(rename = "imageLayoutVersion")]
    version: String,
}

/// Go writes an empty list as `null`.
fn or_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Image {
    /// Reads the documents of the image that has this manifest.
    pub(crate) fn open(
        layout: &Utf8Path,
        manifest: &Digest,
        limits: &Limits,
    ) -> Result<Self, ImageError> {
        let path = layout.join("oci-layout");
        let mark: Mark = parse("layout mark", &path, &read_small("layout mark", &path)?)?;
        if mark.version != "1.0.0" {
            let version = json::plain(&mark.version);
            return Err(wrong(
                "layout mark",
                &path,
                format!("its version is {version}"),
            ));
        }
        let descriptor = listed(layout, manifest)?;
        let path = blob_path(layout, manifest);
        let bytes = read_document("manifest", layout, &descriptor)?;
        let document: Manifest = parse("manifest", &path, &bytes)?;
        check_manifest(&document, &descriptor).map_err(|why| wrong("manifest", &path, why))?;

        let path = blob_path(layout, &document.config.digest);
        let bytes = read_document("config", layout, &document.config)?;
        let config: Config = parse("config", &path, &bytes)?;
        if config.os != "linux" || config.rootfs.r#type != "layers" {
            let why = "it is not of a Linux image made of layers".to_owned();
            return Err(wrong("config", &path, why));
        }
        let (found, promised) = (document.layers.len(), config.rootfs.diff_ids.len());
        if found != promised {
            let why = format!("it promises {promised} layers, the manifest has {found}");
            return Err(wrong("config", &path, why));
        }
        Ok(Self {
            layers: layers(document.layers, config.rootfs.diff_ids, limits)?,
            manifest: descriptor,
            config: document.config,
            run: config.run,
        })
    }

    /// Bytes of all layers as they lie in the layout.
    pub(crate) fn packed_bytes(&self) -> u64 {
        self.layers
            .iter()
            .fold(0, |sum, layer| sum.saturating_add(layer.size))
    }
}

fn layers(
    layers: Vec<Descriptor>,
    diff_ids: Vec<Digest>,
    limits: &Limits,
) -> Result<Vec<Layer>, ImageError> {
    let mut result = Vec::new();
    for (count, (layer, diff_id)) in (1..).zip(layers.into_iter().zip(diff_ids)) {
        let packing = match Packing::of_media_type(&layer.media_type) {
            _ if count > limits.layers => Err(Flaw::limit("layers", limits.layers)),
            _ if !layer.urls.is_empty() => Err(Flaw::Foreign),
            packing => packing,
        };
        result.push(Layer {
            packing: packing.map_err(|flaw| ImageError::layer(layer.digest, b"", flaw))?,
            digest: layer.digest,
            size: layer.size,
            diff_id,
        });
    }
    Ok(result)
}

/// The index's entry for a manifest. Whatever else the index says is not asked.
fn listed(layout: &Utf8Path, manifest: &Digest) -> Result<Descriptor, ImageError> {
    let path = layout.join("index.json");
    let index: Index = parse("index", &path, &read_small("index", &path)?)?;
    let is_index = index.schema_version == 2 && index.media_type.is_none_or(|kind| kind == INDEX);
    if !is_index || index.layers.is_some() || index.config.is_some() {
        let why = "it is not an index of schema 2, or a manifest as well".to_owned();
        return Err(wrong("index", &path, why));
    }
    let found = index.manifests.into_iter().find(|d| d.digest == *manifest);
    found.ok_or(ImageError::NotListed {
        path,
        manifest: *manifest,
    })
}

/// An OCI manifest may leave its media type out, as podman's do; Docker's must have it.
fn check_manifest(manifest: &Manifest, descriptor: &Descriptor) -> Result<(), String> {
    if manifest.schema_version != 2 || manifest.manifests.is_some() {
        return Err("it is not a manifest of schema 2, or an index as well".to_owned());
    }
    let announced = descriptor.media_type.as_str();
    let said = manifest.media_type.as_deref().unwrap_or(MANIFESTS[0]);
    if said != announced || !MANIFESTS.contains(&said) {
        return Err(format!(
            "its media type is `{}`, the index says `{}`",
            json::plain(said),
            json::plain(announced)
        ));
    }
    let config = manifest.config.media_type.as_str();
    if CONFIGS.contains(&config) {
        return Ok(());
    }
    let config = json::plain(config);
    Err(format!("its config is `{config}`, no image's"))
}

pub(crate) fn blob_path(layout: &Utf8Path, digest: &Digest) -> Utf8PathBuf {
    layout.join("blobs/sha256").join(digest.hex())
}

fn parse<T: serde::de::DeserializeOwned>(
    what: &'static str,
    path: &Utf8Path,
    bytes: &[u8],
) -> Result<T, ImageError> {
    json::strict(bytes).map_err(|error| wrong(what, path, json::plain(&error.to_string())))
}

pub(crate) fn wrong(what: &'static str, path: &Utf8Path, detail: String) -> ImageError {
    ImageError::Document {
        what,
        path: path.to_owned(),
        detail,
    }
}
