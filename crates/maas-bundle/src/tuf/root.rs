//! Roots: who may sign what. The ceremony that makes one, and the chain that leads from a trusted
//! root to a newer one.

use std::{collections::BTreeSet, num::NonZeroU32};

use jiff::{SignedDuration, Timestamp};
use maas_types::Exit;

use super::{
    Fingerprint, HIGHEST_VERSION, Reading, Role, RoleStatus, Root, SignError, Signed,
    schema::RoleKeys,
};
use crate::{Floors, PublicKey, Signer, SignerId, TrustError, digest_of};

/// Roots outlive releases: a host that was in a cupboard for years must still find its way
/// (FORMAT.md 4.5). Five years, leap days not counted.
const ROOT_LIFETIME: SignedDuration = SignedDuration::from_hours(5 * 365 * 24);

/// A `root.json`, signed or not yet, trusted or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootFile(Signed<Root>);

/// A root that a host trusts: signed by a threshold of its own keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedRoot(RootFile);

/// How far a root is signed that follows another one: both lists of keys must have agreed to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// By the keys of the root before it.
    pub old: RoleStatus,
    /// By its own keys.
    pub new: RoleStatus,
}

/// Why no root can be made of these keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// The same key twice.
    #[error("key {} was given twice", .key.short())]
    DuplicateKey {
        /// The key.
        key: SignerId,
    },
    /// More signatures wanted than keys are there, or none.
    #[error("a threshold of {threshold} is not possible with {keys} keys")]
    Threshold {
        /// Signatures wanted.
        threshold: u32,
        /// Keys there.
        keys: usize,
    },
    /// The chain has come to its end.
    #[error("a root after version {version} is not possible")]
    LastVersion {
        /// The root's version.
        version: u64,
    },
}

impl RootError {
    /// The exit code that answers this.
    pub fn exit(&self) -> Exit {
        match self {
            Self::DuplicateKey { .. } | Self::Threshold { .. } | Self::LastVersion { .. } => {
                Exit::Usage
            }
        }
    }
}

/// Some keys, and how many of them must sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signers {
    /// The keys.
    pub keys: Vec<PublicKey>,
    /// How many of them.
    pub threshold: u32,
}

/// Who signs what. The keys of roots can stay in a safe while those of releases are at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootSigners {
    /// The role `root`.
    pub root: Signers,
    /// The roles `targets`, `snapshot` and `timestamp`.
    pub releases: Signers,
}

impl Signers {
    fn checked(&self) -> Result<NonZeroU32, RootError> {
        let Self { keys, threshold } = self;
        let mut seen = BTreeSet::new();
        if let Some(twice) = keys.iter().find(|key| !seen.insert(key.id())) {
            return Err(RootError::DuplicateKey { key: twice.id() });
        }
        NonZeroU32::new(*threshold)
            .filter(|t| u64::from(t.get()) <= keys.len() as u64)
            .ok_or(RootError::Threshold {
                threshold: *threshold,
                keys: keys.len(),
            })
    }
}

impl RootSigners {
    /// The same people for roots and for releases.
    pub fn same(keys: &[PublicKey], threshold: u32) -> Self {
        let signers = Signers {
            keys: keys.to_vec(),
            threshold,
        };
        Self {
            root: signers.clone(),
            releases: signers,
        }
    }

    /// Whether roots and releases have the same signers.
    pub fn are_the_same(&self) -> bool {
        self.root == self.releases
    }
}

// === impl Handover ===

impl Handover {
    /// Whether hosts that trust the root before it follow to it.
    pub fn is_complete(&self) -> bool {
        self.old.is_complete() && self.new.is_complete()
    }
}

// === impl RootFile ===

impl RootFile {
    /// Makes root 1: `threshold` of these keys must sign each of the four roles. Nobody has yet.
    pub fn init(keys: &[PublicKey], threshold: u32, now: Timestamp) -> Result<Self, RootError> {
        Self::init_for(&RootSigners::same(keys, threshold), now)
    }

    /// Makes root 1, with keys of their own for roots and for releases.
    pub fn init_for(signers: &RootSigners, now: Timestamp) -> Result<Self, RootError> {
        Self::with_version(signers, now, 1)
    }

    /// Makes the root after this one, with other keys or another threshold. It must be signed by a
    /// threshold of this root's keys and of its own.
    pub fn rotate(
        &self,
        keys: &[PublicKey],
        threshold: u32,
        now: Timestamp,
    ) -> Result<Self, RootError> {
        self.rotate_to(&RootSigners::same(keys, threshold), now)
    }

