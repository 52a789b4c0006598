//! What a host believes before it reads a medium, and why it does not believe a medium.

use std::num::NonZeroU32;

use jiff::Timestamp;
use maas_types::{BundleId, Exit};
use serde::{Deserialize, Serialize};

use crate::{BillError, Fingerprint, MediaError, Mismatch, SignerId, TrustedRoot};

/// What a verification starts from. Everything in it is the host's own, nothing the medium's.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// The newest root that this host trusts.
    pub root: &'a TrustedRoot,
    /// What was accepted before.
    pub floors: &'a Floors,
    /// The clock's reading. A clock that lags behind `floors.time` is not believed.
    pub now: Timestamp,
    /// What to do with metadata that has expired.
    pub expired: &'a Expired,
}

/// The lowest versions and the latest time that this host may still accept (TUF 5.4.3, 5.5.5).
/// Persist [`crate::Bundle::next_floors`] before the switch to a new generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Floors {
    /// Version of the last accepted `timestamp.json`; 0 before the first.
    pub timestamp: u64,
    /// Version of the last accepted snapshot; 0 before the first.
    pub snapshot: u64,
    /// Version of the last accepted targets; 0 before the first.
    pub targets: u64,
    /// Highest epoch ever installed; 0 before the first.
    pub epoch: u64,
    /// The latest moment that this host has had reason to believe in.
    pub time: Timestamp,
}

impl Default for Floors {
    /// A host that has accepted nothing yet.
    fn default() -> Self {
        Self {
            timestamp: 0,
            snapshot: 0,
            targets: 0,
            epoch: 0,
            time: Timestamp::UNIX_EPOCH,
        }
    }
}

/// What to do with metadata that has expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expired {
    /// Refuse it: the default.
    Refuse,
    /// Take it all the same, for this reason, which is carried into the result and the record.
    /// Signatures and floors are checked as ever.
    Accept {
        /// Why, in the operator's words.
        reason: String,
    },
}

