//! `OpenSSF` Model Signing v1.0: who signed a model, and whether it is the model that is shipped.
//!
//! Source: ossf/model-signing-spec, `spec/v1.0.md`; the clause numbers below are its. Where the
//! specification and the reference implementation (sigstore/model-transparency) differ, a comment
//! says which is followed.
//!
//! Threats: a signature by somebody else, or by nobody, taken for a good one; a good signature over
//! another model, fewer files or other names; a manifest that two readers understand differently; a
//! signer who left out the file that matters.
//! Defences: the signature is checked before the statement is parsed; signed names and shipped names
//! must be the same set, digests must be equal, and nothing shipped may be covered by what the signer
//! ignored; of the many ways to describe a model only those are read that bind every byte: regular
//! files, SHA-256, whole or in shards of one size.

use jiff::Timestamp;
use maas_types::Digest;

pub use error::{ContentError, ManifestError, OmsError};
pub use sign::sign;

use crate::{
    Algorithm, PublicKey,
    bundle::{Bundle, KeyName, Material},
    chain,
    dsse::Signed,
    key::Hashing,
    statement::Statement,
};
use manifest::Manifest;

mod compare;
mod error;
mod manifest;
mod sign;

/// The only predicate that is read and written (5.1).
const PREDICATE: &str = "https://model_signing/signature/v1.0";

/// The predicate of model-signing 0.2, which has the files as subjects (5.1, historical note).
const OLD_PREDICATE: &str = "https://model_signing/Digests/v0.1";

/// Why 16 MiB: a resource takes about 200 bytes and base64 a third more, so this is 60,000 resources,
/// and the largest open models have a few thousand shards.
const LARGEST: usize = 16 << 20;

/// Paths at the top of a model that are never signed (6.2).
const NEVER_SIGNED: [&str; 4] = [".git", ".gitattributes", ".github", ".gitignore"];

/// Whose signature counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelTrust {
    /// The holder of one key, ECDSA on P-256, P-384 or P-521 (`algorithm-registry.md`).
    Key(PublicKey),
    /// Somebody whom an authority has certified.
    Certificate {
        /// The authorities, as DER certificates. No others count.
        roots: Vec<Vec<u8>>,
        /// The signer: exactly a DNS name, email address or URI among the subject alternative names,
        /// or the subject's common name where there are none.
        identity: String,
    },
}

/// A file as it is shipped, with digests that somebody else has computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedFile<'a> {
    /// Its path in the model, with `/` between components.
    pub path: &'a str,
    /// Its length, bytes.
    pub size: u64,
    /// SHA-256 of all of it.
    pub sha256: Digest,
    /// SHA-256 and length of its shards of [`SHARD_BYTES`] in order, if it is longer than that.
    pub parts: &'a [(Digest, u64)],
}

/// The one shard size that is read and written: the default (6.3.2), and our parts.
pub const SHARD_BYTES: u64 = maas_types::PART_BYTES;

/// The files of a model as they are shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShippedFiles<'a> {
    /// All of them.
    pub files: &'a [SignedFile<'a>],
    /// The path of the signature file, if it is one of them. It cannot sign itself and is not
    /// compared (6.2).
    pub signature: Option<&'a str>,
}

/// How files become resources (6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// A digest for each file.
    Files,
    /// A digest for each shard of a file. Empty files have none, so an empty file is shipped unsigned.
    Shards,
}

/// A good signature over exactly the files that are shipped. Only [`verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSignature {
    signer: ModelSigner,
    model: String,
    root: Digest,
    method: Method,
    resources: usize,
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSigner {
    /// The holder of the trusted key.
    Key {
        /// The hex SHA-256 of its PEM text, as [`PublicKey::hint`] has it.
        hint: String,
    },
    /// The holder of a certificate.
    Certificate {
        /// The name by which the signer is trusted.
        identity: String,
        /// The certificate's subject.
        subject: String,
    },
}

impl ModelSignature {
    /// Who signed.
    pub const fn signer(&self) -> &ModelSigner {
        &self.signer
    }

    /// What the signer calls the model. Informational: nothing compares it (6.5).
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The signed digest over the digests of all resources (6.5.1).
    pub const fn root(&self) -> &Digest {
        &self.root
    }

