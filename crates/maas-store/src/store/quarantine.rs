//! Moving a damaged blob aside.
//!
//! An install looks at names, lengths and the journal, so a file that has rotted in place counts as
//! stored and would never be read again. Here it loses its name and its note, and nothing else: whoever has it
//! open goes on reading it, and generations keep it under their names until the next install has brought in
//! the right bytes and gives them those (`generation/mend.rs`). A model that is damaged and answers is a
//! smaller evil than one that is gone until somebody finds the stick; which it is, is said.

use camino::Utf8PathBuf;
use maas_types::Digest;

use super::{Store, inode};
use crate::{Lock, StoreError, TrustDb, disk::parent_of};

impl Store {
    /// Moves the file of a blob aside if it still is the one that was `seen` to be damaged, and says where
    /// it lies now; `None` if something else, or nothing, has its name by now.
    pub(crate) fn quarantine(
        &self,
        lock: &Lock,
        db: &TrustDb,
        digest: &Digest,
        seen: (u64, u64),
    ) -> Result<Option<Utf8PathBuf>, StoreError> {
        let path = self.path(digest);
        if inode(&path) != Some(seen) {
            return Ok(None);
        }
        // Noted first: after a power cut in between it is hashed, found wrong and read again all the same.
        db.forget_blobs(lock, [*digest])?;
        let aside = self.quarantine.join(digest.hex());
        lock.disk().make_folder(&self.quarantine)?;
        lock.disk().rename(&path, &aside)?;
        lock.disk().sync_folder(parent_of(&path))?;
        Ok(Some(aside))
    }
}
