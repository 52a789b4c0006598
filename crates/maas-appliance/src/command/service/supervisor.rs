//! `supervisor`: keeps the engines of the current generation running.

use camino::Utf8PathBuf;
use maas_store::Generation;
use maas_supervisor::{DevicePolicy, Settings, StopEngines, Supervisor, Wish, Wishes};
use maas_types::{Exit, Layout};
use tokio::task::JoinSet;

use crate::{
    cli::SupervisorArgs,
    config::{Config, Device},
    error::CommandResult,
};

/// Runs until told to stop.
pub(in crate::command) async fn run(
    layout: Layout,
    config: Config,
    args: &SupervisorArgs,
    appliance: Utf8PathBuf,
) -> CommandResult {
    let mut tasks = JoinSet::new();
    let stop = super::told_to_stop(&mut tasks)?;
    let settings = Settings {
        device: match config.engines.device {
            Device::Auto => DevicePolicy::Auto,
            Device::Cpu => DevicePolicy::Cpu,
            Device::Gpu => DevicePolicy::Gpu,
        },
        kind: config.engines.kind,
        vllm: config.engines.vllm,
        appliance,
        simulate: config.engines.simulate,
        stop_engines: if args.stop_engines {
            StopEngines::WithSupervisor
        } else {
            StopEngines::Never
        },
        remote_code: config.policy.remote_code,
        drain_seconds: config.engines.drain_seconds,
    };
    let generations = layout.clone();
    let source = Box::new(move || Ok(wishes(&generations)?));
    Supervisor::new(settings, &layout, source)?
        .run(stop)
        .await?;
    Ok(Exit::Done)
}

/// What the current generation wants to have running. The folders are the generation's own, not
/// those below `current`: an engine keeps its files when the link moves. An engine whose model has the
/// same files in the new generation goes on serving.
fn wishes(layout: &Layout) -> Result<Wishes, maas_store::StoreError> {
    let Some(generation) = Generation::current(layout)? else {
        return Ok(Wishes::default());
    };
    let models = generation.models().iter().map(|model| Wish {
        manifest: model.manifest.clone(),
        folder: model.folder.clone(),
        content: Some(model.content),
    });
    Ok(Wishes {
        generation: Some(generation.id()),
        models: models.collect(),
    })
}
