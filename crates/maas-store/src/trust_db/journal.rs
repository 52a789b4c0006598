//! The journal of an install: which parts of which blobs lie in staging and are on the disk, and
//! which blobs in the store were read back from a medium and found right.

use std::collections::BTreeMap;

use maas_types::Digest;
use rusqlite::{OptionalExtension as _, params};

use super::{TrustDb, column};
use crate::{Lock, StoreError};

impl TrustDb {
    /// The staged parts of a blob that are on the disk: number and digest of each, in any order.
    pub(crate) fn staged_parts(
        &self,
        blob: &Digest,
    ) -> Result<BTreeMap<usize, Digest>, StoreError> {
        let failed = self.failed("read the install journal");
        let mut statement = self
            .connection
            .prepare_cached("SELECT number, digest FROM staged_part WHERE blob = ?1")
            .map_err(&failed)?;
        let rows: Vec<(i64, Vec<u8>)> = statement
            .query_map([blob.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect)
            .map_err(&failed)?;
        let mut parts = BTreeMap::new();
        for (number, digest) in rows {
            let number = usize::try_from(number)
                .map_err(|_| self.damaged("the number of a part is negative"))?;
            parts.insert(number, self.digest(&digest)?);
        }
        Ok(parts)
    }

    /// A part is in the staging file and forced to the disk.
    pub(crate) fn part_is_staged(
        &self,
        lock: &Lock,
        blob: &Digest,
        number: usize,
        part: &Digest,
    ) -> Result<(), StoreError> {
        let number = column(number as u64, "part")?;
        self.commit(lock.disk(), "a staged part", |transaction| {
            transaction
                .execute(
                    "INSERT OR REPLACE INTO staged_part (blob, number, digest) VALUES (?1, ?2, ?3)",
                    params![blob.as_bytes(), number, part.as_bytes()],
                )
                .map_err(self.failed("note a staged part"))?;
            Ok(())
        })
    }

    /// Forgets every staged part of a blob.
    pub(crate) fn forget_staged(&self, lock: &Lock, blob: &Digest) -> Result<(), StoreError> {
        self.commit(lock.disk(), "forgotten parts", |transaction| {
            transaction
                .execute("DELETE FROM staged_part WHERE blob = ?1", [blob.as_bytes()])
                .map_err(self.failed("forget staged parts"))?;
            Ok(())
        })
    }

    /// Forgets one staged part of a blob; its neighbours stay.
    pub(crate) fn forget_part(
        &self,
        lock: &Lock,
        blob: &Digest,
        number: usize,
    ) -> Result<(), StoreError> {
        let number = column(number as u64, "part")?;
        self.commit(lock.disk(), "a forgotten part", |transaction| {
            transaction
                .execute(
                    "DELETE FROM staged_part WHERE blob = ?1 AND number = ?2",
                    params![blob.as_bytes(), number],
                )
                .map_err(self.failed("forget a staged part"))?;
            Ok(())
        })
    }

    /// A blob lies whole and verified in the store.
    pub(crate) fn blob_is_stored(
        &self,
        lock: &Lock,
        blob: &Digest,
        size: u64,
    ) -> Result<(), StoreError> {
        let size = column(size, "size")?;
        self.commit(lock.disk(), "a stored blob", |transaction| {
            let failed = self.failed("note a stored blob");
            transaction
                .execute(
                    "INSERT OR REPLACE INTO stored_blob (digest, size) VALUES (?1, ?2)",
                    params![blob.as_bytes(), size],
                )
                .map_err(&failed)?;
            transaction
                .execute("DELETE FROM staged_part WHERE blob = ?1", [blob.as_bytes()])
                .map_err(&failed)?;
            Ok(())
        })
    }

    /// These blobs no longer count as verified: what lies under their names is hashed before it does again.
    pub(crate) fn forget_blobs(
        &self,
        lock: &Lock,
        blobs: impl IntoIterator<Item = Digest>,
    ) -> Result<(), StoreError> {
        self.commit(lock.disk(), "forgotten blobs", |transaction| {
            let failed = self.failed("forget blobs");
            let mut statement = transaction
                .prepare("DELETE FROM stored_blob WHERE digest = ?1")
                .map_err(&failed)?;
            for blob in blobs {
                statement.execute([blob.as_bytes()]).map_err(&failed)?;
            }
            Ok(())
        })
    }

    /// The length with which a blob was verified into the store; `None` when it never was.
    pub(crate) fn stored_size(&self, blob: &Digest) -> Result<Option<u64>, StoreError> {
        let size: Option<i64> = self
            .connection
            .query_row(
                "SELECT size FROM stored_blob WHERE digest = ?1",
                [blob.as_bytes()],
                |row| row.get(0),
            )
            .optional()
            .map_err(self.failed("look a blob up"))?;
        size.map(|size| self.number(size)).transpose()
    }
}
