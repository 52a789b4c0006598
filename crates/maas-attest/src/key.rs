//! Keys that sign models and images: ECDSA on the three NIST curves, and Ed25519.
//!
//! Sources: OMS v1.0 `algorithm-registry.md`; cosign `SIGNATURE_SPEC.md`; RFC 5480 and RFC 8410 for
//! the PEM files. The algorithm is a property of the key. Nothing in a signature file can choose it.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA256_ASN1,
    ECDSA_P521_SHA512_ASN1, ED25519, ParsedPublicKey, VerificationAlgorithm,
};
use maas_types::Exit;
use pkcs8::{
    LineEnding, ObjectIdentifier,
    der::{Decode, Encode, EncodePem, asn1::BitStringRef},
    spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef},
};

pub use signing::SigningKey;

use crate::digest_of;

mod signing;

const PUBLIC_LABEL: &str = "PUBLIC KEY";

/// `id-Ed25519` (RFC 8410, 3).
const ED25519_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// `id-ecPublicKey` (RFC 5480, 2.1.1), whose parameter names the curve.
const EC_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// What a key signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256, with SHA-256.
    P256,
    /// ECDSA on P-384, with SHA-384.
    P384,
    /// ECDSA on P-521, with SHA-512.
    P521,
    /// Ed25519 over the message itself (not Ed25519ph).
    Ed25519,
}

/// The public half of a key, checked to be a point of its curve.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    algorithm: Algorithm,
    /// The uncompressed point, or the 32 bytes of an Ed25519 key.
    raw: Vec<u8>,
}

/// Why a file is not the key that was wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a key at all, or a damaged one.
    #[error("this is not a {wanted} (want a PEM file with a line `-----BEGIN {label}-----`)")]
    NotAKey {
        /// `private key` or `public key`.
        wanted: &'static str,
        /// The PEM label that such a file has.
        label: &'static str,
    },
    /// A key for another algorithm.
    #[error(
        "this key is for algorithm {oid}; only ECDSA on P-256, P-384 or P-521 and Ed25519 are supported"
    )]
    Algorithm {
        /// Its object identifier, or its curve's.
        oid: String,
    },
    /// A private key for an algorithm that this program only verifies.
    #[error(
        "this private key is not for ECDSA on P-256, which is the only algorithm that is signed with"
    )]
    NotForSigning,
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
}

impl KeyError {
    /// The exit code that answers this.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::NotAKey { .. }
            | Self::Algorithm { .. }
            | Self::NotForSigning
            | Self::IsPrivate
            | Self::IsPublic
            | Self::NeedsPassphrase => Exit::Usage,
            Self::WrongPassphrase => Exit::NotAllowed,
        }
    }
}

/// Which hash functions a signature may have been made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hashing {
    /// The one that goes with the curve (Sigstore algorithm registry).
    OfTheCurve,
    /// That one or SHA-256: cosign's specification has SHA-256 for every key, and cosign 3 signs with
    /// the curve's own. A signature under one is never a signature under the other.
    OfTheCurveOrSha256,
}

// === impl PublicKey ===

