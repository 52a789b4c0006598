//! Garbage collection: which generations stay, and what nobody needs then.
//!
//! Facts, then a decision (pure), then its execution under the lock. Threat: a blob that the running release
//! needs is removed. Defences: what a kept generation needs is read from its own signed bill, and where one
//! cannot be read no blob is removed at all; generations go before their blobs, so that at any power cut what
//! is left in place is whole; a blob that is gone too early comes in again at the next install.

mod collect;
mod facts;
mod imports;
mod plan;

use camino::Utf8PathBuf;
use jiff::{SignedDuration, Timestamp};
use maas_types::{Digest, GenerationId};
use serde::Serialize;

pub use self::{collect::collect, facts::Facts};

/// How many generations are kept beside the one that serves, the one before it, and those in use.
pub const KEEP: usize = 2;

/// An install that has not gone on for so long is given up: 14 days, longer than any round trip for a stick
/// that was forgotten. What it had read must be read again.
pub const GIVEN_UP: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What the parts of the appliance above the store use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// Generations on trial, and those that come back if the trial fails.
    pub trial: Vec<GenerationId>,
    /// Generations that engines were started for.
    pub engines: Vec<GenerationId>,
    /// Images whose root file system an engine runs in.
    pub images: Vec<Digest>,
}

/// Why a generation stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It serves.
    Current,
    /// A rollback goes to it.
    Before,
    /// It is on trial, or comes back if the trial fails.
    Trial,
    /// An engine runs that was started for it.
    Engine,
    /// It is one of the newest of the others.
    Newest,
}

/// A generation that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Its name.
    pub id: GenerationId,
    /// Why.
    pub why: Why,
}

/// Something that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Removal {
    /// A generation: its folder. Its blobs are counted by themselves.
    Generation {
        /// Its name.
        id: GenerationId,
        /// Bytes that its folder alone occupies.
        bytes: u64,
    },
    /// A blob of the store.
    Blob {
        /// Its name.
        digest: Digest,
        /// Its length, bytes.
        bytes: u64,
    },
    /// An image that was unpacked for engines.
    Image {
        /// Its manifest.
        manifest: Digest,
        /// Bytes of all its files.
        bytes: u64,
    },
    /// A blob that a dead install has brought half in.
    Staged {
        /// Its name.
        digest: Digest,
        /// Its length, bytes.
        bytes: u64,
    },
    /// What a killed command left behind, or a damaged blob that is in the store again.
    Leftover {
        /// Where.
        path: Utf8PathBuf,
        /// Bytes of all its files.
        bytes: u64,
    },
}

impl Removal {
    /// Bytes that are free when it is gone.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Generation { bytes, .. }
            | Self::Blob { bytes, .. }
            | Self::Image { bytes, .. }
            | Self::Staged { bytes, .. }
            | Self::Leftover { bytes, .. } => *bytes,
        }
    }
}

/// What stays and what goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Generations that stay, oldest first.
    pub kept: Vec<Kept>,
    /// What goes, in this order.
    pub removals: Vec<Removal>,
    /// Bytes that are free then.
    pub bytes: u64,
    /// What stays and cannot be read: nobody knows what it needs, so every blob and every image stays too.
    pub unreadable: Vec<String>,
}

impl Plan {
    /// Decides. The same facts and uses give the same plan; `keep` is how many generations stay beside those
    /// that are in use.
    pub fn new(facts: &Facts, uses: &Uses, keep: usize, now: Timestamp) -> Self {
        plan::plan(facts, uses, keep, now)
    }
}

#[cfg(test)]
mod tests;
