//! The same statement for machines: a SLSA Verification Summary Attestation in a DSSE envelope.
//!
//! Sources: SLSA v1.1, "Verification Summary Attestation" (predicate type
//! `https://slsa.dev/verification_summary/v1`); in-toto attestation v1, Statement; DSSE v1, by way of
//! [`maas_attest::dsse`].
//!
//! What is claimed is what was done: `verifiedLevels` has a level of our own, because nothing here says
//! how the bundle was built, and `dependencyLevels` is left out, because nothing was found out about
//! dependencies. The digest of `arrival.json` stands in an extension member, so that one signature
//! answers for both.
//!
//! Threats: a statement of another host, about another bundle, or about a failure, that is taken for this
//! one; a member that stands there twice. Defences: the key counts under its host's name only, and the
//! verifier that the statement names must be that host; the result is read and not assumed; strict JSON.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maas_attest::{FormatError, dsse::Envelope};
use maas_types::{Digest, Exit, json};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Arrival, ArrivalResult};
use crate::{HostKey, HostPublicKey, Origin, instant};

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "https://slsa.dev/verification_summary/v1";
const SLSA_VERSION: &str = "1.1";
/// Our one level. Custom ones must not begin with `SLSA_`.
const LEVEL: &str = "MAAS_BUNDLE_VERIFIED";
const FAILED: &str = "FAILED";

/// Bytes of an envelope; ours have about two thousand.
const LIMIT: usize = 1 << 20;

type Digests = BTreeMap<String, String>;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Described>,
    predicate_type: String,
    predicate: Predicate,
}

/// A subject, a policy or an attestation: in-toto's resource descriptor, as far as we use it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Described {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    uri: String,
    #[serde(default)]
    digest: Digests,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Predicate {
    verifier: Verifier,
    time_verified: Timestamp,
    resource_uri: String,
    policy: Described,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    input_attestations: Vec<Described>,
    verification_result: ArrivalResult,
    verified_levels: Vec<String>,
    #[serde(default)]
    slsa_version: Option<String>,
    /// Extension members have URIs for names.
    #[serde(rename = "maas-appliance:arrival/v1", default)]
    arrival: Digests,
}

#[derive(Debug, Serialize, Deserialize)]
struct Verifier {
    id: String,
}

/// What a host has signed about an arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The bundle's name.
    pub bundle: String,
    /// SHA-256 of its bill of lading.
    pub bill: Digest,
    /// Passed or not. A signature is good on either.
    pub result: ArrivalResult,
    /// When, by the clock that was trusted.
    pub time: Timestamp,
    /// `pkg:generic/<bundle>@<version>`.
    pub resource: String,
    /// SHA-256 of `arrival.json`.
    pub arrival: Digest,
}

/// Why a file is not a statement of that host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VsaError {
    /// Not a DSSE envelope around the statement that is wanted.
    #[error("this is not a verification summary: {0}")]
    Form(String),
    /// The signature is not the key's.
    #[error(
        "the verification summary is not signed by the key of `{0}`: it was changed, or another key of that host is needed"
    )]
    NotSigned(Origin),
    /// Signed by the key, and said in the name of another verifier.
    #[error(
        "the verification summary names the verifier `{found}`, and the key is that of `{wanted}`"
    )]
    OtherVerifier {
        /// Whom it names.
        found: String,
        /// Whom it should name.
        wanted: String,
    },
    /// It answers for another record than the one beside it.
    #[error(
        "the verification summary is for another arrival record than this one, which was changed or belongs to another"
    )]
    OtherRecord,
}

impl VsaError {
    /// What the process tells the shell.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Form(_) | Self::OtherRecord => Exit::Content,
            Self::NotSigned(_) | Self::OtherVerifier { .. } => Exit::Untrusted,
        }
    }
}

impl From<FormatError> for VsaError {
    fn from(error: FormatError) -> Self {
        Self::Form(error.to_string())
    }
}

/// The URI of a host as a verifier. Nothing answers there: it is a name.
pub fn verifier_id(origin: &Origin) -> String {
    format!("maas-appliance://{origin}/arrival/v1")
}

/// Signs that this host verified what `arrival` says. The result is the file `arrival.vsa.json`.
pub fn seal_vsa(arrival: &Arrival, key: &HostKey) -> Vec<u8> {
    let statement = statement(arrival, key.public().origin());
    let payload = serde_json::to_vec(&statement).expect("texts and numbers become JSON");
    let envelope = Envelope::seal(payload, |message| key.sign(message).to_vec());
    let mut bytes = serde_json::to_vec(&envelope).expect("texts become JSON");
    bytes.push(b'\n');
    bytes
}

