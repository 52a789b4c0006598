//! `bundle sign`.

use camino::{Utf8Path, Utf8PathBuf};
use maas_bundle::{Media, Metadata, Signer, bundles_on};
use maas_store::{MediaFolder, SinkFolder};
use maas_types::{BundleId, Exit};

use super::text;
use crate::{
    cli::{ElsewhereArgs, PassphraseArgs},
    command::{
        elsewhere::{bring, export},
        key,
    },
    error::{CommandError, CommandResult},
    output,
};

/// Adds a key's signature, takes over those of other copies, or lets a token sign.
pub(super) fn run(
    folder: &Utf8Path,
    key: Option<&Utf8Path>,
    passphrase: &PassphraseArgs,
    merge: &[Utf8PathBuf],
    elsewhere: &ElsewhereArgs,
) -> CommandResult {
    let media = MediaFolder::open(folder)?;
    let id = only_bundle(&media)?;
    let mut metadata = Metadata::read(&media, &id)?;
    if let Some(to) = &elsewhere.export {
        return export(to, &metadata.to_be_signed());
    }
    for other in merge {
        let added = metadata.merge(&Metadata::read(&MediaFolder::open(other)?, &id)?)?;
        output::words(&format!("{added} signature(s) taken over from {other}"));
    }
    if let Some(path) = key {
        sign(&mut metadata, &key::open(path, passphrase)?)?;
    }
    if let (Some(public), Some(from)) = (&elsewhere.public, &elsewhere.signatures) {
        let signer = bring(public, from, metadata.to_be_signed())?;
        sign(&mut metadata, &signer)?;
    }
    metadata.write(&mut SinkFolder::create(folder)?)?;
    output::words(&text::progress(&metadata));
    Ok(Exit::Done)
}

fn sign(metadata: &mut Metadata, signer: &dyn Signer) -> Result<(), CommandError> {
    let signed = metadata.sign(signer)?;
    let (who, id) = (signer.public().id().short(), metadata.bundle());
    output::words(&if signed.is_empty() {
        format!("Key {who} had signed {id} before; nothing changed.")
    } else {
        format!("Key {who} has signed {} file(s) of {id}.", signed.len())
    });
    Ok(())
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
