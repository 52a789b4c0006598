//! Why the registry cannot be opened, or an administrator's wish is not granted.

use camino::Utf8PathBuf;
use maas_types::{Exit, KeyId, TeamName};

/// Why administration of keys and usage failed. The request path has its own refusals:
/// [`crate::AuthRefusal`] and [`crate::LimitRefusal`].
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// SQLite could not do it. Nothing was changed: neither on disk nor in memory.
    #[error("failed to {doing} `{path}`")]
    Database {
        /// What was being done, to be read before the path.
        doing: &'static str,
        /// The database.
        path: Utf8PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// A revocation that holds until the gateway is restarted, and no longer: SQLite could not keep it.
    #[error(
        "the {whose} is refused from now on, but `{path}` could not be written: after a restart it \
         would be accepted again, so make room and say it again"
    )]
    NotKept {
        /// Whose keys: ``key `…` `` or ``team `…` ``.
        whose: String,
        /// The database.
        path: Utf8PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The database file or its lock file cannot be made.
    #[error("failed to create or lock `{path}`")]
    Lock {
        /// The file.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Another process has it open. Two of them would count two budgets.
    #[error("`{path}` is in use by another gateway")]
    InUse {
        /// The database.
        path: Utf8PathBuf,
    },
    /// Damaged, or no SQLite database at all. It was left as it is.
    #[error("`{path}` is damaged ({detail}); it was left as it is: restore a backup")]
    Corrupt {
        /// The database.
        path: Utf8PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A SQLite database of some other program. It was left as it is.
    #[error("`{path}` is a database of another program")]
    NotOurs {
        /// The file.
        path: Utf8PathBuf,
    },
    /// Written by a newer release. It was left as it is.
    #[error(
        "`{path}` has schema {found}, and this release knows schemas up to {known}; a newer \
         release wrote it"
    )]
    Newer {
        /// The database.
        path: Utf8PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema that this code knows.
        known: i64,
    },
    /// The file, or its file system, cannot be written. Keys without a ledger would be free of charge.
    #[error("`{path}` is read-only")]
    ReadOnly {
        /// The database.
        path: Utf8PathBuf,
    },
    /// The keys were hashed with another pepper; none of them would be accepted.
    #[error(
        "the pepper is not the one that the {keys} keys in `{path}` were hashed with; none would \
         be accepted: restore the pepper that belongs to this database"
    )]
    WrongPepper {
        /// The database.
        path: Utf8PathBuf,
        /// How many keys would be locked out.
        keys: u64,
    },
    /// The ledger's thread did not start.
    #[error("failed to start the ledger's thread")]
    Thread(#[source] std::io::Error),
    /// A team of that name exists, or existed: names are never used twice.
    #[error("team `{0}` exists already")]
    TeamExists(TeamName),
    /// No such team.
    #[error("no team `{0}`")]
    UnknownTeam(TeamName),
    /// No such key.
    #[error("no key `{0}`")]
    UnknownKey(KeyId),
    /// A name that would spoil a list: empty, too long, or with control characters.
    #[error("a key's name has 1 to 100 characters and no control characters")]
    KeyName,
    /// The key would be dead on arrival.
    #[error("the key would expire at {expires}, which is not after now, {now}")]
    ExpiresInThePast {
        /// When it would expire.
        expires: jiff::Timestamp,
        /// When that was asked.
        now: jiff::Timestamp,
    },
    /// The registry was closed.
    #[error("the registry is closed")]
    Closed,
    /// The ledger could not be written to the end. What is missing was written to the log.
    #[error("{rows} usage rows could not be written to `{path}`; they are in the log")]
    Unflushed {
        /// The database.
        path: Utf8PathBuf,
        /// How many requests are missing from the ledger.
        rows: usize,
    },
}

impl KeysError {
    /// What the process tells the shell.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Database { source, .. } | Self::NotKept { source, .. } => {
                match source.sqlite_error_code() {
                    Some(rusqlite::ErrorCode::DiskFull) => Exit::NoSpace,
                    Some(
                        rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked,
                    ) => Exit::Busy,
                    _ => Exit::Failed,
                }
            }
            Self::Corrupt { .. }
            | Self::NotOurs { .. }
            | Self::Newer { .. }
            | Self::WrongPepper { .. } => Exit::Content,
            Self::InUse { .. } => Exit::Busy,
            Self::UnknownTeam(_) | Self::UnknownKey(_) => Exit::NotFound,
            Self::KeyName | Self::ExpiresInThePast { .. } => Exit::Usage,
            Self::Lock { .. }
            | Self::ReadOnly { .. }
            | Self::Thread(_)
            | Self::TeamExists(_)
            | Self::Closed
            | Self::Unflushed { .. } => Exit::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_names_its_file_and_what_to_do() {
        let path = || Utf8PathBuf::from("/state.db");
        let errors = [
            KeysError::Database {
                doing: "open",
                path: path(),
                source: rusqlite::Error::InvalidQuery,
            },
            KeysError::NotKept {
                whose: "key `AbCdEfGhIjKl`".to_owned(),
                path: path(),
                source: rusqlite::Error::InvalidQuery,
            },
            KeysError::Lock {
                path: path(),
                source: std::io::ErrorKind::PermissionDenied.into(),
            },
            KeysError::InUse { path: path() },
            KeysError::Corrupt {
                path: path(),
                detail: "file is not a database".to_owned(),
            },
            KeysError::NotOurs { path: path() },
            KeysError::Newer {
                path: path(),
                found: 2,
                known: 1,
            },
            KeysError::ReadOnly { path: path() },
            KeysError::WrongPepper {
                path: path(),
                keys: 3,
            },
            KeysError::Unflushed {
                path: path(),
                rows: 2,
            },
        ];
        let lines = errors.map(|error| format!("{:?} {error}", error.exit()));
        insta::assert_snapshot!(lines.join("\n"), @"
        Failed failed to open `/state.db`
        Failed the key `AbCdEfGhIjKl` is refused from now on, but `/state.db` could not be written: after a restart it would be accepted again, so make room and say it again
        Failed failed to create or lock `/state.db`
        Busy `/state.db` is in use by another gateway
        Content `/state.db` is damaged (file is not a database); it was left as it is: restore a backup
        Content `/state.db` is a database of another program
        Content `/state.db` has schema 2, and this release knows schemas up to 1; a newer release wrote it
        Failed `/state.db` is read-only
        Content the pepper is not the one that the 3 keys in `/state.db` were hashed with; none would be accepted: restore the pepper that belongs to this database
        Failed 2 usage rows could not be written to `/state.db`; they are in the log
        ");
    }

    #[test]
    fn a_full_disk_and_a_busy_database_have_their_own_exit_codes() {
        let exit = |code: i32| {
            let source = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            let doing = "write";
            let path = Utf8PathBuf::from("/state.db");
            KeysError::Database {
                doing,
                path,
                source,
            }
            .exit()
        };
        assert_eq!(exit(rusqlite::ffi::SQLITE_FULL), Exit::NoSpace);
        assert_eq!(exit(rusqlite::ffi::SQLITE_BUSY), Exit::Busy);
        assert_eq!(exit(rusqlite::ffi::SQLITE_IOERR), Exit::Failed);
    }
}
