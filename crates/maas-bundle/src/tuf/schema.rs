//! The `signed` parts of the four metadata files, member for member (TUF 4.3 to 4.6). Members stand in
//! alphabetical order, which is the order of our files; that they have no other members follows from
//! their one rendering ([`Reading::Bundle`]).

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
};

use aws_lc_rs::digest::{SHA512, digest};
use jiff::Timestamp as Instant;
use maas_types::Digest;
use serde::{Deserialize, Serialize};

use super::{Payload, Role};
use crate::{
    PublicKey, SignerId, digest_of,
    key::{KeyObject, ListedKey},
};

/// The file that a timestamp names.
const SNAPSHOT: &str = "snapshot.json";
/// The file that a snapshot names.
const TARGETS: &str = "targets.json";
/// The one target of a bundle.
const BILL: &str = "bundle.json";
/// The one hash of a bundle.
const SHA256: &str = "sha256";

/// Written into every file. Readers take any `1.0.x` (TUF 4.3: the major version must be known).
const SPEC_VERSION: &str = "1.0.0";

/// TUF 4.3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Root {
    #[serde(rename = "_type")]
    role: Role,
    consistent_snapshot: bool,
    pub(crate) expires: Instant,
    keys: BTreeMap<SignerId, KeyObject>,
    roles: Roles,
    spec_version: String,
    pub(crate) version: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Roles {
    root: RoleKeys,
    snapshot: RoleKeys,
    targets: RoleKeys,
    timestamp: RoleKeys,
}

/// Who signs for a role, and how many of them must.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoleKeys {
    pub(crate) keyids: Vec<SignerId>,
    pub(crate) threshold: NonZeroU32,
}

/// TUF 4.6.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Timestamp {
    #[serde(rename = "_type")]
    role: Role,
    pub(crate) expires: Instant,
    meta: BTreeMap<String, MetaFile>,
    spec_version: String,
    pub(crate) version: u64,
}

/// TUF 4.4. Versions only: hashes would tie the files' signatures to one order of signing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    #[serde(rename = "_type")]
    role: Role,
    pub(crate) expires: Instant,
    pub(super) meta: BTreeMap<String, MetaFile>,
    spec_version: String,
    pub(crate) version: u64,
}

/// A metadata file that another one names. Ours name a version only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaFile {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    hashes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
    pub(crate) version: u64,
}

/// TUF 4.5. Ours name one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Targets {
    #[serde(rename = "_type")]
    role: Role,
    pub(crate) expires: Instant,
    spec_version: String,
    #[serde(rename = "targets")]
    named: BTreeMap<String, TargetFile>,
    pub(crate) version: u64,
}

/// A file that `targets.json` names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFile {
    hashes: BTreeMap<String, String>,
    length: u64,
}

/// The bill of lading as `targets.json` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileLength {
    pub(crate) digest: Digest,
    pub(crate) length: u64,
}

// === impl Root ===

impl Root {
    /// One list of keys for roots, one for releases; each with its threshold. They may be the same.
    pub(crate) fn new(
        root: (&[PublicKey], NonZeroU32),
        releases: (&[PublicKey], NonZeroU32),
        version: u64,
        expires: Instant,
    ) -> Self {
        let objects: BTreeMap<_, _> = root
            .0
            .iter()
            .chain(releases.0)
            .map(|key| (key.id(), KeyObject::from(key)))
            .collect();
        let role_of = |(keys, threshold): (&[PublicKey], NonZeroU32)| {
            let ids: BTreeSet<_> = keys.iter().map(PublicKey::id).collect();
            RoleKeys {
                keyids: ids.into_iter().collect(),
                threshold,
            }
        };
        let (root, role) = (role_of(root), role_of(releases));
        Self {
            role: Role::Root,
            consistent_snapshot: true,
            expires,
            keys: objects,
            roles: Roles {
                root,
                snapshot: role.clone(),
                targets: role.clone(),
                timestamp: role,
            },
            spec_version: SPEC_VERSION.to_owned(),
            version,
        }
    }

    pub(crate) fn keys_of(&self, role: Role) -> &RoleKeys {
        match role {
            Role::Root => &self.roles.root,
            Role::Timestamp => &self.roles.timestamp,
            Role::Snapshot => &self.roles.snapshot,
            Role::Targets => &self.roles.targets,
        }
    }

