//! `supervisor`: keeps the engines of the current generation running.

use std::io;

use camino::Utf8PathBuf;
use maas_store::Generation;
use maas_supervisor::{
    BackEnd, DevicePolicy, EngineRoot, Settings, StopEngines, Supervisor, Wish, Wishes,
};
use maas_types::{Exit, Layout};
use tokio::task::JoinSet;

use crate::{
    cli::SupervisorArgs,
    command::image,
    config::{Config, Device, Runtime},
    error::{CommandError, CommandResult},
    notify::{self, Watchdog},
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
        back_end: if args.units {
            BackEnd::Units {
                launcher: layout.launcher_socket(),
            }
        } else {
            BackEnd::Direct
        },
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
    let runtime = config.engines.runtime;
    let source = Box::new(move || {
        wishes(&generations, &runtime)
            .map_err(|error| io::Error::other(error.render().trim_end().to_owned()).into())
    });
    let mut watchdog = Watchdog::of_unit();
    let supervisor = Supervisor::new(settings, &layout, source)?;
    notify::ready("looks after the engines");
    supervisor
        .on_every_turn(move || watchdog.beat())
        .run(stop)
        .await?;
    notify::stopping();
    Ok(Exit::Done)
}

/// What the current generation wants to have running. The folders are the generation's own, not
/// those below `current`: an engine keeps its files when the link moves. An engine whose model has the
/// same files in the new generation goes on serving.
fn wishes(layout: &Layout, runtime: &Runtime) -> Result<Wishes, CommandError> {
    let Some(generation) = Generation::current(layout)? else {
        return Ok(Wishes::default());
    };
    let root = engine_root(layout, runtime, &generation)?;
    let models = generation.models().iter().map(|model| Wish {
        root: root.clone(),
        manifest: model.manifest.clone(),
        folder: model.folder.clone(),
        content: Some(model.content),
    });
    Ok(Wishes {
        generation: Some(generation.id()),
        models: models.collect(),
    })
}

/// The image that the engines of a generation run in, as `install` has unpacked it.
fn engine_root(
    layout: &Layout,
    runtime: &Runtime,
    generation: &Generation,
) -> Result<Option<EngineRoot>, CommandError> {
    let Some(image) = image::of_engines(runtime, generation)? else {
        return Ok(None);
    };
    let folder = layout.image_root(&image.manifest);
    let env = image::environment(&layout.image(&image.manifest))?;
    Ok(Some(EngineRoot { folder, env }))
}
