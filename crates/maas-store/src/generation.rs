//! A generation: one installed bundle, a folder that is complete or not there.
//!
//! ```text
//! generations/7-1/generation.json          what it is
//!                 models/<name>/<files>    hard links into the store: a container mounts them plainly
//!                 images/<name>/           an OCI layout of hard links
//!                 bin/maas-appliance       the binary that this release runs
//! ```

mod assemble;
mod mend;
mod record;
mod switch;

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::{
    BundleId, Digest, GenerationId, GenerationRecord, ImageName, Layout, ModelManifest,
};

pub use self::switch::RolledBack;
pub(crate) use self::{record::ids, switch::before_id};
use crate::StoreError;

/// An installed bundle. Only this crate makes one, from a folder that was assembled from a verified
/// bundle and renamed into place when it was complete.
#[derive(Debug, Clone)]
pub struct Generation {
    folder: Utf8PathBuf,
    record: GenerationRecord,
    models: Vec<InstalledModel>,
    images: Vec<InstalledImage>,
}

/// A model of a generation.
#[derive(Debug, Clone, PartialEq)]
pub struct InstalledModel {
    /// What is known about it.
    pub manifest: ModelManifest,
    /// The folder with its files.
    pub folder: Utf8PathBuf,
    /// Digest of its OCI manifest, which names every file by its digest: the same in two generations
    /// exactly when the files are the same.
    pub content: Digest,
}

/// What [`Generation::list`] finds.
#[derive(Debug, Default)]
pub struct Listed {
    /// Those that can be read.
    pub whole: Vec<Generation>,
    /// Those that cannot, and why.
    pub damaged: Vec<(GenerationId, StoreError)>,
}

/// A container image of a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledImage {
    /// What the recipe calls it.
    pub name: ImageName,
    /// Where it came from; for people.
    pub reference: String,
    /// Digest of its OCI manifest.
    pub manifest: Digest,
    /// An OCI layout with this one image.
    pub folder: Utf8PathBuf,
}

impl Generation {
    /// The generation that serves; `None` before the first install.
    pub fn current(layout: &Layout) -> Result<Option<Self>, StoreError> {
        switch::current_id(layout)?
            .map(|id| Self::open(layout, &id))
            .transpose()
    }

    /// A generation by its name.
    pub fn open(layout: &Layout, id: &GenerationId) -> Result<Self, StoreError> {
        let folder = layout.generation(id);
        let record = record::read(layout, id)?;
        let models = record.bill.models.iter();
        let images = record.bill.images.iter();
        Ok(Self {
            models: models
                .map(|model| InstalledModel {
                    folder: folder.join("models").join(model.manifest.name.as_str()),
                    manifest: model.manifest.clone(),
                    content: model.oci_manifest,
                })
                .collect(),
            images: images
                .map(|image| InstalledImage {
                    name: image.name.clone(),
                    reference: image.reference.clone(),
                    manifest: image.manifest,
                    folder: folder.join("images").join(image.name.as_str()),
                })
                .collect(),
            folder,
            record,
        })
    }

    /// All generations, by epoch and serial. One that cannot be read (a bad sector, somebody's `rm`, a
    /// newer version's) stands in the way of no other.
    pub fn list(layout: &Layout) -> Result<Listed, StoreError> {
        let mut listed = Listed::default();
        for id in ids(layout)? {
            match Self::open(layout, &id) {
                Ok(generation) => listed.whole.push(generation),
                Err(error) => listed.damaged.push((id, error)),
            }
        }
        Ok(listed)
    }

    /// The name that `current` says, whatever it points at; `None` when there is no such link.
    pub fn current_id(layout: &Layout) -> Result<Option<GenerationId>, StoreError> {
        switch::current_id(layout)
    }

    /// Its name.
    pub fn id(&self) -> GenerationId {
        self.record.id
    }

    /// The bundle it came from.
    pub fn bundle(&self) -> &BundleId {
        &self.record.bundle
    }

    /// What is written in its folder about it.
    pub fn record(&self) -> &GenerationRecord {
        &self.record
    }

    /// Its folder.
    pub fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    /// Its models, in the order of the bill of lading.
    pub fn models(&self) -> &[InstalledModel] {
        &self.models
    }

    /// Its container images.
    pub fn images(&self) -> &[InstalledImage] {
        &self.images
    }

    /// The `maas-appliance` binary that this release runs.
    pub fn binary(&self) -> Utf8PathBuf {
        self.folder.join("bin/maas-appliance")
    }

    /// Every hard link in its folder, and the blob behind it.
    pub(crate) fn links(&self) -> impl Iterator<Item = (Utf8PathBuf, Digest)> {
        let links = assemble::links(&self.record.bill).into_iter();
        links.map(|(path, blob)| (self.folder.join(path), blob))
    }

    /// Compares names and lengths of everything in it with the bill of lading; reads no content.
    pub fn check(&self) -> Result<(), StoreError> {
        assemble::check(self)
    }
}