    /// A listed key. Only called for ids of a role, which [`Payload::check`] has found among the keys.
    pub(crate) fn key(&self, id: &SignerId) -> Option<ListedKey> {
        self.keys.get(id)?.key().ok()
    }

    /// All listed keys of our algorithms.
    pub(crate) fn keys(&self) -> impl Iterator<Item = PublicKey> {
        self.keys.values().filter_map(|key| match key.key() {
            Ok(ListedKey::Ours(key)) => Some(key),
            Ok(ListedKey::RsaPss(_)) | Err(_) => None,
        })
    }

    /// Whether files other than the timestamp carry their version in their name (TUF 7).
    pub(crate) fn is_consistent(&self) -> bool {
        self.consistent_snapshot
    }

    /// Whether so few of this role's keys remain in `next` that files signed by them alone no longer
    /// pass: only then do the floors of the role start anew (TUF 5.3.11).
    pub(crate) fn is_rotated_in(&self, next: &Self, role: Role) -> bool {
        let (old, new) = (self.keys_of(role), next.keys_of(role));
        let remaining = new.keyids.iter().filter(|id| old.keyids.contains(id));
        (remaining.count() as u64) < u64::from(new.threshold.get())
    }

    fn check_role(&self, role: Role) -> Result<(), String> {
        let RoleKeys { keyids, threshold } = self.keys_of(role);
        // "Clients MUST ensure that for any KEYID represented in this key list and in other files,
        // only one unique key has that KEYID"; and one key counts once (CVE-2020-6174).
        if !keyids.is_sorted_by(|a, b| a < b) {
            return Err(format!("the keys of role {role} are not sorted and unique"));
        }
        if let Some(id) = keyids.iter().find(|id| !self.keys.contains_key(*id)) {
            return Err(format!("role {role} names key {id}, which is not there"));
        }
        if u64::from(threshold.get()) > keyids.len() as u64 {
            return Err(format!(
                "role {role} needs {threshold} of {} keys",
                keyids.len()
            ));
        }
        Ok(())
    }
}

impl Payload for Root {
    const ROLE: Role = Role::Root;

    fn head(&self) -> (Role, &str, u64) {
        (self.role, &self.spec_version, self.version)
    }

    fn check(&self) -> Result<(), String> {
        if !self.consistent_snapshot {
            return Err("consistent_snapshot is not true".to_owned());
        }
        for (id, object) in &self.keys {
            let key = object.key()?;
            if !object.is_ours(&key) {
                return Err(format!(
                    "key {id} is not Ed25519 or ECDSA P-256, as we write it"
                ));
            }
            let real = SignerId::of(object);
            if real != *id {
                return Err(format!("key {id} has another id: {real}"));
            }
        }
        Role::ALL
            .into_iter()
            .try_for_each(|role| self.check_role(role))
    }
}

// === impl Timestamp, Snapshot, Targets ===

impl Timestamp {
    pub(crate) fn new(version: u64, expires: Instant) -> Self {
        Self {
            role: Role::Timestamp,
            expires,
            meta: BTreeMap::from([(SNAPSHOT.to_owned(), MetaFile::of(version))]),
            spec_version: SPEC_VERSION.to_owned(),
            version,
        }
    }

    /// The snapshot that it names; `None` in a file whose [`Payload::check`] has failed.
    pub(crate) fn snapshot(&self) -> Option<&MetaFile> {
        self.meta.get(SNAPSHOT)
    }
}

impl Payload for Timestamp {
    const ROLE: Role = Role::Timestamp;

    fn head(&self) -> (Role, &str, u64) {
        (self.role, &self.spec_version, self.version)
    }

    fn check(&self) -> Result<(), String> {
        only_version(&self.meta, SNAPSHOT)
    }

    fn check_any(&self) -> Result<(), String> {
        names(&self.meta, SNAPSHOT)
    }
}

impl Snapshot {
    pub(crate) fn new(version: u64, expires: Instant) -> Self {
        Self {
            role: Role::Snapshot,
            expires,
            meta: BTreeMap::from([(TARGETS.to_owned(), MetaFile::of(version))]),
            spec_version: SPEC_VERSION.to_owned(),
            version,
        }
    }

    /// The targets that it names; `None` in a file whose [`Payload::check`] has failed.
    pub(crate) fn targets(&self) -> Option<&MetaFile> {
        self.meta.get(TARGETS)
    }
}

