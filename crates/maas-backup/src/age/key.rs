//! Who may open a backup: a passphrase, or the key pair of somebody elsewhere.

use std::{fmt, str::FromStr};

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, X25519};
use zeroize::Zeroizing;

use super::{Random, bech32};

const RECIPIENT: &str = "age";
const IDENTITY: &str = "age-secret-key-";

/// A passphrase. Wiped when dropped; its `Debug` prints its type only.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes the text as it was typed, without the line end; `None` when nothing was typed.
    pub fn new(text: String) -> Option<Self> {
        let text = Zeroizing::new(text);
        (!text.is_empty()).then_some(Self(text))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase")
    }
}

/// Text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// Not a public key.
    #[error("not a public key for backups: want `age1…`, 62 characters; a letter may be wrong")]
    Recipient,
    /// Not a private key. The text is not repeated: it may be a secret.
    #[error("not a private key for backups: want `AGE-SECRET-KEY-1…`, 74 characters")]
    Identity,
}

/// A public key: whoever has it can seal a backup and cannot open one. Written `age1…`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Recipient([u8; 32]);

impl Recipient {
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Recipient {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, KeyTextError> {
        // Lower case only, as age itself has it.
        let lower = !text.bytes().any(|b| b.is_ascii_uppercase());
        let bytes = bech32::decode(RECIPIENT, text).filter(|_| lower);
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(KeyTextError::Recipient)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bech32::encode(RECIPIENT, &self.0))
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A private key, kept away from the host. Written `AGE-SECRET-KEY-1…`; `Debug` prints its type only.
pub struct Identity(Zeroizing<[u8; 32]>);

impl Identity {
    /// A new one.
    pub fn generate(random: Random<'_>) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        random(&mut *bytes);
        Self(bytes)
    }

    /// Reads `AGE-SECRET-KEY-1…`.
    pub fn from_text(text: &str) -> Result<Self, KeyTextError> {
        let bytes = bech32::decode(IDENTITY, text).map(Zeroizing::new);
        let bytes = bytes.ok_or(KeyTextError::Identity)?;
        match bytes.as_slice().try_into() {
            Ok(bytes) => Ok(Self(Zeroizing::new(bytes))),
            Err(_) => Err(KeyTextError::Identity),
        }
    }

    /// The text to write into a file that only its owner reads.
    pub fn expose(&self) -> Zeroizing<String> {
        let text = Zeroizing::new(bech32::encode(IDENTITY, &*self.0));
        Zeroizing::new(text.to_ascii_uppercase())
    }

    /// Its public key.
    pub fn recipient(&self) -> Recipient {
        let public = self.private().compute_public_key();
        let public = public.expect("every X25519 private key has a public key");
        Recipient(public.as_ref().try_into().expect("X25519 has 32 bytes"))
    }

    /// The secret that this key and the owner of `public` share; `None` for a point of low order.
    pub(super) fn agree(&self, public: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
        let public = UnparsedPublicKey::new(&X25519, public);
        agreement::agree(&self.private(), public, (), |shared| {
            let shared: [u8; 32] = shared.try_into().map_err(|_| ())?;
            Ok(Zeroizing::new(shared))
        })
        .ok()
        // All zeros: a point of low order. The library refuses it; the format wants us to.
        .filter(|shared| shared.iter().any(|byte| *byte != 0))
    }

    fn private(&self) -> PrivateKey {
        PrivateKey::from_private_key(&X25519, &*self.0).expect("any 32 bytes are an X25519 key")
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}
