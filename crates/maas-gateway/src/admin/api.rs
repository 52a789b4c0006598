//! What the administrative socket answers.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Query, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use jiff::{Timestamp, civil::Date};
use maas_keys::{
    Entropy, KeyRecord, KeysError, NewKey, NewTeam, Registry, Revocation, TeamRecord, TeamSettings,
    UsageBy, UsageQuery, UsageReport,
};
use maas_types::{Exit, KeyId, NameError, TeamName};
use serde::Deserialize;

use super::wire::{CreatedKey, EngineStatus, EngineTableStatus, Listeners, Problem, Status};
use crate::{
    engine::table::{Freshness, View},
    gateway::Shared,
};

/// Every route.
pub(super) fn router(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route("/admin/v1/status", get(status))
        .route("/admin/v1/teams", get(teams).post(create_team))
        .route("/admin/v1/teams/{team}", put(change_team))
        .route("/admin/v1/teams/{team}/disable", post(disable_team))
        .route("/admin/v1/teams/{team}/enable", post(enable_team))
        .route("/admin/v1/keys", get(keys).post(create_key))
        .route("/admin/v1/keys/{id}/revoke", post(revoke_key))
        .route("/admin/v1/usage", get(usage))
        .fallback(async || AdminError::NoSuchPath)
        .with_state(Arc::clone(shared))
}

