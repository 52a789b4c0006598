//! `model list`: the models of the running generation and the engines that answer for them.

use maas_store::Generation;
use maas_types::{EngineEntry, EngineState, EngineTable, Exit, Layout, ModelManifest};
use serde::Serialize;

use super::lookup::published;
use crate::{
    cli::ModelCommand,
    error::{CommandError, CommandResult},
    output::{self, Format},
};

#[derive(Debug, Serialize)]
struct ModelList {
    schema: &'static str,
    models: Vec<ListedModel>,
}

#[derive(Debug, Serialize)]
struct ListedModel {
    manifest: ModelManifest,
    engines: Vec<EngineEntry>,
}

/// Does what `model …` says.
pub(super) fn run(command: &ModelCommand, layout: &Layout) -> CommandResult {
    let ModelCommand::List(json) = command;
    let generation = Generation::current(layout)?.ok_or_else(|| {
        CommandError::new(Exit::NotFound, "no bundle is installed")
            .hint("maas-appliance install --media DIR")
    })?;
    let table: Option<EngineTable> = published(&layout.engine_table())?;
    let engines = table.map_or_else(Vec::new, |table| table.engines);
    let models: Vec<_> = generation
        .models()
        .iter()
        .map(|model| ListedModel {
            manifest: model.manifest.clone(),
            engines: engines
                .iter()
                .filter(|e| e.model == model.manifest.name)
                .cloned()
                .collect(),
        })
        .collect();
    match json.format() {
        Format::Json => output::json(&ModelList {
            schema: "maas-appliance/model-list/v1",
            models,
        })?,
        Format::Text => output::data(&text(&models)),
    }
    Ok(Exit::Done)
}

fn text(models: &[ListedModel]) -> String {
    let row = |ListedModel { manifest, engines }: &ListedModel| {
        let ready = engines
            .iter()
            .filter(|e| e.state == EngineState::Ready)
            .count();
        [
            manifest.name.to_string(),
            manifest.title.clone(),
            manifest.context.to_string(),
            manifest.licence.clone(),
            format!("{ready} of {}", manifest.engine.replicas),
        ]
    };
    output::columns(
        ["MODEL", "TITLE", "CTX", "LICENCE", "READY"],
        0..0,
        models.iter().map(row),
    )
}
