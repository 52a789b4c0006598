//! One writer per log.

use std::fs::TryLockError;

use camino::Utf8Path;
use fs_err::os::unix::fs::OpenOptionsExt as _;

use crate::AuditError;

/// Held as long as the log is open for writing; the kernel releases it with the process.
///
/// A file of its own, because closing any descriptor of the database itself would drop the locks that
/// SQLite holds on it (`fcntl(2)`).
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: fs_err::File,
}

impl FileLock {
    /// Takes `<database>.lock`, or says that somebody else has it.
    pub(crate) fn take(database: &Utf8Path) -> Result<Self, AuditError> {
        let path = super::open::beside(database, ".lock");
        let failed = |source| AuditError::Create {
            path: path.clone(),
            source,
        };
        let mut options = fs_err::OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(failed)?;
        match file.file().try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(AuditError::InUse {
                path: database.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}
