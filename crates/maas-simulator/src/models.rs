//! The routes that take no body: health, models, version, load, metrics.

use http::StatusCode;
use serde::Serialize;

use crate::{
    app::App,
    engine::Life,
    reply::{self, Reply},
};

/// Who answers, as `/v1/models` says.
const OWNER: &str = "maas-appliance simulated engine";

/// What `/version` says; vLLM's own is `0.32.0`.
const VERSION: &str = "0.32.0+simulated";

#[derive(Serialize)]
struct Models {
    object: &'static str,
    data: Vec<Model>,
}

#[derive(Serialize)]
struct Model {
    id: String,
    object: &'static str,
    created: i64,
    owned_by: &'static str,
    root: String,
    parent: Option<()>,
    max_model_len: u64,
    permission: [Permission; 1],
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "it is OpenAI's structure")]
struct Permission {
    id: String,
    object: &'static str,
    created: i64,
    allow_create_engine: bool,
    allow_sampling: bool,
    allow_logprobs: bool,
    allow_search_indices: bool,
    allow_view: bool,
    allow_fine_tuning: bool,
    organization: &'static str,
    group: Option<()>,
    is_blocking: bool,
}

#[derive(Serialize)]
struct Version {
    version: &'static str,
}

#[derive(Serialize)]
struct ServerLoad {
    server_load: u64,
}

/// Empty and 200 while the core lives, hung or not; empty and 503 once it is gone.
pub(crate) fn health(app: &App) -> Reply {
    match *app.engine.life().borrow() {
        Life::Serving | Life::Draining => reply::empty(StatusCode::OK),
        Life::Dead => reply::empty(StatusCode::SERVICE_UNAVAILABLE),
    }
}

/// The served names.
pub(crate) fn models(app: &App) -> Reply {
    let created = app.created();
    let data = app.settings.served_names.iter().map(|name| Model {
        id: name.clone(),
        object: "model",
        created,
        owned_by: OWNER,
        root: app.settings.model_dir.clone(),
        parent: None,
        max_model_len: app.settings.max_model_len,
        permission: [Permission {
            id: format!("modelperm-{}", app.fresh_id()),
            object: "model_permission",
            created,
            allow_create_engine: false,
            allow_sampling: true,
            allow_logprobs: true,
            allow_search_indices: false,
            allow_view: true,
            allow_fine_tuning: false,
            organization: "*",
            group: None,
            is_blocking: false,
        }],
    });
    reply::json(&Models {
        object: "list",
        data: data.collect(),
    })
}

/// The version that is simulated.
pub(crate) fn version() -> Reply {
    reply::json(&Version { version: VERSION })
}

/// Requests in work, when they are tracked.
pub(crate) fn load(app: &App) -> Reply {
    let tracked = app.settings.load_tracking.is_on();
    let load = app.load.load(std::sync::atomic::Ordering::Relaxed);
    reply::json(&ServerLoad {
        server_load: if tracked { load } else { 0 },
    })
}

/// The metrics.
pub(crate) fn metrics(app: &App) -> Reply {
    let kind = "text/plain; version=1.0.0; charset=utf-8";
    reply::whole(StatusCode::OK, kind, app.metrics.text())
}
