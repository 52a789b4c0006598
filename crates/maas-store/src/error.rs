//! What can go wrong in the store.

use std::io;

use camino::Utf8PathBuf;
use maas_bundle::{Fingerprint, MediaError};
use maas_types::{ByteSize, Digest, Exit, GenerationId};

use crate::{Holder, disk::DiskError};

/// A failure of the store, the trust database or a generation.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A change to the disk did not happen.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A file of our own could not be read.
    #[error("failed to read `{path}`")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Somebody else holds the lock.
    #[error("`{path}` is held by {}", .holder.as_ref().map_or_else(|| "another process that has not said who it is".to_owned(), ToString::to_string))]
    Busy {
        /// The lock.
        path: Utf8PathBuf,
        /// Who, since when; `None` in the instant before the holder has signed.
        holder: Option<Holder>,
    },
    /// The trust database answers with an error.
    #[error("failed to {doing} in the trust database `{path}`")]
    Database {
        /// The file.
        path: Utf8PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The trust database is not what this program wrote. It holds the rollback floors, so it is
    /// never made anew.
    #[error(
        "the trust database `{path}` is damaged: {detail}; it is not made anew, because it holds the floors that refuse old bundles"
    )]
    DatabaseDamaged {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The trust database was written by a newer program.
    #[error(
        "the trust database `{path}` has schema {found}, newer than the {known} that this program knows"
    )]
    DatabaseNewer {
        /// The file.
        path: Utf8PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema known here.
        known: i64,
    },
    /// There are generations but no trust database: somebody removed it, and the floors with it.
    #[error(
        "the trust database `{path}` is gone although generations are installed in `{generations}`; it is not made anew, because it held the floors that refuse old bundles"
    )]
    DatabaseGone {
        /// Where it should be.
        path: Utf8PathBuf,
        /// What shows that it was there.
        generations: Utf8PathBuf,
    },
    /// A number would go back.
    #[error("{what} {found} is older than {floor}, which this host has already accepted")]
    BelowFloor {
        /// `epoch`, `root version`, …
        what: &'static str,
        /// What this host has accepted.
        floor: u64,
        /// What was offered.
        found: u64,
    },
    /// The same root version with another fingerprint.
    #[error(transparent)]
    ConflictingRoot(Box<ConflictingRoot>),
    /// Bytes on a medium are not what was signed.
    #[error(transparent)]
    Content(Box<Mismatch>),
    /// A name on a medium is missing, or is not a plain file.
    #[error(transparent)]
    Refused(#[from] MediaError),
    /// A medium cannot be read, or answers differently each time.
    #[error(transparent)]
    Medium(Box<MediumFault>),
    /// Something that is needed is on none of the volumes.
    #[error(transparent)]
    Missing(Box<MissingBytes>),
    /// Nothing is installed.
    #[error("no generation is installed: there is no `{path}`")]
    NoCurrent {
        /// The link that is not there.
        path: Utf8PathBuf,
    },
    /// No generation has that name.
    #[error("there is no generation {id} in `{folder}`")]
    NoSuchGeneration {
        /// The name.
        id: GenerationId,
        /// Where it was looked for.
        folder: Utf8PathBuf,
    },
    /// A generation is not what was assembled.
    #[error("the generation in `{path}` is damaged: {detail}")]
    GenerationDamaged {
        /// Its folder or file.
        path: Utf8PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// There is no older generation to go back to.
    #[error("generation {current} is the first one here: there is none to go back to")]
    NothingBefore {
        /// The one that serves.
        current: GenerationId,
    },
}

/// Two roots that claim to be the same version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this host already trusts a root {version} with fingerprint {known}, not {found}")]
pub struct ConflictingRoot {
    /// The version of both.
    pub version: u64,
    /// What is stored.
    pub known: Fingerprint,
    /// What was offered.
    pub found: Fingerprint,
}

/// Bytes that are not what was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "volume `{volume}`: `{file}` {}does not have the signed content (expected {expected}, found {found})",
    .part.map_or_else(String::new, |part| format!("(part {part}, from byte {offset} of {blob}) "))
)]
pub struct Mismatch {
    /// The volume.
    pub volume: String,
    /// The file on it.
    pub file: String,
    /// The blob that it belongs to.
    pub blob: Digest,
    /// Which part of the blob, from 1; `None` when the blob travels whole.
    pub part: Option<usize>,
    /// Where in the blob the part starts, bytes.
    pub offset: u64,
    /// The signed digest or length, in words.
    pub expected: String,
    /// What the medium gave.
    pub found: String,
}

/// Bytes that none of the volumes holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{objects} files ({}) of the bundle are on none of the volumes given ({}); the first is `{path}`{}",
    ByteSize(*.bytes), .volumes.join(", "),
    .should_be_on.as_ref().map_or_else(String::new, |volume| format!(", which should be on `{volume}`"))
)]
pub struct MissingBytes {
    /// How many files are missing.
    pub objects: usize,
    /// How many bytes they have.
    pub bytes: u64,
    /// Name of the first of them.
    pub path: String,
    /// The volume that should hold it, as the volumes at hand say.
    pub should_be_on: Option<String>,
    /// The volumes looked at.
    pub volumes: Vec<String>,
}

/// A medium that fails.
#[derive(Debug, thiserror::Error)]
#[error(
    "volume `{volume}`: `{file}` {}(tried {attempts} times: a failing stick, reader or memory)",
    self.where_and_what()
)]
pub struct MediumFault {
    /// The volume.
    pub volume: String,
    /// The file on it.
    pub file: String,
    /// Which part of the blob, from 1; `None` when the blob travels whole.
    pub part: Option<usize>,
    /// How far into that file the last attempt came, bytes.
    pub offset: u64,
    /// How often it was tried.
    pub attempts: u32,
    /// What happened the last time.
    pub kind: FaultKind,
    /// What the system said, where it said something.
    #[source]
    pub source: Option<io::Error>,
}

/// How a medium fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Reading returned an error.
    Unreadable,
    /// Two readings of one file gave different wrong bytes.
    Changing,
}

impl MediumFault {
    fn where_and_what(&self) -> String {
        let part = self
            .part
            .map_or_else(String::new, |part| format!("(part {part}) "));
        match self.kind {
            FaultKind::Unreadable => format!("{part}cannot be read at byte {} ", self.offset),
            FaultKind::Changing => format!("{part}gives other wrong bytes at each reading "),
        }
    }
}

impl StoreError {
    /// What the process tells the shell.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Disk(error) if error.is_full() => Exit::NoSpace,
            Self::Disk(error) if error.source.kind() == io::ErrorKind::PermissionDenied => {
                Exit::NotAllowed
            }
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Exit::NotAllowed
            }
            Self::Disk(_)
            | Self::Read { .. }
            | Self::Database { .. }
            | Self::DatabaseDamaged { .. }
            | Self::DatabaseNewer { .. }
            | Self::DatabaseGone { .. }
            | Self::GenerationDamaged { .. } => Exit::Failed,
            Self::Busy { .. } => Exit::Busy,
            Self::BelowFloor { .. } => Exit::Stale,
            Self::ConflictingRoot(_) => Exit::Untrusted,
            Self::Content(_) => Exit::Content,
            Self::Refused(MediaError::Io { source, .. })
                if source.kind() == io::ErrorKind::InvalidData =>
            {
                Exit::Content
            }
            Self::Refused(error) => error.exit(),
            Self::Medium(_) | Self::Missing(_) => Exit::Medium,
            Self::NoCurrent { .. } | Self::NoSuchGeneration { .. } | Self::NothingBefore { .. } => {
                Exit::NotFound
            }
        }
    }
}