impl Payload for Snapshot {
    const ROLE: Role = Role::Snapshot;

    fn head(&self) -> (Role, &str, u64) {
        (self.role, &self.spec_version, self.version)
    }

    fn check(&self) -> Result<(), String> {
        only_version(&self.meta, TARGETS)
    }

    fn check_any(&self) -> Result<(), String> {
        names(&self.meta, TARGETS)
    }
}

impl Targets {
    pub(crate) fn new(version: u64, expires: Instant, bill: FileLength) -> Self {
        Self {
            role: Role::Targets,
            expires,
            spec_version: SPEC_VERSION.to_owned(),
            named: BTreeMap::from([(
                BILL.to_owned(),
                TargetFile {
                    hashes: BTreeMap::from([(SHA256.to_owned(), bill.digest.hex())]),
                    length: bill.length,
                },
            )]),
            version,
        }
    }

    /// The bill of lading; `None` when there is another target, or another hash of it.
    pub(crate) fn bill(&self) -> Option<FileLength> {
        let TargetFile { hashes, length } = self.named.get(BILL)?;
        let sha256 = hashes.get(SHA256)?;
        let alone = self.named.len() == 1 && hashes.len() == 1;
        let digest = Digest::from_hex(sha256).ok().filter(|_| alone)?;
        Some(FileLength {
            digest,
            length: *length,
        })
    }

    /// A target by its path.
    pub(crate) fn target(&self, path: &str) -> Option<&TargetFile> {
        self.named.get(path)
    }
}

impl Payload for Targets {
    const ROLE: Role = Role::Targets;

    fn head(&self) -> (Role, &str, u64) {
        (self.role, &self.spec_version, self.version)
    }

    fn check(&self) -> Result<(), String> {
        self.bill()
            .map(|_| ())
            .ok_or_else(|| "it does not name bundle.json alone, with its SHA-256".to_owned())
    }
}

// === impl MetaFile, TargetFile ===

impl MetaFile {
    fn of(version: u64) -> Self {
        Self {
            hashes: BTreeMap::new(),
            length: None,
            version,
        }
    }

    /// Its version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Its length, bytes, where the naming file gives one.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// "The hashes … of the new … metadata file MUST match the hashes, if any, listed" (TUF 5.5.2,
    /// 5.6.2).
    pub(super) fn fits(&self, bytes: &[u8]) -> bool {
        content_fits(&self.hashes, self.length, bytes)
    }
}

impl TargetFile {
    /// Its length, bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Its hashes, hex by name of the algorithm.
    pub fn hashes(&self) -> &BTreeMap<String, String> {
        &self.hashes
    }

    /// "Verify the desired target against its targets metadata" (TUF 5.7.3).
    pub fn fits(&self, bytes: &[u8]) -> bool {
        !self.hashes.is_empty() && content_fits(&self.hashes, Some(self.length), bytes)
    }
}

/// Every hash of a known algorithm must be right. One of an unknown algorithm alone says nothing, so
/// nothing fits it.
fn content_fits(hashes: &BTreeMap<String, String>, length: Option<u64>, bytes: &[u8]) -> bool {
    let verdicts: Vec<bool> = hashes
        .iter()
        .filter_map(|(algorithm, hex)| match algorithm.as_str() {
            SHA256 => Some(digest_of(bytes).hex() == *hex),
            "sha512" => Some(hex::encode(digest(&SHA512, bytes)) == *hex),
            _ => None,
        })
        .collect();
    length.is_none_or(|length| length == bytes.len() as u64)
        && !verdicts.contains(&false)
        && (hashes.is_empty() || !verdicts.is_empty())
}

/// FORMAT.md 4.1: our files name one other file, by its version.
fn only_version(meta: &BTreeMap<String, MetaFile>, file: &str) -> Result<(), String> {
    let ours = |named: &MetaFile| *named == MetaFile::of(named.version);
    if meta.len() == 1 && meta.get(file).is_some_and(ours) {
        return Ok(());
    }
    Err(format!("it does not name {file} alone, by version"))
}

fn names(meta: &BTreeMap<String, MetaFile>, file: &str) -> Result<(), String> {
    meta.contains_key(file)
        .then_some(())
        .ok_or_else(|| format!("it does not name {file}"))
}
