//! The local endpoint: authenticate → admit → route → stream → settle, in three wire dialects.
//!
//! | stage | takes | gives | module |
//! |---|---|---|---|
//! | arrive | an HTTP request | route, dialect, request id | [`route`] |
//! | identify | its headers | the key's `Principal` | [`stage::identify`] |
//! | understand | its body, kept as bytes | model, stream, limits, byte ranges | [`body`] |
//! | admit | both | a `Permit` of `maas-keys` | [`stage::admit`] |
//! | route | the permit | an engine with the fewest requests of ours | [`engine`] |
//! | forward | all of it | the engine's answer | [`stage::forward`] |
//! | stream, settle | the answer | frames for the client, one settlement | [`stage::relay`], [`stage::settle`] |
//!
//! Invariants, as absences: no engine is reached without an `Admitted`, and only admission makes
//! one. No body is built from a parsed tree: what nobody must change passes as the bytes it was. No
//! text of a prompt, an answer or a key reaches a log, an error or a metric. No request path of a
//! client reaches an engine: it gets one of eight fixed ones. No database and no file is read while
//! a request is served.
#![warn(missing_docs)]

pub mod admin;
mod body;
mod dialect;
mod engine;
mod error;
mod gateway;
mod meter;
mod metrics_page;
mod refusal;
mod reply;
mod route;
mod server;
mod settings;
mod sse;
mod stage;
mod tls;

pub use error::GatewayError;
pub use gateway::Gateway;
pub use settings::{Clock, Pace, Settings, Sockets, TlsFiles};
