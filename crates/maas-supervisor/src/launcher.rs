//! Who may start units: root, and only for the units of engines.
//!
//! The supervisor is an ordinary user. It reads what engines write, so a hole in it must not be root's. It
//! therefore asks a process of a few lines that systemd starts as root for each question, over a socket
//! that only the supervisor's user can open:
//!
//! ```text
//! supervisor ─ {"verb":"start","id":"qwen3-0"} ─► launcher.sock ─► engine-launcher (root) ─► systemctl
//!            ◄─ {"started":{"pid":812}} ─────────
//! ```
//!
//! Threat: a supervisor that was taken over asks for what is no engine. Defence: an id is letters, digits,
//! `.`, `_` and `-` and becomes the instance of one of two unit names; the unit files, which are root's, say
//! as whom and with what it runs; a root file system must be one that the installer has unpacked; the
//! devices that it gets are those of GPUs that the agent has found.

mod devices;
mod systemctl;
mod unit;

use std::{io, time::Duration};

use camino::Utf8Path;
use maas_types::EngineId;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

pub use self::unit::answer;

/// A question to the launcher: one JSON object on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    verb: Verb,
    id: EngineId,
}

impl Request {
    pub(crate) fn new(verb: Verb, id: EngineId) -> Self {
        Self { verb, id }
    }
}

/// What is to be done with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verb {
    /// Start it, as its spec says.
    Start,
    /// Tell it to finish what it has.
    Stop,
    /// Kill every process of it and wait until none is left.
    Kill,
}

/// The launcher's answer: one JSON object on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It starts; this is its shim.
    Started {
        /// Process id.
        pid: u32,
    },
    /// It was told.
    Told,
    /// It was killed.
    Left {
        /// Processes that are still there.
        pids: Vec<u32>,
    },
    /// It could not be done.
    Failed {
        /// Why, in one sentence.
        detail: String,
    },
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Started { pid } => write!(f, "it starts as process {pid}"),
            Self::Told => write!(f, "it was told"),
            Self::Left { pids } if pids.is_empty() => write!(f, "nothing of it is left"),
            Self::Left { pids } => write!(f, "processes {pids:?} of it are left"),
            Self::Failed { detail } => write!(f, "{detail}"),
        }
    }
}

/// Longer questions and answers are not ours.
pub(crate) const LONGEST_LINE: u64 = 4_096;

/// The launcher itself waits 30 s for what cannot be killed.
const PATIENCE: Duration = Duration::from_secs(45);

/// Asks the launcher at `socket`.
pub(crate) async fn ask(socket: &Utf8Path, request: &Request) -> io::Result<Reply> {
    let asked = async {
        let mut stream = UnixStream::connect(socket).await?;
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        let mut answer = Vec::new();
        (&mut stream)
            .take(LONGEST_LINE)
            .read_to_end(&mut answer)
            .await?;
        Ok(serde_json::from_slice(&answer)?)
    };
    match timeout(PATIENCE, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer in {} s", PATIENCE.as_secs()),
        )),
    }
}
