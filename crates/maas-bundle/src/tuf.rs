//! The Update Framework 1.0, its four top-level roles.

use maas_types::Digest;
use serde::{Deserialize, Serialize};

pub use fingerprint::{Fingerprint, FingerprintError};

use crate::TrustError;

mod fingerprint;
mod words;

/// The id of a public key: SHA-256 of its canonical JSON (TUF 4.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SignerId(pub(crate) Digest);

impl std::fmt::Display for SignerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0.hex())
    }
}

impl std::fmt::Debug for SignerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for SignerId {
    type Error = maas_types::DigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Digest::from_hex(&text).map(Self)
    }
}

impl From<SignerId> for String {
    fn from(id: SignerId) -> Self {
        id.to_string()
    }
}

/// A root that this host trusts: signed by a threshold of its own keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedRoot {
    bytes: Vec<u8>,
    version: u64,
    fingerprint: Fingerprint,
}

impl TrustedRoot {
    /// The first trust: takes a root file if it has the fingerprint that a person compared.
    pub fn pin(bytes: &[u8], expected: &Fingerprint) -> Result<Self, TrustError> {
        let root = Self::from_store(bytes)?;
        if root.fingerprint == *expected {
            Ok(root)
        } else {
            Err(TrustError::Fingerprint {
                found: Box::new(root.fingerprint),
                expected: Box::new(*expected),
            })
        }
    }

    /// Reads back [`TrustedRoot::bytes`] from this host's own store. Checks that the root is signed
    /// by itself; who put it there is the store's business.
    pub fn from_store(_bytes: &[u8]) -> Result<Self, TrustError> {
        Err(TrustError::NoMedium)
    }

    /// The file's bytes, to be persisted.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its version, 1 for the first.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What two people compare.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}
