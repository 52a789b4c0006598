//! What this host has accepted and never goes below: role versions, the release epoch, the time.
//! Only the replacement of the keys that signed them lets the first two start anew.

use jiff::Timestamp;
use maas_bundle::Floors;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::{TrustDb, column};
use crate::{Lock, StoreError};

const WHATS: [&str; 4] = [
    "timestamp version",
    "snapshot version",
    "targets version",
    "epoch",
];
const ROOT: &str = "root version";

fn values(floors: &Floors) -> [u64; 4] {
    [
        floors.timestamp,
        floors.snapshot,
        floors.targets,
        floors.epoch,
    ]
}

impl TrustDb {
    /// The floors as they are; all zero before the first install.
    pub fn floors(&self) -> Result<Floors, StoreError> {
        let [timestamp, snapshot, targets, epoch] = WHATS.map(|what| self.floor(what));
        let time: Option<String> = self
            .connection
            .query_row("SELECT seen FROM clock", [], |row| row.get(0))
            .optional()
            .map_err(self.failed("read the trusted time"))?;
        Ok(Floors {
            timestamp: timestamp?,
            snapshot: snapshot?,
            targets: targets?,
            epoch: epoch?,
            time: time.map_or(Ok(Timestamp::UNIX_EPOCH), |text| self.timestamp(&text))?,
        })
    }

    /// Raises the floors in one transaction. A number below its floor is refused and nothing
    /// changes; an earlier time is not an error, because a dead clock battery is none.
    ///
    /// `root` is the version of the root that these floors were verified with.
    pub fn raise_floors(&self, lock: &Lock, root: u64, to: &Floors) -> Result<(), StoreError> {
        let (now, root_now) = (self.floors()?, self.floor(ROOT)?);
        let floors = WHATS.into_iter().zip(values(&now));
        let numbers = floors
            .zip(values(to))
            .map(|((what, floor), found)| (what, floor, found));
        let fallen = [(ROOT, root_now, root)]
            .into_iter()
            .chain(numbers)
            .find(|(_, floor, found)| found < floor);
        if let Some((what, floor, found)) = fallen {
            return Err(StoreError::BelowFloor { what, floor, found });
        }
        if root == root_now && values(&now) == values(to) && to.time <= now.time {
            return Ok(());
        }
        self.commit(lock.disk(), "floors", |transaction| {
            self.set_floor(transaction, ROOT, root)?;
            for (what, value) in WHATS.into_iter().zip(values(to)) {
                self.set_floor(transaction, what, value)?;
            }
            self.set_time(transaction, to.time.max(now.time))
        })
    }

    /// The one way down: the keys behind the floors were replaced. Part of the transaction that
    /// replaces them. Only floors that start anew, from 0, are touched: another installation may have
    /// raised the others since they were read. The time starts anew with the epoch: the same keys
    /// signed for both.
    pub(super) fn restart_floors(
        &self,
        transaction: &Transaction<'_>,
        to: &Floors,
    ) -> Result<(), StoreError> {
        WHATS
            .into_iter()
            .zip(values(to))
            .filter(|(_, value)| *value == 0)
            .try_for_each(|(what, value)| self.set_floor(transaction, what, value))?;
        if to.epoch == 0 && to.time == Floors::default().time {
            self.set_time(transaction, to.time)?;
        }
        Ok(())
    }

    /// Another chain of roots begins at this version.
    pub(super) fn restart_root_floor(
        &self,
        transaction: &Transaction<'_>,
        version: u64,
    ) -> Result<(), StoreError> {
        self.set_floor(transaction, ROOT, version)
    }

    fn floor(&self, what: &str) -> Result<u64, StoreError> {
        let value: Option<i64> = self
            .connection
            .query_row("SELECT value FROM floor WHERE what = ?1", [what], |row| {
                row.get(0)
            })
            .optional()
            .map_err(self.failed("read a floor"))?;
        value.map_or(Ok(0), |value| self.number(value))
    }

    fn set_floor(
        &self,
        transaction: &Transaction<'_>,
        what: &'static str,
        value: u64,
    ) -> Result<(), StoreError> {
        transaction
            .execute(
                "INSERT OR REPLACE INTO floor (what, value) VALUES (?1, ?2)",
                params![what, column(value, what)?],
            )
            .map_err(self.failed("raise a floor"))?;
        Ok(())
    }

    fn set_time(&self, transaction: &Transaction<'_>, time: Timestamp) -> Result<(), StoreError> {
        transaction
            .execute(
                "INSERT OR REPLACE INTO clock (one, seen) VALUES (1, ?1)",
                [time.to_string()],
            )
            .map_err(self.failed("store the trusted time"))?;
        Ok(())
    }
}
