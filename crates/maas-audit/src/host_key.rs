//! The key with which a host answers for its log and for what it verified, and the public half that
//! an auditor keeps elsewhere.
//!
//! One key signs two kinds of things, and neither can be taken for the other: a checkpoint begins with
//! `maas-appliance audit checkpoint v1`, a statement's encoding with `DSSEv1`.

mod file;
mod origin;

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey};
use camino::Utf8Path;
use maas_attest::PublicKey;
use sha2::{Digest as _, Sha256};

pub use self::{file::HostKeyError, origin::Origin};

/// What stands before the 32 bytes of an Ed25519 key in a `SubjectPublicKeyInfo` (RFC 8410, 4).
const SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// The host's Ed25519 key and the name under which it signs. `Debug` shows the public half only.
pub struct HostKey {
    pair: Ed25519KeyPair,
    public: HostPublicKey,
}

/// The public half of a host's key, and the host's name: a signature counts under this name only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPublicKey {
    origin: Origin,
    key: [u8; 32],
}

/// Four bytes that tell which key to try (C2SP signed-note, "Signatures"). They prove nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHint(pub(crate) [u8; 4]);

// === impl HostKey ===

impl HostKey {
    /// Reads the key at `path`, or makes it there from `seed` (mode 0600, synced, never over an existing
    /// file). The seed is 32 bytes from the system's random numbers; it is not used where a key exists.
    pub fn load_or_create(
        path: &Utf8Path,
        origin: Origin,
        seed: &[u8; 32],
    ) -> Result<Self, HostKeyError> {
        if path.symlink_metadata().is_err() {
            file::create(path, &Self::from_seed(origin.clone(), seed).pair)?;
        }
        Self::load(path, origin)
    }

    /// Reads the key at `path`.
    pub fn load(path: &Utf8Path, origin: Origin) -> Result<Self, HostKeyError> {
        file::load(path).map(|pair| Self::new(origin, pair))
    }

    /// The key that `seed` gives.
    pub fn from_seed(origin: Origin, seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are a seed");
        Self::new(origin, pair)
    }

    fn new(origin: Origin, pair: Ed25519KeyPair) -> Self {
        let key = pair.public_key().as_ref();
        let key = key.try_into().expect("an Ed25519 key has 32 bytes");
        let public = HostPublicKey { origin, key };
        Self { pair, public }
    }

    /// The public half.
    pub const fn public(&self) -> &HostPublicKey {
        &self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.pair.sign(message);
        let bytes = signature.as_ref().try_into();
        bytes.expect("an Ed25519 signature has 64 bytes")
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostKey({:?})", self.public)
    }
}

// === impl HostPublicKey ===

impl HostPublicKey {
    /// Reads a `PUBLIC KEY` PEM file, as [`Self::to_pem`] and OpenSSL write it, of the host `origin`.
    pub fn from_pem(origin: Origin, pem: &str) -> Result<Self, HostKeyError> {
        let key = PublicKey::from_pem(pem).map_err(HostKeyError::Public)?;
        let key = key.ed25519().ok_or(HostKeyError::NotEd25519)?;
        Ok(Self { origin, key })
    }

    /// Writes a `PUBLIC KEY` PEM file, byte for byte as OpenSSL does. The name is not in it.
    pub fn to_pem(&self) -> String {
        let der = [SPKI.as_slice(), &self.key].concat();
        let key = PublicKey::from_der(&der).expect("the public half of a key is a key");
        key.to_pem()
    }

    /// The host's name.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Which key this is, to those who know it: C2SP signed-note, "Ed25519 signatures".
    pub fn hint(&self) -> KeyHint {
        let mut sha = Sha256::new();
        sha.update(self.origin.as_str());
        sha.update([b'\n', 1]);
        sha.update(self.key);
        let [a, b, c, d, ..] = <[u8; 32]>::from(sha.finalize());
        KeyHint([a, b, c, d])
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        ParsedPublicKey::new(&ED25519, self.key)
            .is_ok_and(|key| key.verify_sig(message, signature).is_ok())
    }
}

impl fmt::Display for KeyHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
