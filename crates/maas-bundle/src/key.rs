//! Signing keys: who may say that a release is one.
//!
//! Ed25519, or ECDSA on P-256 where a site's own hardware or rules ask for it. Key type and scheme are
//! compared as a pair ([`object`]), so one algorithm is never taken for the other.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, UnparsedPublicKey};
use maas_types::{Digest, DigestError, Exit};
use pkcs8::{
    LineEnding,
    der::{Decode, EncodePem, asn1::BitStringRef},
    spki::SubjectPublicKeyInfoRef,
};
use serde::{Deserialize, Serialize};

pub use algorithm::Algorithm;
pub(crate) use object::{KeyObject, ListedKey};
pub use private::{PrivateKey, Salt};
pub use signer::{Detached, Signer};

use crate::{digest_of, json};

mod algorithm;
mod object;
mod private;
mod signer;

const PUBLIC_LABEL: &str = "PUBLIC KEY";

/// Octets of an uncompressed point of P-256 (SEC 1, 2.3.3): `04`, x, y.
const P256_POINT: usize = 65;

/// How an uncompressed point begins (SEC 1, 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// The y of every point of Ed25519 whose order divides 8, in each of its encodings but for the sign of
/// x: 0, 1, the two of order 8, p - 1, p and p + 1 (RFC 8032, 5.1). Everybody can sign for such a key.
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    little_endian(0x01, 0, 0),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    little_endian(0xec, 0xff, 0x7f),
    little_endian(0xed, 0xff, 0x7f),
    little_endian(0xee, 0xff, 0x7f),
];

const fn little_endian(first: u8, between: u8, last: u8) -> [u8; 32] {
    let mut bytes = [between; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

fn small_order(raw: &[u8; 32]) -> bool {
    let mut y = *raw;
    y[31] &= 0x7f; // The sign of x.
    SMALL_ORDER.contains(&y)
}

/// The public half of a signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PublicKey {
    /// RFC 8032.
    Ed25519([u8; 32]),
    /// FIPS 186-5, with SHA-256: the uncompressed point.
    EcdsaP256([u8; P256_POINT]),
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
    #[error(
        "this key is for algorithm {oid}; only Ed25519 (1.3.101.112) and ECDSA on P-256 (1.2.840.10045.3.1.7) are supported"
    )]
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
        let raw = spki.subject_public_key.as_bytes().unwrap_or_default();
        match Algorithm::of(&spki.algorithm)? {
            Algorithm::Ed25519 => raw.try_into().ok().and_then(Self::ed25519),
            Algorithm::EcdsaP256 => raw.try_into().ok().and_then(Self::p256),
        }
        .ok_or(not_a_key)
    }

    /// A point of the curve that only one private key can sign for.
    pub(crate) fn ed25519(raw: [u8; 32]) -> Option<Self> {
        ParsedPublicKey::new(&ED25519, raw).ok()?;
        (!small_order(&raw)).then_some(Self::Ed25519(raw))
    }

    /// A point of the curve, uncompressed. The library would also take the hybrid form (`06` or `07`
    /// in place of `04`), and one key under two ids would count twice towards a threshold.
    pub(crate) fn p256(point: [u8; P256_POINT]) -> Option<Self> {
        ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).ok()?;
        (point[0] == UNCOMPRESSED).then_some(Self::EcdsaP256(point))
    }

    /// Writes a `PUBLIC KEY` PEM file.
    pub fn to_pem(&self) -> String {
        let spki = SubjectPublicKeyInfoRef {
            algorithm: self.algorithm().identifier(),
            subject_public_key: BitStringRef::from_bytes(self.octets())
                .expect("whole bytes are a bit string"),
        };
        spki.to_pem(LineEnding::LF)
            .expect("a known algorithm and some bytes are always DER")
    }

    /// What it is a key of.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::Ed25519,
            Self::EcdsaP256(_) => Algorithm::EcdsaP256,
        }
    }

    /// The key's id in metadata.
    pub fn id(&self) -> SignerId {
        SignerId::of(&KeyObject::from(self))
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let octets = self.octets();
        match self {
            Self::Ed25519(_) => UnparsedPublicKey::new(&ED25519, octets).verify(message, signature),
            Self::EcdsaP256(_) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, octets).verify(message, signature)
            }
        }
        .is_ok()
    }

    fn octets(&self) -> &[u8] {
        match self {
            Self::Ed25519(raw) => raw,
            Self::EcdsaP256(point) => point,
        }
    }
}

// === impl SignerId ===

impl SignerId {
    pub(crate) fn of(object: &KeyObject) -> Self {
        Self(digest_of(&json::canonical(object)))
    }

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
