//! The first file of a backup: what is in it.
//!
//! Threats: a manifest that names more than there is room for, one file twice, a file inside a file, or
//! that is of a newer release and means something else. Defences: at most 16 MiB and 100,000 entries,
//! strictly ascending names, each in a folder that was named before, unknown members refused.

use std::collections::BTreeSet;

use jiff::Timestamp;
use maas_types::Digest;
use serde::{Deserialize, Serialize};

use crate::{BackupError, Damage, EntryName, NameError};

/// What this release writes and reads (clause 3.2).
pub(crate) const SCHEMA: &str = "maas-appliance/backup/v1";
/// Its name in the archive; no entry can have it, because every entry's name has a slash.
pub(crate) const NAME: &str = "manifest.json";
/// 100,000 entries of 160 bytes.
pub(crate) const LONGEST: u64 = 16 << 20;
const MOST_ENTRIES: usize = 100_000;
/// 1 TiB: state and keys are megabytes; more is a mistake or an attack.
const MOST_BYTES: u64 = 1 << 40;
const LONGEST_TEXT: usize = 200;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    schema: String,
    /// When the backup was begun, by the clock of the host.
    pub made_at: Timestamp,
    /// The program and its version, for people.
    pub made_by: String,
    /// The host that was backed up, for people.
    pub host: String,
    /// Every file and folder, in order of name.
    pub entries: Vec<Entry>,
}

/// One file or folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name.
    pub name: EntryName,
    /// What it is.
    pub kind: Kind,
    /// Its bytes; 0 for a folder.
    pub size: u64,
    /// Of its bytes; of nothing, for a folder.
    pub sha256: Digest,
    /// Who may read it.
    pub access: Access,
    /// Whose it is.
    pub owner: Owner,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A folder.
    Folder,
    /// Bytes.
    File,
    /// The copy of a SQLite database: checked when it is made, verified and restored.
    Database,
}

/// Who may read a restored file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// The owner: 0600, folders 0700.
    Secret,
    /// The owner and the group: 0640, folders 0750.
    Private,
    /// Everybody on the host: 0644, folders 0755.
    Public,
}

impl Access {
    /// The permission bits.
    pub const fn mode(self, kind: Kind) -> u32 {
        match (self, kind) {
            (Self::Secret, Kind::Folder) => 0o700,
            (Self::Private, Kind::Folder) => 0o750,
            (Self::Public, Kind::Folder) => 0o755,
            (Self::Secret, Kind::File | Kind::Database) => 0o600,
            (Self::Private, Kind::File | Kind::Database) => 0o640,
            (Self::Public, Kind::File | Kind::Database) => 0o644,
        }
    }
}

/// Whose a restored file is; the numbers are the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// Root and its group.
    Root,
    /// Root, and the group of the services.
    RootForService,
    /// The user and group of the services.
    Service,
}

impl Manifest {
    /// Puts the entries in order and checks them as a reader will.
    pub(crate) fn new(
        made_at: Timestamp,
        made_by: &str,
        host: &str,
        mut entries: Vec<Entry>,
    ) -> Result<Self, BackupError> {
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        let manifest = Self {
            schema: SCHEMA.to_owned(),
            made_at,
            made_by: made_by.to_owned(),
            host: host.to_owned(),
            entries,
        };
        match manifest.problem() {
            Some(problem) => Err(BackupError::Items { problem }),
            None => Ok(manifest),
        }
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Damage> {
        /// What every version has.
        #[derive(Deserialize)]
        struct Any {
            schema: String,
        }
        let malformed = |error: serde_json::Error| Damage::Manifest {
            problem: error.to_string(),
        };
        let any: Any = serde_json::from_slice(bytes).map_err(malformed)?;
        if any.schema != SCHEMA {
            let found = any.schema.chars().take(80).flat_map(char::escape_debug);
            return Err(Damage::Version {
                found: found.collect(),
            });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(malformed)?;
        match manifest.problem() {
            Some(problem) => Err(Damage::Manifest { problem }),
            None => Ok(manifest),
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a manifest is text and numbers")
    }

    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.size).sum()
    }

    /// For the modification times in the archive, seconds since 1970.
    pub(crate) fn seconds(&self) -> u64 {
        u64::try_from(self.made_at.as_second()).unwrap_or(0)
    }

    /// What is wrong with it, in the words of clause 3.4.
    fn problem(&self) -> Option<String> {
        let text = |text: &str| text.len() <= LONGEST_TEXT && !text.chars().any(char::is_control);
        if !text(&self.made_by) || !text(&self.host) {
            return Some("a text is longer than 200 bytes or has control characters".to_owned());
        }
        if self.entries.len() > MOST_ENTRIES {
            return Some(format!(
                "{} entries are more than 100,000",
                self.entries.len()
            ));
        }
        let order = self
            .entries
            .windows(2)
            .find(|two| two[0].name >= two[1].name);
        if let Some(two) = order {
            return Some(format!("`{}` is named twice or not in order", two[1].name));
        }
        let mut folders = BTreeSet::new();
        let mut total = 0_u64;
        for entry in &self.entries {
            if let Some(parent) = entry
                .name
                .parent()
                .filter(|folder| !folders.contains(folder))
            {
                return Some(format!(
                    "`{}` lies in `{parent}`, which is no folder of it",
                    entry.name
                ));
            }
            let empty = entry.size == 0 && entry.sha256 == crate::fingerprint::of(b"");
            if entry.kind == Kind::Folder {
                if !empty {
                    return Some(format!("the folder `{}` has bytes of its own", entry.name));
                }
                folders.insert(entry.name.clone());
            }
            total = total.saturating_add(entry.size);
        }
        (total > MOST_BYTES).then(|| format!("{total} bytes are more than 1 TiB"))
    }
}

impl From<NameError> for BackupError {
    fn from(error: NameError) -> Self {
        Self::Items {
            problem: error.to_string(),
        }
    }
}
