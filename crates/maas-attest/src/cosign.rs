//! cosign: who signed a container image, by key.
//!
//! Sources: sigstore/cosign `specs/SIGNATURE_SPEC.md` (old layout: simple signing payloads in an OCI
//! manifest tagged `sha256-<hex>.sig`) and `specs/BUNDLE_SPEC.md` (new layout: a Sigstore bundle that
//! refers to the image); `containers-signature(5)` for the payload.
//!
//! Threats: a good signature of another image moved to this one; a payload that is not what was
//! signed, or that cannot be read and therefore is not checked (CVE-2022-36056, CVE-2026-39395); a
//! signature whose key comes with it. Defences: the key is the caller's, certificates and log entries
//! in annotations are not looked at; a payload is parsed after its signature is found good, and then
//! every member that matters must be there and equal; a payload that cannot be read is an error, never
//! a reason to look elsewhere.
//!
//! Ed25519 keys sign the message itself here. cosign 3 signs a hash of it (Ed25519ph) by default; such
//! signatures are not supported, and ECDSA keys are what cosign makes.

use maas_types::Digest;

pub use attached::verify_bundle;
pub use error::CosignError;
pub use simple::verify_simple;

mod attached;
mod error;
mod simple;

/// The image that a signature must be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedImage<'a> {
    /// The digest of its manifest.
    pub manifest: Digest,
    /// The digest of the index that lists the manifest, if the caller has checked that it does:
    /// `cosign sign` signs the index of an image for several platforms.
    pub index: Option<Digest>,
    /// The `docker-reference` that the payload must have, if one is wanted. cosign writes it and does
    /// not compare it. The new layout has none, so a signature there cannot meet it.
    pub reference: Option<&'a str>,
}

impl WantedImage<'_> {
    fn is(&self, digest: &Digest) -> bool {
        self.manifest == *digest || self.index.as_ref() == Some(digest)
    }

    /// The signature, if it is over this image and under the wanted reference.
    fn signed(
        &self,
        layout: Layout,
        digest: Digest,
        reference: Option<&str>,
    ) -> Result<ImageSignature, CosignError> {
        if !self.is(&digest) {
            return Err(CosignError::OtherImage {
                signed: digest,
                wanted: self.manifest,
            });
        }
        let reference = reference.map(crate::json::plain);
        if let Some(wanted) = self.reference
            && reference.as_deref() != Some(wanted)
        {
            return Err(CosignError::OtherReference {
                signed: reference.unwrap_or_default(),
                wanted: wanted.to_owned(),
            });
        }
        Ok(ImageSignature {
            layout,
            digest,
            reference,
        })
    }
}

/// Where a signature was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// A simple signing payload in an OCI manifest.
    Simple,
    /// A Sigstore bundle.
    Bundle,
}

/// A good signature by the given key over the wanted image. Only this module makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSignature {
    layout: Layout,
    digest: Digest,
    reference: Option<String>,
}

impl ImageSignature {
    /// Where it was found.
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// What was signed: the image's manifest or its index.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The reference under which the image was signed, if the layout has one.
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }
}

#[cfg(test)]
mod tests;
