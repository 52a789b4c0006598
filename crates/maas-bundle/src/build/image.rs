//! A container image: found in whatever it came in, every digest and size compared, every layer
//! unpacked once as proof. Its blobs keep the bytes that the registry had.
//!
//! Threats: a document read in two ways, a wrong platform, a layer that is not what the config says,
//! annotations that lie. Defences: see [`crate::oci`]; the platform is linux/amd64 and nothing
//! else; `diff_ids` are recomputed; annotations choose between images and decide nothing more.

use std::io::{self, Read};

use maas_sbom::{ImageFacts, ImageScan};
use maas_types::{Digest, Document, Image};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    BuildError, Order,
    archive::ArchiveError,
    attach,
    intake::{Input, Intake, Taken},
    layer::{Packing, unpacked_digest},
    layout::Layout,
};
use crate::{
    RecipeImage, SourceError,
    bill::MANIFEST_BYTES,
    json,
    oci::{self, Descriptor, ImageConfig, Index, Manifest},
};

mod signatures;

/// Indexes within indexes: a layout's, a multi-platform image's, and one to spare.
const DEEPEST: u32 = 3;

/// Layers of one image: overlay file systems end at 128.
const MOST_LAYERS: usize = 512;

/// An image under inspection.
struct Inspection<'a, 'b> {
    wanted: &'a RecipeImage,
    layout: Layout,
    intake: &'a mut Intake<'b>,
    /// Looks into the layers as they go by.
    scan: Option<ImageScan>,
    /// The index that the image was chosen from, within the layout's own.
    index: Option<Descriptor>,
}

/// One image in `manifest.json` of a `docker save` archive.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayoutVersion {
    image_layout_version: String,
}

/// The image, and its bill of materials where one is wanted.
pub(super) fn gather(
    wanted: &RecipeImage,
    intake: &mut Intake<'_>,
    order: &Order<'_>,
) -> Result<(Image, Option<Document>), BuildError> {
    let layout = Layout::open(intake.source(), &wanted.source).map_err(|error| match error {
        ArchiveError::Source(error) => BuildError::Source(error),
        ArchiveError::Refused(reason) => refused(wanted, reason),
    })?;
    let mut inspection = Inspection {
        wanted,
        layout,
        intake,
        scan: order.recipe.sbom.then(ImageScan::new),
        index: None,
    };
    let (media_type, manifest, mut blobs) = inspection.find()?;
    blobs.push(manifest.digest);
    blobs.sort();
    blobs.dedup();
    let signatures = inspection.signatures()?;
    let facts = ImageFacts {
        name: wanted.name.as_str(),
        reference: &wanted.reference,
        manifest: manifest.digest,
    };
    let scan = inspection.scan.take();
    let sbom = scan.map(|scan| scan.finish(facts, crate::tuf::whole_seconds(order.now)));
    let sbom = sbom.map(|bom| attach::sbom(intake, wanted.name.as_str(), &bom));
    let image = Image {
        name: wanted.name.clone(),
        reference: wanted.reference.clone(),
        manifest: manifest.digest,
        manifest_size: manifest.size,
        media_type,
        blobs,
        signatures,
    };
    Ok((image, sbom.transpose()?))
}

fn refused(wanted: &RecipeImage, reason: impl Into<String>) -> BuildError {
    BuildError::Image {
        image: wanted.name.to_string(),
        path: wanted.source.clone(),
        reason: reason.into(),
    }
}

type Found = (String, Taken, Vec<Digest>);

impl Inspection<'_, '_> {
    fn find(&mut self) -> Result<Found, BuildError> {
        let source = self.intake.source();
        if let Some(version) = self.layout.file(source, "oci-layout")? {
            let version: LayoutVersion = self.document("oci-layout", &version)?;
            if version.image_layout_version != "1.0.0" {
                return self.refuse("its oci-layout is not of version 1.0.0");
            }
            let index = self.named("index.json")?;
            let index: Index = self.document("index.json", &index)?;
            self.check("index.json", index.check(None))?;
            return self.index_image(&index, DEEPEST);
        }
        if let Some(manifest) = self.layout.file(source, "manifest.json")? {
            let images: Vec<DockerImage> = self.document("manifest.json", &manifest)?;
            return self.docker_image(&images);
        }
        self.refuse("it is neither an OCI layout (oci-layout, index.json) nor a `podman save` archive (manifest.json)")
    }

    // === OCI layouts ===

