//! From a recipe to a bundle on a volume (FORMAT.md 8).
//!
//! Pass 1 reads and hashes every input, so a missing or unreadable one stops the build before the
//! first byte is written. Pass 2 reads again while it writes and hashes what it writes; an input
//! that changed in between stops the build before there is any metadata, so what was written is
//! not a bundle. Metadata comes last.

use std::{collections::BTreeSet, fmt, io};

use camino::Utf8PathBuf;
use jiff::Timestamp;
use maas_attest::{SigningKey, oms::OmsError};
use maas_sbom::LockError;
use maas_types::{
    BillOfLading, Digest, Exit, FORMAT, MediumFile, ModelName, PART_BYTES, Requirements,
};

use crate::{
    BillError, EndorsementError, MediaError, MediaPath, MediumName, Metadata, ModelError, Phase,
    Progress, Recipe, RecipeError, RootFile, Sink, Source, SourceError, bill, derived, digest_of,
    json, tuf::FileLength, volume::Assignment,
};
use intake::{Input, Intake};

mod archive;
mod attach;
mod image;
mod intake;
mod layer;
mod layout;
mod model;

/// What is to be built.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// The recipe.
    pub recipe: &'a Recipe,
    /// Where its inputs are.
    pub source: &'a dyn Source,
    /// The chain of roots from version 1 to the one whose keys will sign; signed or not yet.
    pub roots: &'a [RootFile],
    /// Blobs that the host has (`inventory --export`): they are signed for and left out.
    pub have: &'a BTreeSet<Digest>,
    /// When this is.
    pub now: Timestamp,
    /// Signs each model that nobody has signed (OMS v1.0).
    pub model_key: Option<&'a SigningKey>,
    /// Who hears how far it is.
    pub progress: &'a dyn Progress,
}

impl fmt::Debug for Order<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("recipe", self.recipe)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// A bundle that was built: complete on its volume, and signed by nobody yet.
#[derive(Debug, Clone)]
pub struct Built {
    /// What it consists of.
    pub bill: BillOfLading,
    /// SHA-256 of the bill.
    pub bill_digest: Digest,
    /// Its metadata, to be signed.
    pub metadata: Metadata,
    /// Files of model folders that were left out because their names begin with a dot.
    pub left_out: Vec<Utf8PathBuf>,
    /// Bytes that travel: all of them, or what the host has not.
    pub carried: u64,
}

/// Why no bundle was built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A model's manifest is wrong.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// An input is missing or unreadable.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The volume could not be written.
    #[error(transparent)]
    Sink(#[from] MediaError),
    /// The inputs do not make a valid bill.
    #[error("the recipe does not make a valid bundle")]
    Bill(#[from] BillError),
    /// The chain of roots is empty or has gaps.
    #[error("the roots do not make a chain from version 1: {reason}")]
    Roots {
        /// Where.
        reason: String,
    },
    /// A model is not one that can be shipped.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A maker's signature does not stand for what is to be shipped, so no host would take it.
    #[error(transparent)]
    Endorsement(#[from] EndorsementError),
    /// A model cannot be signed.
    #[error("model `{model}` cannot be signed")]
    Signing {
        /// The model.
        model: ModelName,
        /// Why.
        #[source]
        source: OmsError,
    },
    /// A `Cargo.lock` is none.
    #[error("`{path}` does not say what the binary was built from")]
    Lock {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: LockError,
    },
    /// A model's folder holds a file that may not travel.
    #[error("`{path}` of the model in `{folder}` may not travel: {why}")]
    ModelFile {
        /// The folder.
        folder: Utf8PathBuf,
        /// The file in it.
        path: String,
        /// Why.
        why: String,
    },
    /// An image is not one that can be shipped.
    #[error("image `{image}` in `{path}` cannot be shipped: {reason}")]
    Image {
        /// What the recipe calls it.
        image: String,
        /// Its source.
        path: Utf8PathBuf,
        /// Why.
        reason: String,
    },
    /// An input is not now what it was when it was hashed.
    #[error("input `{input}` changed while the bundle was built: build again")]
    Changed {
        /// The input.
        input: String,
    },
}

impl BuildError {
    /// The exit code that answers this.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Recipe(error) => error.exit(),
            Self::Source(error) => error.exit(),
            Self::Model(error) => error.exit(),
            Self::Endorsement(error) => error.exit(),
            Self::Sink(MediaError::Io { source, .. })
                if source.kind() == io::ErrorKind::StorageFull =>
            {
                Exit::NoSpace
            }
            Self::Sink(_) | Self::Changed { .. } => Exit::Failed,
            Self::Bill(_) | Self::ModelFile { .. } | Self::Image { .. } => Exit::Content,
            Self::Signing { source, .. } => source.exit(),
            Self::Roots { .. } | Self::Lock { .. } => Exit::Usage,
        }
    }
}

/// Builds a bundle on one volume.
pub fn build(order: &Order<'_>, sink: &mut dyn Sink) -> Result<Built, BuildError> {
    build_with(order, sink, PART_BYTES)
}

