//! Generations in the order of their installation, and which of them served, which is what `rollback`
//! goes by: a bad release that was left once is not come back to.

use jiff::Timestamp;
use maas_types::{BundleId, Digest, GenerationId};
use rusqlite::params;

use super::{TrustDb, column};
use crate::{Lock, StoreError};

/// A generation that was completely assembled here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledRow {
    /// Its name.
    pub id: GenerationId,
    /// The bundle it came from.
    pub bundle: BundleId,
    /// SHA-256 of the signed bill of lading.
    pub bill_digest: Digest,
    /// When it was assembled.
    pub installed: Timestamp,
}

impl TrustDb {
    /// Every generation, first installed first.
    pub fn generations(&self) -> Result<Vec<InstalledRow>, StoreError> {
        let failed = self.failed("read the generations");
        let mut statement = self
            .connection
            .prepare(
                "SELECT epoch, serial, bundle, bill_digest, installed FROM generation
                 ORDER BY sequence",
            )
            .map_err(&failed)?;
        let rows: Vec<(i64, u32, String, Vec<u8>, String)> = statement
            .query_map([], |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                ))
            })
            .and_then(Iterator::collect)
            .map_err(&failed)?;
        rows.into_iter()
            .map(|(epoch, serial, bundle, digest, installed)| {
                Ok(InstalledRow {
                    id: GenerationId {
                        epoch: self.number(epoch)?,
                        serial,
                    },
                    bundle: bundle
                        .parse()
                        .map_err(|_| self.damaged("a bundle id is not one"))?,
                    bill_digest: self.digest(&digest)?,
                    installed: self.timestamp(&installed)?,
                })
            })
            .collect()
    }

    /// Notes that a generation is complete. One that is already noted keeps its place.
    pub fn add_generation(&self, lock: &Lock, row: &InstalledRow) -> Result<(), StoreError> {
        if self.generations()?.iter().any(|known| known.id == row.id) {
            return Ok(());
        }
        self.commit(lock.disk(), "a generation", |transaction| {
            transaction
                .execute(
                    "INSERT INTO generation (epoch, serial, bundle, bill_digest, installed)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![
                        column(row.id.epoch, "epoch")?,
                        row.id.serial,
                        row.bundle.as_str(),
                        row.bill_digest.as_bytes(),
                        row.installed.to_string(),
                    ],
                )
                .map_err(self.failed("note a generation"))?;
            Ok(())
        })
    }

    /// What has served, the newest last. A generation that a rollback left is no longer in it.
    pub fn served(&self) -> Result<Vec<GenerationId>, StoreError> {
        let failed = self.failed("read what has served");
        let mut statement = self
            .connection
            .prepare("SELECT epoch, serial FROM served ORDER BY sequence")
            .map_err(&failed)?;
        let rows: Vec<(i64, u32)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect)
            .map_err(&failed)?;
        rows.into_iter()
            .map(|(epoch, serial)| {
                Ok(GenerationId {
                    epoch: self.number(epoch)?,
                    serial,
                })
            })
            .collect()
    }

    /// Notes that a generation is about to serve.
    pub(crate) fn note_serving(&self, lock: &Lock, id: GenerationId) -> Result<(), StoreError> {
        if self.served()?.last() == Some(&id) {
            return Ok(());
        }
        self.commit(lock.disk(), "what serves", |transaction| {
            transaction
                .execute(
                    "INSERT INTO served (epoch, serial) VALUES (?1, ?2)",
                    params![column(id.epoch, "epoch")?, id.serial],
                )
                .map_err(self.failed("note what serves"))?;
            Ok(())
        })
    }

    /// Forgets what has served since this generation did last.
    pub(crate) fn forget_serving_after(
        &self,
        lock: &Lock,
        id: GenerationId,
    ) -> Result<(), StoreError> {
        self.commit(lock.disk(), "what serves again", |transaction| {
            transaction
                .execute(
                    "DELETE FROM served WHERE sequence >
                     (SELECT max(sequence) FROM served WHERE epoch = ?1 AND serial = ?2)",
                    params![column(id.epoch, "epoch")?, id.serial],
                )
                .map_err(self.failed("note what serves again"))?;
            Ok(())
        })
    }
}
