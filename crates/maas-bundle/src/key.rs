//! Signing keys: who may say that a release is one.
//!
//! Ed25519 today. Key type and scheme are closed enums checked as a pair, so ECDSA P-256 is one more
//! variant of [`PublicKey`] and never a confusion between two algorithms.

use std::fmt;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use maas_types::{Digest, DigestError, Exit};
use pkcs8::{
    LineEnding, ObjectIdentifier,
    der::{Decode, EncodePem, asn1::BitStringRef},
    spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef},
};
use serde::{Deserialize, Serialize};

pub use private::{PrivateKey, Salt};

use crate::{digest_of, json};

mod private;

/// `id-Ed25519` (RFC 8410, 3).
const ED25519_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

const PUBLIC_LABEL: &str = "PUBLIC KEY";

/// The public half of a signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PublicKey {
    /// RFC 8032.
    Ed25519([u8; 32]),
}

/// The id of a public key: SHA-256 of the canonical JSON of its object in `root.json` (TUF 4.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SignerId(Digest);

/// Why a file is not the key that was wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a key at all, or a damaged one.
    #[error("this is not a {wanted} (want a PEM file that begins with `-----BEGIN {label}-----`)")]
    NotAKey {
        /// `private key` or `public key`.
        wanted: &'static str,
        /// The PEM label that such a file has.
        label: &'static str,
    },
    /// A key for another algorithm.
    #[error("this key is for algorithm {oid}; only Ed25519 (1.3.101.112) is supported")]
    Algorithm {
        /// Its object identifier.
        oid: String,
    },
    /// A private key where a public one was wanted.
    #[error("this is a private key: give its public half, and keep this file to yourself")]
    IsPrivate,
    /// A public key where a private one was wanted.
    #[error("this is a public key: signing needs the private one")]
    IsPublic,
    /// The key is encrypted and no passphrase was given.
    #[error("this key is protected by a passphrase, and none was given")]
    NeedsPassphrase,
    /// The passphrase does not open the key.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// An empty passphrase protects nothing.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
}

impl KeyError {
    /// The exit code that answers this.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotAKey { .. }
            | Self::Algorithm { .. }
            | Self::IsPrivate
            | Self::IsPublic
            | Self::NeedsPassphrase
            | Self::EmptyPassphrase => Exit::Usage,
            Self::WrongPassphrase => Exit::NotAllowed,
        }
    }
}

/// A key's object in `root.json` (TUF 4.2), member for member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyObject {
    keytype: KeyType,
    keyval: KeyValue,
    scheme: Scheme,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KeyType {
    Ed25519,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scheme {
    Ed25519,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyValue {
    public: String,
}

// === impl PublicKey ===

impl PublicKey {
    /// Reads a `PUBLIC KEY` PEM file (SPKI, as `openssl pkey -pubout` writes it).
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let not_a_key = KeyError::NotAKey {
            wanted: "public key",
            label: PUBLIC_LABEL,
        };
        if pem.contains("PRIVATE KEY-----") {
            return Err(KeyError::IsPrivate);
        }
        let (label, document) =
            pkcs8::Document::from_pem(pem.trim()).map_err(|_| not_a_key.clone())?;
        if label != PUBLIC_LABEL {
            return Err(not_a_key);
        }
        let spki = SubjectPublicKeyInfoRef::from_der(document.as_bytes())
            .map_err(|_| not_a_key.clone())?;
        ed25519_only(&spki.algorithm)?;
        let raw = spki.subject_public_key.as_bytes().unwrap_or_default();
        raw.try_into().map(Self::Ed25519).map_err(|_| not_a_key)
    }

    /// Writes a `PUBLIC KEY` PEM file.
    pub fn to_pem(&self) -> String {
        let Self::Ed25519(raw) = self;
        let spki = SubjectPublicKeyInfoRef {
            algorithm: ED25519_ALGORITHM,
            subject_public_key: BitStringRef::from_bytes(raw)
                .expect("32 bytes are a bit string of whole bytes"),
        };
        spki.to_pem(LineEnding::LF)
            .expect("an algorithm without parameters and 32 bytes are always DER")
    }

    /// The key's id in metadata.
    pub fn id(&self) -> SignerId {
        SignerId(digest_of(&json::canonical(&KeyObject::from(self))))
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let Self::Ed25519(raw) = self;
        UnparsedPublicKey::new(&ED25519, raw)
            .verify(message, signature)
            .is_ok()
    }
}

impl From<&PublicKey> for KeyObject {
    fn from(key: &PublicKey) -> Self {
        let PublicKey::Ed25519(raw) = key;
        Self {
            keytype: KeyType::Ed25519,
            keyval: KeyValue {
                public: hex::encode(raw),
            },
            scheme: Scheme::Ed25519,
        }
    }
}

impl TryFrom<&KeyObject> for PublicKey {
    type Error = &'static str;

    /// The pair of key type and scheme decides; a new pair is a new arm here.
    fn try_from(object: &KeyObject) -> Result<Self, &'static str> {
        match (object.keytype, object.scheme) {
            (KeyType::Ed25519, Scheme::Ed25519) => {
                let mut raw = [0; 32];
                hex::decode_to_slice(&object.keyval.public, &mut raw)
                    .map_err(|_| "an ed25519 key is not 64 hex digits")?;
                Ok(Self::Ed25519(raw))
            }
        }
    }
}

const ED25519_ALGORITHM: AlgorithmIdentifierRef<'static> = AlgorithmIdentifierRef {
    oid: ED25519_OID,
    parameters: None,
};

fn ed25519_only(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<(), KeyError> {
    if algorithm.oid == ED25519_OID && algorithm.parameters.is_none() {
        Ok(())
    } else {
        Err(KeyError::Algorithm {
            oid: algorithm.oid.to_string(),
        })
    }
}

// === impl SignerId ===

impl SignerId {
    /// The first 12 hex digits, for people.
    pub fn short(&self) -> String {
        self.0.short()
    }
}

impl fmt::Display for SignerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.hex())
    }
}

impl fmt::Debug for SignerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for SignerId {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        Digest::from_hex(&text).map(Self)
    }
}

impl From<SignerId> for String {
    fn from(id: SignerId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests;