/// Why a medium is not believed. Nothing on it was used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// No volume was given.
    #[error("no medium was given")]
    NoMedium,
    /// The medium holds no bundle.
    #[error("there is no bundle on {}", .volumes.join(", "))]
    NoBundle {
        /// Labels of the volumes.
        volumes: Vec<String>,
    },
    /// More than one bundle lies on the media, and none was named.
    #[error("several bundles are there, name one of them: {}", list(.bundles))]
    SeveralBundles {
        /// Their ids.
        bundles: Vec<BundleId>,
    },
    /// A named bundle is not on one of the volumes.
    #[error("bundle `{bundle}` is not on `{volume}`")]
    WrongVolume {
        /// The bundle.
        bundle: BundleId,
        /// The volume without it.
        volume: String,
    },
    /// A metadata file could not be read.
    #[error(transparent)]
    Medium(#[from] MediaError),
    /// A file is longer than its kind may be, so it was not read.
    #[error("`{file}` is bigger than the {limit} bytes that it may have")]
    TooLarge {
        /// The file.
        file: String,
        /// Its limit, bytes.
        limit: u64,
    },
    /// A file is not what the format says.
    #[error("`{file}` is malformed: {reason}")]
    Malformed {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// Two volumes disagree on metadata that must be the same on all (mix and match).
    #[error(
        "`{file}` on `{other}` is not the same as on `{first}`: these volumes do not belong together"
    )]
    MixedVolumes {
        /// The file.
        file: String,
        /// The volume that was read first.
        first: String,
        /// The volume that differs.
        other: String,
    },
    /// Nobody has signed.
    #[error("`{file}` is not signed")]
    Unsigned {
        /// The file.
        file: String,
    },
    /// Everybody who signed is unknown to the root.
    #[error("`{file}` is signed by keys that are not trusted: {}", signers(.keys))]
    UnknownSigners {
        /// The file.
        file: String,
        /// Who signed.
        keys: Vec<SignerId>,
    },
    /// A trusted key's signature does not fit the bytes.
    #[error(
        "the signature of key {} on `{file}` is wrong: the file or the signature was changed",
        .key.short()
    )]
    BadSignature {
        /// The file.
        file: String,
        /// Whose signature.
        key: SignerId,
    },
    /// One key's signature stands there twice.
    #[error("key {} stands twice among the signatures of `{file}`", .key.short())]
    DuplicateSigner {
        /// The file.
        file: String,
        /// The key.
        key: SignerId,
    },
    /// Too few of the trusted keys have signed.
    #[error(
        "`{file}` has {} of {need} needed signatures: signed by {}; could be signed by {}",
        .signed.len(), signers(.signed), signers(.could)
    )]
    Threshold {
        /// The file.
        file: String,
        /// How many distinct keys must sign.
        need: NonZeroU32,
        /// Which trusted keys have signed.
        signed: Vec<SignerId>,
        /// Which trusted keys have not.
        could: Vec<SignerId>,
    },
    /// The medium's root of our version is another one.
    #[error("the medium's root {version} has fingerprint {found}, this host trusts {trusted}")]
    OtherRoot {
        /// The version of both.
        version: u64,
        /// What the medium has.
        found: Box<Fingerprint>,
        /// What the host trusts.
        trusted: Box<Fingerprint>,
    },
    /// The medium's roots do not connect to ours.
    #[error("the chain of roots is broken: {reason}")]
    RootChain {
        /// Where.
        reason: String,
    },
    /// A fingerprint that was typed or pinned is not the root's.
    #[error("this root has fingerprint {found}, expected was {expected}")]
    Fingerprint {
        /// What the root has.
        found: Box<Fingerprint>,
        /// What was expected.
        expected: Box<Fingerprint>,
    },
    /// A genuine but older file, shown again.
    #[error("`{file}` has version {found}, this host has already accepted version {floor}")]
    Replayed {
        /// The file.
        file: String,
        /// Its version.
        found: u64,
        /// The lowest acceptable version.
        floor: u64,
    },
    /// A genuine but older bundle.
    #[error("bundle `{bundle}` has epoch {epoch}, this host has already installed epoch {floor}")]
    OlderEpoch {
        /// The bundle.
        bundle: BundleId,
        /// Its epoch.
        epoch: u64,
        /// The lowest acceptable epoch.
        floor: u64,
    },
    /// A file may not be used any more.
    #[error("`{file}` expired on {expires}, and it is {now} by this host's trusted time")]
    Expired {
        /// The file.
        file: String,
        /// When it expired.
        expires: Timestamp,
        /// The trusted time.
        now: Timestamp,
    },
    /// The bill of lading is not the signed one.
    #[error("the bill of lading `{file}` on `{volume}` is not the signed one")]
    OtherBill {
        /// The file.
        file: String,
        /// The volume.
        volume: String,
        /// How it differs.
        #[source]
        source: Mismatch,
    },
    /// The bill of lading is signed, and still not acceptable.
    #[error("the bill of lading of `{bundle}` is not acceptable")]
    Bill {
        /// The bundle.
        bundle: BundleId,
        /// Why.
        #[source]
        source: BillError,
    },
}

impl TrustError {
    /// The exit code that answers this.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoMedium | Self::SeveralBundles { .. } => Exit::Usage,
            Self::NoBundle { .. } | Self::WrongVolume { .. } => Exit::NotFound,
            Self::Medium(error) => error.exit(),
            Self::TooLarge { .. }
            | Self::Malformed { .. }
            | Self::MixedVolumes { .. }
            | Self::OtherBill { .. } => Exit::Content,
            Self::Bill { source, .. } => source.exit(),
            Self::Unsigned { .. }
            | Self::UnknownSigners { .. }
            | Self::BadSignature { .. }
            | Self::DuplicateSigner { .. }
            | Self::Threshold { .. }
            | Self::OtherRoot { .. }
            | Self::RootChain { .. }
            | Self::Fingerprint { .. } => Exit::Untrusted,
            Self::Replayed { .. } | Self::OlderEpoch { .. } | Self::Expired { .. } => Exit::Stale,
        }
    }
}

/// `a, b, c`, or `nobody`.
fn list<T: ToString>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}

/// Keys as people compare them; nobody reads 64 digits.
pub(crate) fn signers(keys: &[SignerId]) -> String {
    if keys.is_empty() {
        return "nobody".to_owned();
    }
    let keys: Vec<_> = keys.iter().map(SignerId::short).collect();
    keys.join(", ")
}
