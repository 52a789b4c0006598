//! What a person verified when a stick arrived: `arrival.json`, a page to print and sign, and the same
//! statement for machines, signed by the host.
//!
//! Custody evidence wants the media's serial numbers, who handled them, times and their source, digests,
//! each check with its result, and the version of the tool. All of it is here, and it can be read without
//! this program.
//!
//! Threat: a stick whose label or serial number moves the cursor of whoever reads the record, or draws a
//! line of its own on the page. Defence: text of others is written with its control characters escaped.

mod clock;
mod page;
mod voice;
mod vsa;
mod words;

use maas_types::{BundleId, Digest, Exit, json};
use serde::{Deserialize, Serialize};

pub use self::{
    clock::{Clock, TrustedClock},
    page::page,
    voice::{VoiceCode, VoiceCodeError},
    vsa::{Summary, VsaError, seal_vsa, verifier_id, verify_vsa},
};
use crate::Origin;

/// [`Arrival::schema`] of the records that this code writes.
pub const SCHEMA: &str = "maas-appliance/arrival/v1";

/// Bytes of a record; ours have a few thousand.
const LIMIT: usize = 1 << 20;

/// `arrival.json`. Unknown members are ignored: version 1 may grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// [`SCHEMA`].
    pub schema: String,
    /// The host that verified.
    pub host: Origin,
    /// The program that did.
    pub tool: Tool,
    /// The person who ran it.
    pub operator: Operator,
    /// When, and how far that is to be believed.
    pub clock: Clock,
    /// What was plugged in.
    pub media: Vec<Medium>,
    /// What was on it.
    pub bundle: ArrivedBundle,
    /// What to compare with the sender, by voice.
    pub compare: VoiceCode,
    /// The root that the signatures led to.
    pub root: ArrivedRoot,
    /// Who signed, by role.
    pub signers: Vec<SignedRole>,
    /// The signed files that were verified on the way to the bill.
    #[serde(default)]
    pub metadata: Vec<SignedFile>,
    /// What was checked, in that order.
    pub checks: Vec<Check>,
    /// Files that were read.
    pub files: u64,
    /// Bytes that were read.
    pub bytes: u64,
}

/// A program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `maas-appliance`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its file, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// A person with a shell on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// Their number.
    pub uid: u32,
    /// Their name at the time.
    pub login: String,
}

/// A volume, and the block device that it lies on as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Medium {
    /// Where it was mounted.
    pub path: String,
    /// What it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The device's maker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// The device's model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The device's serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// `exfat`, `ext4`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filesystem: Option<String>,
}

/// What was on the media.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrivedBundle {
    /// Its name.
    pub id: BundleId,
    /// Its release's version, for people.
    pub version: String,
    /// Its place in the order of releases.
    pub epoch: u64,
    /// SHA-256 of the signed bill of lading, which names every other byte.
    pub bill: Digest,
}

/// The root of trust.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrivedRoot {
    /// Its version.
    pub version: u64,
    /// SHA-256 of the canonical form of its signed part.
    pub fingerprint: Digest,
}

/// A role of the bundle's metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedRole {
    /// `root`, `targets`, `snapshot`, `timestamp`.
    pub role: String,
    /// How many keys must sign.
    pub threshold: u64,
    /// Names or ids of the keys whose signatures were good.
    pub signed: Vec<String>,
}

/// A signed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedFile {
    /// Its name in the bundle: `metadata/7.targets.json`.
    pub name: String,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

/// A check and how it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// `signature`, `freshness`, `contents`, …
    pub id: String,
    /// How it went.
    pub outcome: CheckOutcome,
    /// What was found, in a sentence.
    pub text: String,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckOutcome {
    /// Good.
    Passed,
    /// Good, and a person should know something.
    Warned,
    /// Not good.
    Failed,
    /// Not made, because of what was asked for or because an earlier one failed.
    Skipped,
}

/// What all the checks come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ArrivalResult {
    /// There were checks, and none failed or was skipped.
    Passed,
    /// Anything else.
    Failed,
}

/// A file that is not an arrival record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArrivalError {
    /// Not JSON, or not with the members that it needs.
    #[error("this is not an arrival record: {0}")]
    Json(String),
    /// Something else, or of a later version.
    #[error("this has the schema `{0}`, and this release reads `{SCHEMA}`")]
    Schema(String),
}

impl ArrivalError {
    /// What the process tells the shell.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Json(_) | Self::Schema(_) => Exit::Content,
        }
    }
}

impl Arrival {
    /// Reads `arrival.json`. It is believed as far as whoever kept it: only [`verify_vsa`] tells whether
    /// a host signed for it.
    pub fn read(bytes: &[u8]) -> Result<Self, ArrivalError> {
        if bytes.len() > LIMIT {
            let why = format!("it is larger than {LIMIT} bytes");
            return Err(ArrivalError::Json(why));
        }
        let arrival: Self = json::strict(bytes)
            .map_err(|error| ArrivalError::Json(json::plain(&error.to_string())))?;
        if arrival.schema == SCHEMA {
            Ok(arrival)
        } else {
            Err(ArrivalError::Schema(json::plain(&arrival.schema)))
        }
    }

    /// The bytes of `arrival.json`: indented, with a line feed at the end.
    pub fn to_json(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("texts and numbers become JSON");
        bytes.push(b'\n');
        bytes
    }

    /// Passed only if something was checked, and nothing failed or was left out.
    pub fn result(&self) -> ArrivalResult {
        let good = |check: &Check| match check.outcome {
            CheckOutcome::Passed | CheckOutcome::Warned => true,
            CheckOutcome::Failed | CheckOutcome::Skipped => false,
        };
        if !self.checks.is_empty() && self.checks.iter().all(good) {
            ArrivalResult::Passed
        } else {
            ArrivalResult::Failed
        }
    }
}

impl CheckOutcome {
    /// Four letters for a page: meaning is never by colour alone.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "PASS",
            Self::Warned => "WARN",
            Self::Failed => "FAIL",
            Self::Skipped => "SKIP",
        }
    }
}

impl ArrivalResult {
    /// As a verification summary writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Failed => "FAILED",
        }
    }
}

#[cfg(test)]
mod tests;
