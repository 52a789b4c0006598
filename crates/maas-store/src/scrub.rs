//! Reading the store over again: disks lose bits, and nobody notices until a model answers nonsense.
//!
//! Every blob is read past the page cache, in the order of digests, at a bounded rate, and hashed. How far the
//! pass has come is written down, so an interruption costs little. Nothing is believed at first sight: a blob
//! that is wrong is read a second time before it counts as damaged. A damaged one is moved aside
//! (`store/quarantine.rs`), which makes the next install of its bundle read it from the medium again.
//!
//! No lock is held while reading, which takes hours; installs and rollbacks go by.
//! fs-verity would find damage at the moment of reading. It is not switched on: the ioctl is `unsafe` in
//! rustix, and it knows a file by another digest than the signed one, so this pass would remain.

mod lay;
mod pace;
mod pass;
mod read;
mod record;
mod subject;

use camino::Utf8PathBuf;
use jiff::Timestamp;
use maas_types::{Digest, GenerationId};
use serde::{Deserialize, Serialize};

pub use self::{
    lay::{Crooked, Fault, crooked},
    pace::Pace,
    pass::{Aside, Begin, Found, Report, Scrub},
    record::{Damage, Record, Underway, WholePass},
};

/// What reading a blob over again showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It is what its name says.
    Ok,
    /// It is something else, read twice.
    Damaged {
        /// What its name says.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// A generation needs it and it is not in the store.
    Missing,
    /// It could not be read, or was something else each time.
    Unreadable {
        /// What the system said.
        error: String,
    },
}

/// Something of a generation that a blob belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UsedBy {
    /// The generation.
    pub generation: GenerationId,
    /// ``model `tiny` ``, ``image `engine` ``, `the binary`, `documents`.
    pub what: String,
}

/// A blob that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its name.
    pub digest: Digest,
    /// What is wrong.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What it belongs to.
    pub used_by: Vec<UsedBy>,
    /// When it was found.
    pub found_at: Timestamp,
    /// Where it was moved to; `None` while it still lies in the store.
    pub aside: Option<Utf8PathBuf>,
}

/// What there is to tell while a pass goes on.
#[derive(Debug)]
pub enum Event<'a> {
    /// Told first: bytes of all blobs, and how many of them an earlier run has read.
    Planned {
        /// Of all blobs.
        bytes: u64,
        /// Read by an earlier run of this pass.
        done: u64,
    },
    /// So many more bytes were read.
    Read(u64),
    /// A blob is not as it should be.
    Found(&'a Finding),
}

#[cfg(test)]
mod tests;
