//! What stands on the administrative socket beside `maas-keys`' own records.

use std::{fmt, net::SocketAddr};

use jiff::Timestamp;
use maas_keys::KeyRecord;
use maas_types::{EngineId, EngineKind, EngineState, GenerationId, ModelName};
use serde::{Deserialize, Serialize};

/// How the gateway is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// [`Status::SCHEMA`]
    pub schema: String,
    /// The appliance's version.
    pub version: String,
    /// When the gateway started.
    pub started: Timestamp,
    /// Seconds since then.
    pub uptime_seconds: u64,
    /// Whether requests are served: the ledger can be written and an engine is ready.
    pub ready: bool,
    /// Whether usage can be written; if not, nothing is served.
    pub ledger_healthy: bool,
    /// Where it listens.
    pub listeners: Listeners,
    /// What the supervisor said last.
    pub engine_table: EngineTableStatus,
    /// Engines in the order of the table.
    pub engines: Vec<EngineStatus>,
}

impl Status {
    /// The value of [`Status::schema`].
    pub const SCHEMA: &str = "maas-appliance/gateway-status/v1";
}

/// Where the gateway listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listeners {
    /// For clients, with TLS.
    pub tls: Vec<SocketAddr>,
    /// For `/metrics`.
    pub metrics: Option<SocketAddr>,
}

/// The table of engines as the gateway sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineTableStatus {
    /// Its number; `None` when no supervisor has written one.
    pub sequence: Option<u64>,
    /// When it was written.
    pub written: Option<Timestamp>,
    /// Whether it is so old that the supervisor must be gone.
    pub stale: bool,
    /// The generation whose models these are.
    pub generation: Option<GenerationId>,
    /// Why the newest file could not be read, in one sentence.
    pub problem: Option<String>,
}

/// One engine as the gateway sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineStatus {
    /// Its id.
    pub id: EngineId,
    /// The model that it answers for.
    pub model: ModelName,
    /// What answers.
    pub kind: EngineKind,
    /// What the supervisor says of it.
    pub state: EngineState,
    /// Requests of this gateway that it has now.
    pub in_flight: usize,
    /// Whether connecting to it failed and the table has not changed since.
    pub unreachable: bool,
}

/// A key that was just created.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedKey {
    /// Everything about it but its secret.
    pub key: KeyRecord,
    /// `sk-maas-…`, to hand to the developer. It is stored nowhere and never shown again.
    pub secret: String,
}

impl fmt::Debug for CreatedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedKey")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Why an administrative request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A word for programs: `unknown_team`.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// The exit code of a command that meets it ([`maas_types::Exit`]).
    pub exit: u8,
}
