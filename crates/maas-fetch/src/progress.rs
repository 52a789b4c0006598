//! How a long download says where it is, without knowing who listens.

use std::{fmt, time::Duration};

use maas_types::{BlobPath, Digest};

/// Hears how far a download has come. Called from the task that works; keep it short.
pub trait Progress: Send + Sync {
    /// A download starts: what it is, and how many bytes it has in all, those already here included.
    fn start(&self, what: &str, total: u64);

    /// So many more bytes are here. Never more in all than `total`, however often a file restarts.
    fn advance(&self, bytes: u64);

    /// Something that the person at the terminal wants to know, and that is no failure.
    fn note(&self, note: &Note<'_>);
}

/// What a person wants to know while a download runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note<'a> {
    /// A branch or tag was resolved; from here on only the commit or digest counts.
    Resolved {
        /// The name as the caller wrote it.
        name: &'a str,
        /// What it stands for now.
        to: &'a str,
    },
    /// The server failed; the request is made again.
    Retry {
        /// What went wrong.
        reason: &'a str,
        /// How long we wait first.
        wait: Duration,
    },
    /// A file's bytes were not what was announced; it starts once more from its first byte.
    Restart {
        /// The file.
        file: &'a str,
    },
    /// A file of the revision is left out.
    LeftOut {
        /// The file.
        file: &'a str,
        /// The rule that left it out.
        rule: &'a str,
    },
    /// A file that an earlier run of ours put here, and that is no longer wanted, was removed.
    Removed {
        /// The file.
        file: &'a BlobPath,
    },
    /// A signature was found.
    Signature {
        /// The tag or the digest of its manifest.
        name: &'a str,
        /// What it signs.
        signs: &'a Digest,
    },
}

impl fmt::Display for Note<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolved { name, to } => write!(f, "`{name}` is now {to}"),
            Self::Retry { reason, wait } => {
                write!(f, "{reason}; trying again in {} s", wait.as_secs())
            }
            Self::Restart { file } => write!(
                f,
                "`{file}` arrived with other bytes than announced; starting it once more"
            ),
            Self::LeftOut { file, rule } => write!(f, "left out `{file}`: {rule}"),
            Self::Removed { file } => write!(f, "removed `{file}`, which is no longer wanted"),
            Self::Signature { name, signs } => write!(f, "signature {name} signs {signs}"),
        }
    }
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _what: &str, _total: u64) {}

    fn advance(&self, _bytes: u64) {}

    fn note(&self, _note: &Note<'_>) {}
}

/// Counts the bytes of one file for a [`Progress`]: what is fetched twice is told once.
#[derive(Debug, Default)]
pub(crate) struct HighWater(u64);

impl HighWater {
    /// The file has `length` bytes now.
    pub(crate) fn reach(&mut self, length: u64, progress: &dyn Progress) {
        if length > self.0 {
            progress.advance(length - self.0);
            self.0 = length;
        }
    }
}
