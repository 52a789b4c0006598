//! The other end of the administrative socket: what the command line uses.

use std::time::Duration;

use bytes::Bytes;
use camino::Utf8PathBuf;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use maas_keys::{
    KeyRecord, NewKey, NewTeam, Revocation, TeamRecord, TeamSettings, UsageBy, UsageQuery,
    UsageReport,
};
use maas_types::{Exit, KeyId, Layout, TeamName};
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::UnixStream;

use super::wire::{CreatedKey, Problem, Status};

/// How long an answer may take. Why 60 s: a usage report over years on a slow disk takes seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// Talks to a running gateway. Each call is a connection of its own.
#[derive(Debug, Clone)]
pub struct Client {
    socket: Utf8PathBuf,
}

/// Why an administrative call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers on the socket.
    #[error("no gateway is running: nobody answers on {socket}")]
    NotRunning {
        /// The socket.
        socket: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The socket belongs to somebody else.
    #[error("not allowed to use {socket}; run this as root or as the user of the gateway")]
    NotAllowed {
        /// The socket.
        socket: Utf8PathBuf,
        /// What the system said, where it said something.
        #[source]
        source: Option<std::io::Error>,
    },
    /// The gateway broke off, or does not speak our protocol.
    #[error("the gateway on {socket} broke off")]
    Broken {
        /// The socket.
        socket: Utf8PathBuf,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It does not answer.
    #[error("the gateway on {socket} did not answer within {} s", PATIENCE.as_secs())]
    Silent {
        /// The socket.
        socket: Utf8PathBuf,
    },
    /// The gateway understood and refused.
    #[error("{}", .0.message)]
    Refused(Problem),
}

impl ClientError {
    /// What the process exits with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotRunning { .. } => Exit::Down,
            Self::NotAllowed { .. } => Exit::NotAllowed,
            Self::Broken { .. } | Self::Silent { .. } => Exit::Failed,
            Self::Refused(problem) => {
                let known = Exit::ALL
                    .into_iter()
                    .find(|exit| exit.code() == problem.exit);
                known.unwrap_or(Exit::Failed)
            }
        }
    }
}

impl Client {
    /// A client of the gateway of this appliance.
    pub fn new(layout: &Layout) -> Self {
        Self {
            socket: layout.admin_socket(),
        }
    }

    /// How the gateway is.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.get("/admin/v1/status").await
    }

    /// Every team, by name.
    pub async fn teams(&self) -> Result<Vec<TeamRecord>, ClientError> {
        self.get("/admin/v1/teams").await
    }

    /// Creates a team.
    pub async fn create_team(&self, new: &NewTeam) -> Result<TeamRecord, ClientError> {
        self.call(Method::POST, "/admin/v1/teams", Some(new)).await
    }

    /// Replaces a team's limits and models.
    pub async fn change_team(
        &self,
        team: &TeamName,
        settings: &TeamSettings,
    ) -> Result<TeamRecord, ClientError> {
        self.call(
            Method::PUT,
            &format!("/admin/v1/teams/{team}"),
            Some(settings),
        )
        .await
    }

    /// Refuses all keys of a team from now on, and cuts their live streams.
    pub async fn disable_team(&self, team: &TeamName) -> Result<Revocation, ClientError> {
        self.post(&format!("/admin/v1/teams/{team}/disable")).await
    }

    /// Accepts a team's keys again.
    pub async fn enable_team(&self, team: &TeamName) -> Result<TeamRecord, ClientError> {
        self.post(&format!("/admin/v1/teams/{team}/enable")).await
    }

    /// Every key, or every key of a team, eldest first.
    pub async fn keys(&self, team: Option<&TeamName>) -> Result<Vec<KeyRecord>, ClientError> {
        let query = team.map(|team| format!("?team={team}")).unwrap_or_default();
        self.get(&format!("/admin/v1/keys{query}")).await
    }

    /// Creates a key. The answer holds the secret, this once.
    pub async fn create_key(&self, new: &NewKey) -> Result<CreatedKey, ClientError> {
        self.call(Method::POST, "/admin/v1/keys", Some(new)).await
    }

    /// Revokes a key. When this returns, no request with it is accepted and its streams are cut.
    pub async fn revoke_key(&self, id: &KeyId) -> Result<Revocation, ClientError> {
        self.post(&format!("/admin/v1/keys/{id}/revoke")).await
    }

    /// What was used.
    pub async fn usage(&self, query: &UsageQuery) -> Result<UsageReport, ClientError> {
        let UsageQuery { by, from, to } = query;
        self.get(&format!(
            "/admin/v1/usage?by={}&from={from}&to={to}",
            word(*by)
        ))
        .await
    }

    /// What was used on the site's present day.
    pub async fn usage_today(&self, by: UsageBy) -> Result<UsageReport, ClientError> {
        self.get(&format!("/admin/v1/usage?by={}", word(by))).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.call::<(), T>(Method::GET, path, None).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.call::<(), T>(Method::POST, path, None).await
    }

    async fn call<B: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<T, ClientError> {
        let body = body.map(|body| serde_json::to_vec(body).map_err(|error| self.broken(error)));
        let body = body.transpose()?.unwrap_or_default();
        let answer = tokio::time::timeout(PATIENCE, self.exchange(method, path, body));
        let silent = |_| ClientError::Silent {
            socket: self.socket.clone(),
        };
        let (status, answer) = answer.await.map_err(silent)??;
        if status.is_success() {
            return serde_json::from_slice(&answer).map_err(|error| self.broken(error));
        }
        let problem = serde_json::from_slice(&answer).map_err(|error| self.broken(error))?;
        Err(ClientError::Refused(problem))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|source| self.unreachable(source))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.broken(error))?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "gateway")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| self.broken(error))?;
        let exchange = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            Ok::<_, hyper::Error>((status, answer.into_body().collect().await?.to_bytes()))
        };
        // The connection is driven here and nowhere else, so nothing outlives this call.
        let (_, answer) = tokio::join!(connection, exchange);
        answer.map_err(|error| self.gone(error))
    }

    fn unreachable(&self, source: std::io::Error) -> ClientError {
        let socket = self.socket.clone();
        if source.kind() == std::io::ErrorKind::PermissionDenied {
            return ClientError::NotAllowed {
                socket,
                source: Some(source),
            };
        }
        ClientError::NotRunning { socket, source }
    }

    /// The gateway closes the connection of a user who may not administer without a word.
    fn gone(&self, error: hyper::Error) -> ClientError {
        if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
            return ClientError::NotAllowed {
                socket: self.socket.clone(),
                source: None,
            };
        }
        self.broken(error)
    }

    fn broken(&self, error: impl std::error::Error + Send + Sync + 'static) -> ClientError {
        ClientError::Broken {
            socket: self.socket.clone(),
            source: Box::new(error),
        }
    }
}

const fn word(by: UsageBy) -> &'static str {
    match by {
        UsageBy::Team => "team",
        UsageBy::Model => "model",
        UsageBy::Key => "key",
        UsageBy::Day => "day",
    }
}
