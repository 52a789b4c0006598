//! The private half of a key that signs models. `Debug` shows only the public half.

use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument, der::Decode};

use super::{Algorithm, KeyError, PUBLIC_LABEL, PublicKey, block};

const PLAIN_LABEL: &str = "PRIVATE KEY";
const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";

/// An ECDSA private key on P-256, the one curve that every verifier of OMS and cosign has.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// Reads a PKCS#8 private key from a PEM file: `ENCRYPTED PRIVATE KEY` with its passphrase, or
    /// `PRIVATE KEY`, for which a passphrase is not looked at.
    pub fn from_pem(pem: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
        let not_a_key = KeyError::NotAKey {
            wanted: "private key",
            label: PLAIN_LABEL,
        };
        let (label, document) =
            SecretDocument::from_pem(block(pem)).map_err(|_| not_a_key.clone())?;
        match label {
            PLAIN_LABEL => Self::from_pkcs8(document.as_bytes()),
            ENCRYPTED_LABEL => {
                let sealed = EncryptedPrivateKeyInfoRef::from_der(document.as_bytes())
                    .map_err(|_| not_a_key)?;
                let plain = sealed
                    .decrypt(passphrase.ok_or(KeyError::NeedsPassphrase)?)
                    .map_err(|_| KeyError::WrongPassphrase)?;
                Self::from_pkcs8(plain.as_bytes())
            }
            PUBLIC_LABEL => Err(KeyError::IsPublic),
            _ => Err(not_a_key),
        }
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der)
            .map_err(|_| KeyError::NotForSigning)?;
        let public = PublicKey {
            algorithm: Algorithm::P256,
            raw: pair.public_key().as_ref().to_vec(),
        };
        Ok(Self { pair, public })
    }

    /// The public half.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message. The nonce is random, so two signatures of one message differ.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair
            .sign(&SystemRandom::new(), message)
            .expect("a checked key signs any message")
            .as_ref()
            .to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.hint())
    }
}
