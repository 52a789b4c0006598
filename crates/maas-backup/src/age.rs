//! The envelope of a backup: the age file format, version 1 (<https://c2sp.org/age>), with scrypt and
//! X25519 recipients, on the one cryptographic library of this workspace.
//!
//! Why age and not a framing of our own: a site can open its backup with the ordinary `age` command
//! when there is no appliance left. Why not the crate `age`: it brings a second cryptographic library
//! (decision 6).
//!
//! Threats: a file that was cut, joined, reordered, altered or made by somebody else; a header that
//! costs gigabytes or minutes before anything is authenticated; a key that leaks through an error.
//! Defences: a header of at most 16 KiB, the work of scrypt bounded before it is done, the header under
//! a MAC of the file's key, chunks of 64 KiB each under its own number and the last one marked, no
//! byte handed on before its chunk is authentic. Not defended: a backup that is sealed to a public key
//! can be made by whoever has that public key; the digest that `create` returned tells who made it.

mod bech32;
mod header;
mod key;
mod payload;
mod wrap;

use std::io::{Read, Write};

use aws_lc_rs::{
    aead::{CHACHA20_POLY1305, LessSafeKey, UnboundKey},
    hkdf,
};
use zeroize::Zeroizing;

pub use key::{Identity, KeyTextError, Passphrase, Recipient};
pub use payload::{Opened, Sealed};
pub use wrap::Work;

use crate::BackupError;

/// Fills a buffer with randomness of the operating system; in tests, of the test.
pub type Random<'a> = &'a mut dyn FnMut(&mut [u8]);

/// For whom a backup is sealed.
#[derive(Debug, Clone, Copy)]
pub enum Seal<'a> {
    /// Whoever knows the passphrase.
    Passphrase(&'a Passphrase, Work),
    /// Whoever has the private key of one of these, 1 to 20. The host itself cannot open it.
    Recipients(&'a [Recipient]),
}

/// What opens a backup.
#[derive(Debug, Clone, Copy)]
pub enum Open<'a> {
    /// The passphrase that it was sealed with.
    Passphrase(&'a Passphrase),
    /// The private key of one of its recipients.
    Identity(&'a Identity),
}

/// Writes the header to `out`; what is then written to the result is sealed, and is whole after
/// [`Sealed::finish`] only.
pub fn seal<W: Write>(
    mut out: W,
    seal: &Seal<'_>,
    random: Random<'_>,
) -> Result<Sealed<W>, BackupError> {
    let mut file_key = FileKey::default();
    random(&mut *file_key);
    let mut nonce = [0; payload::NONCE];
    let header = header::write(&wrap::wrap(seal, &file_key, random)?, &file_key);
    random(&mut nonce);
    out.write_all(&header)
        .and_then(|()| out.write_all(&nonce))
        .map_err(BackupError::writing)?;
    Ok(Sealed::new(out, payload_key(&file_key, &nonce)))
}

/// Reads the header from `read`, which gives the whole file; the result gives what was sealed. An
/// error of the result's `read` is made a [`BackupError`] by [`BackupError::reading`].
pub fn open<R: Read>(mut read: R, open: &Open<'_>) -> Result<Opened<R>, BackupError> {
    let header = header::read(&mut read)?;
    let file_key = wrap::unwrap(&header, open)?;
    header.check(&file_key)?;
    let mut nonce = [0; payload::NONCE];
    payload::fill(&mut read, &mut nonce)
        .map_err(BackupError::reading)
        .and_then(|got| match got {
            payload::NONCE => Ok(()),
            _ => Err(crate::Damage::Chunk { number: 0 }.into()),
        })?;
    Ok(Opened::new(read, payload_key(&file_key, &nonce)))
}

/// The key that everything else of one file comes from; 16 bytes, as the format has it.
pub(crate) type FileKey = Zeroizing<[u8; 16]>;

fn payload_key(file_key: &FileKey, nonce: &[u8; payload::NONCE]) -> LessSafeKey {
    cipher(&derive(nonce, &**file_key, b"payload"))
}

fn cipher(key: &[u8; 32]) -> LessSafeKey {
    let key = UnboundKey::new(&CHACHA20_POLY1305, key).expect("the key has 32 bytes");
    LessSafeKey::new(key)
}

fn derive(salt: &[u8], secret: &[u8], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(secret)
        .expand(&[info], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut *key))
        .expect("32 bytes are one block of SHA-256");
    key
}

#[cfg(test)]
mod tests;
