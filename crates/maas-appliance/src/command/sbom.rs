//! `sbom …`: what the running release is made of, by its signed bills of materials.

use std::fmt::Write as _;

use camino::Utf8Path;
use maas_sbom::{Item, Summary};
use maas_store::{Generation, Store};
use maas_types::{Document, DocumentKind, Exit, Layout};
use serde::Serialize;

use crate::{
    cli::SbomCommand,
    error::{CommandError, CommandResult},
    output::{self, Format},
};

/// `sbom list --json`.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    schema: &'static str,
    documents: &'a [Document],
}

/// `sbom show --json`.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    schema: &'static str,
    of: &'a str,
    #[serde(flatten)]
    summary: &'a Summary,
}

/// Lists, shows or exports.
pub(super) fn run(command: SbomCommand, layout: &Layout) -> CommandResult {
    let generation = Generation::current(layout)?.ok_or_else(|| {
        CommandError::new(Exit::NotFound, "nothing is installed")
            .hint("maas-appliance install --media DIR")
    })?;
    let documents = &generation.record().bill.documents;
    match command {
        SbomCommand::List(json) => list(documents, json.format()),
        SbomCommand::Show { of, out, json } => {
            let document = documents
                .iter()
                .find(|document| document.of == of && document.kind == DocumentKind::Sbom)
                .ok_or_else(|| {
                    let text = format!("the release has no bill of materials of `{of}`");
                    CommandError::new(Exit::NotFound, text).hint("maas-appliance sbom list")
                })?;
            let bytes = fs_err::read(Store::new(layout).path(&document.blob))?;
            match out {
                Some(path) => export(&path, &bytes),
                None => show(&of, &bytes, json.format()),
            }
        }
    }
}

fn list(documents: &[Document], format: Format) -> CommandResult {
    match format {
        Format::Json => output::json(&Listed {
            schema: "maas-appliance/sbom-list/v1",
            documents,
        })?,
        Format::Text if documents.is_empty() => {
            output::words("The running release has no documents.");
        }
        Format::Text => {
            let rows = documents.iter().map(|document| {
                let kind = match document.kind {
                    DocumentKind::Sbom => "bill of materials",
                    DocumentKind::Provenance => "statement of origin",
                };
                [
                    document.of.clone(),
                    kind.to_owned(),
                    document.media_type.clone(),
                    document.blob.to_string(),
                ]
            });
            output::data(&output::columns(
                ["OF", "WHAT", "TYPE", "DIGEST"],
                0..0,
                rows,
            ));
        }
    }
    Ok(Exit::Done)
}

fn export(path: &Utf8Path, bytes: &[u8]) -> CommandResult {
    fs_err::write(path, bytes)?;
    output::words(&format!("Written to {path}."));
    Ok(Exit::Done)
}

fn show(of: &str, bytes: &[u8], format: Format) -> CommandResult {
    let summary = maas_sbom::summary(bytes)
        .map_err(|error| CommandError::new(Exit::Content, format!("`{of}`: {error}")))?;
    match format {
        Format::Json => output::json(&Shown {
            schema: "maas-appliance/sbom-show/v1",
            of,
            summary: &summary,
        })?,
        Format::Text => output::data(&text(&summary)),
    }
    Ok(Exit::Done)
}

fn text(summary: &Summary) -> String {
    let mut text = String::new();
    if let Some(subject) = &summary.subject {
        let [kind, name, version, licence] = row(subject);
        let _ = writeln!(text, "{kind} {name} {version}   {licence}");
    }
    let counts: Vec<_> = summary
        .counts
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let _ = writeln!(text, "{}", counts.join(", "));
    for limit in &summary.completeness {
        let _ = writeln!(text, "note: {limit}");
    }
    if !summary.items.is_empty() {
        let rows = summary.items.iter().map(row);
        text.push('\n');
        text.push_str(&output::columns(
            ["KIND", "NAME", "VERSION", "LICENCE"],
            0..0,
            rows,
        ));
    }
    text
}

fn row(item: &Item) -> [String; 4] {
    [
        item.kind.clone(),
        item.name.clone(),
        item.version.clone().unwrap_or_default(),
        item.licences.join(", "),
    ]
}