/// Why an administrative request failed.
#[derive(Debug, thiserror::Error)]
enum AdminError {
    #[error("there is no such path here")]
    NoSuchPath,
    #[error("the body is not what this path takes")]
    Body(#[from] JsonRejection),
    #[error("the name in the path is not valid")]
    Name(#[from] NameError),
    #[error("failed")]
    Keys(#[from] KeysError),
    #[error("the system gives no randomness for a new key")]
    Entropy,
    #[error("the request failed inside; please report this")]
    Bug,
}

type Answer<T> = Result<Json<T>, AdminError>;

impl AdminError {
    /// The word for programs, the status, and the exit code.
    fn kind(&self) -> (&'static str, StatusCode, Exit) {
        match self {
            Self::NoSuchPath => ("no_such_path", StatusCode::NOT_FOUND, Exit::NotFound),
            Self::Body(_) => ("bad_body", StatusCode::BAD_REQUEST, Exit::Usage),
            Self::Name(_) => ("bad_name", StatusCode::BAD_REQUEST, Exit::Usage),
            Self::Entropy => (
                "no_entropy",
                StatusCode::INTERNAL_SERVER_ERROR,
                Exit::Failed,
            ),
            Self::Bug => ("bug", StatusCode::INTERNAL_SERVER_ERROR, Exit::Bug),
            Self::Keys(error) => {
                let (code, status) = keys_kind(error);
                (code, status, error.exit())
            }
        }
    }

    /// The whole chain of causes as one sentence.
    fn sentence(&self) -> String {
        let mut cause: Option<&dyn std::error::Error> = match self {
            Self::Keys(error) => Some(error),
            Self::Body(rejection) => return format!("{self}: {}", rejection.body_text()),
            Self::NoSuchPath | Self::Name(_) | Self::Entropy | Self::Bug => Some(self),
        };
        let mut parts = Vec::new();
        while let Some(error) = cause {
            parts.push(error.to_string());
            cause = error.source();
        }
        parts.join(": ")
    }
}

fn keys_kind(error: &KeysError) -> (&'static str, StatusCode) {
    match error {
        KeysError::TeamExists(_) => ("team_exists", StatusCode::CONFLICT),
        KeysError::UnknownTeam(_) => ("unknown_team", StatusCode::NOT_FOUND),
        KeysError::UnknownKey(_) => ("unknown_key", StatusCode::NOT_FOUND),
        KeysError::KeyName => ("bad_key_name", StatusCode::BAD_REQUEST),
        KeysError::ExpiresInThePast { .. } => ("expires_in_the_past", StatusCode::BAD_REQUEST),
        KeysError::Closed => ("stopping", StatusCode::SERVICE_UNAVAILABLE),
        KeysError::NotKept { .. } => ("not_kept", StatusCode::INTERNAL_SERVER_ERROR),
        KeysError::Database { .. }
        | KeysError::Lock { .. }
        | KeysError::InUse { .. }
        | KeysError::Corrupt { .. }
        | KeysError::NotOurs { .. }
        | KeysError::Newer { .. }
        | KeysError::ReadOnly { .. }
        | KeysError::WrongPepper { .. }
        | KeysError::Thread(_)
        | KeysError::Unflushed { .. } => ("storage", StatusCode::INTERNAL_SERVER_ERROR),
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        let (code, status, exit) = self.kind();
        let problem = Problem {
            code: code.to_owned(),
            message: self.sentence(),
            exit: exit.code(),
        };
        (status, Json(problem)).into_response()
    }
}

/// Does what may wait for the disk, away from the threads that serve.
async fn registry<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl FnOnce(&Registry, Timestamp) -> Result<T, AdminError> + Send + 'static,
) -> Answer<T> {
    let shared = Arc::clone(shared);
    let done = tokio::task::spawn_blocking(move || work(&shared.registry, shared.now()));
    done.await.map_err(|_| AdminError::Bug)?.map(Json)
}

type Shares = State<Arc<Shared>>;

async fn teams(State(shared): Shares) -> Answer<Vec<TeamRecord>> {
    registry(&shared, |registry, _| Ok(registry.teams())).await
}

async fn create_team(
    State(shared): Shares,
    new: Result<Json<NewTeam>, JsonRejection>,
) -> Answer<TeamRecord> {
    let Json(new) = new?;
    tracing::info!(team = %new.name, "Creating team `{}`", new.name);
    registry(&shared, move |registry, now| {
        Ok(registry.create_team(new, now)?)
    })
    .await
}

async fn change_team(
    State(shared): Shares,
    Path(team): Path<String>,
    settings: Result<Json<TeamSettings>, JsonRejection>,
) -> Answer<TeamRecord> {
    let team: TeamName = team.parse()?;
    let Json(settings) = settings?;
    tracing::info!(%team, ?settings, "Changing team `{team}`");
    registry(&shared, move |registry, _| {
        Ok(registry.change_team(&team, settings)?)
    })
    .await
}

async fn disable_team(State(shared): Shares, Path(team): Path<String>) -> Answer<Revocation> {
    let team: TeamName = team.parse()?;
    tracing::info!(%team, "Disabling team `{team}`");
    let cut = registry(&shared, move |registry, now| {
        Ok(registry.disable_team(&team, now)?)
    })
    .await;
    counted(&shared, cut)
}

async fn enable_team(State(shared): Shares, Path(team): Path<String>) -> Answer<TeamRecord> {
    let team: TeamName = team.parse()?;
    tracing::info!(%team, "Enabling team `{team}`");
    registry(&shared, move |registry, _| Ok(registry.enable_team(&team)?)).await
}

#[derive(Debug, Deserialize)]
struct OfTeam {
    team: Option<TeamName>,
}

async fn keys(State(shared): Shares, Query(of): Query<OfTeam>) -> Answer<Vec<KeyRecord>> {
    registry(&shared, move |registry, _| {
        if let Some(team) = &of.team {
            registry.team(team)?;
        }
        Ok(registry.keys(of.team.as_ref()))
    })
    .await
}

async fn create_key(
    State(shared): Shares,
    new: Result<Json<NewKey>, JsonRejection>,
) -> Answer<CreatedKey> {
    let Json(new) = new?;
    let created = registry(&shared, move |registry, now| {
        let entropy = Entropy::from_system().map_err(|_| AdminError::Entropy)?;
        let (key, token) = registry.create_key(new, now, &entropy)?;
        Ok(CreatedKey {
            key,
            secret: token.expose().to_owned(),
        })
    })
    .await?;
    let key = &created.key;
    tracing::info!(key.id = %key.id, team = %key.team, "Created key `{}`", key.id);
    Ok(created)
}

async fn revoke_key(State(shared): Shares, Path(id): Path<String>) -> Answer<Revocation> {
    let id: KeyId = id.parse()?;
    tracing::info!(key.id = %id, "Revoking key `{id}`");
    let cut = registry(&shared, move |registry, now| {
        Ok(registry.revoke_key(&id, now)?)
    })
    .await;
    counted(&shared, cut)
}

fn counted(shared: &Shared, cut: Answer<Revocation>) -> Answer<Revocation> {
    if let Ok(Json(cut)) = &cut {
        shared.metrics.streams_revoked(cut.streams_cut as u64);
    }
    cut
}

/// `by` defaults to teams, both days to today.
#[derive(Debug, Deserialize)]
struct UsageOf {
    by: Option<UsageBy>,
    from: Option<Date>,
    to: Option<Date>,
}

async fn usage(State(shared): Shares, Query(of): Query<UsageOf>) -> Answer<UsageReport> {
    registry(&shared, move |registry, now| {
        let today = registry.day(now).date;
        let query = UsageQuery {
            by: of.by.unwrap_or(UsageBy::Team),
            from: of.from.unwrap_or(today),
            to: of.to.unwrap_or(today),
        };
        Ok(registry.usage(&query)?)
    })
    .await
}

async fn status(State(shared): Shares) -> Json<Status> {
    let view = shared.table.view();
    let now = shared.now();
    let ledger_healthy = shared.registry.healthy();
    Json(Status {
        schema: Status::SCHEMA.to_owned(),
        version: shared.settings.version.to_owned(),
        started: shared.started,
        uptime_seconds: now
            .duration_since(shared.started)
            .as_secs()
            .try_into()
            .unwrap_or(0),
        ready: ledger_healthy && view.ready().next().is_some(),
        ledger_healthy,
        listeners: Listeners {
            tls: shared.addresses.clone(),
            metrics: shared.metrics_address,
        },
        engine_table: table_status(&shared, &view, now),
        engines: view
            .engines
            .iter()
            .map(|engine| engine_status(engine, &view))
            .collect(),
    })
}

fn table_status(shared: &Shared, view: &View, now: Timestamp) -> EngineTableStatus {
    let table = view.table.as_ref();
    EngineTableStatus {
        sequence: table.map(|table| table.sequence),
        written: table.map(|table| table.written),
        stale: view.freshness(now, shared.settings.pace.table_stale) == Freshness::Stale,
        generation: table.and_then(|table| table.generation),
        problem: view.problem.clone(),
    }
}

fn engine_status(engine: &crate::engine::pick::Engine, view: &View) -> EngineStatus {
    EngineStatus {
        id: engine.entry.id.clone(),
        model: engine.entry.model.clone(),
        kind: engine.entry.kind,
        state: engine.entry.state,
        in_flight: engine.local.in_flight(),
        unreachable: engine.local.is_ejected(view.sequence()),
    }
}
