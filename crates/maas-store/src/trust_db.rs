//! `trust.db`: what this host trusts and what it has accepted. Trusted roots, rollback floors,
//! generations in the order of their installation, and the journal of an install under way.
//!
//! Threats: a power cut in the middle of a write; a damaged or emptied file that would let every old
//! bundle in again; a newer program's file read by an older one. Defences: SQLite with a write-ahead
//! log and `synchronous=FULL`; a file that is not exactly ours is refused and never made anew; a
//! missing one is made only where nothing was ever installed; floors never go down.

mod floors;
mod generations;
mod journal;
mod roots;
mod schema;

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::{Digest, Layout};
use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use self::{generations::InstalledRow, roots::StoredRoot};
use crate::{Disk, Lock, StoreError, disk::DiskError};

/// The trust database, open.
#[derive(Debug)]
pub struct TrustDb {
    connection: Connection,
    path: Utf8PathBuf,
}

impl TrustDb {
    /// Opens the database for reading what is trusted; `None` where none was ever made. Needs no
    /// lock.
    pub fn read(layout: &Layout) -> Result<Option<Self>, StoreError> {
        let path = layout.trust_db();
        if path.symlink_metadata().is_err() {
            refuse_if_it_was_there(layout, &path)?;
            return Ok(None);
        }
        schema::open(&path).map(Some)
    }

    /// Opens the database to write to it, and makes it where none was ever made.
    pub fn open(lock: &Lock) -> Result<Self, StoreError> {
        let layout = lock.layout();
        let path = layout.trust_db();
        if path.symlink_metadata().is_err() {
            refuse_if_it_was_there(layout, &path)?;
            lock.disk().make_folder(&layout.state())?;
            schema::create(lock.disk(), &path)?;
        }
        schema::open(&path)
    }

    /// Where it lies.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Runs `change` in one transaction that is on the disk when this returns.
    fn commit<T>(
        &self,
        disk: &Disk,
        what: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let transaction =
            Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
                .map_err(self.failed(what))?;
        let value = change(&transaction)?;
        disk.commit(&self.path, what)?;
        transaction.commit().map_err(self.failed(what))?;
        Ok(value)
    }

    fn failed(&self, doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError + '_ {
        move |source| schema::refused(&self.path, doing, source)
    }

    fn damaged(&self, detail: impl Into<String>) -> StoreError {
        StoreError::DatabaseDamaged {
            path: self.path.clone(),
            detail: detail.into(),
        }
    }

    fn digest(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        <[u8; 32]>::try_from(bytes)
            .map(Digest::from_bytes)
            .map_err(|_| self.damaged("a digest does not have 32 bytes"))
    }

    fn timestamp(&self, text: &str) -> Result<jiff::Timestamp, StoreError> {
        text.parse()
            .map_err(|_| self.damaged(format!("`{}` is not a time", text.escape_debug())))
    }

    fn number(&self, value: i64) -> Result<u64, StoreError> {
        u64::try_from(value).map_err(|_| self.damaged("a number is negative"))
    }
}

/// SQLite has signed 64-bit integers only; epochs and versions beyond 2^63 are refused, not wrapped.
fn column(value: u64, what: &'static str) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| {
        StoreError::Disk(DiskError {
            doing: format!("store {what} {value}"),
            source: std::io::Error::other("it is larger than 2^63 - 1"),
        })
    })
}

fn refuse_if_it_was_there(layout: &Layout, path: &Utf8Path) -> Result<(), StoreError> {
    let generations = layout.generations();
    let has_generations =
        || std::fs::read_dir(generations).is_ok_and(|mut entries| entries.next().is_some());
    if layout.current().symlink_metadata().is_ok() || has_generations() {
        return Err(StoreError::DatabaseGone {
            path: path.to_owned(),
            generations: layout.generations(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
