//! How an engine stops, told or untold.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};

use crate::{
    app::{App, Ending},
    connections::Serving,
    engine::{Life, Progress},
};

/// How long `/health` was recorded to answer 503 after the core's death, before the process exited.
const DEAD: Duration = Duration::from_millis(3300);

/// How long connections may take to write the ends of their streams: a real vLLM exits about as
/// long after the signal, and a client that does not read must not hold it.
const CLOSE: Duration = Duration::from_secs(1);

/// Why an engine ends that nobody told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// It was commanded.
    Commanded(Ending),
    /// The core is gone, and the time of 503 has passed.
    CoreDied,
}

/// Waits for an end that nobody told.
pub(crate) async fn until_over(app: &App, endings: &mut mpsc::UnboundedReceiver<Ending>) -> Over {
    let mut life = app.engine.life();
    let exit0 = async {
        match app.settings.behaviour.exit0_after {
            Some(after) => tokio::time::sleep(after).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        Some(ending) = endings.recv() => Over::Commanded(ending),
        () = exit0 => Over::Commanded(Ending::Exit0),
        Ok(()) = async { life.wait_for(|life| *life == Life::Dead).await.map(drop) } => {
            tokio::time::sleep(DEAD).await;
            Over::CoreDied
        }
    }
}

/// Stops serving: what is in flight is waited for as long as `--shutdown-timeout` says, or until
/// `again` (a second signal), and then aborted.
pub(crate) async fn stop(
    app: &Arc<App>,
    serving: &watch::Sender<Serving>,
    server: &mut JoinSet<()>,
    again: impl Future<Output = ()>,
) {
    app.engine.drain();
    let wait = app.settings.shutdown_timeout;
    let mut progress = Progress::Aborted;
    if !wait.is_zero() {
        tokio::select! {
            () = app.engine.idle() => {}
            () = tokio::time::sleep(wait) => {}
            // Recorded: a second SIGTERM ends streams with an error.
            () = again => progress = Progress::Dead,
        }
    }
    // No new connections from here on, and those there are close after their answer.
    serving.send_replace(Serving::Closing);
    app.engine.end_all(progress);
    let closed = timeout(CLOSE, server.join_next()).await;
    serving.send_replace(Serving::Cut);
    if closed.is_err() {
        server.join_next().await;
    }
}
