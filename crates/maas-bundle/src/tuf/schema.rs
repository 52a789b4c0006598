//! The `signed` parts of the four metadata files, member for member (TUF 4.3 to 4.6), unknown
//! members refused. Members stand in alphabetical order, which is the order of the files.

use std::{collections::BTreeMap, num::NonZeroU32};

use jiff::Timestamp as Instant;
use maas_types::Digest;
use serde::{Deserialize, Serialize};

use super::{Payload, Role};
use crate::{PublicKey, SignerId, key::KeyObject};

/// Written into every file. Readers take any `1.0.x` (TUF 4.3: the major version must be known).
const SPEC_VERSION: &str = "1.0.0";

/// TUF 4.3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
struct Roles {
    root: RoleKeys,
    snapshot: RoleKeys,
    targets: RoleKeys,
    timestamp: RoleKeys,
}

/// Who signs for a role, and how many of them must.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleKeys {
    pub(crate) keyids: Vec<SignerId>,
    pub(crate) threshold: NonZeroU32,
}

/// TUF 4.6.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Timestamp {
    #[serde(rename = "_type")]
    role: Role,
    pub(crate) expires: Instant,
    meta: SnapshotMeta,
    spec_version: String,
    pub(crate) version: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SnapshotMeta {
    #[serde(rename = "snapshot.json")]
    snapshot: Version,
}

/// TUF 4.4. Versions only: hashes would tie the files' signatures to one order of signing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Snapshot {
    #[serde(rename = "_type")]
    role: Role,
    pub(crate) expires: Instant,
    meta: TargetsMeta,
    spec_version: String,
    pub(crate) version: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetsMeta {
    #[serde(rename = "targets.json")]
    targets: Version,
}

/// A metadata file that another one names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Version {
    pub(crate) version: u64,
}

/// TUF 4.5, with the one target that a bundle has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Targets {
    #[serde(rename = "_type")]
    role: Role,
    pub(crate) expires: Instant,
    spec_version: String,
    #[serde(rename = "targets")]
    named: OneTarget,
    pub(crate) version: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OneTarget {
    #[serde(rename = "bundle.json")]
    bill: TargetFile,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetFile {
    hashes: Sha256Only,
    length: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sha256Only {
    sha256: String,
}

/// The bill of lading as `targets.json` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileLength {
    pub(crate) digest: Digest,
    pub(crate) length: u64,
}

// === impl Root ===

impl Root {
    /// Every role gets all of the keys and the same threshold.
    pub(crate) fn new(
        keys: &[PublicKey],
        threshold: NonZeroU32,
        version: u64,
        expires: Instant,
    ) -> Self {
        let objects: BTreeMap<_, _> = keys
            .iter()
            .map(|key| (key.id(), KeyObject::from(key)))
            .collect();
        let role = RoleKeys {
            keyids: objects.keys().copied().collect(),
            threshold,
        };
        Self {
            role: Role::Root,
            consistent_snapshot: true,
            expires,
            keys: objects,
            roles: Roles {
                root: role.clone(),
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
    pub(crate) fn key(&self, id: &SignerId) -> Option<PublicKey> {
        PublicKey::try_from(self.keys.get(id)?).ok()
    }

    /// All listed keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = PublicKey> {
        self.keys
            .values()
            .filter_map(|key| PublicKey::try_from(key).ok())
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
            let key = PublicKey::try_from(object)?;
            if key.id() != *id {
                return Err(format!("key {id} has another id: {}", key.id()));
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
            meta: SnapshotMeta {
                snapshot: Version { version },
            },
            spec_version: SPEC_VERSION.to_owned(),
            version,
        }
    }

    pub(crate) fn snapshot(&self) -> Version {
        self.meta.snapshot
    }
}

impl Payload for Timestamp {
    const ROLE: Role = Role::Timestamp;

    fn head(&self) -> (Role, &str, u64) {
        (self.role, &self.spec_version, self.version)
    }

    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Snapshot {
    pub(crate) fn new(version: u64, expires: Instant) -> Self {
        Self {
            role: Role::Snapshot,
            expires,
            meta: TargetsMeta {
                targets: Version { version },
            },
            spec_version: SPEC_VERSION.to_owned(),
            version,
        }
    }

    pub(crate) fn targets(&self) -> Version {
        self.meta.targets
    }
}

impl Payload for Snapshot {
    const ROLE: Role = Role::Snapshot;

    fn head(&self) -> (Role, &str, u64) {
        (self.role, &self.spec_version, self.version)
    }

    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Targets {
    pub(crate) fn new(version: u64, expires: Instant, bill: FileLength) -> Self {
        Self {
            role: Role::Targets,
            expires,
            spec_version: SPEC_VERSION.to_owned(),
            named: OneTarget {
                bill: TargetFile {
                    hashes: Sha256Only {
                        sha256: bill.digest.hex(),
                    },
                    length: bill.length,
                },
            },
            version,
        }
    }

    /// The bill of lading; `None` when the hash is not one, which [`Payload::check`] refuses.
    pub(crate) fn bill(&self) -> Option<FileLength> {
        let TargetFile { hashes, length } = &self.named.bill;
        Some(FileLength {
            digest: Digest::from_hex(&hashes.sha256).ok()?,
            length: *length,
        })
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
            .ok_or_else(|| "the hash of bundle.json is not 64 lower-case hex digits".to_owned())
    }
}
