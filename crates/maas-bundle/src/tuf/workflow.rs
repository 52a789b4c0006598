//! The client workflow of TUF 5.3 to 5.6 over parsed files, clause by clause. Nothing is read and
//! nothing persisted here: that is the caller's, before and after each step.
//!
//! Threats: rollback, fast-forward, freeze, mix-and-match. The defence against each stands under the
//! clause that names it.

use jiff::Timestamp as Instant;

use super::{MetaFile, Role, RootFile, Signed, Snapshot, Targets, Timestamp, TrustedRoot};
use crate::{AcceptedExpired, Expired, Floors, SignerId, TrustError};

/// A workflow under way: what is trusted so far, and what may still come.
#[derive(Debug)]
pub(crate) struct Workflow<'a> {
    pub(crate) root: TrustedRoot,
    pub(crate) floors: Floors,
    pub(crate) signers: Vec<(Role, Vec<SignerId>)>,
    pub(crate) accepted_expired: Option<AcceptedExpired>,
    /// The clock's reading; see [`Workflow::update_start`].
    now: Instant,
    expired: &'a Expired,
}

impl<'a> Workflow<'a> {
    /// TUF 5.2: "Load the trusted root metadata file. … Note that the expiration of the trusted root
    /// metadata file does not matter".
    pub(crate) fn start(
        root: TrustedRoot,
        floors: Floors,
        now: Instant,
        expired: &'a Expired,
    ) -> Self {
        Self {
            root,
            floors,
            signers: Vec::new(),
            accepted_expired: None,
            now,
            expired,
        }
    }

    /// TUF 5.1: "Record the time at which the update began as the fixed update start time." A clock that
    /// lags behind what was seen signed is not believed (FORMAT.md 5.3).
    fn update_start(&self) -> Instant {
        self.now.max(self.floors.time)
    }

    /// One turn of TUF 5.3: 5.3.4 to 5.3.7 stand in [`TrustedRoot::next`].
    pub(crate) fn next_root(&mut self, file: &str, next: RootFile) -> Result<(), TrustError> {
        let next = self.root.next(file, next)?;
        self.floors = self.root.floors_after(&next, &self.floors);
        self.root = next;
        Ok(())
    }

    /// "5.3.10. Check for a freeze attack. The expiration timestamp in the trusted root metadata file
    /// MUST be higher than the fixed update start time."
    pub(crate) fn end_of_roots(&mut self, file: &str) -> Result<(), TrustError> {
        self.check_expiry(file, self.root.expires())?;
        self.signers.push((Role::Root, self.root.status().signed));
        Ok(())
    }

    /// TUF 5.4.2 and 5.4.3. Answers the snapshot that the timestamp names.
    pub(crate) fn timestamp<'m>(
        &mut self,
        file: &str,
        timestamp: &'m Signed<Timestamp>,
    ) -> Result<&'m MetaFile, TrustError> {
        // "5.4.2. Check for an arbitrary software attack. The new timestamp metadata file MUST have
        // been signed by a threshold of keys specified in the trusted root metadata file."
        let signed = timestamp.verify(file, self.root.root())?;
        self.signers.push((Role::Timestamp, signed));
        // "5.4.3.1. The version number of the trusted timestamp metadata file, if any, MUST be less
        // than the version number of the new timestamp metadata file. … In case they are equal …
        // This is normal and it shouldn't raise any error."
        refuse_replay(file, timestamp.signed.version, self.floors.timestamp)?;
        // "5.4.3.2. The version number of the snapshot metadata file in the trusted timestamp
        // metadata file, if any, MUST be less than or equal to its version number in the new
        // timestamp metadata file."
        let snapshot = named(file, timestamp.signed.snapshot())?;
        refuse_replay("snapshot.json", snapshot.version, self.floors.snapshot)?;
        Ok(snapshot)
    }

    /// "5.4.4. Check for a freeze attack." Of the timestamp that is used in the end, which may be the
    /// one that was trusted before.
    pub(crate) fn timestamp_expiry(
        &mut self,
        file: &str,
        timestamp: &Signed<Timestamp>,
    ) -> Result<(), TrustError> {
        self.check_expiry(file, timestamp.signed.expires)
    }

    /// TUF 5.5.3 to 5.5.6. `wanted` is what the timestamp names; its hashes (5.5.2) were compared with
    /// the bytes. Answers the targets that the snapshot names.
    pub(crate) fn snapshot<'m>(
        &mut self,
        file: &str,
        snapshot: &'m Signed<Snapshot>,
        wanted: &MetaFile,
    ) -> Result<&'m MetaFile, TrustError> {
        // "5.5.3. Check for an arbitrary software attack."
        let signed = snapshot.verify(file, self.root.root())?;
        self.signers.push((Role::Snapshot, signed));
        // "5.5.4. Check against timestamp role's snapshot version. The version number of the new
        // snapshot metadata file MUST match the version number listed in the trusted timestamp
        // metadata."
        same_version(file, snapshot.signed.version, wanted.version)?;
        // "5.5.5. Check for a rollback attack. The version number of the targets metadata file … in
        // the trusted snapshot metadata file, if any, MUST be less than or equal to its version
        // number in the new snapshot metadata file."
        let targets = named(file, snapshot.signed.targets())?;
        refuse_replay("targets.json", targets.version, self.floors.targets)?;
        // "5.5.6. Check for a freeze attack."
        self.check_expiry(file, snapshot.signed.expires)?;
        Ok(targets)
    }

    /// TUF 5.6.3 to 5.6.5, without delegations. `wanted` is what the snapshot names; its hashes (5.6.2)
    /// were compared with the bytes.
    pub(crate) fn targets(
        &mut self,
        file: &str,
        targets: &Signed<Targets>,
        wanted: &MetaFile,
    ) -> Result<(), TrustError> {
        // "5.6.3. Check for an arbitrary software attack."
        let signed = targets.verify(file, self.root.root())?;
        self.signers.push((Role::Targets, signed));
        // "5.6.4. Check against snapshot role's targets version."
        same_version(file, targets.signed.version, wanted.version)?;
        // "5.6.5. Check for a freeze attack."
        self.check_expiry(file, targets.signed.expires)
    }

    fn check_expiry(&mut self, file: &str, expires: Instant) -> Result<(), TrustError> {
        let now = self.update_start();
        if expires > now {
            return Ok(());
        }
        let file = file.to_owned();
        match self.expired {
            Expired::Refuse => Err(TrustError::Expired { file, expires, now }),
            Expired::Accept { reason } => {
                let accepted = self
                    .accepted_expired
                    .get_or_insert_with(|| AcceptedExpired {
                        files: Vec::new(),
                        reason: reason.clone(),
                    });
                accepted.files.push((file, expires));
                Ok(())
            }
        }
    }
}

/// What a parsed file names; parsing has refused one that names nothing.
fn named<'m>(file: &str, meta: Option<&'m MetaFile>) -> Result<&'m MetaFile, TrustError> {
    meta.ok_or_else(|| TrustError::Malformed {
        file: file.to_owned(),
        reason: "it names no other file".to_owned(),
    })
}

fn refuse_replay(file: &str, found: u64, floor: u64) -> Result<(), TrustError> {
    if found >= floor {
        return Ok(());
    }
    Err(TrustError::Replayed {
        file: file.to_owned(),
        found,
        floor,
    })
}

fn same_version(file: &str, found: u64, want: u64) -> Result<(), TrustError> {
    if found == want {
        return Ok(());
    }
    Err(TrustError::Malformed {
        file: file.to_owned(),
        reason: format!("it says version {found}, and version {want} was named"),
    })
}
