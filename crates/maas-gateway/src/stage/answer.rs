//! Leads a request through the stages.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};
use hyper::body::{Body, Incoming};
use maas_keys::Principal;
use serde::Serialize;

use super::{
    admit::admit,
    arrive::Arrived,
    forward::forward,
    identify::identify,
    models,
    read::{linger, read},
    settle::Settlement,
};
use crate::{
    body::understand::{Understood, understand},
    engine::table::Freshness,
    gateway::Shared,
    refusal::Refusal,
    reply::{self, Reply},
    route::{Api, Route, Scope},
};

/// Answers a request. There is always an answer.
pub(crate) async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Reply {
    let (arrived, mut body) = Arrived::new(request);
    let mut so_far = SoFar::default();
    let mut reply = match dispatch(&shared, &arrived, &mut body, &mut so_far).await {
        Ok(reply) => reply,
        Err(refusal) => {
            note(&shared, &arrived, &so_far, &refusal);
            if !body.is_end_stream() {
                shared.tasks.spawn(linger(body));
            }
            reply::refusal(arrived.dialect, &refusal, &arrived.id)
        }
    };
    reply::mark(&mut reply, arrived.dialect, &arrived.id);
    reply
}

/// How far a request has come, for the log line of one that is refused.
#[derive(Debug, Default)]
struct SoFar {
    who: Option<Principal>,
    /// Admitted requests are counted and logged when they are settled.
    admitted: bool,
}

async fn dispatch(
    shared: &Arc<Shared>,
    arrived: &Arrived,
    body: &mut Incoming,
    so_far: &mut SoFar,
) -> Result<Reply, Refusal> {
    let route = arrived.route()?;
    let (scope, api) = match route {
        Route::Alive => return Ok(reply::text(StatusCode::OK, "ok\n")),
        Route::Root => return Ok(reply::text(StatusCode::OK, "maas-appliance\n")),
        Route::Ready => return Ok(ready(shared)),
        Route::Models(scope) => {
            let who = identified(shared, arrived, so_far)?;
            let list = models::list(&shared.table.view(), &who, &scope);
            return Ok(reply::json(StatusCode::OK, list));
        }
        Route::Model(scope, id) => {
            let who = identified(shared, arrived, so_far)?;
            let model = models::one(&shared.table.view(), &who, &scope, &id)?;
            return Ok(reply::json(StatusCode::OK, model));
        }
        Route::Engine(scope, api) => (scope, api),
    };
    identified(shared, arrived, so_far)?;
    let body = read(&arrived.headers, body, &shared.settings.pace).await?;
    // Again: a body may take minutes, and what was taken from the key meanwhile is taken.
    let who = identified(shared, arrived, so_far)?;
    let (request, settlement) = admitted(shared, arrived, (scope, api), who, body)?;
    so_far.admitted = true;
    Box::pin(forward(shared, arrived, &request, settlement)).await
}

/// From a body to leave to forward it.
fn admitted(
    shared: &Shared,
    arrived: &Arrived,
    (scope, api): (Scope, Api),
    who: Principal,
    body: Bytes,
) -> Result<(Understood, Settlement), Refusal> {
    let request = understand(api, &scope, body)?;
    let admitted = admit(shared, &shared.table.view(), &arrived.id, who, &request)?;
    let settlement = Settlement::new(shared, arrived, &request, admitted);
    Ok((request, settlement))
}

fn identified(
    shared: &Shared,
    arrived: &Arrived,
    so_far: &mut SoFar,
) -> Result<Principal, Refusal> {
    let now = shared.now();
    let found = identify(&shared.registry, &arrived.headers, &arrived.uri, now)?;
    so_far.who = Some(found.clone());
    Ok(found)
}

/// Counts and logs a request that was not admitted.
fn note(shared: &Shared, arrived: &Arrived, so_far: &SoFar, refusal: &Refusal) {
    if so_far.admitted {
        return;
    }
    let who = so_far.who.as_ref();
    let wire = refusal.wire();
    if let Some(counted) = wire.counted {
        shared.metrics.refused(counted);
    }
    let milliseconds = u64::try_from(arrived.began.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(
        request.id = %arrived.id,
        key.id = who.map_or("-", |who| who.key().as_str()),
        team = who.map_or("-", |who| who.team().as_str()),
        status = wire.status.as_u16(),
        code = wire.code,
        duration_ms = milliseconds,
        "Refused: {}",
        wire.code,
    );
}

/// What `/readyz` says: numbers, no names, because nobody has said who they are.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    ledger: &'static str,
    engine_table: &'static str,
    engines_ready: usize,
    engines: usize,
}

fn ready(shared: &Shared) -> Reply {
    let view = shared.table.view();
    let stale = shared.settings.pace.table_stale;
    let engines_ready = view.ready().count();
    let healthy = shared.registry.healthy();
    let readiness = Readiness {
        ready: healthy && engines_ready > 0,
        ledger: if healthy { "ok" } else { "cannot be written" },
        engine_table: match view.freshness(shared.now(), stale) {
            Freshness::Absent => "absent",
            Freshness::Stale => "stale",
            Freshness::Fresh => "fresh",
        },
        engines_ready,
        engines: view.engines.len(),
    };
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    reply::json(
        status,
        serde_json::to_vec(&readiness).expect("numbers and words are JSON"),
    )
}
