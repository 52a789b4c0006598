//! Signatures that are made elsewhere, by a key that does not leave its token: files out, signatures in.

use camino::Utf8Path;
use maas_bundle::Detached;
use maas_types::Exit;

use super::key;
use crate::{
    error::{CommandError, CommandResult},
    output,
};

/// What is to be signed: names, and the bytes of each.
type ToBeSigned = Vec<(String, Vec<u8>)>;

/// Writes each into `folder`.
pub(super) fn export(folder: &Utf8Path, to_be_signed: &ToBeSigned) -> CommandResult {
    fs_err::create_dir_all(folder)?;
    for (name, bytes) in to_be_signed {
        fs_err::write(folder.join(format!("{name}.tbs")), bytes)?;
        output::words(&format!("{folder}/{name}.tbs"));
    }
    output::words(
        "Sign each of these as they are: Ed25519 over the bytes, ECDSA over their SHA-256 with the signature in DER.\n\
         Put each signature beside it as NAME.sig, and bring them: --public KEY.pub --signatures DIR",
    );
    Ok(Exit::Done)
}

/// The signatures that lie in `folder`. Those that the key need not make may be missing.
pub(super) fn bring(
    public: &Utf8Path,
    folder: &Utf8Path,
    to_be_signed: ToBeSigned,
) -> Result<Detached, CommandError> {
    let mut signed = Vec::new();
    for (name, bytes) in to_be_signed {
        let path = folder.join(format!("{name}.sig"));
        if path.exists() {
            signed.push((bytes, fs_err::read(path)?));
        }
    }
    if signed.is_empty() {
        let text = format!("there is no signature of this in {folder}");
        return Err(CommandError::new(Exit::NotFound, text)
            .hint("signatures are called ROLE-VERSION.sig, beside what --export wrote"));
    }
    Ok(Detached::new(key::open_public(public)?, signed))
}
