//! From an admitted request to an engine's answer.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use maas_types::{Dialect, ModelName, Outcome};

use super::{arrive::Arrived, relay::Relay, settle::Settlement};
use crate::{
    body::{
        content::Content,
        outgoing::outgoing,
        understand::{Streaming, Understood},
    },
    dialect::{EngineError, engine_error},
    engine::{
        client::{self, ClientError, Exchange},
        pick::{Engine, Place, pick},
    },
    gateway::Shared,
    meter::{self, Meter, Whole},
    refusal::Refusal,
    reply::{self, Reply},
    route::Api,
};

/// The largest whole answer, bytes. Why 256 MiB: 2,048 embeddings of 8,192 numbers as text are
/// about 180 MiB; beyond it the engine is not answering the request.
const LARGEST_ANSWER: usize = 256 * 1024 * 1024;

/// The largest error body that is looked at, bytes. Why 1 MiB: `FastAPI` repeats the request in it.
const LARGEST_ERROR: usize = 1024 * 1024;

/// An engine that has begun to answer.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) engine: Arc<Engine>,
    pub(crate) exchange: Exchange,
    _place: Place,
}

/// What is sent, to whichever engine.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    api: Api,
    model: ModelName,
    headers: HeaderMap,
    body: Content,
}

/// Sends an admitted request and answers its client.
pub(crate) async fn forward(
    shared: &Arc<Shared>,
    arrived: &Arrived,
    request: &Understood,
    mut settlement: Settlement,
) -> Result<Reply, Refusal> {
    let outgoing = Outgoing {
        api: request.api,
        model: request.model.clone(),
        headers: headers(arrived, request.streaming),
        body: Content(outgoing(request, settlement.output_cap())),
    };
    let (limits, at) = (settlement.limits(), settlement.at);
    let mut reply = match request.streaming {
        Streaming::No => whole(shared, outgoing, &mut settlement).await,
        Streaming::Yes => {
            let meter = Meter::new(request, settlement.input_estimate);
            stream(shared, outgoing, meter, settlement).await
        }
    }?;
    reply::limits(reply.headers_mut(), request.api.dialect(), limits, at);
    Ok(reply)
}

/// Only these reach an engine. `x-request-id` becomes part of the answer's id and of its log lines.
fn headers(arrived: &Arrived, streaming: Streaming) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(5);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    let accept = match streaming {
        Streaming::Yes => "text/event-stream",
        Streaming::No => "application/json",
    };
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    let id = HeaderValue::from_str(arrived.id.as_str()).expect("a ULID is visible ASCII");
    headers.insert(HeaderName::from_static("x-request-id"), id);
    // W3C Trace Context, 3.2: 55 characters in version 00; what is longer is not one.
    let trace = arrived
        .headers
        .get("traceparent")
        .filter(|value| value.len() <= 55);
    if let Some(trace) = trace {
        headers.insert(HeaderName::from_static("traceparent"), trace.clone());
    }
    headers
}

