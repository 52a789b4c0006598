//! The private half of a signing key. It never leaves memory unencrypted unless the caller says so
//! by a function whose name cannot be overlooked, and `Debug` shows only the public id.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use pkcs8::{
    EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument,
    der::{Decode, Encode, asn1::OctetStringRef},
    pkcs5::{pbes2, scrypt},
};
use zeroize::Zeroizing;

use super::{ED25519_ALGORITHM, KeyError, PublicKey, ed25519_only};

const PLAIN_LABEL: &str = "PRIVATE KEY";
const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";

/// The DER header of an Ed25519 `CurvePrivateKey`: an octet string of 32 bytes (RFC 8410, 7).
const SEED_HEADER: [u8; 2] = [0x04, 0x20];

/// `log2(N)`, `r` and `p` of scrypt. N = 2^14 is the most that `openssl pkey` opens with its default
/// memory limit of 32 MiB; p = 5 makes up for it, one of the equal settings of OWASP's password
/// storage cheat sheet.
const SCRYPT: (u8, u32, u32) = (14, 8, 5);

/// Thirty-two random bytes for a passphrase: 16 of salt, 16 of initial vector. Fresh for each file.
pub type Salt = [u8; 32];

/// A private signing key.
#[derive(Clone)]
pub struct PrivateKey {
    seed: Zeroizing<[u8; 32]>,
    public: PublicKey,
}

impl PrivateKey {
    /// The Ed25519 key of 32 random bytes (RFC 8032, 5.1.5). The caller draws them.
    pub fn generate(seed: Zeroizing<[u8; 32]>) -> Self {
        let pair = key_pair(&seed);
        let public = pair
            .public_key()
            .as_ref()
            .try_into()
            .expect("an Ed25519 public key has 32 bytes");
        Self {
            seed,
            public: PublicKey::Ed25519(public),
        }
    }

    /// Reads a private key from a PEM file: `ENCRYPTED PRIVATE KEY` with its passphrase, or
    /// `PRIVATE KEY`, for which a passphrase is not looked at.
    pub fn open(pem: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
        let not_a_key = KeyError::NotAKey {
            wanted: "private key",
            label: ENCRYPTED_LABEL,
        };
        let (label, document) =
            SecretDocument::from_pem(pem.trim()).map_err(|_| not_a_key.clone())?;
        match label {
            PLAIN_LABEL => Self::from_der(document.as_bytes(), &not_a_key),
            ENCRYPTED_LABEL => {
                let sealed = EncryptedPrivateKeyInfoRef::from_der(document.as_bytes())
                    .map_err(|_| not_a_key)?;
                let passphrase = passphrase.ok_or(KeyError::NeedsPassphrase)?;
                let plain = sealed
                    .decrypt(passphrase)
                    .map_err(|_| KeyError::WrongPassphrase)?;
                // One wrong passphrase in 256 decrypts to noise with good padding.
                Self::from_der(plain.as_bytes(), &KeyError::WrongPassphrase)
            }
            super::PUBLIC_LABEL => Err(KeyError::IsPublic),
            _ => Err(not_a_key),
        }
    }

    /// Writes an `ENCRYPTED PRIVATE KEY` PEM file: PBES2 with scrypt and AES-256-CBC, which
    /// `openssl pkey` opens too.
    pub fn to_pem(&self, passphrase: &str, salt: &Salt) -> Result<String, KeyError> {
        if passphrase.is_empty() {
            return Err(KeyError::EmptyPassphrase);
        }
        let (log_n, r, p) = SCRYPT;
        let scrypt = scrypt::Params::new(log_n, r, p).expect("the constants are valid");
        let (salt, vector) = salt.split_at(16);
        let vector = vector.try_into().expect("32 less 16 is 16");
        let parameters = pbes2::Parameters::generate_scrypt_aes256cbc(scrypt, salt, vector)
            .expect("16 bytes of salt are allowed");
        let octets = self.octets();
        let sealed = info(&octets)
            .encrypt_with_params(parameters, passphrase)
            .expect("a 32 byte key is always encrypted");
        let pem = sealed
            .to_pem(ENCRYPTED_LABEL, LineEnding::LF)
            .expect("the label is plain ASCII");
        Ok(pem.to_string())
    }

    /// ⚠️ Writes a `PRIVATE KEY` PEM file that anybody who can read it can sign with. For a
    /// rehearsal, or where the file system is encrypted.
    pub fn unsafe_to_plain_pem(&self) -> Zeroizing<String> {
        let octets = self.octets();
        let der = Zeroizing::new(info(&octets).to_der().expect("a 32 byte key is always DER"));
        SecretDocument::try_from(der.as_slice())
            .and_then(|document| document.to_pem(PLAIN_LABEL, LineEnding::LF))
            .expect("what was just encoded is DER")
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        key_pair(&self.seed).sign(message).as_ref().to_vec()
    }

    fn octets(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([&SEED_HEADER[..], &self.seed[..]].concat())
    }

    fn from_der(der: &[u8], otherwise: &KeyError) -> Result<Self, KeyError> {
        let info = PrivateKeyInfoRef::from_der(der).map_err(|_| otherwise.clone())?;
        ed25519_only(&info.algorithm)?;
        let octets = info.private_key.as_bytes();
        let seed = octets
            .strip_prefix(&SEED_HEADER)
            .and_then(|seed| <[u8; 32]>::try_from(seed).ok())
            .ok_or_else(|| otherwise.clone())?;
        Ok(Self::generate(Zeroizing::new(seed)))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public.id().short())
    }
}

fn key_pair(seed: &[u8; 32]) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are an Ed25519 seed")
}

fn info(octets: &[u8]) -> PrivateKeyInfoRef<'_> {
    let key = OctetStringRef::new(octets).expect("34 bytes are an octet string");
    PrivateKeyInfoRef::new(ED25519_ALGORITHM, key)
}
