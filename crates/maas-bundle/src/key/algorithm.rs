//! The algorithms that sign, and their names in DER.

use std::fmt;

use pkcs8::{
    ObjectIdentifier,
    der::asn1::AnyRef,
    spki::{AlgorithmIdentifier, AlgorithmIdentifierRef},
};

use super::KeyError;

/// `id-Ed25519` (RFC 8410, 3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// `id-ecPublicKey` (RFC 5480, 2.1.1); its parameters name the curve.
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// `secp256r1`, which is P-256 (RFC 5480, 2.1.1.1).
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// What a signing key signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Algorithm {
    /// Ed25519 (RFC 8032): the default.
    #[default]
    Ed25519,
    /// ECDSA on P-256 with SHA-256 (FIPS 186-5): what most tokens and security modules hold.
    EcdsaP256,
}

impl Algorithm {
    pub(super) fn of(found: &AlgorithmIdentifierRef<'_>) -> Result<Self, KeyError> {
        let curve = |any: AnyRef<'_>| any.decode_as::<ObjectIdentifier>().ok();
        match (found.oid, found.parameters) {
            (ED25519, None) => Ok(Self::Ed25519),
            (EC_PUBLIC_KEY, Some(parameters)) if curve(parameters) == Some(P256) => {
                Ok(Self::EcdsaP256)
            }
            (EC_PUBLIC_KEY, parameters) => Err(KeyError::Algorithm {
                oid: parameters.and_then(curve).unwrap_or(found.oid).to_string(),
            }),
            (oid, _) => Err(KeyError::Algorithm {
                oid: oid.to_string(),
            }),
        }
    }

    pub(super) fn identifier(self) -> AlgorithmIdentifierRef<'static> {
        match self {
            Self::Ed25519 => AlgorithmIdentifier {
                oid: ED25519,
                parameters: None,
            },
            Self::EcdsaP256 => AlgorithmIdentifier {
                oid: EC_PUBLIC_KEY,
                parameters: Some(AnyRef::from(&P256)),
            },
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ed25519 => "Ed25519",
            Self::EcdsaP256 => "ECDSA P-256",
        })
    }
}
