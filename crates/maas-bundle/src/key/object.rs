//! A key as `root.json` has it (TUF 4.2).
//!
//! Threats: an algorithm that is taken for another, one key under two descriptions. Defences: type
//! and scheme are looked up as one pair, and a bundle's own roots must describe a key as we would
//! ([`KeyObject::is_ours`]).

use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use pkcs8::{Document, der::Decode, spki::SubjectPublicKeyInfoRef};
use serde::{Deserialize, Serialize};

use super::PublicKey;

/// A key's object, member for member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyObject {
    keytype: String,
    keyval: KeyValue,
    scheme: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeyValue {
    public: String,
}

/// A key that some root lists: one that our roots may list, or one that only a foreign one may.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ListedKey {
    Ours(PublicKey),
    /// RSASSA-PSS with SHA-256, the third pair of TUF 4.2: an `RSAPublicKey` (RFC 8017, A.1.1).
    RsaPss(Vec<u8>),
}

impl KeyObject {
    /// The key, if its pair of type and scheme is known.
    pub(crate) fn key(&self) -> Result<ListedKey, &'static str> {
        let public = &self.keyval.public;
        match (self.keytype.as_str(), self.scheme.as_str()) {
            ("ed25519", "ed25519") => {
                let mut raw = [0; 32];
                hex::decode_to_slice(public, &mut raw)
                    .map_err(|_| "an ed25519 key is not 64 hex digits")?;
                PublicKey::ed25519(raw)
                    .map(ListedKey::Ours)
                    .ok_or("an ed25519 key is not one that only its owner can sign for")
            }
            // "ecdsa-sha2-nistp256" as a type is how TUF 1.0.19 and before spelled it.
            ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => p256(public)
                .map(ListedKey::Ours)
                .ok_or("an ecdsa key is not one on P-256"),
            ("rsa", "rsassa-pss-sha256") => rsa(public).ok_or("an rsa key is not one"),
            _ => Err("a key is of a type or scheme that is not known"),
        }
    }

    /// Whether a bundle's root may list it: one of our algorithms, described as we describe it.
    pub(crate) fn is_ours(&self, key: &ListedKey) -> bool {
        matches!(key, ListedKey::Ours(key) if Self::from(key) == *self)
    }
}

impl From<&PublicKey> for KeyObject {
    fn from(key: &PublicKey) -> Self {
        let (keytype, scheme, public) = match key {
            PublicKey::Ed25519(raw) => ("ed25519", "ed25519", hex::encode(raw)),
            PublicKey::EcdsaP256(_) => ("ecdsa", "ecdsa-sha2-nistp256", key.to_pem()),
        };
        Self {
            keytype: keytype.to_owned(),
            keyval: KeyValue { public },
            scheme: scheme.to_owned(),
        }
    }
}

impl ListedKey {
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ours(key) => key.verify(message, signature),
            Self::RsaPss(key) => UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key)
                .verify(message, signature)
                .is_ok(),
        }
    }
}

/// PEM, as TUF 4.2 has it, or the point in hex, as the first roots of Sigstore had it.
fn p256(public: &str) -> Option<PublicKey> {
    let mut point = [0; super::P256_POINT];
    if hex::decode_to_slice(public, &mut point).is_ok() {
        return PublicKey::p256(point);
    }
    PublicKey::from_pem(public)
        .ok()
        .filter(|key| matches!(key, PublicKey::EcdsaP256(_)))
}

fn rsa(pem: &str) -> Option<ListedKey> {
    let (label, document) = Document::from_pem(pem.trim()).ok()?;
    let spki = SubjectPublicKeyInfoRef::from_der(document.as_bytes()).ok()?;
    let key = spki.subject_public_key.as_bytes()?;
    (label == super::PUBLIC_LABEL).then(|| ListedKey::RsaPss(key.to_vec()))
}
