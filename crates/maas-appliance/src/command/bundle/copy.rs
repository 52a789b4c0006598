//! `bundle copy`: onto sticks, and then looking whether they have taken it.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use maas_bundle::{
    Consignment, Copied, Inspection, Media, Sink, Spread, compare_copy, volumes_needed,
};
use maas_store::{MediaFolder, SinkFolder};
use maas_types::{ByteSize, Digest, Exit};
use rustix::fs::Advice;

use super::{paper, text};
use crate::{
    cli::CopyArgs,
    command::{
        install::{as_media, open_media},
        inventory,
        progress::Shown,
    },
    error::{CommandError, CommandResult},
    output::{self, Format},
};

/// Copies, reads again, and says what to write on each stick.
pub(super) fn run(args: &CopyArgs) -> CommandResult {
    let from = MediaFolder::open(&args.bundle)?;
    let have = inventory::have(args.have.as_deref())?;
    let folders = folders(args, &from, &have)?;
    let copied = write(args, &from, &folders, &have)?;
    if !args.no_verify {
        compare(&folders)?;
    }
    for (volume, folder) in copied.iter().zip(&folders) {
        output::words(&format!(
            "{folder}: write on the stick: {}   ({} objects, {})",
            volume.label,
            volume.objects,
            ByteSize(volume.bytes)
        ));
    }
    if args.label {
        let media = open_media(&folders)?;
        let inspection: Inspection = maas_bundle::inspect(&as_media(&media), None)?;
        for volume in &copied {
            output::data(&paper::label(&inspection, volume));
        }
    }
    Ok(Exit::Done)
}

/// The folders to write to: those named, or as many as volumes of a size are needed.
fn folders(
    args: &CopyArgs,
    from: &MediaFolder,
    have: &BTreeSet<Digest>,
) -> Result<Vec<Utf8PathBuf>, CommandError> {
    let Some(size) = args.volume_size else {
        return Ok(args.to.clone());
    };
    let [below] = args.to.as_slice() else {
        return Err(CommandError::usage(
            "--volume-size makes its volumes below one folder: give one --to",
        ));
    };
    let consignment = consignment(&Spread::Evenly, have, &maas_bundle::Silent);
    let count = volumes_needed(&[from], &consignment, size.0)?;
    Ok((1..=count)
        .map(|volume| below.join(format!("volume-{volume}")))
        .collect())
}

fn consignment<'a>(
    spread: &'a Spread,
    have: &'a BTreeSet<Digest>,
    progress: &'a dyn maas_bundle::Progress,
) -> Consignment<'a> {
    Consignment {
        bundle: None,
        spread,
        have,
        progress,
    }
}

fn write(
    args: &CopyArgs,
    from: &MediaFolder,
    folders: &[Utf8PathBuf],
    have: &BTreeSet<Digest>,
) -> Result<Vec<Copied>, CommandError> {
    let mut sinks = folders
        .iter()
        .map(|folder| SinkFolder::create(folder))
        .collect::<Result<Vec<_>, _>>()?;
    let spread = match args.volume_size {
        Some(size) => Spread::Capacities(vec![size.0; folders.len()]),
        None => Spread::Room(rooms(folders)?),
    };
    let mut sinks: Vec<&mut dyn Sink> =
        sinks.iter_mut().map(|sink| sink as &mut dyn Sink).collect();
    let shown = Shown::default();
    let consignment = consignment(&spread, have, &shown);
    let copied = maas_bundle::copy(&[from], &mut sinks, &consignment)?;
    shown.end();
    Ok(copied)
}

/// Free bytes on each stick. Folders on one file system share its room, so each gets its part of it.
fn rooms(folders: &[Utf8PathBuf]) -> Result<Vec<u64>, CommandError> {
    let mut disks = Vec::new();
    for folder in folders {
        let room = rustix::fs::statvfs(folder.as_str()).map_err(std::io::Error::from)?;
        let device = rustix::fs::stat(folder.as_str())
            .map_err(std::io::Error::from)?
            .st_dev;
        disks.push((device, room.f_bavail.saturating_mul(room.f_frsize)));
    }
    let shared = |device| disks.iter().filter(|(other, _)| *other == device).count() as u64;
    Ok(disks
        .iter()
        .map(|(device, free)| free / shared(*device))
        .collect())
}

/// Reads every byte again and compares it. Sticks that lie about their size or drop what they were given
/// are found here, and not on the other side of a fence.
fn compare(folders: &[Utf8PathBuf]) -> Result<(), CommandError> {
    for folder in folders {
        forget_cached(folder)?;
    }
    let media = open_media(folders)?;
    let shown = Shown::default();
    let report = compare_copy(&as_media(&media), None, &shown)?;
    shown.end();
    if report.is_good() {
        output::words(&format!(
            "Read again and compared: {} files, {}.",
            report.files,
            ByteSize(report.bytes)
        ));
        return Ok(());
    }
    for problem in &report.problems {
        output::words(&format!("FAIL  {problem}"));
    }
    Err(CommandError::new(
        report.exit(),
        "what was read again is not what was written: a failing stick, reader or memory",
    )
    .hint("write to another stick; try this one in another port before it is thrown away"))
}

/// Has the kernel drop what it remembers of the files, so that the stick itself is read. They were
/// forced to it when they were written, so there is nothing unwritten to keep (`posix_fadvise(2)`).
fn forget_cached(folder: &Utf8Path) -> Result<(), CommandError> {
    for entry in folder.read_dir_utf8()? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            forget_cached(entry.path())?;
        } else if kind.is_file() {
            let file = fs_err::File::open(entry.path())?;
            // Advice: where it is not taken, the comparison is of the cache, as it would be without.
            rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).ok();
        }
    }
    Ok(())
}

/// Compares two bundles by what they say of themselves.
pub(super) fn diff(from: &Utf8Path, to: &Utf8Path, format: Format) -> CommandResult {
    let (from, to) = (MediaFolder::open(from)?, MediaFolder::open(to)?);
    let difference = maas_bundle::diff(&[&from as &dyn Media], &[&to as &dyn Media])?;
    match format {
        Format::Json => output::json(&difference)?,
        Format::Text => output::data(&text::difference(&difference)),
    }
    Ok(Exit::Done)
}
