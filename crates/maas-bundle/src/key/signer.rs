//! Who signs: a key in a file, or something that lets no key out.
//!
//! This is the seam for tokens and security modules (PKCS #11). Most of them are driven by the vendor's own
//! tool on a machine of its own, so what crosses the seam is files: [`crate::Metadata::to_be_signed`] out,
//! and [`Detached`] back in. A signer that speaks PKCS #11 itself is one more implementation of [`Signer`].

use std::collections::BTreeMap;

use maas_types::Digest;

use super::{PrivateKey, PublicKey};
use crate::digest_of;

/// Somebody who can sign.
pub trait Signer {
    /// The public half.
    fn public(&self) -> &PublicKey;

    /// The signature over these bytes; the error is a reason for people. Ed25519 signs the bytes (RFC 8032),
    /// ECDSA their SHA-256, in DER.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String>;
}

impl Signer for PrivateKey {
    fn public(&self) -> &PublicKey {
        Self::public(self)
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        Ok(Self::sign(self, message))
    }
}

/// Signatures that were made elsewhere.
#[derive(Debug, Clone)]
pub struct Detached {
    public: PublicKey,
    /// By the digest of what they sign.
    signatures: BTreeMap<Digest, Vec<u8>>,
}

impl Detached {
    /// Signatures of one key: what was signed, and what came back.
    pub fn new(public: PublicKey, signed: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Self {
        let signatures = signed
            .into_iter()
            .map(|(message, signature)| (digest_of(&message), signature));
        Self {
            public,
            signatures: signatures.collect(),
        }
    }
}

impl Signer for Detached {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        let found = self.signatures.get(&digest_of(message));
        found
            .cloned()
            .ok_or_else(|| "its signature is not among those that were brought".to_owned())
    }
}
