//! `/metrics`: plain HTTP, on loopback unless the operator says otherwise.

use std::{convert::Infallible, sync::Arc};

use bytes::{Bytes, BytesMut};
use camino::Utf8Path;
use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use maas_metrics::{CONTENT_TYPE, EngineScrape, MAX_SCRAPE_BYTES, Sources};
use maas_types::GpuInventory;
use tokio::net::{TcpListener, TcpStream};

use crate::{
    engine::{client, pick::Engine},
    gateway::Shared,
    reply::{self, Reply},
};

/// Serves the page until the gateway stops.
pub(crate) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => drop(shared.tasks.spawn(connection(Arc::clone(&shared), stream))),
            Err(error) => {
                tracing::warn!(%error, "Cannot accept a connection for metrics");
                tokio::time::sleep(shared.settings.pace.scrape).await;
            }
        }
    }
}

async fn connection(shared: Arc<Shared>, stream: TcpStream) {
    let service = service_fn(|request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(&shared, &request).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.settings.pace.head)
        // Prometheus asks every 15 s; a connection each time is cheap and leaves nothing to drain.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        ended = serving => if let Err(error) = ended {
            tracing::debug!(%error, "A connection for metrics ended early");
        },
        () = shared.stop.cancelled() => {}
    }
}

async fn answer(shared: &Shared, request: &Request<Incoming>) -> Reply {
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => {
            let kind = HeaderValue::from_static(CONTENT_TYPE);
            reply::whole(StatusCode::OK, kind, page(shared).await.into())
        }
        _ => reply::text(StatusCode::NOT_FOUND, "there is only /metrics here\n"),
    }
}

/// Makes the page. Every engine is asked at the same time, and none for long.
async fn page(shared: &Shared) -> String {
    let view = shared.table.view();
    let engines: Vec<_> = view.ready().collect();
    let bodies = join_all(engines.iter().map(|engine| scrape(shared, engine))).await;
    let scrapes: Vec<_> = engines
        .iter()
        .zip(&bodies)
        .map(|(engine, body)| EngineScrape {
            engine: &engine.entry.id,
            model: &engine.entry.model,
            body: body.as_deref(),
        })
        .collect();
    let gpus = gpus(&shared.layout.gpu_inventory());
    maas_metrics::render(&Sources {
        gateway: Some(&shared.metrics),
        engines: view.table.as_ref(),
        gpus: gpus.as_ref(),
        scrapes: &scrapes,
        now: shared.now(),
    })
}

/// An engine's own page; `None` when there is no good one in time.
async fn scrape(shared: &Shared, engine: &Engine) -> Option<Bytes> {
    let pace = &shared.settings.pace;
    let fetch = async {
        let accept = HeaderValue::from_static("text/plain");
        let headers = HeaderMap::from_iter([(header::ACCEPT, accept)]);
        let request = client::request(Method::GET, "/metrics", headers, Bytes::new());
        let mut answer = client::exchange(engine, request, pace.engine_connect, &shared.drivers)
            .await
            .ok()?;
        if answer.status != StatusCode::OK {
            return None;
        }
        let mut body = BytesMut::new();
        while let Some(part) = answer.next().await {
            body.extend_from_slice(&part.ok()?);
            if body.len() > MAX_SCRAPE_BYTES {
                return Some(body.freeze());
            }
        }
        answer.finished(engine);
        Some(body.freeze())
    };
    tokio::time::timeout(pace.scrape, fetch)
        .await
        .ok()
        .flatten()
}

/// What the GPU agent says; `None` when it has not said anything, or nothing that can be read.
fn gpus(path: &Utf8Path) -> Option<GpuInventory> {
    let text = fs_err::read(path).ok()?;
    serde_json::from_slice(&text)
        .inspect_err(|error| tracing::warn!(%error, "Cannot read the GPU facts in `{path}`"))
        .ok()
}
