//! Volumes one after the other: for a host with one port, and for whoever finds the third stick later.

use camino::{Utf8Path, Utf8PathBuf};
use maas_bundle::Media;
use maas_install::Plan;
use maas_store::{Lock, MediaFolder, MissingBytes};
use maas_types::{ByteSize, Exit};

use super::{Turn, open_media};
use crate::{command::progress::Shown, error::CommandError, output};

/// Stores what is on these volumes and not here yet.
pub(super) fn take(
    plan: &Plan<'_>,
    lock: &Lock,
    media: &[&dyn Media],
) -> Result<Turn, CommandError> {
    let labels: Vec<_> = media.iter().map(|volume| volume.label()).collect();
    output::words(&format!("Storing what is on {}", labels.join(" and ")));
    let shown = Shown::default();
    let (stored, missing) =
        maas_install::take_volume(plan, lock, media, &mut |event| match event {
            maas_store::Progress::Planned { to_read, .. } => shown.begin("copy + hash", to_read),
            maas_store::Progress::Read(bytes) => shown.add(bytes),
            maas_store::Progress::Rehashed(_) | maas_store::Progress::Stored(_) => {}
        })?;
    shown.end();
    output::words(&format!(
        "Read {} from it. What is stored stays, and is not read again.",
        ByteSize(stored.bytes_read)
    ));
    Ok(match missing {
        Some(missing) => Turn::Next(missing),
        None => Turn::Again,
    })
}

/// Waits for the next volume where somebody can put it in, and says which one it is where not.
pub(super) fn next(
    missing: &MissingBytes,
    before: &[Utf8PathBuf],
) -> Result<Vec<MediaFolder>, CommandError> {
    let which = match &missing.should_be_on {
        Some(label) => format!("`{label}`"),
        None => format!("the volume with `{}`", missing.path),
    };
    let amount = format!("{} files, {}", missing.objects, ByteSize(missing.bytes));
    if !output::answerable() {
        let text = format!("{which} is needed next ({amount} are missing)");
        return Err(CommandError::new(Exit::Medium, text)
            .hint("put it in and run the same command again; what is stored is not read again"));
    }
    loop {
        output::words(&format!(
            "{amount} are missing. Put in {which}, then press Enter, or type the folder where it is:"
        ));
        let mut answer = String::new();
        if std::io::stdin().read_line(&mut answer)? == 0 {
            return Err(CommandError::new(
                Exit::Medium,
                format!("{which} is needed next"),
            ));
        }
        let folders = match answer.trim() {
            "" => before.to_vec(),
            folder => vec![Utf8Path::new(folder).to_owned()],
        };
        match open_media(&folders) {
            Ok(media) => return Ok(media),
            Err(error) => output::words(&error.render()),
        }
    }
}
