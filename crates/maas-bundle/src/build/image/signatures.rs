//! cosign's signatures of an image, where a layout has them: in `signatures.json` beside `index.json`,
//! which `maas-appliance bundle fetch` writes, or among the entries of `index.json`, as `cosign save` does.

use maas_types::{Digest, ImageSignatures};

use super::{
    super::{intake::Input, model::read_text},
    BuildError, Inspection,
};
use crate::oci::{self, Descriptor, Index, Manifest};

/// How `cosign save` says what an entry is.
const KIND: &str = "kind";
const SIGNATURES: &str = "dev.cosignproject.cosign/sigs";
const ATTESTATIONS: &str = "dev.cosignproject.cosign/atts";
const IMAGE_INDEX: &str = "dev.cosignproject.cosign/imageIndex";

/// A manifest that carries a Sigstore bundle.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Whether an entry of an index is a signature, not an image.
pub(super) fn is_signature(descriptor: &Descriptor) -> bool {
    let kind = descriptor.annotations.get(KIND).map(String::as_str);
    matches!(kind, Some(SIGNATURES | ATTESTATIONS))
        || descriptor.artifact_type.as_deref() == Some(BUNDLE)
}

impl Inspection<'_, '_> {
    /// Takes every signature that there is, when the recipe says whose there must be.
    pub(super) fn signatures(&mut self) -> Result<Option<ImageSignatures>, BuildError> {
        let Some(signer) = &self.wanted.signer else {
            return Ok(None);
        };
        let mut found = ImageSignatures {
            key: read_text(self.intake.source(), signer)?,
            index: None,
            simple: Vec::new(),
            payloads: Vec::new(),
            bundles: Vec::new(),
        };
        for entry in self.signature_entries()? {
            if entry.artifact_type.as_deref() == Some(BUNDLE) {
                let manifest = self.manifest_of(&entry)?;
                for layer in manifest.layers.iter().filter(|l| l.media_type == BUNDLE) {
                    found.bundles.push(self.take_small(layer)?);
                }
            } else {
                let manifest = self.manifest_of(&entry)?;
                found.simple.push(self.take_small(&entry)?);
                for layer in &manifest.layers {
                    found.payloads.push(self.take_small(layer)?);
                }
            }
        }
        // The index is what is signed as a rule; it is the proof that its signature is for this image.
        if let Some(index) = self.index.clone() {
            found.index = Some(self.take_small(&index)?);
        }
        for digests in [&mut found.simple, &mut found.payloads, &mut found.bundles] {
            digests.sort();
            digests.dedup();
        }
        Ok(Some(found))
    }

    fn signature_entries(&mut self) -> Result<Vec<Descriptor>, BuildError> {
        let source = self.intake.source();
        let mut entries = Vec::new();
        for file in ["index.json", "signatures.json"] {
            if let Some(input) = self.layout.file(source, file)? {
                let index: Index = self.document(file, &input)?;
                self.check(file, index.check(None))?;
                entries.extend(index.manifests);
            }
        }
        let is_index = |entry: &&Descriptor| {
            entry.annotations.get(KIND).map(String::as_str) == Some(IMAGE_INDEX)
        };
        let listed = entries.iter().find(is_index).cloned();
        self.index = self.index.take().or(listed);
        entries.retain(is_signature);
        Ok(entries)
    }

    fn manifest_of(&self, entry: &Descriptor) -> Result<Manifest, BuildError> {
        let what = format!("signature {}", entry.digest);
        let manifest: Manifest = self.document(&what, &self.blob(entry)?)?;
        self.check(&what, manifest.check(oci::MANIFEST))?;
        Ok(manifest)
    }

    fn take_small(&mut self, descriptor: &Descriptor) -> Result<Digest, BuildError> {
        let input: Input = self.blob(descriptor)?;
        let taken = self.intake.take(input)?;
        self.same(descriptor, taken)?;
        Ok(taken.digest)
    }
}