    /// Whether files or shards were signed.
    pub const fn method(&self) -> Method {
        self.method
    }

    /// How many files or shards were signed.
    pub const fn resources(&self) -> usize {
        self.resources
    }
}

/// Checks that a model signature is by whom `trust` names and over exactly the shipped files.
pub fn verify(
    signature_json: &[u8],
    trust: &ModelTrust,
    shipped: &ShippedFiles<'_>,
    now: Timestamp,
) -> Result<ModelSignature, OmsError> {
    let bundle = Bundle::read(signature_json, LARGEST)?;
    let (key, signer) = signer(&bundle.material, trust, now)?;
    // 8.2: the signature comes first, and everything in the payload after it.
    let signed = bundle.envelope.signed()?;
    if !key.verify(&signed.message(), signed.signature, Hashing::OfTheCurve) {
        return Err(why_not(&signed));
    }
    let statement = Statement::read(signed.payload, LARGEST)?;
    let manifest = manifest::read(&statement)?;
    compare::same(&manifest, shipped)?;
    let Manifest {
        model,
        root,
        method,
        resources,
        ..
    } = manifest;
    Ok(ModelSignature {
        signer,
        model,
        root,
        method,
        resources: resources.len(),
    })
}

/// The key that the signature must be by.
fn signer(
    material: &Material,
    trust: &ModelTrust,
    now: Timestamp,
) -> Result<(PublicKey, ModelSigner), OmsError> {
    match (material, trust) {
        (Material::Keyless, _) => Err(OmsError::Keyless),
        (Material::Key(name), ModelTrust::Key(key)) => {
            curve_only(key)?;
            named(name, key)?;
            Ok((key.clone(), ModelSigner::Key { hint: key.hint() }))
        }
        (Material::Certificates(chain), ModelTrust::Certificate { roots, identity }) => {
            let chain::Signer { key, subject } = chain::check(chain, roots, identity, now)?;
            curve_only(&key)?;
            let identity = identity.clone();
            Ok((key, ModelSigner::Certificate { identity, subject }))
        }
        (Material::Key(_), ModelTrust::Certificate { .. }) => Err(OmsError::OtherMethod {
            found: "a key",
            wanted: "a certificate",
        }),
        (Material::Certificates(_), ModelTrust::Key(_)) => Err(OmsError::OtherMethod {
            found: "a certificate",
            wanted: "a key",
        }),
    }
}

fn curve_only(key: &PublicKey) -> Result<(), OmsError> {
    match key.algorithm() {
        Algorithm::P256 | Algorithm::P384 | Algorithm::P521 => Ok(()),
        Algorithm::Ed25519 => Err(OmsError::KeyAlgorithm),
    }
}

/// Compares what the bundle calls its key with the trusted one. A bundle that calls it nothing is
/// left to the signature: the name is a hint, and nothing signs it.
fn named(name: &KeyName, key: &PublicKey) -> Result<(), OmsError> {
    let other = |found: String| OmsError::OtherKey {
        found,
        wanted: key.hint(),
    };
    if let Some(hint) = name.hint.as_deref().filter(|hint| !hint.is_empty())
        && hint != key.hint()
    {
        return Err(other(crate::json::plain(hint)));
    }
    // 11.2, 1: before 1.1.0 the bundle held the key itself, as PEM text.
    if let Some(raw) = &name.raw_bytes {
        let said = str::from_utf8(&raw.0)
            .ok()
            .and_then(|pem| PublicKey::from_pem(pem).ok());
        return match said {
            Some(said) if said == *key => Ok(()),
            Some(said) => Err(other(said.hint())),
            None => Err(other("one that cannot be read".to_owned())),
        };
    }
    Ok(())
}

/// Says more about a signature that is not good. model-signing 0.2 encoded the payload in its own
/// way, so its signatures are wrong by DSSE; its users should hear the version, not an alarm.
fn why_not(signed: &Signed<'_>) -> OmsError {
    match Statement::read(signed.payload, LARGEST) {
        Ok(statement) if statement.predicate_type == OLD_PREDICATE => OmsError::OldVersion,
        Ok(_) | Err(_) => OmsError::WrongSignature,
    }
}

#[cfg(test)]
mod tests;
