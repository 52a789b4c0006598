//! An image from a registry, with its signatures, as an OCI layout from which a bundle is built.
//!
//! Threats: a tag that is another image tomorrow, a document that is an image to one reader and an
//! index to another (CVE-2021-41190), an image for another platform, layers that are to be had from
//! elsewhere (and get our password there: CVE-2020-15157), digests that become paths. Defences: the
//! digest of whatever a tag leads to is returned; see `document.rs` for media types; the platform is
//! linux/amd64 and nothing else, in the index and in the config; addresses within descriptors are
//! never used; digests are 32 bytes before anything else happens.

mod challenge;
mod document;
mod layout;
mod pull;
mod reference;
mod session;
mod signatures;

use camino::Utf8Path;
use maas_types::Digest;

pub(crate) use self::session::Session;
use self::{
    document::{Body, Descriptor, ImageConfig},
    pull::Pull,
};
pub use self::{
    reference::{Reference, ReferenceError},
    session::Credentials,
    signatures::Signatures,
};
use crate::{FetchError, Note, Progress, transfer::total, wire::Wire, workspace::Workspace};

/// Registries of any name; the reference says which. One on a loopback address is spoken to over plain
/// HTTP, every other over HTTPS, unless the [`Wire`] was made to be insecure.
#[derive(Debug, Clone)]
pub struct Registry {
    wire: Wire,
}

/// Whether a tag is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tags {
    /// A tag is resolved, and its digest returned.
    #[default]
    Resolve,
    /// Only a digest will do.
    Refuse,
}

/// Which image.
#[derive(Debug, Clone)]
pub struct ImageRequest {
    /// Its name.
    pub reference: Reference,
    /// Who we are at its registry.
    pub credentials: Option<Credentials>,
    /// Whether a tag is enough.
    pub tags: Tags,
}

/// An image in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedImage {
    /// The whole name, with registry and tag: what `index.json` calls the image, and what a recipe
    /// writes as its `reference`.
    pub reference: String,
    /// The index that the name led to, if it was one.
    pub index_digest: Option<Digest>,
    /// The manifest for linux/amd64.
    pub manifest_digest: Digest,
    /// What signs the manifest.
    pub signatures: Signatures,
    /// What signs the index.
    pub index_signatures: Signatures,
    /// Bytes of blobs that came over the network.
    pub bytes_downloaded: u64,
    /// Bytes of blobs that were here before.
    pub bytes_reused: u64,
}

impl Registry {
    /// Asks nobody yet.
    pub fn new(wire: Wire) -> Self {
        Self { wire }
    }

    /// Brings the image for linux/amd64 and what signs it into the OCI layout `into`. The folder is for
    /// this one image: `index.json` names it and nothing else, so that no reader has to choose, and
    /// what signs it is listed in `signatures.json` beside it, an OCI index as well.
    pub async fn fetch_image(
        &self,
        request: &ImageRequest,
        into: &Utf8Path,
        progress: &dyn Progress,
    ) -> Result<FetchedImage, FetchError> {
        let reference = &request.reference;
        if request.tags == Tags::Refuse && reference.digest().is_none() {
            let reference = reference.to_string();
            return Err(FetchError::DigestRequired { reference });
        }
        let pull = Pull::new(&self.wire, request, progress)?;
        let fetched = fetch(&pull, into).await;
        fetched.map_err(|error| pull.explain(error))
    }
}

async fn fetch(pull: &Pull<'_>, into: &Utf8Path) -> Result<FetchedImage, FetchError> {
    let reference = pull.reference;
    let top = pull
        .manifest(&reference.wanted(), reference.digest())
        .await?;
    if reference.digest().is_none() {
        let (name, to) = (&reference.to_string(), &top.digest.to_string());
        pull.progress.note(&Note::Resolved { name, to });
    }
    let (index, image) = match &top.body {
        Body::Manifest(_) => (None, top),
        Body::Index(entries) => {
            let chosen = for_linux_amd64(reference, entries)?;
            let image = pull.described(chosen).await?;
            (Some(top), image)
        }
    };
    let Body::Manifest(manifest) = &image.body else {
        let reason = "it leads from an index to an index".to_owned();
        return Err(pull.malformed(reason));
    };
    manifest.check_image(reference)?;
    let workspace = Workspace::open(into)?;
    let (config, got) = pull.config(&workspace, manifest).await?;
    check_platform(reference, &config)?;
    let what = reference.to_string();
    let layers = pull.wants(manifest.layers.iter());
    pull.progress.start(&what, total(&layers));
    workspace.require_space_for(&layers).await?;
    let (downloaded, reused) = pull.bring(&workspace, &layers, pull.progress).await?;
    layout::write_blob(&workspace, &image)?;
    let mut listed = Vec::new();
    let signatures = pull
        .signatures(&workspace, image.digest, &mut listed)
        .await?;
    let mut index_signatures = Signatures::default();
    if let Some(index) = &index {
        layout::write_blob(&workspace, index)?;
        listed.push(signatures::index_entry(index));
        index_signatures = pull
            .signatures(&workspace, index.digest, &mut listed)
            .await?;
    }
    layout::write_index(&workspace, &what, &image, listed)?;
    Ok(FetchedImage {
        reference: what,
        index_digest: index.map(|index| index.digest),
        manifest_digest: image.digest,
        signatures,
        index_signatures,
        bytes_downloaded: got.downloaded + downloaded,
        bytes_reused: got.reused + reused,
    })
}

/// The one manifest for linux/amd64, of two the one without a variant: `v2` to `v4` are processors that
/// not every host has.
fn for_linux_amd64<'d>(
    reference: &Reference,
    entries: &'d [Descriptor],
) -> Result<&'d Descriptor, FetchError> {
    let ours: Vec<_> = entries
        .iter()
        .filter(|entry| entry.is_linux_amd64())
        .collect();
    let plain: Vec<_> = ours
        .iter()
        .copied()
        .filter(|e| e.has_no_variant())
        .collect();
    match (ours.as_slice(), plain.as_slice()) {
        ([only], _) | (_, [only]) => Ok(only),
        _ => {
            let mut platforms: Vec<_> = entries.iter().map(Descriptor::platform_name).collect();
            platforms.dedup();
            Err(FetchError::Missing {
                what: format!("`{reference}` for linux/amd64"),
                why: format!(
                    "{} of {} manifests of its index are for it; there are {}",
                    ours.len(),
                    entries.len(),
                    platforms.join(", ")
                ),
            })
        }
    }
}

fn check_platform(reference: &Reference, config: &ImageConfig) -> Result<(), FetchError> {
    if config.is_linux_amd64() {
        return Ok(());
    }
    Err(FetchError::Missing {
        what: format!("`{reference}` for linux/amd64"),
        why: format!("the image's own config says {}", config.platform_name()),
    })
}

#[cfg(test)]
mod tests;
