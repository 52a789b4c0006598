//! The bundle: what the connected side builds, signs and copies, and the host verifies.
//!
//! The format is `bundle/FORMAT.md`; numbers in comments are its clauses. Nothing here touches a
//! file, the clock, the environment or a source of randomness: volumes and inputs are traits, `now`
//! and random bytes are arguments.
#![warn(missing_docs)]

mod bill;
mod locate;
mod media;
mod progress;
mod reader;
pub mod sample;
mod source;
mod trust;
mod tuf;
mod verified;

pub use bill::BillError;
pub use locate::{Located, LocatedBlob, MissingObject, Object, locate};
pub use media::{
    Content, Entry, EntryKind, Media, MediaError, MediaFile, MediaPath, MediumName, MemoryMedia,
    Sink, SinkFile,
};
pub use progress::{Phase, Progress, Silent};
pub use reader::{HashingReader, Mismatch, digest_of};
pub use source::{Source, SourceEntry, SourceError, SourceFile, SourceKind};
pub use trust::{Expired, Floors, Role, Trust, TrustError};
pub use tuf::{Fingerprint, FingerprintError, SignerId, TrustedRoot};
pub use verified::{AcceptedExpired, Bundle, Verified};

use maas_types::BundleId;

/// A metadata file as it lies on a medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataFile {
    /// Its name.
    pub path: MediaPath,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Verifies the metadata of a bundle that lies on one or several volumes, in any order.
///
/// `bundle` may be left out when exactly one bundle lies on all of the volumes.
pub fn verify_metadata(
    _media: &[&dyn Media],
    _bundle: Option<&BundleId>,
    _trust: &Trust<'_>,
) -> Result<Verified<Bundle>, TrustError> {
    Err(TrustError::NoMedium)
}
