//! `bundle sign`.

use camino::{Utf8Path, Utf8PathBuf};
use maas_bundle::{Media, Metadata, bundles_on};
use maas_store::{MediaFolder, SinkFolder};
use maas_types::{BundleId, Exit};

use super::text;
use crate::{
    cli::PassphraseArgs,
    command::key,
    error::{CommandError, CommandResult},
    output,
};

/// Adds a key's signature, or takes over those of other copies.
pub(super) fn run(
    folder: &Utf8Path,
    key: Option<&Utf8Path>,
    passphrase: &PassphraseArgs,
    merge: &[Utf8PathBuf],
) -> CommandResult {
    let media = MediaFolder::open(folder)?;
    let id = only_bundle(&media)?;
    let mut metadata = Metadata::read(&media, &id)?;
    for other in merge {
        let added = metadata.merge(&Metadata::read(&MediaFolder::open(other)?, &id)?)?;
        output::words(&format!("{added} signature(s) taken over from {other}"));
    }
    if let Some(path) = key {
        let key = key::open(path, passphrase)?;
        let signed = metadata.sign(&key)?;
        let who = key.public().id().short();
        if signed.is_empty() {
            output::words(&format!(
                "Key {who} had signed {id} before; nothing changed."
            ));
        } else {
            output::words(&format!(
                "Key {who} has signed {} file(s) of {id}.",
                signed.len()
            ));
        }
    }
    metadata.write(&mut SinkFolder::create(folder)?)?;
    output::words(&text::progress(&metadata));
    Ok(Exit::Done)
}

fn only_bundle(media: &dyn Media) -> Result<BundleId, CommandError> {
    let mut bundles = bundles_on(media)?;
    match (bundles.pop(), bundles.is_empty()) {
        (Some(bundle), true) => Ok(bundle),
        (None, _) => Err(CommandError::new(
            Exit::NotFound,
            format!("there is no bundle in {}", media.label()),
        )),
        (Some(_), false) => Err(CommandError::usage(format!(
            "there are several bundles in {}; sign one at a time",
            media.label()
        ))),
    }
}
