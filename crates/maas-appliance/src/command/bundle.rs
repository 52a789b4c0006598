//! `bundle …`: build, sign, copy, inspect, compare, verify.

mod bootstrap;
mod build;
mod copy;
mod fetch;
mod paper;
mod sign;
pub(super) mod text;
mod verify;

use camino::Utf8PathBuf;
use maas_types::{Exit, Layout};

use super::{
    install::{as_media, open_media},
    waiting,
};
use crate::{
    cli::BundleCommand,
    error::CommandResult,
    output::{self, Format},
};

/// Does what `bundle …` says.
pub(super) fn run(command: BundleCommand, layout: &Layout) -> CommandResult {
    match command {
        BundleCommand::Fetch(command) => waiting(fetch::run(command)),
        BundleCommand::Build(args) => build::run(args),
        BundleCommand::Sign {
            bundle,
            key,
            passphrase,
            merge,
        } => sign::run(&bundle, key.as_deref(), &passphrase, &merge),
        BundleCommand::Copy(args) => copy::run(&args),
        BundleCommand::Inspect {
            media,
            signers,
            json,
        } => inspect(&media, signers, json.format()),
        BundleCommand::Diff { from, to, json } => copy::diff(&from, &to, json.format()),
        BundleCommand::Verify(args) => verify::run(&args, layout),
    }
}

fn inspect(media: &[Utf8PathBuf], signers: bool, format: Format) -> CommandResult {
    let folders = open_media(media)?;
    let inspection = maas_bundle::inspect(&as_media(&folders), None)?;
    match format {
        Format::Json => output::json(&inspection)?,
        Format::Text if signers => output::data(&text::signers(&inspection)),
        Format::Text => output::data(&text::inspection(&inspection)),
    }
    Ok(Exit::Done)
}
