//! Is this the log that was written? Asked of a copy or an export, anywhere.
//!
//! Threats: entries that were edited, removed, inserted, moved or cut off, by somebody who may know how
//! the chain is computed; a checkpoint of another host, or one that nobody signed; an export that never
//! ends. Defences: numbers without gaps, each hash computed anew, and compared where somebody signed;
//! what cannot be judged is never called good; one line and one entry in memory at a time.

mod lines;
mod verdict;
mod walk;

use std::io::BufRead;

use camino::Utf8Path;

pub use self::verdict::{ClockWentBack, Fault, Problem, RefusedCheckpoint, Verdict};
use self::walk::Walk;
use crate::{AuditError, AuditReader, Checkpoint, HostPublicKey};

/// Where the entries are.
pub enum Source<'a> {
    /// The log itself or a copy of it.
    Database(&'a Utf8Path),
    /// JSON lines, as [`AuditReader::export`] writes them.
    Export {
        /// The lines.
        lines: &'a mut dyn BufRead,
        /// The number that the first one should have: 1 for a whole log. Who asked for a part of the log
        /// knows which; who was given one must not learn it from the part itself.
        first: u64,
    },
}

impl std::fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Database(path) => f.debug_tuple("Database").field(path).finish(),
            Self::Export { first, .. } => f.debug_struct("Export").field("first", first).finish(),
        }
    }
}

/// Follows the chain from its first entry and compares it with every checkpoint that one of `keys`
/// signed. Findings are in the verdict; an error is a source that could not be read.
///
/// `keys` are the public halves of one host's key, the replaced ones too, as the auditor got them from
/// the host when it was set up, not now.
pub fn verify(
    source: Source<'_>,
    checkpoints: &[Checkpoint],
    keys: &[HostPublicKey],
) -> Result<Verdict, AuditError> {
    match source {
        Source::Database(path) => {
            let mut walk = Walk::start(1, checkpoints, keys);
            AuditReader::open(path)?.walk(.., |entry| Ok(walk.step(entry)))?;
            Ok(walk.end())
        }
        Source::Export { lines, first } => {
            let mut walk = Walk::start(first, checkpoints, keys);
            while let Some(entry) = lines::next(lines)? {
                if !walk.step(entry) {
                    break;
                }
            }
            Ok(walk.end())
        }
    }
}

#[cfg(test)]
mod tests;
