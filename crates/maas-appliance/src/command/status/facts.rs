//! What `status` looks at: files of the services, the generation, the gateway's own word.

use camino::Utf8PathBuf;
use jiff::Timestamp;
use maas_gateway::admin;
use maas_store::Generation;
use maas_types::{
    BundleId, EngineId, EngineKind, EngineState, EngineTable, GenerationId, Gpu, GpuInventory,
    Layout, ModelName, NvmlHealth, Task,
};
use serde::Serialize;

use crate::{command::lookup::published, config::Config, error::CommandError};

/// Everything that was found.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) url: String,
    pub(crate) generation: Option<GenerationFacts>,
    pub(crate) models: Vec<ModelFacts>,
    pub(crate) gpus: Option<GpuFacts>,
    pub(crate) gateway: Option<GatewayFacts>,
    pub(crate) table_written: Option<Timestamp>,
}

/// The running generation.
#[derive(Debug, Serialize)]
pub(crate) struct GenerationFacts {
    pub(crate) id: GenerationId,
    pub(crate) bundle: BundleId,
    pub(crate) version: String,
    pub(crate) installed: Timestamp,
}

/// A model and its engines.
#[derive(Debug, Serialize)]
pub(crate) struct ModelFacts {
    pub(crate) name: ModelName,
    pub(crate) title: String,
    pub(crate) task: Task,
    pub(crate) context: u64,
    pub(crate) engines: Vec<EngineFacts>,
}

/// An engine as the supervisor's table has it.
#[derive(Debug, Serialize)]
pub(crate) struct EngineFacts {
    pub(crate) id: EngineId,
    pub(crate) kind: EngineKind,
    pub(crate) state: EngineState,
    pub(crate) since: Timestamp,
    pub(crate) progress_percent: Option<u8>,
    pub(crate) reason: Option<String>,
    pub(crate) gpus: Vec<String>,
    pub(crate) restarts: u32,
    pub(crate) log: Utf8PathBuf,
}

/// What the agent published.
#[derive(Debug, Serialize)]
pub(crate) struct GpuFacts {
    #[serde(flatten)]
    pub(crate) nvml: NvmlHealth,
    pub(crate) written: Timestamp,
    pub(crate) answered: Option<Timestamp>,
    pub(crate) driver: Option<String>,
    pub(crate) gpus: Vec<Gpu>,
    pub(crate) unidentified: Vec<String>,
}

/// What the gateway says of itself.
#[derive(Debug, Serialize)]
pub(crate) struct GatewayFacts {
    pub(crate) uptime_seconds: u64,
    pub(crate) in_flight: usize,
    pub(crate) ledger_healthy: bool,
}

impl Facts {
    /// Looks at everything once. What is not there is `None`; what cannot be read is an error.
    pub(crate) async fn gather(layout: &Layout, config: &Config) -> Result<Self, CommandError> {
        let generation = Generation::current(layout)?;
        let table: Option<EngineTable> = published(&layout.engine_table())?;
        let gpus: Option<GpuInventory> = published(&layout.gpu_inventory())?;
        let models = generation.as_ref().map_or_else(Vec::new, |generation| {
            let engines = table.as_ref().map_or(&[][..], |table| &table.engines);
            generation
                .models()
                .iter()
                .map(|model| ModelFacts {
                    name: model.manifest.name.clone(),
                    title: model.manifest.title.clone(),
                    task: model.manifest.task,
                    context: model.manifest.context,
                    engines: engines
                        .iter()
                        .filter(|engine| engine.model == model.manifest.name)
                        .map(|engine| EngineFacts::of(engine, layout, gpus.as_ref()))
                        .collect(),
                })
                .collect()
        });
        Ok(Self {
            url: config.url(),
            generation: generation.as_ref().map(|generation| GenerationFacts {
                id: generation.record().id,
                bundle: generation.record().bundle.clone(),
                version: generation.record().bill.version.clone(),
                installed: generation.record().installed,
            }),
            models,
            table_written: table.map(|table| table.written),
            gpus: gpus.map(|gpus| GpuFacts {
                nvml: gpus.nvml,
                written: gpus.written,
                answered: gpus.answered,
                driver: gpus.driver,
                gpus: gpus.gpus,
                unidentified: gpus.unidentified,
            }),
            gateway: GatewayFacts::ask(layout).await,
        })
    }
}

impl EngineFacts {
    fn of(
        engine: &maas_types::EngineEntry,
        layout: &Layout,
        inventory: Option<&GpuInventory>,
    ) -> Self {
        // People know GPUs by index; the JSON of `gpu list` has both.
        let index = |uuid: &maas_types::GpuUuid| {
            let gpus = inventory.map_or(&[][..], |inventory| &inventory.gpus);
            let gpu = gpus.iter().find(|gpu| gpu.uuid == *uuid);
            gpu.map_or_else(|| uuid.to_string(), |gpu| gpu.index.to_string())
        };
        Self {
            id: engine.id.clone(),
            kind: engine.kind,
            state: engine.state,
            since: engine.since,
            progress_percent: engine.progress_percent,
            reason: engine.reason.clone(),
            gpus: engine.gpus.iter().map(index).collect(),
            restarts: engine.restarts,
            log: layout.engine_log(&engine.id),
        }
    }
}

impl GatewayFacts {
    async fn ask(layout: &Layout) -> Option<Self> {
        let status = admin::Client::new(layout).status().await.ok()?;
        Some(Self {
            uptime_seconds: status.uptime_seconds,
            in_flight: status.engines.iter().map(|engine| engine.in_flight).sum(),
            ledger_healthy: status.ledger_healthy,
        })
    }
}
