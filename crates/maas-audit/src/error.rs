//! Why the audit log cannot be opened, written or read.

use std::io;

use camino::Utf8PathBuf;
use maas_types::Exit;
use rusqlite::ErrorCode;

use crate::{Fault, Head};

/// A failure of the audit log. What it records must not happen when this is returned: an act without its
/// entry is what the log is there to prevent.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// SQLite could not do it. Nothing was recorded.
    #[error("failed to {doing} the audit log `{path}`; nothing was recorded")]
    Database {
        /// What was being done, to be read before the words.
        doing: &'static str,
        /// The database.
        path: Utf8PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The database or its lock file cannot be made.
    #[error("failed to create or lock the audit log `{path}`")]
    Create {
        /// The file.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another process has it open for writing.
    #[error(
        "the audit log `{path}` is being written by another process; try again when it is done"
    )]
    InUse {
        /// The database.
        path: Utf8PathBuf,
    },
    /// There is none to read.
    #[error("there is no audit log `{path}`")]
    NotFound {
        /// Where it should be.
        path: Utf8PathBuf,
    },
    /// Damaged, empty, or no SQLite database at all.
    #[error(
        "the audit log `{path}` is damaged ({detail}); it was left as it is and is never made anew: keep it as evidence, then put a backup in its place, or move it away and say why in the first entry of the next"
    )]
    Corrupt {
        /// The database.
        path: Utf8PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Its last entry is not what was written.
    #[error(
        "the audit log `{path}` was changed: {fault}; nothing is added to it: keep it as evidence and compare it with the checkpoints kept elsewhere (`audit verify`)"
    )]
    Broken {
        /// The database.
        path: Utf8PathBuf,
        /// What is wrong, and where.
        fault: Box<Fault>,
    },
    /// Somebody else wrote to it while this process had it open.
    #[error(
        "the audit log `{path}` was changed by another program: it ended with entry {}, and now it ends with entry {} ({}); nothing is added to it: keep it as evidence and compare it with the checkpoints kept elsewhere (`audit verify`)",
        .known.sequence, .found.sequence, .found.hash.short()
    )]
    ChangedBeneath {
        /// The database.
        path: Utf8PathBuf,
        /// Where this process left it.
        known: Head,
        /// Where it ends now.
        found: Head,
    },
    /// A SQLite database of some other program. It was left as it is.
    #[error("`{path}` is a database of another program, not an audit log; it was left as it is")]
    NotOurs {
        /// The file.
        path: Utf8PathBuf,
    },
    /// Written by a newer release. It was left as it is.
    #[error(
        "the audit log `{path}` has schema {found}, and this release knows schemas up to {known}; a newer release wrote it: use that one"
    )]
    Newer {
        /// The database.
        path: Utf8PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema that this code knows.
        known: i64,
    },
    /// The file, or its file system, cannot be written.
    #[error(
        "the audit log `{path}` is read-only, so nothing can be recorded in it; it was left as it is"
    )]
    ReadOnly {
        /// The database.
        path: Utf8PathBuf,
    },
    /// What was exported could not be written down.
    #[error("failed to write the exported entries")]
    Export(#[source] io::Error),
    /// An export could not be read to its end.
    #[error("failed to read the exported entries")]
    Import(#[source] io::Error),
}

impl AuditError {
    /// What the process tells the shell.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Database { source, .. } => match source.sqlite_error_code() {
                Some(ErrorCode::DiskFull) => Exit::NoSpace,
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Exit::Busy,
                _ => Exit::Failed,
            },
            Self::Corrupt { .. } | Self::Broken { .. } | Self::ChangedBeneath { .. } => Exit::Audit,
            Self::NotOurs { .. } | Self::Newer { .. } => Exit::Content,
            Self::InUse { .. } => Exit::Busy,
            Self::NotFound { .. } => Exit::NotFound,
            Self::Create { source, .. } | Self::Export(source) | Self::Import(source) => {
                let kind = source.kind();
                if kind == io::ErrorKind::PermissionDenied {
                    Exit::NotAllowed
                } else if kind == io::ErrorKind::StorageFull {
                    Exit::NoSpace
                } else {
                    Exit::Failed
                }
            }
            Self::ReadOnly { .. } => Exit::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The others are in the tests of what causes them.
    #[test]
    fn errors_that_no_test_can_cause_say_what_and_where() {
        let path = || Utf8PathBuf::from("/audit.db");
        let errors = [
            AuditError::Database {
                doing: "write to",
                path: path(),
                source: rusqlite::Error::InvalidQuery,
            },
            AuditError::ReadOnly { path: path() },
            AuditError::Export(io::ErrorKind::StorageFull.into()),
            AuditError::Import(io::ErrorKind::PermissionDenied.into()),
        ];
        let lines = errors.map(|error| format!("{:?} {error}", error.exit()));
        insta::assert_snapshot!(lines.join("\n"), @"
        Failed failed to write to the audit log `/audit.db`; nothing was recorded
        Failed the audit log `/audit.db` is read-only, so nothing can be recorded in it; it was left as it is
        NoSpace failed to write the exported entries
        NotAllowed failed to read the exported entries
        ");
    }
}