    /// The same, with keys of their own for roots and for releases.
    pub fn rotate_to(&self, signers: &RootSigners, now: Timestamp) -> Result<Self, RootError> {
        let version = self.version() + 1;
        if version > HIGHEST_VERSION {
            return Err(RootError::LastVersion {
                version: version - 1,
            });
        }
        Self::with_version(signers, now, version)
    }

    fn with_version(
        signers: &RootSigners,
        now: Timestamp,
        version: u64,
    ) -> Result<Self, RootError> {
        let expires = whole_seconds(now).saturating_add(ROOT_LIFETIME);
        let root = Root::new(
            (&signers.root.keys, signers.root.checked()?),
            (&signers.releases.keys, signers.releases.checked()?),
            version,
            expires.unwrap_or(Timestamp::MAX),
        );
        Ok(Self(Signed::new(root)))
    }

    /// Who signs roots, and who releases.
    pub fn signers(&self) -> RootSigners {
        let root = &self.0.signed;
        let of = |role| {
            let RoleKeys { keyids, threshold } = root.keys_of(role);
            let listed = root.keys().filter(|key| keyids.contains(&key.id()));
            Signers {
                keys: listed.collect(),
                threshold: threshold.get(),
            }
        };
        RootSigners {
            root: of(Role::Root),
            releases: of(Role::Targets),
        }
    }

    /// Parses a `root.json`. Checks its form, and no signature.
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustError> {
        Self::parse_named("root.json", bytes)
    }

    /// Adds a signature. Whether something was added: a key that has signed changes nothing.
    /// `previous` is the root before this one, whose keys sign too.
    pub fn sign(&mut self, key: &dyn Signer, previous: Option<&Self>) -> Result<bool, SignError> {
        let roots = self.with_previous(previous);
        let roots: Vec<_> = roots.iter().collect();
        let added = self.0.sign(key, &roots)?;
        let id = key.public().id();
        if added || self.0.signers().any(|signer| signer == id) {
            return Ok(added);
        }
        Err(SignError::NotListed {
            key: id,
            listed: self.0.signed.keys().map(|key| key.id()).collect(),
        })
    }

    /// What a signer elsewhere signs: a name, and the bytes.
    pub fn to_be_signed(&self) -> (String, Vec<u8>) {
        self.0.to_be_signed()
    }

    /// Takes over the signatures of another copy. Answers how many were new.
    pub fn merge(&mut self, other: &Self, previous: Option<&Self>) -> Result<usize, SignError> {
        let roots = self.with_previous(previous);
        let roots: Vec<_> = roots.iter().collect();
        self.0.merge("root.json", &other.0, &roots)
    }

    /// The file's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.render()
    }

    /// Its version, 1 for the first.
    pub fn version(&self) -> u64 {
        self.0.signed.version
    }

    /// When it stops being one.
    pub fn expires(&self) -> Timestamp {
        self.0.signed.expires
    }

    /// The keys that it lists.
    pub fn keys(&self) -> Vec<PublicKey> {
        self.0.signed.keys().collect()
    }

    /// What two people compare; the same before and after signing.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(digest_of(self.0.canonical()))
    }

    /// How far it is signed by its own keys.
    pub fn status(&self) -> RoleStatus {
        self.0.status(&self.0.signed)
    }

    /// How far it is signed as the root after `previous`.
    pub fn handover(&self, previous: &Self) -> Handover {
        let (old, new) = (&previous.0.signed, &self.0.signed);
        Handover {
            old: self.0.status_beside(old, Some(new)),
            new: self.0.status_beside(new, Some(old)),
        }
    }

    /// How many of its keys must sign a root.
    pub fn threshold(&self) -> u32 {
        self.0.signed.keys_of(Role::Root).threshold.get()
    }

    pub(crate) fn root(&self) -> &Root {
        &self.0.signed
    }

    pub(crate) fn parse_named(file: &str, bytes: &[u8]) -> Result<Self, TrustError> {
        Self::read(file, bytes, Reading::Bundle)
    }

    pub(super) fn read(file: &str, bytes: &[u8], reading: Reading) -> Result<Self, TrustError> {
        Signed::parse(file, bytes, reading).map(Self)
    }

    fn with_previous(&self, previous: Option<&Self>) -> Vec<Root> {
        let previous = previous.map(|root| root.0.signed.clone());
        previous
            .into_iter()
            .chain([self.0.signed.clone()])
            .collect()
    }
}