/// Finds an engine that answers, trying each replica once. Nothing has reached the client before.
/// One that breaks the connection may have died of this very request: after a second one that does,
/// no more are tried.
pub(crate) async fn open(shared: Arc<Shared>, outgoing: Outgoing) -> Result<Opened, Refusal> {
    let mut tried: Vec<Arc<Engine>> = Vec::new();
    let mut busy: Option<Opened> = None;
    let mut failure = None;
    loop {
        let view = shared.table.view();
        let picked = pick(&view.engines, view.sequence(), &outgoing.model, &tried);
        let Some((engine, place)) = picked else {
            let model = outgoing.model.to_string();
            let no_engine = Refusal::NoEngine {
                model,
                state: None,
                progress: None,
            };
            return busy.ok_or(failure.unwrap_or(no_engine));
        };
        let path = outgoing.api.engine_path();
        let (headers, body) = (outgoing.headers.clone(), outgoing.body.0.clone());
        let request = client::request(Method::POST, path, headers, body);
        let connect = shared.settings.pace.engine_connect;
        match client::exchange(&engine, request, connect, &shared.drivers).await {
            Ok(exchange) => {
                if exchange.status.is_server_error() {
                    engine.local.failed();
                } else {
                    engine.local.answered();
                }
                let full = exchange.status == StatusCode::SERVICE_UNAVAILABLE;
                let opened = Opened {
                    engine: Arc::clone(&engine),
                    exchange,
                    _place: place,
                };
                if !full {
                    return Ok(opened);
                }
                busy = Some(opened);
            }
            Err(error) => {
                let again = failure.is_some();
                failure = fault(&engine, view.sequence(), &error).or(failure);
                if let (true, ClientError::Broken(_)) = (again, &error) {
                    return Err(Refusal::EngineBrokeOff);
                }
            }
        }
        tried.push(engine);
    }
}

/// Notes that an engine does not answer. Returns what to tell the client if no other does, when that
/// is more than that none is ready.
fn fault(engine: &Engine, sequence: u64, error: &ClientError) -> Option<Refusal> {
    let id = &engine.entry.id;
    let cause = std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default();
    tracing::warn!(engine.id = %id, cause, "Engine `{id}` does not answer: {error}");
    match error {
        ClientError::Connect(_) | ClientError::ConnectTimeout => {
            engine.local.eject(sequence);
            None
        }
        ClientError::Broken(_) => {
            engine.local.failed();
            Some(Refusal::EngineBrokeOff)
        }
    }
}

/// Waits for what an engine does, but not beyond a revocation, the end of the gateway or `within`.
async fn guarded<T>(
    shared: &Shared,
    settlement: &Settlement,
    within: Duration,
    work: impl Future<Output = T>,
) -> Result<T, (Refusal, Outcome)> {
    tokio::select! {
        biased;
        () = settlement.revoked() => Err((Refusal::RevokedMidway, Outcome::Revoked)),
        () = shared.cut.cancelled() => Err((Refusal::ShuttingDown, Outcome::ShutDown)),
        done = tokio::time::timeout(within, work) => {
            done.map_err(|_| (Refusal::EngineSilent(within), Outcome::TimedOut))
        }
    }
}

/// Answers with one body.
async fn whole(
    shared: &Arc<Shared>,
    outgoing: Outgoing,
    settlement: &mut Settlement,
) -> Result<Reply, Refusal> {
    let within = shared.settings.pace.engine_silence;
    let api = outgoing.api;
    let opening = open(Arc::clone(shared), outgoing);
    let opened = guarded(shared, settlement, within, opening).await;
    let mut opened = begun(opened, settlement)?;
    if !opened.exchange.status.is_success() {
        return Ok(refused(opened, settlement).await);
    }
    let body = collect(&mut opened.exchange, LARGEST_ANSWER);
    let body = guarded(shared, settlement, within, body).await;
    let body = body.and_then(|body| body.map_err(|refusal| (refusal, Outcome::EngineFailed)));
    let body = body.map_err(|(refusal, outcome)| cut_off(settlement, refusal, outcome))?;
    match meter::whole(api, &body) {
        Ok(Whole::Good(usage)) => {
            opened.exchange.finished(&opened.engine);
            if let Some(usage) = usage {
                settlement.observe(usage);
            }
            settlement.finish(Outcome::Complete, StatusCode::OK);
            Ok(reply::json(StatusCode::OK, body))
        }
        Ok(Whole::Aborted) => Err(cut_off(
            settlement,
            Refusal::EngineBrokeOff,
            Outcome::EngineFailed,
        )),
        Err(_) => {
            let nonsense = Refusal::EngineNonsense;
            settlement.finish_unserved(Outcome::EngineFailed, nonsense.wire().status);
            Err(nonsense)
        }
    }
}

