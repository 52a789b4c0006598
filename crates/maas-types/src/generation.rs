//! A generation: one installed bundle on one host.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{BillOfLading, BundleId, Digest};

/// The name of a generation's folder: `<epoch>-<serial>`, `7-1`. The serial counts installations of
/// that epoch on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GenerationId {
    /// The bundle's epoch.
    pub epoch: u64,
    /// 1 for the first installation of that epoch here.
    pub serial: u32,
}

/// Text that is not `<epoch>-<serial>`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a generation (want `<epoch>-<serial>`, for example `7-1`)")]
pub struct GenerationIdError(String);

impl fmt::Display for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}-{}", self.epoch, self.serial))
    }
}

impl FromStr for GenerationId {
    type Err = GenerationIdError;

    fn from_str(text: &str) -> Result<Self, GenerationIdError> {
        let parsed = text.split_once('-').and_then(|(epoch, serial)| {
            Some(Self {
                epoch: epoch.parse().ok()?,
                serial: serial.parse().ok()?,
            })
        });
        // Only the text that we would print: `+7-01` would be a second name for one folder.
        parsed.filter(|id| id.to_string() == text).ok_or_else(|| {
            GenerationIdError(text.chars().take(80).flat_map(char::escape_debug).collect())
        })
    }
}

impl TryFrom<String> for GenerationId {
    type Error = GenerationIdError;

    fn try_from(text: String) -> Result<Self, GenerationIdError> {
        text.parse()
    }
}

impl From<GenerationId> for String {
    fn from(id: GenerationId) -> Self {
        id.to_string()
    }
}

/// `generation.json` inside a generation's folder: what is installed there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GenerationRecord {
    /// `maas-appliance/generation/v1`
    pub schema: String,
    /// Its own name.
    pub id: GenerationId,
    /// The bundle it came from.
    pub bundle: BundleId,
    /// SHA-256 of the signed bill of lading.
    pub bill_digest: Digest,
    /// When it was assembled, by this host's trusted clock.
    pub installed: Timestamp,
    /// The signed bill of lading itself.
    pub bill: BillOfLading,
}

impl GenerationRecord {
    /// The value of [`GenerationRecord::schema`].
    pub const SCHEMA: &str = "maas-appliance/generation/v1";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_has_one_spelling() {
        let id = GenerationId {
            epoch: 7,
            serial: 1,
        };
        assert_eq!("7-1".parse(), Ok(id));
        for text in ["+7-1", "07-1", "7-01", "7", "7-", "-1", "7-1 ", "../7-1"] {
            assert!(text.parse::<GenerationId>().is_err(), "{text}");
        }
    }
}
