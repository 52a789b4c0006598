//! The private half of a signing key. It never leaves memory unencrypted unless the caller says so
//! by a function whose name cannot be overlooked, and `Debug` shows only the public id.

use std::fmt;

use aws_lc_rs::{
    agreement::{self, ECDH_P256},
    encoding::{AsBigEndian as _, EcPrivateKeyBin},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use pkcs8::{
    EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument,
    der::{Decode, Encode, asn1::OctetStringRef},
    pkcs5::{pbes2, scrypt},
};
use zeroize::Zeroizing;

use super::{Algorithm, KeyError, P256_POINT, PublicKey};
use crate::digest_of;

const PLAIN_LABEL: &str = "PRIVATE KEY";
const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";

/// The DER header of an Ed25519 `CurvePrivateKey`: an octet string of 32 bytes (RFC 8410, 7).
const SEED_HEADER: [u8; 2] = [0x04, 0x20];

/// What stands before and after the scalar in the `ECPrivateKey` (RFC 5915, 3) that `openssl` writes
/// for P-256: version 1, an octet string of 32 bytes; then the public point as `[1]`.
const SCALAR_HEADER: [u8; 7] = [0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20];
const POINT_HEADER: [u8; 5] = [0xa1, 0x44, 0x03, 0x42, 0x00];

/// `log2(N)`, `r` and `p` of scrypt. N = 2^14 is the most that `openssl pkey` opens with its default
/// memory limit of 32 MiB; p = 5 makes up for it, one of the equal settings of OWASP's password
/// storage cheat sheet.
const SCRYPT: (u8, u32, u32) = (14, 8, 5);

/// Thirty-two random bytes for a passphrase: 16 of salt, 16 of initial vector. Fresh for each file.
pub type Salt = [u8; 32];

/// A private signing key: an Ed25519 seed, or a scalar of P-256.
#[derive(Clone)]
pub struct PrivateKey {
    secret: Zeroizing<[u8; 32]>,
    public: PublicKey,
}

impl PrivateKey {
    /// The key of 32 random bytes, which the caller draws: the seed of Ed25519 (RFC 8032, 5.1.5), or
    /// the scalar of P-256. One seed in 2^32 is no scalar (FIPS 186-5, A.2.2); its hash is tried then.
    pub fn generate(algorithm: Algorithm, mut seed: Zeroizing<[u8; 32]>) -> Self {
        loop {
            match public_half(algorithm, &seed) {
                Some(public) => {
                    return Self {
                        secret: seed,
                        public,
                    };
                }
                None => *seed = *digest_of(seed.as_slice()).as_bytes(),
            }
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
        let sealed = self
            .info(&octets)
            .encrypt_with_params(parameters, passphrase)
            .expect("a small key is always encrypted");
        let pem = sealed
            .to_pem(ENCRYPTED_LABEL, LineEnding::LF)
            .expect("the label is plain ASCII");
        Ok(pem.to_string())
    }

    /// ⚠️ Writes a `PRIVATE KEY` PEM file that anybody who can read it can sign with. For a
    /// rehearsal, or where the file system is encrypted.
    pub fn unsafe_to_plain_pem(&self) -> Zeroizing<String> {
        let octets = self.octets();
        let der = self.info(&octets).to_der();
        let der = Zeroizing::new(der.expect("a small key is always DER"));
        SecretDocument::try_from(der.as_slice())
            .and_then(|document| document.to_pem(PLAIN_LABEL, LineEnding::LF))
            .expect("what was just encoded is DER")
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// An Ed25519 signature is the same every time; that of ECDSA has a nonce, which the library draws.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.public {
            PublicKey::Ed25519(_) => ed25519(&self.secret).sign(message).as_ref().to_vec(),
            PublicKey::EcdsaP256(point) => EcdsaKeyPair::from_private_key_and_public_key(
                &ECDSA_P256_SHA256_ASN1_SIGNING,
                self.secret.as_slice(),
                point,
            )
            .ok()
            .and_then(|pair| pair.sign(&SystemRandom::new(), message).ok())
            .expect("a scalar and its own point always sign")
            .as_ref()
            .to_vec(),
        }
    }

    fn octets(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match &self.public {
            PublicKey::Ed25519(_) => [&SEED_HEADER[..], &self.secret[..]].concat(),
            PublicKey::EcdsaP256(point) => {
                [&SCALAR_HEADER[..], &self.secret[..], &POINT_HEADER, point].concat()
            }
        })
    }

    fn info<'a>(&self, octets: &'a [u8]) -> PrivateKeyInfoRef<'a> {
        let key = OctetStringRef::new(octets).expect("some bytes are an octet string");
        PrivateKeyInfoRef::new(self.public.algorithm().identifier(), key)
    }

    fn from_der(der: &[u8], otherwise: &KeyError) -> Result<Self, KeyError> {
        let info = PrivateKeyInfoRef::from_der(der).map_err(|_| otherwise.clone())?;
        let algorithm = Algorithm::of(&info.algorithm)?;
        let secret = match algorithm {
            Algorithm::Ed25519 => seed_of(info.private_key.as_bytes()),
            Algorithm::EcdsaP256 => scalar_of(der),
        };
        let secret = secret.ok_or_else(|| otherwise.clone())?;
        let public = public_half(algorithm, &secret).ok_or_else(|| otherwise.clone())?;
        Ok(Self { secret, public })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public.id().short())
    }
}

fn ed25519(seed: &[u8; 32]) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are an Ed25519 seed")
}

/// The public key of a secret; `None` when it is no scalar of the curve.
fn public_half(algorithm: Algorithm, secret: &[u8; 32]) -> Option<PublicKey> {
    match algorithm {
        Algorithm::Ed25519 => {
            let public = ed25519(secret).public_key().as_ref().try_into();
            public.ok().map(PublicKey::Ed25519)
        }
        Algorithm::EcdsaP256 => {
            // The library offers the point of a scalar for key agreement only; it is the same point.
            let scalar = agreement::PrivateKey::from_private_key(&ECDH_P256, secret).ok()?;
            let point = scalar.compute_public_key().ok()?;
            <[u8; P256_POINT]>::try_from(point.as_ref())
                .ok()
                .map(PublicKey::EcdsaP256)
        }
    }
}

fn seed_of(octets: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let seed = octets.strip_prefix(&SEED_HEADER)?;
    seed.try_into().ok().map(Zeroizing::new)
}

/// The scalar of a PKCS #8 document, whichever optional members its writer has put in.
fn scalar_of(der: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der).ok()?;
    let scalar: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().ok()?;
    scalar.as_ref().try_into().ok().map(Zeroizing::new)
}