impl PublicKey {
    /// Reads the `PUBLIC KEY` block of a PEM file. Text before it, as `certtool` and `openssl -text`
    /// write it, is skipped (RFC 7468, 2).
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        if pem.contains("PRIVATE KEY-----") {
            return Err(KeyError::IsPrivate);
        }
        let (label, document) = pkcs8::Document::from_pem(block(pem)).map_err(|_| NOT_PUBLIC)?;
        if label != PUBLIC_LABEL {
            return Err(NOT_PUBLIC);
        }
        Self::from_der(document.as_bytes())
    }

    /// Reads a `SubjectPublicKeyInfo`.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| NOT_PUBLIC)?;
        let algorithm = Algorithm::of(&spki.algorithm)?;
        let raw = spki.subject_public_key.as_bytes().unwrap_or_default();
        // The library would also take a compressed or a hybrid point, which would give one key two hints.
        let uncompressed = algorithm == Algorithm::Ed25519 || raw.first() == Some(&4);
        if raw.len() != algorithm.key_length() || !uncompressed {
            return Err(NOT_PUBLIC);
        }
        ParsedPublicKey::new(algorithm.verifier(), raw).map_err(|_| NOT_PUBLIC)?;
        Ok(Self {
            algorithm,
            raw: raw.to_vec(),
        })
    }

    /// The 32 bytes of an Ed25519 key; `None` for a key of another algorithm.
    pub fn ed25519(&self) -> Option<[u8; 32]> {
        let raw = self.raw.as_slice().try_into().ok();
        raw.filter(|_| self.algorithm == Algorithm::Ed25519)
    }

    /// What it signs with.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Writes a `PUBLIC KEY` PEM file, byte for byte as OpenSSL does.
    pub fn to_pem(&self) -> String {
        self.with_spki(|spki| spki.to_pem(LineEnding::LF))
    }

    /// Its name in an OMS bundle: the hex SHA-256 of its PEM text, final newline included (the
    /// reference implementation's; the specification leaves the form open, 4.1).
    pub fn hint(&self) -> String {
        digest_of(self.to_pem().as_bytes()).hex()
    }

    /// Writes a `SubjectPublicKeyInfo`.
    pub(crate) fn to_der(&self) -> Vec<u8> {
        self.with_spki(|spki| spki.to_der())
    }

    fn with_spki<T>(
        &self,
        write: impl FnOnce(&SubjectPublicKeyInfoRef<'_>) -> pkcs8::der::Result<T>,
    ) -> T {
        let curve = self.algorithm.curve();
        let spki = SubjectPublicKeyInfoRef {
            algorithm: AlgorithmIdentifierRef {
                oid: curve.map_or(ED25519_OID, |_| EC_OID),
                parameters: curve.as_ref().map(Into::into),
            },
            subject_public_key: BitStringRef::from_bytes(&self.raw)
                .expect("a key is a bit string of whole bytes"),
        };
        write(&spki).expect("what was read from DER can be written as DER")
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8], hashing: Hashing) -> bool {
        let good = |verifier: &'static dyn VerificationAlgorithm| {
            verifier.verify_sig(&self.raw, message, signature).is_ok()
        };
        good(self.algorithm.verifier())
            || (hashing == Hashing::OfTheCurveOrSha256
                && self.algorithm.sha256_verifier().is_some_and(good))
    }
}

/// The file from its first block on.
fn block(pem: &str) -> &str {
    pem.find("-----BEGIN ")
        .map_or("", |start| pem[start..].trim_end())
}

const NOT_PUBLIC: KeyError = KeyError::NotAKey {
    wanted: "public key",
    label: PUBLIC_LABEL,
};

// === impl Algorithm ===

impl Algorithm {
    fn of(identifier: &AlgorithmIdentifierRef<'_>) -> Result<Self, KeyError> {
        let other = |oid: ObjectIdentifier| KeyError::Algorithm {
            oid: oid.to_string(),
        };
        match (identifier.oid, identifier.parameters) {
            (ED25519_OID, None) => Ok(Self::Ed25519),
            (EC_OID, Some(parameters)) => {
                match parameters.decode_as().map_err(|_| other(EC_OID))? {
                    P256_OID => Ok(Self::P256),
                    P384_OID => Ok(Self::P384),
                    P521_OID => Ok(Self::P521),
                    curve => Err(other(curve)),
                }
            }
            (oid, _) => Err(other(oid)),
        }
    }

    const fn curve(self) -> Option<ObjectIdentifier> {
        match self {
            Self::P256 => Some(P256_OID),
            Self::P384 => Some(P384_OID),
            Self::P521 => Some(P521_OID),
            Self::Ed25519 => None,
        }
    }

    /// Bytes of an uncompressed point, `04 x y`, or of an Ed25519 key.
    const fn key_length(self) -> usize {
        match self {
            Self::P256 => 65,
            Self::P384 => 97,
            Self::P521 => 133,
            Self::Ed25519 => 32,
        }
    }

    fn verifier(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_ASN1,
            Self::P384 => &ECDSA_P384_SHA384_ASN1,
            Self::P521 => &ECDSA_P521_SHA512_ASN1,
            Self::Ed25519 => &ED25519,
        }
    }

    fn sha256_verifier(self) -> Option<&'static dyn VerificationAlgorithm> {
        match self {
            Self::P384 => Some(&ECDSA_P384_SHA256_ASN1),
            Self::P521 => Some(&ECDSA_P521_SHA256_ASN1),
            Self::P256 | Self::Ed25519 => None,
        }
    }
}

#[cfg(test)]
mod tests;
