//! `key gen`: a signing key for one person.

use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};

use camino::Utf8Path;
use maas_bundle::{Algorithm, PrivateKey, PublicKey};
use maas_types::Exit;
use zeroize::Zeroizing;

use super::passphrase::{self, Purpose};
use crate::{
    cli::{KeyAlgorithm, KeyCommand},
    error::{CommandError, CommandResult},
    output,
};

/// Does what `key …` says.
pub(super) fn run(command: KeyCommand) -> CommandResult {
    let KeyCommand::Gen {
        out,
        algorithm,
        passphrase,
        unsafe_without_passphrase,
    } = command;
    let algorithm = match algorithm {
        KeyAlgorithm::Ed25519 => Algorithm::Ed25519,
        KeyAlgorithm::P256 => Algorithm::EcdsaP256,
    };
    let key = PrivateKey::generate(algorithm, random()?);
    let pem = if unsafe_without_passphrase {
        key.unsafe_to_plain_pem()
    } else {
        let passphrase = passphrase::read(&passphrase, &out, Purpose::Seal)?;
        Zeroizing::new(key.to_pem(&passphrase, &*random()?)?)
    };
    let public = Utf8Path::new(&format!("{out}.pub")).to_owned();
    // The private key first: a public key without one would be of no use.
    write_new(&out, pem.as_bytes(), 0o600)?;
    write_new(&public, key.public().to_pem().as_bytes(), 0o644)?;
    output::words(&format!(
        "Private key  {out}   (keep it; nobody else needs it)"
    ));
    output::words(&format!(
        "Public key   {public}   id {}, {algorithm}",
        key.public().id().short()
    ));
    Ok(Exit::Done)
}

/// 32 random bytes from the operating system.
fn random() -> Result<Zeroizing<[u8; 32]>, CommandError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|error| CommandError::new(Exit::Failed, error))?;
    Ok(bytes)
}

/// Writes a file that must not be there yet: a key is never overwritten.
fn write_new(path: &Utf8Path, bytes: &[u8], mode: u32) -> Result<(), CommandError> {
    let mut options = fs_err::OpenOptions::new();
    options.options_mut().mode(mode);
    let mut file = options.write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}

/// Reads a private key, asking for its passphrase only if it has one.
pub(super) fn open(
    path: &Utf8Path,
    passphrase: &crate::cli::PassphraseArgs,
) -> Result<PrivateKey, CommandError> {
    let pem = Zeroizing::new(fs_err::read_to_string(path)?);
    let key = match PrivateKey::open(&pem, None) {
        Err(maas_bundle::KeyError::NeedsPassphrase) => {
            let passphrase = passphrase::read(passphrase, path, Purpose::Open)?;
            PrivateKey::open(&pem, Some(&passphrase))
        }
        other => other,
    };
    key.map_err(|error| named(path, &error))
}

/// Reads a public key.
pub(super) fn open_public(path: &Utf8Path) -> Result<PublicKey, CommandError> {
    PublicKey::from_pem(&fs_err::read_to_string(path)?).map_err(|error| named(path, &error))
}

/// The key's error, with the file's name in front.
fn named(path: &Utf8Path, error: &maas_bundle::KeyError) -> CommandError {
    CommandError::new(error.exit(), format!("{path}: {error}"))
}
