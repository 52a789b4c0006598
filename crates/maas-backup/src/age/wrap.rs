//! How a file's key is wrapped for a passphrase or a public key, and unwrapped again.

use aws_lc_rs::aead::{Aad, Nonce};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD as BASE64};
use zeroize::Zeroizing;

use super::{
    FileKey, Identity, Open, Passphrase, Random, Recipient, Seal, cipher, derive,
    header::{Header, MOST_STANZAS, Stanza},
};
use crate::{BackupError, Damage};

const SCRYPT: &str = "scrypt";
const SCRYPT_LABEL: &[u8] = b"age-encryption.org/v1/scrypt";
const SCRYPT_SALT: usize = 16;
const CURVE: &str = "X25519";
const CURVE_LABEL: &[u8] = b"age-encryption.org/v1/X25519";
/// A file key of 16 bytes and its tag of 16.
const WRAPPED: usize = 32;

/// How much work a guess of a passphrase costs: scrypt with N = 2^this, r = 8, p = 1, which needs
/// 2^this KiB of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Work(u8);

impl Work {
    /// 2^18: 256 MiB and about a second, what age itself takes.
    pub const STANDARD: Self = Self(18);
    /// 2^20: 1 GiB. A file that asks for more is refused before the work is done.
    pub const MOST: Self = Self(20);

    /// 2^`log_n`; `None` outside 1 to 20. Less than [`Work::STANDARD`] is for tests.
    pub fn new(log_n: u8) -> Option<Self> {
        (1..=Self::MOST.0).contains(&log_n).then_some(Self(log_n))
    }
}

/// A stanza for each recipient.
pub(super) fn wrap(
    seal: &Seal<'_>,
    key: &FileKey,
    random: Random<'_>,
) -> Result<Vec<Stanza>, BackupError> {
    match seal {
        Seal::Passphrase(passphrase, work) => {
            Ok(vec![by_passphrase(passphrase, *work, key, random)])
        }
        Seal::Recipients(recipients) => {
            if !(1..=MOST_STANZAS).contains(&recipients.len()) {
                return Err(BackupError::Recipients {
                    count: recipients.len(),
                });
            }
            let each = recipients.iter().map(|to| by_recipient(to, key, random));
            each.collect()
        }
    }
}

fn by_passphrase(passphrase: &Passphrase, work: Work, key: &FileKey, random: Random<'_>) -> Stanza {
    let mut salt = [0; SCRYPT_SALT];
    random(&mut salt);
    let wrapping = stretch(passphrase, &salt, work);
    Stanza {
        words: vec![SCRYPT.to_owned(), BASE64.encode(salt), work.0.to_string()],
        body: close(&wrapping, key),
    }
}

fn by_recipient(
    recipient: &Recipient,
    key: &FileKey,
    random: Random<'_>,
) -> Result<Stanza, BackupError> {
    let ephemeral = Identity::generate(random);
    let share = *ephemeral.recipient().bytes();
    let shared = ephemeral.agree(recipient.bytes());
    let shared = shared.ok_or(BackupError::WeakRecipient)?;
    let wrapping = curve_key(&share, recipient, &shared);
    Ok(Stanza {
        words: vec![CURVE.to_owned(), BASE64.encode(share)],
        body: close(&wrapping, key),
    })
}

/// The file key of the stanza that `open` fits. Unknown types are passed over, as the format asks.
pub(super) fn unwrap(header: &Header, open: &Open<'_>) -> Result<FileKey, BackupError> {
    let stanzas = &header.stanzas;
    let sealed = stanzas.iter().any(|stanza| stanza.words[0] == SCRYPT);
    // Otherwise whoever knows another recipient's file could vouch for a passphrase's.
    if sealed && stanzas.len() != 1 {
        return Err(bad("it has a passphrase and other recipients"));
    }
    match open {
        Open::Passphrase(_) if !sealed => Err(BackupError::NeedsIdentity),
        Open::Identity(_) if sealed => Err(BackupError::NeedsPassphrase),
        Open::Passphrase(passphrase) => from_passphrase(&stanzas[0], passphrase),
        Open::Identity(identity) => {
            let curves = stanzas.iter().filter(|stanza| stanza.words[0] == CURVE);
            for stanza in curves {
                if let Some(key) = from_identity(stanza, identity)? {
                    return Ok(key);
                }
            }
            Err(BackupError::NotARecipient)
        }
    }
}

