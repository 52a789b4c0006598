//! What stands when a medium's metadata has passed every check.

use std::{fmt, ops::Deref};

use jiff::Timestamp;
use maas_types::{BillOfLading, Digest};

use crate::{Floors, MetadataFile, Role, SignerId, TrustedRoot};

/// A value that passed verification. Only this crate can make one, so a function that takes a
/// `Verified<Bundle>` cannot be called with something unverified.
#[derive(Debug, Clone)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// What a medium promises: its signed bill of lading, and what to remember when it is accepted.
#[derive(Clone)]
pub struct Bundle {
    pub(crate) bill: BillOfLading,
    pub(crate) bill_bytes: Vec<u8>,
    pub(crate) bill_digest: Digest,
    pub(crate) new_roots: Vec<TrustedRoot>,
    pub(crate) recovered_floors: Option<Floors>,
    pub(crate) next_floors: Floors,
    pub(crate) signers: Vec<(Role, Vec<SignerId>)>,
    pub(crate) accepted_expired: Option<AcceptedExpired>,
    pub(crate) files: Vec<MetadataFile>,
}

impl fmt::Debug for Bundle {
    /// The name, not megabytes of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle")
            .field("bundle", &self.bill.bundle)
            .field("epoch", &self.bill.epoch)
            .field("bill_digest", &self.bill_digest)
            .finish_non_exhaustive()
    }
}

/// Expired metadata that was taken all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedExpired {
    /// Every file, and when it expired; never empty.
    pub files: Vec<(String, Timestamp)>,
    /// The reason that the operator gave.
    pub reason: String,
}

impl Bundle {
    /// What the release consists of.
    pub fn bill(&self) -> &BillOfLading {
        &self.bill
    }

    /// The very bytes of the bill of lading that were signed for.
    pub fn bill_bytes(&self) -> &[u8] {
        &self.bill_bytes
    }

    /// SHA-256 of those bytes: the name of this release for the record.
    pub fn bill_digest(&self) -> &Digest {
        &self.bill_digest
    }

    /// Roots newer than the host's own, oldest first, each signed by its predecessor and by itself.
    /// Persist them in this order; the last is the host's trusted root from then on.
    pub fn new_roots(&self) -> &[TrustedRoot] {
        &self.new_roots
    }

    /// The floors that start anew because the keys behind them were replaced (TUF 5.3.11): to be
    /// persisted together with [`Bundle::new_roots`], and not one without the other. `None` when no
    /// floor changes with the roots.
    pub fn recovered_floors(&self) -> Option<&Floors> {
        self.recovered_floors.as_ref()
    }

    /// What the host must remember, before it switches to this release.
    pub fn next_floors(&self) -> &Floors {
        &self.next_floors
    }

    /// Which trusted keys signed which role.
    pub fn signers(&self) -> &[(Role, Vec<SignerId>)] {
        &self.signers
    }

    /// The metadata files, byte for byte as they lie on every volume: for the record.
    pub fn metadata_files(&self) -> &[MetadataFile] {
        &self.files
    }

    /// The first expired file that policy accepted, with the reason; for the audit record.
    pub fn accepted_expired(&self) -> Option<&AcceptedExpired> {
        self.accepted_expired.as_ref()
    }
}
