//! The journal of an install: which parts of which blobs lie in staging and are on the disk, and
//! which blobs in the store were read back from a medium and found right.

use maas_types::Digest;
use rusqlite::{OptionalExtension as _, params};

use super::{TrustDb, column};
use crate::{Lock, StoreError};

impl TrustDb {
    /// Digests of the staged parts of a blob that are on the disk, in order from the first. A gap
    /// ends the list.
    pub(crate) fn staged_parts(&self, blob: &Digest) -> Result<Vec<Digest>, StoreError> {
        let failed = self.failed("read the install journal");
        let mut statement = self
            .connection
            .prepare("SELECT number, digest FROM staged_part WHERE blob = ?1 ORDER BY number")
            .map_err(&failed)?;
        let rows: Vec<(i64, Vec<u8>)> = statement
            .query_map([blob.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect)
            .map_err(&failed)?;
        rows.into_iter()
            .zip(0_i64..)
            .take_while(|((number, _), expected)| number == expected)
            .map(|((_, digest), _)| self.digest(&digest))
            .collect()
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

    /// Forgets the staged parts of a blob from one part on.
    pub(crate) fn forget_staged(
        &self,
        lock: &Lock,
        blob: &Digest,
        from: usize,
    ) -> Result<(), StoreError> {
        let from = column(from as u64, "part")?;
        self.commit(lock.disk(), "forgotten parts", |transaction| {
            transaction
                .execute(
                    "DELETE FROM staged_part WHERE blob = ?1 AND number >= ?2",
                    params![blob.as_bytes(), from],
                )
                .map_err(self.failed("forget staged parts"))?;
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