fn from_passphrase(stanza: &Stanza, passphrase: &Passphrase) -> Result<FileKey, BackupError> {
    let [_, salt, work] = stanza.words.as_slice() else {
        return Err(bad("the part of the passphrase has not two arguments"));
    };
    let salt: Option<[u8; SCRYPT_SALT]> = BASE64.decode(salt).ok().and_then(|s| s.try_into().ok());
    let salt = salt.ok_or_else(|| bad("the salt of the passphrase is not 16 bytes"))?;
    // Digits only and no leading zero: one number has one text.
    let plain = work.bytes().all(|b| b.is_ascii_digit()) && !work.starts_with('0');
    if !plain || work.len() > 9 {
        return Err(bad("the work of the passphrase is not a number"));
    }
    let number: u32 = work.parse().map_err(|_| bad("the work is not a number"))?;
    let work = u8::try_from(number).ok().and_then(Work::new);
    let work = work.ok_or(Damage::Work { log_n: number })?;
    if stanza.body.len() != WRAPPED {
        return Err(bad("the wrapped key is not 32 bytes"));
    }
    let wrapping = stretch(passphrase, &salt, work);
    unclose(&wrapping, &stanza.body).ok_or(BackupError::WrongPassphrase)
}

fn from_identity(stanza: &Stanza, identity: &Identity) -> Result<Option<FileKey>, BackupError> {
    let [_, share] = stanza.words.as_slice() else {
        return Err(bad("a recipient's part has not one argument"));
    };
    let share: Option<[u8; 32]> = BASE64.decode(share).ok().and_then(|s| s.try_into().ok());
    let share = share.ok_or_else(|| bad("a recipient's share is not 32 bytes"))?;
    if stanza.body.len() != WRAPPED {
        return Err(bad("a wrapped key is not 32 bytes"));
    }
    let shared = identity.agree(&share);
    let shared = shared.ok_or_else(|| bad("a recipient's share is a point of low order"))?;
    let wrapping = curve_key(&share, &identity.recipient(), &shared);
    Ok(unclose(&wrapping, &stanza.body))
}

fn stretch(passphrase: &Passphrase, salt: &[u8; SCRYPT_SALT], work: Work) -> Zeroizing<[u8; 32]> {
    let parameters = scrypt::Params::new(work.0, 8, 1).expect("the work is bounded");
    let mut key = Zeroizing::new([0; 32]);
    let salt = [SCRYPT_LABEL, salt].concat();
    scrypt::scrypt(passphrase.bytes(), &salt, &parameters, &mut *key)
        .expect("32 bytes are a length that scrypt gives");
    key
}

fn curve_key(share: &[u8; 32], to: &Recipient, shared: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    derive(&[&share[..], to.bytes()].concat(), shared, CURVE_LABEL)
}

/// The wrapping key is used once, so that its nonce may be zero.
fn close(wrapping: &[u8; 32], key: &FileKey) -> Vec<u8> {
    let mut body = key.to_vec();
    cipher(wrapping)
        .seal_in_place_append_tag(zero(), Aad::empty(), &mut body)
        .expect("16 bytes are few");
    body
}

fn unclose(wrapping: &[u8; 32], body: &[u8]) -> Option<FileKey> {
    let mut body = Zeroizing::new(body.to_vec());
    let opened = cipher(wrapping).open_in_place(zero(), Aad::empty(), &mut body);
    let opened: [u8; 16] = (&*opened.ok()?).try_into().ok()?;
    Some(Zeroizing::new(opened))
}

fn zero() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn bad(what: &'static str) -> BackupError {
    Damage::Header(what).into()
}
