//! What can go wrong with a backup.

use std::{error::Error, fmt, io};

use camino::Utf8PathBuf;
use maas_store::DiskError;
use maas_types::{Digest, Exit};

use crate::EntryName;

/// A backup that was not made, is not good, or was not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The disk, or the quota on it, is full.
    #[error("no space is left to {doing}; nothing that was there has changed")]
    NoSpace {
        /// What was to be done.
        doing: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Known before the first write.
    #[error("`{folder}` needs {needed} bytes and has {free}; nothing was written")]
    TooSmall {
        /// The folder that is restored to.
        folder: Utf8PathBuf,
        /// The bytes of what is to be restored there.
        needed: u64,
        /// What the file system gives.
        free: u64,
    },
    /// The backup cannot be read from where it lies.
    #[error("failed to read the backup")]
    Read(#[source] io::Error),
    /// The backup cannot be written to where it goes.
    #[error("failed to write the backup; what was written of it is no backup")]
    Write(#[source] io::Error),
    /// A change to the disk did not happen.
    #[error(transparent)]
    Disk(DiskError),
    /// A file or folder of the host cannot be used.
    #[error("failed to {doing} `{path}`")]
    File {
        /// `read`, `make`, …
        doing: &'static str,
        /// Where.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Something else lies where a file should be.
    #[error("`{path}` is a link, a folder or a device, not a plain file; it is not backed up")]
    NotPlain {
        /// Where.
        path: Utf8PathBuf,
    },
    /// Another backup is being made or verified with the same scratch folder.
    #[error("`{path}` is in use: another backup is being made or verified; wait for it")]
    Busy {
        /// The scratch folder.
        path: Utf8PathBuf,
    },
    /// A database of the host cannot be copied.
    #[error("failed to copy the database `{path}`")]
    Database {
        /// The database.
        path: Utf8PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// A database of the host is damaged; its copy would be worth nothing.
    #[error("the database `{path}` is damaged: {detail}; restore it from an older backup")]
    DatabaseDamaged {
        /// The database.
        path: Utf8PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// The list of what to back up is wrong. The caller's bug.
    #[error("the list of what to back up is wrong: {problem} (please report this)")]
    Items {
        /// What is wrong.
        problem: String,
    },
    /// Too few or too many public keys.
    #[error("a backup is sealed to 1 to 20 public keys, not to {count}")]
    Recipients {
        /// How many were given.
        count: usize,
    },
    /// A public key that protects nothing.
    #[error("a public key is a point of low order, which everybody can open; make another")]
    WeakRecipient,
    /// A private key is needed.
    #[error("the backup is sealed to a public key: give the private key, not a passphrase")]
    NeedsIdentity,
    /// A passphrase is needed.
    #[error("the backup is sealed with a passphrase: give that, not a private key")]
    NeedsPassphrase,
    /// Another private key is needed.
    #[error("the backup is not sealed to this private key; its recipients are others")]
    NotARecipient,
    /// The passphrase does not open it.
    #[error("the passphrase is wrong, or it is the passphrase of another backup; nothing was read")]
    WrongPassphrase,
    /// The file is not what was sealed, or not by us.
    #[error("the backup cannot be used: {0}")]
    Damaged(#[from] Damage),
    /// The backup has a digest that was not expected.
    #[error("the backup is {found}, not {expected}: it is another file than the one that was made")]
    NotExpected {
        /// What the caller knows.
        expected: Digest,
        /// What was read.
        found: Digest,
    },
    /// The backup names something that is not restored.
    #[error(
        "the backup holds `{name}`, which is no part of an appliance's state; nothing was written"
    )]
    Foreign {
        /// Its name.
        name: EntryName,
    },
    /// Something was chosen that is not in the backup.
    #[error("the backup does not hold `{name}`")]
    NotHeld {
        /// Its name.
        name: EntryName,
    },
    /// There is a state already.
    #[error("`{path}` exists already; to replace it, ask for that, and it is kept aside")]
    Existing {
        /// What is there.
        path: Utf8PathBuf,
    },
    /// Something that is to be replaced cannot be moved by one rename.
    #[error("`{path}` is a file system of its own; a restore cannot replace it in one step")]
    OtherFileSystem {
        /// What is there.
        path: Utf8PathBuf,
    },
    /// An earlier restore was cut and cannot be carried on.
    #[error("an earlier restore was cut, and its journal `{path}` cannot be followed: {detail}")]
    Journal {
        /// The journal.
        path: Utf8PathBuf,
        /// What is wrong.
        detail: String,
    },
}

/// Why a file is not a backup that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Something else.
    #[error("it is not a backup of an appliance")]
    NotABackup,
    /// The text at its beginning.
    #[error("its header is damaged: {0}")]
    Header(&'static str),
    /// More work than any backup of ours asks for.
    #[error("its passphrase asks for 2^{log_n} of work; at most 2^20 is done (1 GiB of memory)")]
    Work {
        /// log2 of N.
        log_n: u32,
    },
    /// A part of 64 KiB.
    #[error("it is damaged, cut short or put together anew at its part {number} of 64 KiB")]
    Chunk {
        /// Counted from 0.
        number: u64,
    },
    /// The compression.
    #[error("what is sealed in it is not a compressed archive: {detail}")]
    Packing {
        /// What the decoder said.
        detail: String,
    },
    /// The manifest.
    #[error("its manifest is wrong: {problem}")]
    Manifest {
        /// What is wrong.
        problem: String,
    },
    /// Another release's.
    #[error(
        "it is `{found}`, and this release reads `maas-appliance/backup/v1`; use the release that made it"
    )]
    Version {
        /// What it says it is.
        found: String,
    },
    /// The archive is not what the manifest says.
    #[error("its archive does not go on with `{name}` as its manifest says")]
    Archive {
        /// What should have come.
        name: String,
    },
    /// A file is not what the manifest says.
    #[error("`{name}` in it is {found}, not {expected} as its manifest says")]
    Content {
        /// Its name.
        name: EntryName,
        /// By the manifest.
        expected: Digest,
        /// What was read.
        found: Digest,
    },
    /// A copy of a database.
    #[error("the database `{name}` in it is damaged: {detail}")]
    Database {
        /// Its name.
        name: EntryName,
        /// What SQLite said.
        detail: String,
    },
    /// More than there should be.
    #[error("something follows its end")]
    Trailing,
}

impl BackupError {
    /// What the process tells the shell.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoSpace { .. } | Self::TooSmall { .. } => Exit::NoSpace,
            Self::Read(_) | Self::Write(_) => Exit::Medium,
            Self::Busy { .. } => Exit::Busy,
            Self::NeedsIdentity
            | Self::NeedsPassphrase
            | Self::NotARecipient
            | Self::WrongPassphrase => Exit::NotAllowed,
            Self::Damaged(_)
            | Self::NotExpected { .. }
            | Self::Foreign { .. }
            | Self::DatabaseDamaged { .. } => Exit::Content,
            Self::NotHeld { .. } => Exit::NotFound,
            Self::Recipients { .. } | Self::WeakRecipient => Exit::Usage,
            Self::Items { .. } => Exit::Bug,
            Self::Disk(_)
            | Self::File { .. }
            | Self::NotPlain { .. }
            | Self::Database { .. }
            | Self::Existing { .. }
            | Self::OtherFileSystem { .. }
            | Self::Journal { .. } => Exit::Failed,
        }
    }

    /// Names an error of [`crate::age::Opened`]: damage, or a source that fails.
    pub fn reading(error: io::Error) -> Self {
        let inner = error.get_ref();
        if let Some(damage) = inner.and_then(|inner| inner.downcast_ref::<Damage>()) {
            return Self::Damaged(damage.clone());
        }
        if inner.is_some_and(<dyn Error + Send + Sync>::is::<SourceFailed>) {
            let inner = error
                .into_inner()
                .and_then(|e| e.downcast::<SourceFailed>().ok());
            return Self::Read(inner.map_or_else(|| io::Error::other("unknown"), |e| e.0));
        }
        Self::Damaged(Damage::Packing {
            detail: error.to_string(),
        })
    }

    /// Names an error of the caller's writer.
    pub(crate) fn writing(error: io::Error) -> Self {
        if is_full(&error) {
            let doing = "write the backup".to_owned();
            return Self::NoSpace {
                doing,
                source: error,
            };
        }
        Self::Write(error)
    }

    /// Names an error of a file on the host.
    pub(crate) fn file(
        doing: &'static str,
        path: impl Into<Utf8PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| {
            if is_full(&source) {
                let doing = format!("{doing} `{path}`");
                return Self::NoSpace { doing, source };
            }
            Self::File {
                doing,
                path,
                source,
            }
        }
    }
}

impl From<DiskError> for BackupError {
    fn from(error: DiskError) -> Self {
        if error.is_full() {
            return Self::NoSpace {
                doing: error.doing,
                source: error.source,
            };
        }
        Self::Disk(error)
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Marks an error as one of the source that a backup is read from.
#[derive(Debug)]
pub(crate) struct SourceFailed(io::Error);

impl SourceFailed {
    pub(crate) fn wrap(error: io::Error) -> io::Error {
        io::Error::new(error.kind(), Self(error))
    }
}

impl fmt::Display for SourceFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the source of the backup fails")
    }
}

impl Error for SourceFailed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}
