//! What was done on a host, so that it cannot be undone quietly; and what was verified on arrival, signed.
//!
//! ```text
//! Act ─► AuditLog::append ─► Entry ─ hash ─► Entry ─ hash ─► … ─► AuditLog::checkpoint ─► Checkpoint
//!                                                                         (kept elsewhere) │
//!                             verify(copy or export, checkpoints, keys) ─► Verdict ◄───────┘
//! Arrival ─► arrival.json, a page to sign, and a SLSA Verification Summary signed by the host's key
//! ```
//!
//! - **The chain** makes an edit, a deletion, a swap or an insertion show: every entry's hash covers the
//!   one before. It does not stop root of the host, who can compute the chain anew.
//! - **Checkpoints** stop that: whoever keeps one elsewhere sees that the log up to there is another, or
//!   shorter. What came after the last checkpoint can be cut off unseen, and a [`Verdict`] says so.
//! - **The formats are documented** in `docs/reference/audit-format.md`, with thirty lines of Python that
//!   check them.
//!
//! Time, the host's name and randomness are arguments. Nothing here reads a clock or the environment.
#![warn(missing_docs)]

mod act;
pub mod arrival;
mod checkpoint;
mod entry;
mod error;
mod host_key;
mod instant;
mod log;
mod text;
mod verify;

pub use act::{Act, Action, Actor};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use entry::{Entry, Head};
pub use error::AuditError;
pub use host_key::{HostKey, HostKeyError, HostPublicKey, KeyHint, Origin};
pub use log::{AuditLog, AuditReader};
pub use verify::{ClockWentBack, Fault, Problem, RefusedCheckpoint, Source, Verdict, verify};

#[cfg(test)]
mod tests;
