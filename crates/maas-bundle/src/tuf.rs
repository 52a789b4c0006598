//! The Update Framework 1.0, its four top-level roles, as far as one bundle on a medium needs them.
//!
//! [`workflow`] is the client workflow, over files that are parsed; bundles and foreign repositories
//! ([`Client`]) both pass through it.
//!
//! Read side by side with the specification: each check has its numbered clause above it. What is
//! stricter than the specification (FORMAT.md 4): our files have one rendering, so a changed byte
//! that changes no meaning is found too; a signature by a key that the root does not list is
//! refused, not ignored; so is a listed key's wrong signature when enough others are right.

use serde::{Deserialize, Serialize};

pub use client::{Client, Renewal};
pub use fingerprint::{Fingerprint, FingerprintError};
pub(crate) use root::whole_seconds;
pub use root::{Handover, RootError, RootFile, RootSigners, Signers, TrustedRoot};
pub(crate) use schema::{FileLength, Root, Snapshot, Targets, Timestamp};
pub use schema::{MetaFile, TargetFile};
pub(crate) use signed::{Payload, Reading, Signed};
pub use signed::{RoleStatus, SignError};
pub(crate) use workflow::Workflow;

mod client;
mod fingerprint;
mod root;
mod schema;
mod signed;
mod words;
mod workflow;

/// The highest version and the highest epoch (FORMAT.md 4.4). A stolen key could otherwise sign
/// version 2^64 - 1 and so refuse every later bundle (fast-forward, TUF 5.3.11); nobody releases
/// four thousand million times.
pub(crate) const HIGHEST_VERSION: u64 = 1 << 32;

/// A top-level role of TUF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Says who may sign what.
    Root,
    /// Says which snapshot is the newest.
    Timestamp,
    /// Says which targets belong together.
    Snapshot,
    /// Says which bill of lading is meant.
    Targets,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Root, Self::Timestamp, Self::Snapshot, Self::Targets];

    /// The name in metadata.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Timestamp => "timestamp",
            Self::Snapshot => "snapshot",
            Self::Targets => "targets",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests;