    fn index_image(&mut self, index: &Index, depth: u32) -> Result<Found, BuildError> {
        let chosen = self.choose(&index.manifests)?;
        match chosen.media_type.as_str() {
            oci::MANIFEST | oci::DOCKER_MANIFEST => self.manifest_image(chosen),
            oci::INDEX | oci::DOCKER_LIST if depth > 0 => {
                let what = format!("index {}", chosen.digest);
                let input = self.blob(chosen)?;
                let (taken, bytes) = self.intake.look_at(&input, MANIFEST_BYTES)?;
                self.same(chosen, taken)?;
                self.index = Some(chosen.clone());
                let nested: Index = self.parse(&what, &bytes)?;
                self.check(&what, nested.check(Some(&chosen.media_type)))?;
                self.index_image(&nested, depth - 1)
            }
            other => {
                let reason = format!("media type {other} leads to no image");
                Err(refused(self.wanted, json::plain(&reason)))
            }
        }
    }

    /// The one manifest for linux/amd64; with several, the one that carries the reference.
    fn choose<'d>(&self, descriptors: &'d [Descriptor]) -> Result<&'d Descriptor, BuildError> {
        let ours = |d: &&Descriptor| {
            d.platform
                .as_ref()
                .is_none_or(|p| p.os == "linux" && p.architecture == "amd64")
        };
        let candidates: Vec<_> = descriptors
            .iter()
            .filter(ours)
            .filter(|descriptor| !signatures::is_signature(descriptor))
            .collect();
        if let [only] = candidates.as_slice() {
            return Ok(only);
        }
        let reference = &self.wanted.reference;
        let named = |d: &&&Descriptor| d.annotations.values().any(|value| value == reference);
        let mut matching = candidates.iter().filter(named);
        match (matching.next(), matching.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(refused(
                self.wanted,
                format!(
                    "{} of its {} manifests are for linux/amd64, and not exactly one of them is named `{}`",
                    candidates.len(),
                    descriptors.len(),
                    json::plain(reference)
                ),
            )),
        }
    }

    fn manifest_image(&mut self, descriptor: &Descriptor) -> Result<Found, BuildError> {
        let what = format!("manifest {}", descriptor.digest);
        let (taken, bytes) = self.take_document(descriptor)?;
        let manifest: Manifest = self.parse(&what, &bytes)?;
        self.check(&what, manifest.check(&descriptor.media_type))?;
        if manifest.artifact_type.is_some() || manifest.layers.len() > MOST_LAYERS {
            return self
                .refuse("its manifest is of an artifact, not of an image, or has too many layers");
        }
        let config_type = manifest.config.media_type.as_str();
        if config_type != oci::CONFIG && config_type != oci::DOCKER_CONFIG {
            return self.refuse("its config has the media type of something else");
        }
        let (config, bytes) = self.take_document(&manifest.config)?;
        let diff_ids = self.diff_ids(&bytes, manifest.layers.len())?;
        let mut blobs = vec![config.digest];
        for (layer, diff_id) in manifest.layers.iter().zip(diff_ids) {
            let packing = Packing::of(&layer.media_type).ok_or_else(|| {
                let reason = format!("a layer has media type {}", layer.media_type);
                refused(self.wanted, json::plain(&reason))
            })?;
            let input = self.blob(layer)?;
            let taken = self.take_layer(input, packing, diff_id)?;
            self.same(layer, taken)?;
            blobs.push(taken.digest);
        }
        Ok((descriptor.media_type.clone(), taken, blobs))
    }

    /// Takes a document that travels with the image, its digest and size compared.
    fn take_document(&mut self, descriptor: &Descriptor) -> Result<(Taken, Vec<u8>), BuildError> {
        let input = self.blob(descriptor)?;
        let (taken, bytes) = self.intake.take_through(input, |reader| {
            let mut bytes = Vec::new();
            reader
                .take(MANIFEST_BYTES)
                .read_to_end(&mut bytes)
                .map_err(|source| document_error(descriptor, source))?;
            Ok(bytes)
        })?;
        self.same(descriptor, taken)?;
        Ok((taken, bytes))
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Input, BuildError> {
        let source = self.intake.source();
        let input = self.layout.blob(source, &descriptor.digest)?;
        input.ok_or_else(|| {
            refused(
                self.wanted,
                format!("blob {} is missing", descriptor.digest),
            )
        })
    }

    fn same(&self, descriptor: &Descriptor, taken: Taken) -> Result<(), BuildError> {
        if (descriptor.digest, descriptor.size) == (taken.digest, taken.size) {
            return Ok(());
        }
        Err(refused(
            self.wanted,
            format!(
                "blob {} of {} bytes is in fact {} of {} bytes",
                descriptor.digest, descriptor.size, taken.digest, taken.size
            ),
        ))
    }

    // === `podman save` archives ===

    fn docker_image(&mut self, images: &[DockerImage]) -> Result<Found, BuildError> {
        let tagged = |image: &&DockerImage| {
            let tags = image.repo_tags.iter().flatten();
            tags.into_iter().any(|tag| *tag == self.wanted.reference)
        };
        let image = match images {
            [only] => only,
            several => several.iter().find(tagged).ok_or_else(|| {
                let reason = "it holds several images, and none is tagged with the reference";
                refused(self.wanted, reason)
            })?,
        };
        if image.layers.len() > MOST_LAYERS {
            return self.refuse("it has too many layers");
        }
        let config = self.named(&image.config)?;
        let (config, bytes) = self.intake.take_through(config, |reader| {
            let mut bytes = Vec::new();
            let read = reader.take(MANIFEST_BYTES).read_to_end(&mut bytes);
            read.map_err(|source| io_of(&image.config, source))?;
            Ok(bytes)
        })?;
        let diff_ids = self.diff_ids(&bytes, image.layers.len())?;
        let mut layers = Vec::new();
        for (name, diff_id) in image.layers.iter().zip(diff_ids) {
            let input = self.named(name)?;
            let (_, start) = self.intake.look_at(&input.start(4), 4)?;
            let packing = Packing::by_magic(&start);
            let taken = self.take_layer(input, packing, diff_id)?;
            layers.push(Descriptor::new(
                packing.media_type(),
                taken.digest,
                taken.size,
            ));
        }
        let mut blobs: Vec<_> = layers.iter().map(|layer| layer.digest).collect();
        blobs.push(config.digest);
        // Docker's config is an OCI config with more members (OCI image specification, config).
        let config = Descriptor::new(oci::CONFIG, config.digest, config.size);
        let manifest = json::pretty(&Manifest::new(config, layers));
        let manifest = self.intake.take(Input::Made(manifest))?;
        Ok((oci::MANIFEST.to_owned(), manifest, blobs))
    }

    fn named(&self, name: &str) -> Result<Input, BuildError> {
        let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
        if !name.split('/').all(plain) {
            let reason = format!("it names the file `{}`", json::plain(name));
            return self.refuse(reason);
        }
        let input = self.layout.file(self.intake.source(), name)?;
        input.ok_or_else(|| {
            let reason = format!("`{}` is missing", json::plain(name));
            refused(self.wanted, reason)
        })
    }

    // === Both ===

    /// Takes a layer and proves that it can be unpacked to what the config promises.
    fn take_layer(
        &mut self,
        input: Input,
        packing: Packing,
        diff_id: Digest,
    ) -> Result<Taken, BuildError> {
        let mut scan = self.scan.take();
        let (taken, unpacked) = self.intake.take_through(input, |packed| {
            let mut look = |unpacked: &mut dyn Read| match &mut scan {
                Some(scan) => scan.layer(diff_id, unpacked).map_err(io::Error::other),
                None => Ok(()),
            };
            Ok(unpacked_digest(packing, packed, &mut look))
        })?;
        self.scan = scan;
        match unpacked {
            Ok(found) if found == diff_id => Ok(taken),
            Ok(found) => self.refuse(format!(
                "layer {} unpacks to {found}, its config says {diff_id}",
                taken.digest
            )),
            Err(error) => self.refuse(format!(
                "layer {} cannot be unpacked: {}",
                taken.digest,
                json::plain(&error.to_string())
            )),
        }
    }

    /// The unpacked digests that a config promises, one per layer.
    fn diff_ids(&self, config: &[u8], layers: usize) -> Result<Vec<Digest>, BuildError> {
        let config: ImageConfig = self.parse("its config", config)?;
        if config.os != "linux" || config.architecture != "amd64" {
            let platform = format!("it is for {}/{}", config.os, config.architecture);
            return self.refuse(format!("{}, not linux/amd64", json::plain(&platform)));
        }
        let diff_ids = config.rootfs.diff_ids;
        if diff_ids.len() != layers {
            return self.refuse(format!(
                "its config promises {} layers, its manifest has {layers}",
                diff_ids.len()
            ));
        }
        Ok(diff_ids)
    }

    fn document<T: DeserializeOwned>(&self, what: &str, input: &Input) -> Result<T, BuildError> {
        let (_, bytes) = self.intake.look_at(input, MANIFEST_BYTES)?;
        self.parse(what, &bytes)
    }

    fn parse<T: DeserializeOwned>(&self, what: &str, bytes: &[u8]) -> Result<T, BuildError> {
        self.check(what, json::strict(bytes))
    }

    fn check<T>(&self, what: &str, checked: Result<T, String>) -> Result<T, BuildError> {
        checked.map_err(|reason| refused(self.wanted, format!("{what} is malformed: {reason}")))
    }

    fn refuse<T>(&self, reason: impl Into<String>) -> Result<T, BuildError> {
        Err(refused(self.wanted, reason))
    }
}

fn document_error(descriptor: &Descriptor, source: io::Error) -> BuildError {
    io_of(&descriptor.digest.to_string(), source)
}

fn io_of(name: &str, source: io::Error) -> BuildError {
    BuildError::Source(SourceError::Io {
        path: name.into(),
        source,
    })
}
