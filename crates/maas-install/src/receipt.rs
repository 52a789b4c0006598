//! What an installation did, for people, for scripts and for whoever asks later.

use jiff::Timestamp;
use maas_store::Ingested;
use maas_types::{BundleId, Digest, GenerationId};
use serde::{Deserialize, Serialize};

use crate::{Laid, Started};

/// Written to the receipts' folder and printed by `install --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// `maas-appliance/install/v1`
    pub schema: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The bundle.
    pub bundle: BundleId,
    /// Its version, for people.
    pub version: String,
    /// Its epoch.
    pub epoch: u64,
    /// SHA-256 of its signed bill of lading: what was installed, in one number.
    pub bill_digest: Digest,
    /// The generation that serves now.
    pub generation: GenerationId,
    /// The one that served before.
    pub previous: Option<GenerationId>,
    /// Fingerprint of the root that this host trusts now.
    pub root_fingerprint: String,
    /// Version of that root.
    pub root_version: u64,
    /// Which trusted keys signed which role.
    pub signers: Vec<Signed>,
    /// The reason that was given for taking an expired bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_expired: Option<String>,
    /// What had expired, each with its end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expired: Vec<(String, Timestamp)>,
    /// Findings that failed and were accepted, each with the reason that was given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<(String, String)>,
    /// Labels of the volumes that were given.
    pub volumes: Vec<String>,
    /// What was read, written and skipped.
    pub blobs: Ingested,
    /// What was created or replaced on the host outside the appliance's own folders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seat: Vec<Laid>,
    /// What was done to the services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<Started>,
    /// When it began.
    pub started: Timestamp,
    /// When it was done.
    pub finished: Timestamp,
    /// How long each step took.
    pub steps: Vec<StepTime>,
}

/// Who signed a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// `root`, `targets`, …
    pub role: String,
    /// Key ids.
    pub keys: Vec<String>,
}

/// What came of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A generation was switched to.
    Installed,
    /// All was there: nothing was read and nothing was changed.
    AlreadyInstalled,
}

/// How long a step took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTime {
    /// The step, in words.
    pub step: String,
    /// Milliseconds.
    pub duration_ms: u64,
}

impl Receipt {
    /// The value of [`Receipt::schema`].
    pub const SCHEMA: &'static str = "maas-appliance/install/v1";
}

/// What a rollback did; printed by `rollback --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackReceipt {
    /// `maas-appliance/rollback/v1`
    pub schema: String,
    /// What served before.
    pub from: GenerationId,
    /// What serves now.
    pub to: GenerationId,
    /// Its bundle.
    pub bundle: BundleId,
    /// The epoch below which no bundle is installed, as before.
    pub epoch_floor: u64,
}

impl RollbackReceipt {
    /// The value of [`RollbackReceipt::schema`].
    pub const SCHEMA: &'static str = "maas-appliance/rollback/v1";
}