// === impl TrustedRoot ===

impl TrustedRoot {
    /// The first trust: takes a root file if it has the fingerprint that a person compared.
    pub fn pin(bytes: &[u8], expected: &Fingerprint) -> Result<Self, TrustError> {
        let file = RootFile::parse(bytes)?;
        let found = file.fingerprint();
        if found != *expected {
            return Err(TrustError::Fingerprint {
                found: Box::new(found),
                expected: Box::new(*expected),
            });
        }
        Self::own_threshold("root.json", file)
    }

    /// Reads back [`TrustedRoot::bytes`] from this host's own store. Checks that the root is signed
    /// by itself; who put it there is the store's business.
    pub fn from_store(bytes: &[u8]) -> Result<Self, TrustError> {
        Self::own_threshold("root.json", RootFile::parse(bytes)?)
    }

    /// What is left of a host's floors once `next` stands in this root's place.
    ///
    /// "5.3.11. If the timestamp and / or snapshot keys have been rotated, then delete the trusted
    /// timestamp and snapshot metadata files. This is done in order to recover from fast-forward
    /// attacks". The floor of targets stands in the deleted snapshot (5.5.5), so it goes with it. The
    /// epoch is the targets' version and the time is what a bill says, which the targets' keys signed
    /// for: both floors go when those keys have gone.
    pub fn floors_after(&self, next: &Self, floors: &Floors) -> Floors {
        let mut floors = floors.clone();
        let rotated = |role| self.root().is_rotated_in(next.root(), role);
        if rotated(Role::Timestamp) || rotated(Role::Snapshot) {
            floors.timestamp = 0;
            floors.snapshot = 0;
            floors.targets = 0;
        }
        if rotated(Role::Targets) {
            floors.epoch = 0;
            floors.time = Floors::default().time;
        }
        floors
    }

    /// Takes the next root of a chain (TUF 5.3.2 to 5.3.7), or says why not.
    pub(crate) fn next(&self, file: &str, next: RootFile) -> Result<Self, TrustError> {
        let (old, new) = (self.0.root(), next.root());
        // "5.3.4. Check for an arbitrary software attack. Version N+1 of the root metadata file MUST
        // have been signed by: (1) a threshold of keys specified in the trusted root metadata file
        // (version N), and (2) a threshold of keys specified in the new root metadata file being
        // validated (version N+1)."
        next.0.refuse_strangers(file, &[old, new])?;
        next.0.verify_threshold(file, old)?;
        next.0.verify_threshold(file, new)?;
        // "5.3.5. Check for a rollback attack. … Effectively, this means checking that the version
        // number signed in the new root metadata file is indeed N+1."
        if new.version != old.version + 1 {
            return Err(TrustError::RootChain {
                reason: format!(
                    "`{file}` says version {} after {}",
                    new.version, old.version
                ),
            });
        }
        Ok(Self(next))
    }

    /// The first root of a medium's chain, believed only as far as its own keys go. Its strangers may
    /// be keys of a predecessor that is not there, so only listed keys are looked at.
    pub(crate) fn own_threshold(file: &str, root: RootFile) -> Result<Self, TrustError> {
        if root.version() == 1 {
            root.0.verify(file, root.root())?;
        } else {
            root.0.verify_threshold(file, root.root())?;
        }
        Ok(Self(root))
    }

    /// The file's bytes, to be persisted.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.bytes()
    }

    /// Its version, 1 for the first.
    pub fn version(&self) -> u64 {
        self.0.version()
    }

    /// When it stops being one.
    pub fn expires(&self) -> Timestamp {
        self.0.expires()
    }

    /// What two people compare.
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint()
    }

    /// How far it is signed: the keys that it lists, and which of them have signed it.
    pub fn status(&self) -> RoleStatus {
        self.0.status()
    }

    /// The keys that may sign `role`, and how many of them must.
    pub fn signers(&self, role: Role) -> (u32, &[SignerId]) {
        let keys = self.0.root().keys_of(role);
        (keys.threshold.get(), &keys.keyids)
    }

    pub(crate) fn root(&self) -> &Root {
        self.0.root()
    }
}

/// Metadata carries whole seconds (TUF 4.2.1: `YYYY-MM-DDTHH:MM:SSZ`).
pub(crate) fn whole_seconds(instant: Timestamp) -> Timestamp {
    Timestamp::from_second(instant.as_second()).unwrap_or(instant)
}
