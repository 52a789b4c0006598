//! Trusted roots, one per version. The newest is the one that signatures are held against.

use jiff::Timestamp;
use maas_bundle::{Floors, TrustedRoot};
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use super::{TrustDb, column};
use crate::{ConflictingRoot, Lock, StoreError};

/// A root that this host trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRoot {
    /// The root. Its version decides: the next one is signed by this one and by itself.
    pub root: TrustedRoot,
    /// What the site calls it.
    pub name: String,
    /// When it was added here.
    pub added: Timestamp,
}

type RawRoot = (i64, String, Vec<u8>, Vec<u8>, String);

impl TrustDb {
    /// All trusted roots, oldest version first.
    pub fn roots(&self) -> Result<Vec<StoredRoot>, StoreError> {
        let failed = self.failed("read the trusted roots");
        let mut statement = self
            .connection
            .prepare("SELECT version, name, fingerprint, bytes, added FROM root ORDER BY version")
            .map_err(&failed)?;
        let rows: Vec<RawRoot> = statement
            .query_map([], raw)
            .and_then(Iterator::collect)
            .map_err(&failed)?;
        rows.into_iter().map(|row| self.stored(row)).collect()
    }

    /// The newest trusted root, whose keys decide; `None` before the first `trust add`.
    pub fn newest_root(&self) -> Result<Option<StoredRoot>, StoreError> {
        self.connection
            .query_row(
                "SELECT version, name, fingerprint, bytes, added FROM root
                 ORDER BY version DESC LIMIT 1",
                [],
                raw,
            )
            .optional()
            .map_err(self.failed("read the newest trusted root"))?
            .map(|row| self.stored(row))
            .transpose()
    }

    /// Stores roots that somebody has verified; those already there stay as they are. The same
    /// version with another fingerprint is refused.
    ///
    /// `recovered` are the floors that fall with the keys that the new roots replace
    /// ([`maas_bundle::Bundle::recovered_floors`]). They are stored in the same transaction: after a
    /// power cut between the two, a thief's version would stand above every honest one for ever. When
    /// no root is new, nothing falls.
    pub fn add_roots(
        &self,
        lock: &Lock,
        roots: &[StoredRoot],
        recovered: Option<&Floors>,
    ) -> Result<(), StoreError> {
        let known = self.roots()?;
        let mut new = Vec::new();
        for root in roots {
            let (version, found) = (root.root.version(), root.root.fingerprint());
            match known.iter().find(|known| known.root.version() == version) {
                Some(known) if known.root.fingerprint() == found => {}
                Some(known) => {
                    return Err(StoreError::ConflictingRoot(Box::new(ConflictingRoot {
                        version,
                        known: known.root.fingerprint(),
                        found,
                    })));
                }
                None => new.push(root),
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        self.commit(lock.disk(), "trusted roots", |transaction| {
            for root in new {
                self.insert(transaction, root)?;
            }
            match recovered {
                Some(floors) => self.restart_floors(transaction, floors),
                None => Ok(()),
            }
        })
    }

    /// Forgets every trusted root and stores this one, which a person has compared. It begins another
    /// chain, so the floor of roots is its version; the other floors fall with the keys that are gone
    /// ([`TrustedRoot::floors_after`]), in the same transaction.
    pub fn replace_roots(&self, lock: &Lock, root: &StoredRoot) -> Result<(), StoreError> {
        let floors = self.floors()?;
        let left = match self.newest_root()? {
            Some(newest) => newest.root.floors_after(&root.root, &floors),
            None => floors,
        };
        self.commit(lock.disk(), "another trusted root", |transaction| {
            transaction
                .execute("DELETE FROM root", [])
                .map_err(self.failed("forget the trusted roots"))?;
            self.insert(transaction, root)?;
            self.restart_root_floor(transaction, root.root.version())?;
            self.restart_floors(transaction, &left)
        })
    }

    fn insert(&self, transaction: &Transaction<'_>, root: &StoredRoot) -> Result<(), StoreError> {
        transaction
            .execute(
                "INSERT INTO root (version, name, fingerprint, bytes, added)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    column(root.root.version(), "root version")?,
                    root.name,
                    root.root.fingerprint().digest().as_bytes(),
                    root.root.bytes(),
                    root.added.to_string(),
                ],
            )
            .map_err(self.failed("add a trusted root"))?;
        Ok(())
    }

    fn stored(&self, row: RawRoot) -> Result<StoredRoot, StoreError> {
        let (version, name, fingerprint, bytes, added) = row;
        let root = TrustedRoot::from_store(&bytes).map_err(|error| {
            self.damaged(format!("root {version} in it is not a root: {error}"))
        })?;
        let same = root.version() == self.number(version)?
            && *root.fingerprint().digest() == self.digest(&fingerprint)?;
        if !same {
            return Err(self.damaged(format!(
                "root {version} in it is not the one that was added"
            )));
        }
        Ok(StoredRoot {
            root,
            name,
            added: self.timestamp(&added)?,
        })
    }
}

fn raw(row: &Row<'_>) -> rusqlite::Result<RawRoot> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
    ))
}
