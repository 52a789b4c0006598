//! The one door: who may ask, whether they may ask now, and what they used.

mod admin;

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use parking_lot::Mutex;
use rusqlite::Connection;
use subtle::ConstantTimeEq;

use crate::{
    Ask, AuthRefusal, Day, KeysError, LimitRefusal, Pepper, Permit, Principal, SiteTimeZone,
    UsageQuery, UsageReport, admission,
    database::{self, FileLock},
    ledger::{self, Ledger},
    pepper::Code,
    snapshot::Snapshot,
    token,
};

/// Users' keys, their teams, limits and usage. A cheap handle: clones share everything.
///
/// [`Registry::authenticate`] and [`Registry::admit`] touch memory only and may be called from async
/// code. Everything else waits for SQLite: call it from a blocking thread.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

pub(crate) struct Inner {
    path: Utf8PathBuf,
    pepper: Pepper,
    zone: SiteTimeZone,
    snapshot: ArcSwap<Snapshot>,
    /// The day of the last request; worked out anew only when it is over.
    today: ArcSwap<Day>,
    admin: Mutex<Option<Admin>>,
    pub(crate) ledger: Ledger,
}

/// What administration holds, until the registry is closed.
struct Admin {
    connection: Connection,
    /// Reports have their own, so that a long one never delays a revocation.
    reports: Arc<Mutex<Connection>>,
    /// Released last: nobody else opens the database before the ledger is written.
    _lock: FileLock,
}

impl Registry {
    /// Opens `state.db`, creating it when there is none, and rebuilds the day's counters from it.
    ///
    /// A damaged or newer database, one of another program, or one whose keys were hashed with
    /// another pepper is refused and left as it is.
    pub fn open(
        path: &Utf8Path,
        pepper: Pepper,
        now: Timestamp,
        zone: SiteTimeZone,
    ) -> Result<Self, KeysError> {
        Self::open_with(path, pepper, now, zone, ledger::SLOTS)
    }

    pub(crate) fn open_with(
        path: &Utf8Path,
        pepper: Pepper,
        now: Timestamp,
        zone: SiteTimeZone,
        slots: usize,
    ) -> Result<Self, KeysError> {
        let lock = FileLock::take(path)?;
        let connection = database::open(path)?;
        database::check_pepper(&connection, path, &pepper)?;
        let today = zone.day(now);
        let snapshot = database::load(&connection, path, today.date)?;
        let ledger = Ledger::start(database::connect(path)?, slots).map_err(KeysError::Thread)?;
        let admin = Admin {
            connection,
            reports: Arc::new(Mutex::new(database::connect(path)?)),
            _lock: lock,
        };
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            pepper,
            zone,
            snapshot: ArcSwap::from_pointee(snapshot),
            today: ArcSwap::from_pointee(today),
            admin: Mutex::new(Some(admin)),
            ledger,
        })))
    }

    /// Who presents this key. No I/O, no lock, no allocation; microseconds.
    ///
    /// An unknown id and a wrong secret are the same answer after the same work.
    pub fn authenticate(&self, presented: &str, now: Timestamp) -> Result<Principal, AuthRefusal> {
        let presented = token::parse(presented).ok_or(AuthRefusal::Malformed)?;
        let snapshot = self.0.snapshot.load();
        let entry = snapshot.keys.get(presented.id);
        let stored = entry.map_or(&Code::NOBODY, |entry| &entry.code);
        let right = stored.ct_eq(&self.0.pepper.code(presented.covered));
        let key = entry
            .filter(|_| bool::from(right))
            .ok_or(AuthRefusal::Unknown)?;
        if key.record.revoked.is_some() {
            return Err(AuthRefusal::Revoked);
        }
        if key.record.expires.is_some_and(|expires| expires <= now) {
            return Err(AuthRefusal::Expired);
        }
        if key.team.record.disabled.is_some() {
            return Err(AuthRefusal::TeamDisabled);
        }
        Ok(Principal {
            key: Arc::clone(key),
        })
    }

    /// Weighs a request against every limit and reserves what it may use, or refuses it and reserves
    /// nothing. No I/O; one short lock per team.
    pub fn admit(&self, who: &Principal, ask: Ask, now: Timestamp) -> Result<Permit, LimitRefusal> {
        admission::admit(&self.0, who, ask, now)
    }

    /// Whether usage can be written. `false` refuses every admission with
    /// [`LimitRefusal::LedgerBusy`] and belongs in `/readyz`.
    pub fn healthy(&self) -> bool {
        self.0.ledger.healthy()
    }

    /// The site's day that `now` belongs to.
    pub fn day(&self, now: Timestamp) -> Day {
        self.0.day(now)
    }

    /// What was used, to the last settled request, on disk or not. Reads the roll-ups; blocks.
    pub fn usage(&self, query: &UsageQuery) -> Result<UsageReport, KeysError> {
        let reports = match &*self.0.admin.lock() {
            Some(admin) => Arc::clone(&admin.reports),
            None => return Err(KeysError::Closed),
        };
        // Pending first, disk second: a row that reaches the disk in between is seen in both and
        // counted once, by its request id; the other way round it would be seen in neither.
        let pending = self.0.ledger.pending();
        let mut reports = reports.lock();
        database::usage(&mut reports, query, &pending)
            .map_err(|source| self.0.failed("read usage from", source))
    }

    /// Refuses new requests, writes the ledger to its end and releases the database. Blocks.
    ///
    /// Settle all permits first; what is settled later goes to the log. Other clones of this
    /// registry stay usable for [`Registry::authenticate`] only.
    pub fn close(self) -> Result<(), KeysError> {
        let rows = self.0.ledger.close();
        // Last, so that whoever waits for the lock finds the ledger complete.
        drop(self.0.admin.lock().take());
        match rows {
            0 => Ok(()),
            rows => Err(KeysError::Unflushed {
                path: self.0.path.clone(),
                rows,
            }),
        }
    }
}

impl Inner {
    pub(crate) fn day(&self, now: Timestamp) -> Day {
        let today = **self.today.load();
        if today.contains(now) {
            return today;
        }
        let today = self.zone.day(now);
        self.today.store(Arc::new(today));
        today
    }

    fn failed(&self, doing: &'static str, source: rusqlite::Error) -> KeysError {
        database::failed(doing, &self.path, source)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Before the lock is released with the fields.
        let rows = self.ledger.close();
        if rows > 0 {
            tracing::error!(rows, "Usage rows could not be written to the ledger");
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("path", &self.0.path)
            .field("ledger", &self.0.ledger)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
