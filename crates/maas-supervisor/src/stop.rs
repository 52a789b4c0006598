//! Stops every engine below a root and leaves nothing: for `quickstart`, `uninstall` and tests.

use std::{collections::BTreeMap, time::Duration};

use maas_types::{EngineId, Layout};
use rustix::process::Signal;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    argv,
    error::SupervisorError,
    recover::{Found, Life, recover},
    state,
    sweep::{Traces, sweep},
};

/// What a shim takes at most after the drain itself (`shim.rs`), and a little.
const SHIM_MARGIN: Duration = Duration::from_secs(65);

/// Stops every engine that was ever started below `layout`, drained, all of them at once; then
/// kills whatever still bears their mark, and removes their state files. Answers with how many had
/// been running. Fails with [`SupervisorError::Busy`] while a supervisor is running, which would
/// start them again.
pub async fn stop_all(layout: &Layout) -> Result<usize, SupervisorError> {
    let Some(layout) = state::existing(layout)? else {
        return Ok(0);
    };
    let _lock = state::lock(&layout)?;
    let found = recover(&layout)
        .await
        .map_err(state::failed(&layout.engines()))?;
    let running = found.iter().filter(|f| f.life == Life::Lives).count();
    let mut stops: JoinSet<(EngineId, Vec<u32>)> = JoinSet::new();
    for engine in found {
        stops.spawn(stop(engine));
    }
    let mut left = BTreeMap::new();
    while let Some(stopped) = stops.join_next().await {
        let (id, pids) = stopped.expect("stopping an engine does not panic");
        if !pids.is_empty() {
            left.insert(id, pids);
        }
    }
    if left.is_empty() {
        return Ok(running);
    }
    Err(SupervisorError::Unkillable { left })
}

async fn stop(found: Found) -> (EngineId, Vec<u32>) {
    let mut leaders = Vec::new();
    if let Some(status) = found.status {
        let drain = Duration::from_secs(found.spec.drain_seconds);
        if found.life == Life::Lives && status.shim.signal(Signal::TERM).is_ok() {
            // Late or not: what is left is swept.
            drop(timeout(drain + SHIM_MARGIN, status.shim.gone()).await);
        }
        leaders.extend([Some(status.shim), status.engine].into_iter().flatten());
    }
    let traces = Traces {
        marker: argv::marker(&found.files.spec()),
        leaders,
        parent: None,
    };
    let left = sweep(&traces).await;
    if left.is_empty() {
        drop(found.files.remove());
    }
    (found.spec.id, left)
}
