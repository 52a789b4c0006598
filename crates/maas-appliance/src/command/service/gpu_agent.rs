//! `gpu-agent`: asks NVML and publishes what it says.

use std::time::Duration;

use maas_gpu::{AgentSettings, GpuAgent};
use maas_store::atomic;
use maas_types::{Exit, Layout};
use tokio::task::JoinSet;

use crate::{
    clock,
    config::Config,
    error::CommandResult,
    notify::{self, Watchdog},
};

/// Publishes `gpus.json` until told to stop.
pub(in crate::command) async fn run(layout: &Layout, config: &Config) -> CommandResult {
    let mut tasks = JoinSet::new();
    let stop = super::told_to_stop(&mut tasks)?;
    let path = layout.gpu_inventory();
    fs_err::create_dir_all(layout.run())?;
    let settings = AgentSettings {
        library: config.gpus.library.clone(),
        interval: Duration::from_secs(config.gpus.interval_seconds),
        ..AgentSettings::default()
    };
    let (agent, mut inventory) = GpuAgent::new(settings, clock::now);
    tasks.spawn(async move {
        let error = agent.run().await;
        tracing::error!(%error, "The agent cannot go on");
    });
    tasks.spawn(Watchdog::of_unit().beats());
    notify::ready("asks NVML");
    loop {
        let bytes = serde_json::to_vec_pretty(&*inventory.borrow_and_update());
        match bytes.map(|bytes| atomic::replace(&path, &bytes)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%path, %error, "Cannot publish GPU facts"),
            Err(error) => tracing::error!(%error, "Cannot write GPU facts as JSON"),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(Exit::Done),
            changed = inventory.changed() => if changed.is_err() {
                return Ok(Exit::Failed);
            },
        }
    }
}