/// Answers with a stream. The head of the answer waits for the engine's, so that a refusal keeps its
/// status, but not longer than a keep-alive; after that the stream has begun and errors are events.
async fn stream(
    shared: &Arc<Shared>,
    outgoing: Outgoing,
    meter: Meter,
    mut settlement: Settlement,
) -> Result<Reply, Refusal> {
    let mut opening = Box::pin(open(Arc::clone(shared), outgoing));
    let within = shared.settings.pace.keep_alive;
    let opened = match guarded(shared, &settlement, within, &mut opening).await {
        Err((_, Outcome::TimedOut)) => {
            return Ok(Relay::waiting(shared, opening, meter, settlement));
        }
        opened => begun(opened, &mut settlement)?,
    };
    if !opened.exchange.status.is_success() {
        return Ok(refused(opened, &mut settlement).await);
    }
    if !opened.exchange.is_event_stream() {
        let nonsense = Refusal::EngineNonsense;
        settlement.finish_unserved(Outcome::EngineFailed, nonsense.wire().status);
        return Err(nonsense);
    }
    Ok(Relay::started(shared, opened, meter, settlement))
}

/// Notes who answers, or ends the request for nothing.
fn begun(
    opened: Result<Result<Opened, Refusal>, (Refusal, Outcome)>,
    settlement: &mut Settlement,
) -> Result<Opened, Refusal> {
    let opened = opened.and_then(|opened| opened.map_err(|why| (why, Outcome::EngineFailed)));
    match opened {
        Ok(opened) => {
            settlement.sent_to(&opened.engine.entry.id);
            Ok(opened)
        }
        // An engine may have worked on it all the while, for a client that chose to wait this long or
        // whose key was taken away: the prompt is billed.
        Err((refusal, outcome @ (Outcome::Revoked | Outcome::TimedOut))) => {
            Err(cut_off(settlement, refusal, outcome))
        }
        Err((refusal, outcome)) => {
            settlement.finish_unserved(outcome, refusal.wire().status);
            Err(refusal)
        }
    }
}

/// Ends a request that an engine was working on.
fn cut_off(settlement: &mut Settlement, refusal: Refusal, outcome: Outcome) -> Refusal {
    settlement.finish(outcome, refusal.wire().status);
    refusal
}

/// Passes on an engine's refusal or failure, for nothing.
async fn refused(mut opened: Opened, settlement: &mut Settlement) -> Reply {
    let dialect = settlement.api.dialect();
    let error = read_error(&mut opened, dialect, settlement).await;
    let outcome = if error.refused {
        Outcome::EngineRefused
    } else {
        Outcome::EngineFailed
    };
    settlement.finish_unserved(outcome, error.status);
    let mut reply = reply::json(error.status, error.body);
    if matches!(error.status.as_u16(), 503 | 529) {
        reply
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    reply
}

/// Reads an answer that is not a success, in the words of `dialect`.
pub(crate) async fn read_error(
    opened: &mut Opened,
    dialect: Dialect,
    settlement: &Settlement,
) -> EngineError {
    let status = opened.exchange.status;
    // A body that breaks off or never ends is no JSON, and treated as such.
    let body = tokio::time::timeout(
        Duration::from_secs(10),
        collect(&mut opened.exchange, LARGEST_ERROR),
    );
    let body = body.await.ok().and_then(Result::ok).unwrap_or_default();
    engine_error(dialect, status, &body, &settlement.id)
}

async fn collect(exchange: &mut Exchange, limit: usize) -> Result<Bytes, Refusal> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(part) = exchange.next().await {
        let part = part.map_err(|_| Refusal::EngineBrokeOff)?;
        if first.len() + all.len() + part.len() > limit {
            return Err(Refusal::EngineNonsense);
        }
        // Most answers come in one piece and need no copy.
        if first.is_empty() && all.is_empty() {
            first = part;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&part);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}
