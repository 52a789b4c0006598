//! Where passphrases come from: a file, or a person at a terminal. Never arguments, never the
//! environment: other processes can read those.

use camino::Utf8Path;
use maas_types::Exit;
use zeroize::Zeroizing;

use crate::{cli::PassphraseArgs, error::CommandError, output};

/// What a passphrase is for: a new key's is asked twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Opens a key that exists.
    Open,
    /// Seals a key that is being made.
    Seal,
}

/// Reads the passphrase for `key`.
pub(super) fn read(
    args: &PassphraseArgs,
    key: &Utf8Path,
    purpose: Purpose,
) -> Result<Zeroizing<String>, CommandError> {
    if let Some(file) = &args.passphrase_file {
        let text = Zeroizing::new(fs_err::read_to_string(file)?);
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() {
            return Err(CommandError::usage(format!(
                "the first line of {file} is empty"
            )));
        }
        return Ok(Zeroizing::new(line.to_owned()));
    }
    if !output::answerable() {
        return Err(
            CommandError::new(Exit::Usage, format!("{key} needs a passphrase"))
                .hint("there is no terminal to ask on; give it with --passphrase-file FILE"),
        );
    }
    let first = Zeroizing::new(rpassword::prompt_password(format!(
        "Passphrase of {key}: "
    ))?);
    if purpose == Purpose::Seal {
        let second = Zeroizing::new(rpassword::prompt_password("The same again: ")?);
        if first != second {
            return Err(CommandError::usage(
                "the two passphrases differ; nothing was written",
            ));
        }
    }
    Ok(first)
}
