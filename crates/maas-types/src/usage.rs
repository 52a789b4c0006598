//! What a request cost, and in which words its client speaks.

use std::ops::Add;

use serde::{Deserialize, Serialize};

/// Tokens of one request, or of many. `cached` is the part of `input` that the engine had already
/// computed for an earlier prompt; it is never more than `input`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input: u64,
    /// Tokens of the prompt that came from the prefix cache.
    pub cached: u64,
    /// Tokens that the engine produced.
    pub output: u64,
}

impl Usage {
    /// Input and output together: what a token quota counts.
    pub const fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            cached: self.cached.saturating_add(other.cached),
            output: self.output.saturating_add(other.output),
        }
    }
}

/// How a request ended. Every admitted request is settled with exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The client has the whole answer.
    Complete,
    /// The client left before the end; it pays for what it was sent.
    ClientGone,
    /// The engine died or broke off.
    EngineFailed,
    /// The engine refused the request (a 4xx of its own); nothing is billed.
    EngineRefused,
    /// A deadline of ours passed.
    TimedOut,
    /// The key was revoked while the answer was on its way.
    Revoked,
    /// The gateway was told to stop.
    ShutDown,
}

impl Outcome {
    /// Every outcome, for metric labels and tests.
    pub const ALL: [Self; 7] = [
        Self::Complete,
        Self::ClientGone,
        Self::EngineFailed,
        Self::EngineRefused,
        Self::TimedOut,
        Self::Revoked,
        Self::ShutDown,
    ];

    /// The word on the wire, in the ledger and in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::ClientGone => "client_gone",
            Self::EngineFailed => "engine_failed",
            Self::EngineRefused => "engine_refused",
            Self::TimedOut => "timed_out",
            Self::Revoked => "revoked",
            Self::ShutDown => "shut_down",
        }
    }
}

/// The shape of errors and events that a client understands. The path decides, never a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `/v1/chat/completions`, `/v1/completions`, `/v1/responses`, `/v1/embeddings`, `/v1/models`, …
    OpenAi,
    /// `/v1/messages` and below.
    Anthropic,
}
