//! `audit.db`: the only place that knows SQL.
//!
//! Threats: a damaged or emptied file that is silently replaced by a new one; a file of another program
//! or of a newer release that is written to; two writers that give two entries one number; a power cut in
//! the middle of an entry; a reader that changes what it reads. Defences: a file is created whole beside
//! its name and linked there, never over anything; header, `application_id`, `user_version` and the last
//! entry's hash are checked before anything is written; one lock file; one transaction an entry, WAL with
//! `synchronous=FULL`; readers open read-only.

mod lock;
mod open;
mod rows;

use std::{io, ops::RangeBounds};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use self::lock::FileLock;
pub(crate) use self::open::sync_folder_of;
use crate::{Act, Actor, AuditError, Checkpoint, Entry, Head, HostKey};

/// The log, open for writing. One process at a time has it so.
#[derive(Debug)]
pub struct AuditLog {
    reader: AuditReader,
    /// Where this process left it.
    head: Head,
    _lock: FileLock,
}

/// The log, open for reading. Any number of processes may, also beside the writer.
#[derive(Debug)]
pub struct AuditReader {
    connection: Connection,
    path: Utf8PathBuf,
}

impl AuditLog {
    /// Opens the log at `path`, or creates it where there is no file. Whatever is there and is not a
    /// whole log of ours is refused and left as it is.
    pub fn open(path: &Utf8Path) -> Result<Self, AuditError> {
        let lock = FileLock::take(path)?;
        if path.symlink_metadata().is_err() {
            open::create(path)?;
        }
        let reader = AuditReader {
            connection: open::for_writing(path)?,
            path: path.to_owned(),
        };
        let head = rows::checked_head(&reader.connection, path)?;
        Ok(Self {
            reader,
            head,
            _lock: lock,
        })
    }

    /// Records `act`. It is on the disk when this returns, whole or not at all. `now` is what the clock
    /// says; an earlier time than the last entry's is recorded as it is.
    pub fn append(&mut self, now: Timestamp, actor: &Actor, act: Act) -> Result<Entry, AuditError> {
        let failed = |source| self.reader.failed("write to", source);
        let behaviour = TransactionBehavior::Immediate;
        let transaction =
            Transaction::new_unchecked(&self.reader.connection, behaviour).map_err(failed)?;
        let head = self.unchanged()?;
        let entry = Entry::after(head, now, actor, act);
        rows::insert(&transaction, &entry).map_err(failed)?;
        let committed = transaction.commit().map_err(failed);
        // A commit that failed to sync may yet be in the file: what is there is what was recorded.
        self.head = match &committed {
            Ok(()) => entry.head(),
            Err(_) => self.reader.head().unwrap_or(self.head),
        };
        committed.map(|()| entry)
    }

    /// Signs where the log ends now. Keep the result where whoever can write the log cannot.
    pub fn checkpoint(&self, now: Timestamp, key: &HostKey) -> Result<Checkpoint, AuditError> {
        self.unchanged()
            .map(|head| Checkpoint::sign(head, now, key))
    }

    /// For reading.
    pub const fn reader(&self) -> &AuditReader {
        &self.reader
    }

    /// The head, if it is where this process left it: with the lock held, nobody else may move it.
    fn unchanged(&self) -> Result<Head, AuditError> {
        let found = self.reader.head()?;
        if found == self.head {
            return Ok(found);
        }
        Err(AuditError::ChangedBeneath {
            path: self.reader.path.clone(),
            known: self.head,
            found,
        })
    }
}

impl AuditReader {
    /// Opens the log at `path`, or a copy of it, for reading. Nothing is created.
    ///
    /// A copy made while the log is written must include `-wal` beside it; an export needs no such care.
    pub fn open(path: &Utf8Path) -> Result<Self, AuditError> {
        Ok(Self {
            connection: open::for_reading(path)?,
            path: path.to_owned(),
        })
    }

    /// Where it lies.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Where it ends. The hash is the stored one.
    pub fn head(&self) -> Result<Head, AuditError> {
        rows::head(&self.connection, &self.path)
    }

    /// The last `count` entries, oldest first, as they are stored: nothing is verified.
    pub fn tail(&self, count: u32) -> Result<Vec<Entry>, AuditError> {
        let first = self.head()?.sequence.saturating_sub(u64::from(count));
        let mut entries = Vec::new();
        self.each(first + 1.., |entry| {
            entries.push(entry);
            Ok(())
        })?;
        Ok(entries)
    }

    /// Writes the entries with these numbers as JSON lines, as they are stored, and counts them: nothing
    /// is verified. Holds one entry in memory at a time.
    pub fn export(
        &self,
        mut out: impl io::Write,
        range: impl RangeBounds<u64>,
    ) -> Result<u64, AuditError> {
        let mut count = 0;
        self.each(range, |entry| {
            count += 1;
            writeln!(out, "{}", entry.to_line()).map_err(AuditError::Export)
        })?;
        out.flush().map_err(AuditError::Export)?;
        Ok(count)
    }

    fn each(
        &self,
        range: impl RangeBounds<u64>,
        mut with: impl FnMut(Entry) -> Result<(), AuditError>,
    ) -> Result<(), AuditError> {
        self.walk(range, |entry| {
            let entry = entry.map_err(|detail| AuditError::Corrupt {
                path: self.path.clone(),
                detail,
            })?;
            with(entry).map(|()| true)
        })
    }

    /// Gives each entry, or why a row is none, in the order of their numbers, until `with` says `false`.
    pub(crate) fn walk(
        &self,
        range: impl RangeBounds<u64>,
        with: impl FnMut(Result<Entry, String>) -> Result<bool, AuditError>,
    ) -> Result<(), AuditError> {
        rows::walk(&self.connection, &self.path, range, with)
    }

    fn failed(&self, doing: &'static str, source: rusqlite::Error) -> AuditError {
        open::failed(doing, &self.path, source)
    }
}

#[cfg(test)]
mod tests;
