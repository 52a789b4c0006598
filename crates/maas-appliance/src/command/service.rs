//! The verbs that systemd runs.

pub(super) mod engine;
pub(super) mod gateway;
pub(super) mod gpu_agent;
pub(super) mod supervisor;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::CommandError;

/// A token that is cancelled by SIGTERM (systemd) or SIGINT (a person).
///
/// Call it before anything is started: a signal that comes earlier would kill the process.
fn told_to_stop(tasks: &mut tokio::task::JoinSet<()>) -> Result<CancellationToken, CommandError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let stop = token.clone();
    tasks.spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("Told to stop");
        stop.cancel();
    });
    Ok(token)
}
