//! What is wrong on a medium: findings, all of them, not the first error.

use std::fmt;

use maas_types::{Digest, Exit};
use serde::Serialize;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Label of the volume.
    pub volume: String,
    /// The file, by its path on the volume; other people's names are escaped.
    pub file: String,
    /// What it carries, for people: "`config.json` of model `tiny`". Empty where it says itself.
    pub carries: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// It should be on this volume and is not.
    Missing,
    /// It is on a volume that was not given.
    VolumeNotGiven,
    /// Nothing of that name belongs there.
    Extra {
        /// What it is.
        found: String,
    },
    /// Not a regular file.
    NotRegular {
        /// What it is.
        found: String,
    },
    /// It lies on this volume and on another one.
    Duplicate {
        /// The other volume.
        other: String,
    },
    /// It ends early.
    Short {
        /// Signed length, bytes.
        expected: u64,
        /// Length found, bytes.
        found: u64,
    },
    /// It goes on after the signed length.
    Long {
        /// Signed length, bytes.
        expected: u64,
        /// Length found, bytes; `None` when the file system claims the right length.
        found: Option<u64>,
    },
    /// Its bytes are others.
    Digest {
        /// Signed digest.
        expected: Digest,
        /// Digest found.
        found: Digest,
        /// Where the bytes belong in the whole: first byte, and the byte after the last.
        range: (u64, u64),
    },
    /// A file that can be made again from the bill is not what it must be.
    Differs {
        /// The first byte that differs.
        offset: u64,
        /// What is wrong, for people.
        reason: String,
    },
    /// The medium failed while it was read.
    Unreadable {
        /// What the system said.
        reason: String,
    },
}

impl Problem {
    /// The exit code that answers this.
    pub fn exit(&self) -> Exit {
        match self.fault {
            Fault::VolumeNotGiven | Fault::Unreadable { .. } => Exit::Medium,
            Fault::Missing
            | Fault::Extra { .. }
            | Fault::NotRegular { .. }
            | Fault::Duplicate { .. }
            | Fault::Short { .. }
            | Fault::Long { .. }
            | Fault::Digest { .. }
            | Fault::Differs { .. } => Exit::Content,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` on `{}`", self.file, self.volume)?;
        if !self.carries.is_empty() {
            write!(f, " ({})", self.carries)?;
        }
        write!(f, " {}", self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "is missing"),
            Self::VolumeNotGiven => write!(f, "is needed, and that volume is not there"),
            Self::Extra { found } => write!(f, "is {found} that does not belong there"),
            Self::NotRegular { found } => write!(f, "is {found}, not a file"),
            Self::Duplicate { other } => write!(f, "lies on `{other}` as well"),
            Self::Short { expected, found } => {
                write!(f, "is cut off: {found} of {expected} bytes are there")
            }
            Self::Long {
                expected,
                found: Some(found),
            } => write!(f, "is too long: {found} bytes, signed are {expected}"),
            Self::Long {
                expected,
                found: None,
            } => write!(f, "goes on after its signed {expected} bytes"),
            Self::Digest {
                expected,
                found,
                range: (from, to),
            } => write!(
                f,
                "was changed between bytes {from} and {to}: expected {expected}, found {found}"
            ),
            Self::Differs { offset, reason } => {
                write!(f, "was changed at byte {offset}: {reason}")
            }
            Self::Unreadable { reason } => write!(f, "cannot be read: {reason}"),
        }
    }
}
