//! Which requests go where. Only the routes of the model's task exist, as in vLLM.

use std::{net::SocketAddr, sync::Arc};

use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::{
    Change, Failure, Runner,
    app::App,
    chat, completions, embeddings,
    error::ApiError,
    log::To,
    messages,
    metrics::HttpRequest,
    models,
    reply::{self, Reply},
    request::Request,
    responses,
    stream::Broken,
    tokenize,
};

/// A route and the methods that it takes, as `Allow` names them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    /// Its path.
    pub(crate) path: &'static str,
    /// Its methods.
    pub(crate) methods: &'static str,
    of: Option<Runner>,
}

const fn route(path: &'static str, methods: &'static str, of: Option<Runner>) -> Route {
    Route { path, methods, of }
}

/// All routes, in the order of vLLM's start log. `/simulate` is ours; the gateway forwards an
/// allow-list and so never this.
const ROUTES: [Route; 16] = [
    route("/load", "GET", None),
    route("/version", "GET", None),
    route("/kv_event_sources", "GET", None),
    route("/health", "GET", None),
    route("/metrics", "GET", None),
    route("/tokenize", "POST", None),
    route("/detokenize", "POST", None),
    route("/v1/models", "GET", None),
    route("/ping", "GET, POST", None),
    route("/v1/chat/completions", "POST", Some(Runner::Generate)),
    route("/v1/responses", "POST", Some(Runner::Generate)),
    route("/v1/completions", "POST", Some(Runner::Generate)),
    route("/v1/messages", "POST", Some(Runner::Generate)),
    route("/v1/messages/count_tokens", "POST", Some(Runner::Generate)),
    route("/v1/embeddings", "POST", Some(Runner::Pooling)),
    route("/simulate", "POST", None),
];

/// The routes of a model.
pub(crate) fn of(runner: Runner) -> impl Iterator<Item = Route> {
    let exists = move |route: &Route| route.of.is_none_or(|of| of == runner);
    ROUTES.into_iter().filter(exists)
}

/// Answers a request, counts it and logs it.
pub(crate) async fn answer(
    app: Arc<App>,
    client: Option<SocketAddr>,
    request: http::Request<Incoming>,
) -> http::Response<reply::Body> {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let route = of(app.settings.runner).find(|route| route.path == path);
    let reply = match route {
        None => reply::detail(StatusCode::NOT_FOUND, None),
        Some(route)
            if !route
                .methods
                .split(", ")
                .any(|method| method == parts.method) =>
        {
            reply::detail(StatusCode::METHOD_NOT_ALLOWED, Some(route.methods))
        }
        Some(route) if parts.method == Method::GET => get(&app, route.path),
        Some(route) => match body.collect().await {
            // The client left in the middle of its own request; nobody reads the answer.
            Err(_) => reply::empty(StatusCode::BAD_REQUEST),
            Ok(bytes) => post(&app, route.path, &parts.headers, &bytes.to_bytes()).await,
        },
    };
    let allowed = route.filter(|_| reply.status() != StatusCode::METHOD_NOT_ALLOWED);
    let echo = app.settings.request_id_headers.is_on();
    let echo = parts.headers.get("x-request-id").filter(|_| echo).cloned();
    let reply = reply::finish(reply, app.settings.clock.now(), echo);
    app.metrics.http(&HttpRequest {
        handler: allowed.map_or("none", |route| route.path),
        method: parts.method.as_str(),
        status: reply.status().as_u16(),
        request_bytes: content_length(&parts.headers),
        response_bytes: content_length(reply.headers()),
        seconds: started.elapsed().as_secs_f64(),
    });
    log(&app, client, &parts, reply.status());
    reply
}

fn get(app: &App, path: &str) -> Reply {
    match path {
        "/health" => models::health(app),
        "/ping" => reply::empty(StatusCode::OK),
        "/version" => models::version(),
        "/load" => models::load(app),
        "/metrics" => models::metrics(app),
        "/v1/models" => models::models(app),
        "/kv_event_sources" => reply::json(&serde_json::Map::new()),
        _ => reply::detail(StatusCode::NOT_FOUND, None),
    }
}

async fn post(app: &Arc<App>, path: &'static str, headers: &HeaderMap, bytes: &[u8]) -> Reply {
    match path {
        "/simulate" => return simulate(app, bytes),
        "/ping" => return reply::empty(StatusCode::OK),
        _ if app.failure() == Some(Failure::Html) => return reply::html(),
        _ => {}
    }
    let request = match Request::read(headers, bytes) {
        Ok(request) => request,
        Err(error) => return reply::openai_error(&error),
    };
    let answer = match path {
        "/v1/chat/completions" => chat::answer(app, &request).await,
        "/v1/completions" => completions::answer(app, &request).await,
        "/v1/responses" => responses::answer(app, &request).await,
        "/v1/messages" => messages::answer(app, &request).await,
        "/v1/messages/count_tokens" => messages::count(app, &request),
        "/v1/embeddings" => embeddings::answer(app, &request).await,
        "/tokenize" => tokenize::tokenize(app, &request),
        "/detokenize" => tokenize::detokenize(app, &request),
        _ => Ok(reply::detail(StatusCode::NOT_FOUND, None)),
    };
    match answer {
        Ok(reply) => reply,
        Err(Broken::Cut) => reply::cut(),
        Err(Broken::Error(error)) if path.starts_with("/v1/messages") => {
            reply::anthropic_error(&error)
        }
        Err(Broken::Error(error)) => reply::openai_error(&error),
    }
}

/// `POST /simulate`: changes token times and failures.
fn simulate(app: &App, bytes: &[u8]) -> Reply {
    let refuse = |why: String| reply::openai_error(&ApiError::bad_request(why, "simulate"));
    match serde_json::from_slice::<Change>(bytes) {
        Err(error) => refuse(error.to_string()),
        Ok(change) => match app.simulate(&change) {
            Err(error) => refuse(error.to_string()),
            Ok(_) => reply::json(&serde_json::json!({ "simulated": true })),
        },
    }
}

fn content_length(headers: &HeaderMap) -> u64 {
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}

/// The line that uvicorn writes. A client on a Unix socket has no address.
fn log(app: &App, client: Option<SocketAddr>, parts: &http::request::Parts, status: StatusCode) {
    let path = parts.uri.path();
    if !app.settings.access_log.is_on()
        || app.settings.quiet_paths.iter().any(|quiet| quiet == path)
    {
        return;
    }
    let client = client.map(|client| client.to_string()).unwrap_or_default();
    let target = parts
        .uri
        .path_and_query()
        .map_or(path, |target| target.as_str());
    let line = format!(
        "INFO:     {client} - \"{} {target} HTTP/1.1\" {} {}",
        parts.method,
        status.as_u16(),
        status.canonical_reason().unwrap_or_default()
    );
    app.settings.log.line(To::Stdout, &line);
}