fn statement(arrival: &Arrival, host: &Origin) -> Statement {
    let bundle = &arrival.bundle;
    let result = arrival.result();
    let input = |file: &super::SignedFile| Described {
        uri: format!(
            "maas-appliance:bundle/{}/{}",
            bundle.id,
            escaped(&file.name)
        ),
        digest: sha256(&file.digest),
        ..Described::default()
    };
    Statement {
        kind: STATEMENT.to_owned(),
        subject: vec![Described {
            name: bundle.id.to_string(),
            digest: sha256(&bundle.bill),
            ..Described::default()
        }],
        predicate_type: PREDICATE.to_owned(),
        predicate: Predicate {
            verifier: Verifier {
                id: verifier_id(host),
            },
            time_verified: instant::to_millisecond(arrival.clock.time()),
            resource_uri: format!("pkg:generic/{}@{}", bundle.id, escaped(&bundle.version)),
            policy: Described {
                uri: format!("maas-appliance:trusted-root/{}", arrival.root.version),
                digest: sha256(&arrival.root.fingerprint),
                ..Described::default()
            },
            input_attestations: arrival.metadata.iter().map(input).collect(),
            verification_result: result,
            verified_levels: vec![
                match result {
                    ArrivalResult::Passed => LEVEL,
                    ArrivalResult::Failed => FAILED,
                }
                .to_owned(),
            ],
            slsa_version: Some(SLSA_VERSION.to_owned()),
            arrival: sha256(&digest_of(&arrival.to_json())),
        },
    }
}

/// Reads what the owner of `key` has signed. Whether it is about the right bundle, and passed, stands in
/// the result and is the caller's to ask.
pub fn verify_vsa(bytes: &[u8], key: &HostPublicKey) -> Result<Summary, VsaError> {
    if bytes.len() > LIMIT {
        return Err(VsaError::Form(format!("it is larger than {LIMIT} bytes")));
    }
    let json = |error: serde_json::Error| VsaError::Form(json::plain(&error.to_string()));
    let envelope: Envelope = json::strict(bytes).map_err(json)?;
    let signed = envelope.signed()?;
    if !key.verify(&signed.message(), signed.signature) {
        return Err(VsaError::NotSigned(key.origin().clone()));
    }
    let statement: Statement = json::strict(signed.payload).map_err(json)?;
    read(statement, key.origin())
}

fn read(statement: Statement, host: &Origin) -> Result<Summary, VsaError> {
    for (member, found, wanted) in [
        ("its type", &statement.kind, STATEMENT),
        ("its predicate's type", &statement.predicate_type, PREDICATE),
    ] {
        if found != wanted {
            let found = json::plain(found);
            return Err(VsaError::Form(format!(
                "{member} is `{found}`, not `{wanted}`"
            )));
        }
    }
    let predicate = statement.predicate;
    let wanted = verifier_id(host);
    if predicate.verifier.id != wanted {
        return Err(VsaError::OtherVerifier {
            found: json::plain(&predicate.verifier.id),
            wanted,
        });
    }
    let [subject] = statement.subject.as_slice() else {
        let count = statement.subject.len();
        return Err(VsaError::Form(format!(
            "it has {count} subjects instead of one"
        )));
    };
    Ok(Summary {
        bundle: subject.name.clone(),
        bill: of_sha256("its subject", &subject.digest)?,
        result: predicate.verification_result,
        time: predicate.time_verified,
        resource: predicate.resource_uri,
        arrival: of_sha256("its arrival record", &predicate.arrival)?,
    })
}

impl Summary {
    /// Whether it answers for these bytes of an `arrival.json`.
    pub fn answers_for(&self, arrival: &[u8]) -> Result<(), VsaError> {
        if digest_of(arrival) == self.arrival {
            Ok(())
        } else {
            Err(VsaError::OtherRecord)
        }
    }
}

fn digest_of(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

fn sha256(digest: &Digest) -> Digests {
    [("sha256".to_owned(), digest.hex())].into()
}

fn of_sha256(what: &str, digests: &Digests) -> Result<Digest, VsaError> {
    digests
        .get("sha256")
        .and_then(|hex| Digest::from_hex(hex).ok())
        .ok_or_else(|| VsaError::Form(format!("{what} has no SHA-256 digest")))
}

/// Text as a part of a URI (RFC 3986, 2.1).
fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'/');
    let part = |b| {
        if plain(b) {
            char::from(b).to_string()
        } else {
            format!("%{b:02X}")
        }
    };
    text.bytes().map(part).collect()
}
