//! A small signed bundle for tests of every crate: one model, 2 of 3 keys.

use jiff::Timestamp;
use maas_types::BundleId;

use crate::{Bundle, MemoryMedia, TrustError, TrustedRoot, Verified};

/// A signed bundle on memory volumes, and what a host needs to believe it.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its volumes.
    pub media: Vec<MemoryMedia>,
    /// Its root, trusted.
    pub root: TrustedRoot,
    /// Its id: `sample-<epoch>`.
    pub bundle: BundleId,
    /// When it was built and signed.
    pub now: Timestamp,
}

impl Sample {
    /// One volume with one small model. Every sample has the same keys and the same root, so that a
    /// later epoch is an upgrade of an earlier one.
    pub fn new(epoch: u64) -> Result<Self, TrustError> {
        Self::on_volumes(epoch, 1)
    }

    /// The same on so many volumes, at most as many as it has objects.
    pub fn on_volumes(_epoch: u64, _volumes: u32) -> Result<Self, TrustError> {
        Err(TrustError::NoMedium)
    }

    /// One volume with a model whose weights are 1.2 GB of zeros and so travel in two parts.
    pub fn with_parts(_epoch: u64) -> Result<Self, TrustError> {
        Err(TrustError::NoMedium)
    }

    /// Verifies its metadata against its own root, with no floors.
    pub fn verified(&self) -> Result<Verified<Bundle>, TrustError> {
        Err(TrustError::NoMedium)
    }
}