pub(crate) fn build_with(
    order: &Order<'_>,
    sink: &mut dyn Sink,
    part_bytes: u64,
) -> Result<Built, BuildError> {
    check_roots(order.roots)?;
    let mut intake = Intake::new(order.source, part_bytes, order.progress);
    order
        .progress
        .start(Phase::HashInputs, estimate(order.recipe, order.source)?);
    let mut dotted = Vec::new();
    let bill = gather(order, &mut intake, &mut dotted)?;
    bill::check(&bill, part_bytes)?;
    let bill_bytes = json::pretty(&bill);
    let named = FileLength {
        digest: digest_of(&bill_bytes),
        length: bill_bytes.len() as u64,
    };
    // The same rules as on arrival, over the same bytes: what we write, we can read.
    bill::parse(&bill_bytes, part_bytes)?;
    let metadata = Metadata::new(
        bill.bundle.clone(),
        order.roots.to_vec(),
        bill.epoch,
        named,
        order.now,
    );
    let beside: u64 = bill.medium_files.iter().map(|file| file.size).sum();
    let listed = bill.blobs.iter().map(|blob| blob.digest);
    let left_out: BTreeSet<_> = listed.filter(|blob| order.have.contains(blob)).collect();
    let carried = bill.blobs.iter().filter(|b| !left_out.contains(&b.digest));
    // The bill's rules keep this sum below 2^60.
    let to_write = carried.clone().map(|blob| blob.size).sum::<u64>() + beside;
    order.progress.start(Phase::Write, to_write);
    for blob in carried {
        intake.write(&bill.bundle, blob, sink)?;
    }
    for file in &bill.medium_files {
        if let Some(name) = MediumName::from_name(&file.name) {
            intake.write_to(&file.digest, &MediaPath::medium_file(name), sink)?;
        }
    }
    sink.replace(&MediaPath::bill(&bill.bundle, &named.digest), &bill_bytes)?;
    let assignment = Assignment::single(&bill, left_out);
    for file in derived::files(&bill, &named.digest, &assignment, 1) {
        sink.replace(&file.path, &file.bytes)?;
    }
    metadata.write(sink)?;
    Ok(Built {
        bill,
        bill_digest: named.digest,
        metadata,
        left_out: dotted,
        carried: to_write,
    })
}

/// Pass 1: reads everything and makes the bill.
fn gather(
    order: &Order<'_>,
    intake: &mut Intake<'_>,
    left_out: &mut Vec<Utf8PathBuf>,
) -> Result<BillOfLading, BuildError> {
    let recipe = order.recipe;
    let binary = intake.take(Input::File(recipe.binary.clone()))?;
    let medium_files = gather_medium_files(recipe, intake)?;
    let mut models = Vec::new();
    for wanted in &recipe.models {
        models.push(model::gather(wanted, intake, left_out)?);
    }
    models.sort_by(|a, b| a.manifest.name.cmp(&b.manifest.name));
    let (mut images, mut documents) = (Vec::new(), Vec::new());
    for wanted in &recipe.images {
        let (image, sbom) = image::gather(wanted, intake, order)?;
        documents.extend(sbom);
        images.push(image);
    }
    images.sort_by(|a, b| a.name.cmp(&b.name));
    let mut bill = BillOfLading {
        format: FORMAT.to_owned(),
        critical: Vec::new(),
        product: recipe.product.clone(),
        bundle: recipe.bundle.clone(),
        epoch: recipe.epoch,
        version: recipe.version.clone(),
        created: crate::tuf::whole_seconds(order.now),
        requires: Requirements {
            arch: "x86_64".to_owned(),
            os: "linux".to_owned(),
        },
        blobs: intake.blobs(),
        models,
        images,
        binary: binary.digest,
        medium_files,
        documents,
    };
    attach::all(order, intake, &mut bill)?;
    Ok(bill)
}

/// The files beside `MAAS/`. Their bytes are no blobs: only the binary is both.
fn gather_medium_files(
    recipe: &Recipe,
    intake: &mut Intake<'_>,
) -> Result<Vec<MediumFile>, BuildError> {
    let wanted = [
        (MediumName::InstallSh, recipe.install_sh.as_ref()),
        (MediumName::Appliance, Some(&recipe.binary)),
        (MediumName::Readme, recipe.readme.as_ref()),
    ];
    let mut files = Vec::new();
    for (name, path) in wanted {
        if let Some(path) = path {
            let taken = intake.take_aside(Input::File(path.clone()))?;
            files.push(MediumFile {
                name: name.as_str().to_owned(),
                digest: taken.digest,
                size: taken.size,
            });
        }
    }
    Ok(files)
}

fn check_roots(roots: &[RootFile]) -> Result<(), BuildError> {
    if roots.is_empty() {
        let reason = "there are none".to_owned();
        return Err(BuildError::Roots { reason });
    }
    match (1..)
        .zip(roots)
        .find(|(want, root)| root.version() != *want)
    {
        None => Ok(()),
        Some((want, root)) => Err(BuildError::Roots {
            reason: format!("version {} stands where {want} belongs", root.version()),
        }),
    }
}

/// About how many bytes pass 1 reads, for the progress bar; also the first look at every path, so
/// that a missing one is named before anything is hashed.
fn estimate(recipe: &Recipe, source: &dyn Source) -> Result<u64, BuildError> {
    let mut paths = vec![&recipe.binary];
    paths.extend(recipe.install_sh.iter().chain(&recipe.readme));
    paths.extend(recipe.models.iter().flat_map(|m| [&m.manifest, &m.folder]));
    paths.extend(recipe.images.iter().map(|image| &image.source));
    let mut total = 0_u64;
    for path in paths {
        total = total.saturating_add(intake::size_below(source, path, 0)?);
    }
    Ok(total)
}

#[cfg(test)]
mod tests;
