//! Accepting connections and serving them.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    app::App,
    listen::{Listener, Stream},
    routes,
};

/// vLLM's `VLLM_HTTP_TIMEOUT_KEEP_ALIVE`: an idle connection is closed after it, so whoever keeps a
/// pool of them must expect that.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Long enough not to spin, short enough not to be noticed.
const RETRY_ACCEPT: Duration = Duration::from_millis(10);

/// Whether connections are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serving {
    /// Yes.
    Open,
    /// No new ones; those there are finish their request.
    Closing,
    /// No; those there are break off.
    Cut,
}

/// Serves until told otherwise, and then until the last connection has ended.
pub(crate) async fn serve(
    listener: Listener,
    app: Arc<App>,
    mut serving: watch::Receiver<Serving>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    connections.spawn(connection(stream, client, Arc::clone(&app), serving.clone()));
                }
                // Too many open files, most likely: the next may succeed.
                Err(_) => tokio::time::sleep(RETRY_ACCEPT).await,
            },
            Some(_) = connections.join_next() => {}
            () = not_open(&mut serving) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn not_open(serving: &mut watch::Receiver<Serving>) {
    // A sender that is gone opens nothing again.
    serving
        .wait_for(|serving| *serving != Serving::Open)
        .await
        .ok();
}

async fn connection(
    stream: Stream,
    client: Option<SocketAddr>,
    app: Arc<App>,
    mut serving: watch::Receiver<Serving>,
) {
    let service = service_fn(move |request| {
        let app = Arc::clone(&app);
        async move { Ok::<_, Infallible>(Box::pin(routes::answer(app, client, request)).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(KEEP_ALIVE)
            .serve_connection(TokioIo::new(stream), service)
    );
    let mut closing = false;
    loop {
        let now = *serving.borrow_and_update();
        match now {
            Serving::Open => {}
            Serving::Closing if closing => {}
            Serving::Closing => {
                closing = true;
                connection.as_mut().graceful_shutdown();
            }
            Serving::Cut => return,
        }
        tokio::select! {
            // How a connection ends is its client's business.
            _ = connection.as_mut() => return,
            changed = serving.changed() => if changed.is_err() { return },
        }
    }
}
