//! `bundle …`: build, sign, copy, inspect, compare, verify.

mod bootstrap;
mod build;
mod copy;
mod fetch;
mod paper;
mod sign;
pub(super) mod text;
mod verify;

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
            elsewhere,
        } => sign::run(&bundle, key.as_deref(), &passphrase, &merge, &elsewhere),
        BundleCommand::Copy(args) => copy::run(&args),
        BundleCommand::Inspect {
            media,
            signers,
            json,
        } => {
            let folders = open_media(&media)?;
            let inspection = maas_bundle::inspect(&as_media(&folders), None)?;
            match json.format() {
                Format::Json => output::json(&inspection)?,
                Format::Text if signers => output::data(&text::signers(&inspection)),
                Format::Text => output::data(&text::inspection(&inspection)),
            }
            Ok(Exit::Done)
        }
        BundleCommand::Diff { from, to, json } => copy::diff(&from, &to, json.format()),
        BundleCommand::Verify(args) => verify::run(&args, layout),
    }
}
