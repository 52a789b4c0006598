//! The store of an appliance: volumes on mounted folders, blobs by digest, generations, the link to
//! the one that serves, and what this host trusts.
//!
//! Touches files and nothing else. Whatever writes takes the [`Lock`] as an argument, and every
//! change goes through [`Disk`], so that a test can cut the power after any of them.
#![warn(missing_docs)]

pub mod atomic;
mod disk;
mod error;
mod folder;
pub mod gc;
mod generation;
mod lock;
pub mod power_cut;
pub mod scrub;
mod store;
#[cfg(test)]
mod testing;
mod trust_db;

pub use disk::{Disk, DiskError, Effect};
pub use error::{ConflictingRoot, FaultKind, MediumFault, Mismatch, MissingBytes, StoreError};
pub use folder::{MediaFolder, SinkFolder, SourceFolder};
pub use generation::{Generation, InstalledImage, InstalledModel, Listed, RolledBack};
pub use lock::{Holder, Lock};
pub use store::{Ingested, Presence, Progress, Store};
pub use trust_db::{InstalledRow, StoredRoot, TrustDb};
