//! A metadata file: a `signed` part and the signatures on it (TUF 4.2).

use std::collections::BTreeSet;

use maas_types::Exit;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{HIGHEST_VERSION, Role, Root, schema::RoleKeys};
use crate::{Signer, SignerId, TrustError, json};

/// The `signed` part of one role.
pub(crate) trait Payload: Serialize + DeserializeOwned + PartialEq {
    const ROLE: Role;

    /// `_type`, `spec_version` and `version`.
    fn head(&self) -> (Role, &str, u64);

    /// What the role's own members must hold to in a bundle; the error is a reason for people.
    fn check(&self) -> Result<(), String>;

    /// What they must hold to in any repository.
    fn check_any(&self) -> Result<(), String> {
        Ok(())
    }
}

/// By which rules a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Reading {
    /// FORMAT.md 4: one rendering, no strangers, nothing wrong beside what is right.
    #[default]
    Bundle,
    /// TUF 1.0 as any repository may write it: unknown members are signed and not looked at,
    /// signatures beyond the threshold may be anybody's and wrong.
    Specification,
}

/// A metadata file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the wire's own name (TUF 4.2)")]
pub(crate) struct Signed<T> {
    signatures: Vec<Signature>,
    pub(crate) signed: T,
    /// What is signed: the canonical JSON of `signed`, unknown members included.
    #[serde(skip)]
    message: Vec<u8>,
    #[serde(skip)]
    reading: Reading,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Signature {
    keyid: SignerId,
    sig: Hex,
}

/// Lower-case hex on the wire; length is the algorithm's business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Hex(Vec<u8>);

/// How far one metadata file is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoleStatus {
    /// Whose file it is.
    pub role: Role,
    /// The file's version.
    pub version: u64,
    /// How many distinct keys must sign.
    pub need: u32,
    /// Listed keys whose signature is there and right.
    pub signed: Vec<SignerId>,
    /// Listed keys that have not signed.
    pub could: Vec<SignerId>,
    /// Listed keys whose signature is wrong, and signers that the root does not list.
    pub wrong: Vec<SignerId>,
}

impl RoleStatus {
    /// Whether enough have signed and nothing is wrong.
    pub fn is_complete(&self) -> bool {
        self.signed.len() as u64 >= u64::from(self.need) && self.wrong.is_empty()
    }
}

/// Why a signature was not added.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The root does not list the key for any role.
    #[error("key {} may not sign this: the root lists {}", .key.short(), crate::trust::signers(.listed))]
    NotListed {
        /// The key.
        key: SignerId,
        /// The keys that may.
        listed: Vec<SignerId>,
    },
    /// The other copy is of something else.
    #[error("`{file}` of the two copies differ in more than their signatures")]
    NotTheSame {
        /// The file.
        file: String,
    },
    /// The signer gave no signature, or one that is not right.
    #[error("key {} has not signed `{file}`: {reason}", .key.short())]
    Signer {
        /// Role and version of the file.
        file: String,
        /// The key.
        key: SignerId,
        /// What the signer says, or what is wrong.
        reason: String,
    },
    /// A signature in the other copy does not fit, or its signer is not listed.
    #[error("the other copy's signature of key {} on `{file}` is wrong or not by a listed key", .key.short())]
    WrongSignature {
        /// The file.
        file: String,
        /// The signer.
        key: SignerId,
    },
}

impl SignError {
    /// The exit code that answers this.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotListed { .. } | Self::Signer { .. } | Self::WrongSignature { .. } => {
                Exit::Untrusted
            }
            Self::NotTheSame { .. } => Exit::Content,
        }
    }
}

impl<T: Payload> Signed<T> {
    pub(crate) fn new(signed: T) -> Self {
        Self {
            signatures: Vec::new(),
            message: json::canonical(&signed),
            signed,
            reading: Reading::Bundle,
        }
    }

    /// Parses a file of this role. `file` is its name for messages. No signature is checked.
    pub(crate) fn parse(file: &str, bytes: &[u8], reading: Reading) -> Result<Self, TrustError> {
        let malformed = |reason: String| TrustError::Malformed {
            file: file.to_owned(),
            reason,
        };
        let mut this: Self = json::strict(bytes).map_err(malformed)?;
        this.reading = reading;
        this.check_head().map_err(malformed)?;
        let check = match reading {
            Reading::Bundle => this.signed.check(),
            Reading::Specification => this.signed.check_any(),
        };
        check.map_err(malformed)?;
        let mut seen = BTreeSet::new();
        if let Some(key) = this.signers().find(|id| !seen.insert(*id)) {
            return Err(TrustError::DuplicateSigner {
                file: file.to_owned(),
                key,
            });
        }
        match reading {
            Reading::Bundle => this.check_rendering(bytes).map_err(malformed)?,
            Reading::Specification => this.message = signed_part(bytes).map_err(malformed)?,
        }
        Ok(this)
    }

    fn check_head(&self) -> Result<(), String> {
        let (role, spec_version, version) = self.signed.head();
        if role != T::ROLE {
            return Err(format!("it is a {role} file, not {}", T::ROLE));
        }
        if !spec_version.starts_with("1.0.") && spec_version != "1.0" {
            let version = json::plain(spec_version);
            return Err(format!("it follows TUF {version}, not 1.0"));
        }
        if !(1..=HIGHEST_VERSION).contains(&version) {
            return Err(format!("version {version} is not possible"));
        }
        Ok(())
    }

    /// FORMAT.md 4.3: one rendering, so that a changed byte without meaning is found as well, and with
    /// it every member that is not ours.
    fn check_rendering(&mut self, bytes: &[u8]) -> Result<(), String> {
        if !self.signatures.is_sorted_by_key(|s| s.keyid) {
            return Err("the signatures are not sorted by key".to_owned());
        }
        if self.render() != bytes {
            return Err("it is not written as this format writes it".to_owned());
        }
        self.message = json::canonical(&self.signed);
        Ok(())
    }

    /// The file's bytes.
    pub(crate) fn render(&self) -> Vec<u8> {
        json::pretty(self)
    }

    /// What is signed.
    pub(crate) fn canonical(&self) -> &[u8] {
        &self.message
    }

    /// "… MUST have been signed by a THRESHOLD of keys specified in the trusted root metadata file"
    /// (TUF 5.3.4, 5.4.2, 5.5.3, 5.6.3). Answers who has signed.
    pub(crate) fn verify(&self, file: &str, root: &Root) -> Result<Vec<SignerId>, TrustError> {
        self.refuse_strangers(file, &[root])?;
        self.verify_threshold(file, root)
    }

    /// Refuses what nobody has signed, and signers that none of `roots` lists for this role.
    pub(crate) fn refuse_strangers(&self, file: &str, roots: &[&Root]) -> Result<(), TrustError> {
        if self.signatures.is_empty() {
            return Err(TrustError::Unsigned {
                file: file.to_owned(),
            });
        }
        let listed = |id: &SignerId| {
            roots
                .iter()
                .any(|root| root.keys_of(T::ROLE).keyids.contains(id))
        };
        let keys: Vec<_> = self.signers().filter(|id| !listed(id)).collect();
        // Signatures that do not count "SHOULD" be ignored elsewhere; on a stick they are a question.
        if keys.is_empty() || self.reading == Reading::Specification {
            return Ok(());
        }
        Err(TrustError::UnknownSigners {
            file: file.to_owned(),
            keys,
        })
    }

    /// Counts the distinct keys of `root` that have signed; in a bundle any wrong signature is an error.
    pub(crate) fn verify_threshold(
        &self,
        file: &str,
        root: &Root,
    ) -> Result<Vec<SignerId>, TrustError> {
        let status = self.status(root);
        let listed = &root.keys_of(T::ROLE).keyids;
        let wrong = status.wrong.iter().find(|id| listed.contains(id));
        if let (Some(key), Reading::Bundle) = (wrong, self.reading) {
            return Err(TrustError::BadSignature {
                file: file.to_owned(),
                key: *key,
            });
        }
        let RoleKeys { threshold, .. } = root.keys_of(T::ROLE);
        // A foreign root may list one key under two ids; it is one key all the same (CVE-2020-6174).
        let distinct: BTreeSet<_> = status.signed.iter().map(|id| root.key(id)).collect();
        if (distinct.len() as u64) < u64::from(threshold.get()) {
            return Err(TrustError::Threshold {
                file: file.to_owned(),
                need: *threshold,
                signed: status.signed,
                could: status.could,
            });
        }
        Ok(status.signed)
    }

    /// Who has signed and who could, by `root`.
    pub(crate) fn status(&self, root: &Root) -> RoleStatus {
        self.status_beside(root, None)
    }

    /// The same, where signatures by the keys of `other` are in order as well: those of a new root's
    /// predecessor.
    pub(crate) fn status_beside(&self, root: &Root, other: Option<&Root>) -> RoleStatus {
        let RoleKeys { keyids, threshold } = root.keys_of(T::ROLE);
        let is_right = |signature: &Signature, root: &Root| {
            root.keys_of(T::ROLE).keyids.contains(&signature.keyid)
                && root
                    .key(&signature.keyid)
                    .is_some_and(|key| key.verify(&self.message, &signature.sig.0))
        };
        let (right, others): (Vec<_>, Vec<_>) = self
            .signatures
            .iter()
            .partition(|signature| is_right(signature, root));
        let wrong = others
            .into_iter()
            .filter(|signature| !other.is_some_and(|other| is_right(signature, other)))
            .collect();
        let ids = |signatures: Vec<&Signature>| signatures.iter().map(|s| s.keyid).collect();
        let signed: Vec<SignerId> = ids(right);
        let wrong: Vec<SignerId> = ids(wrong);
        RoleStatus {
            role: T::ROLE,
            version: self.signed.head().2,
            need: threshold.get(),
            could: keyids
                .iter()
                .filter(|id| !signed.contains(id) && !wrong.contains(id))
                .copied()
                .collect(),
            signed,
            wrong,
        }
    }

    /// Adds a signature if one of `roots` lists the key for this role and it has no right one yet, in
    /// place of a wrong one. Whether something was added.
    pub(crate) fn sign(&mut self, signer: &dyn Signer, roots: &[&Root]) -> Result<bool, SignError> {
        let key = signer.public();
        let keyid = key.id();
        let listed = roots
            .iter()
            .any(|root| root.keys_of(T::ROLE).keyids.contains(&keyid));
        // An ECDSA signature is another one each time; the first will do.
        let has_signed = self
            .signatures
            .iter()
            .any(|s| s.keyid == keyid && key.verify(&self.message, &s.sig.0));
        if !listed || has_signed {
            return Ok(false);
        }
        let failed = |reason| SignError::Signer {
            file: format!("{}-{}", T::ROLE, self.signed.head().2),
            key: keyid,
            reason,
        };
        let signature = signer.sign(&self.message).map_err(failed)?;
        if !key.verify(&self.message, &signature) {
            return Err(failed("it is not a signature of this file".to_owned()));
        }
        Ok(self.put(Signature {
            keyid,
            sig: Hex(signature),
        }))
    }

    /// What a signer elsewhere signs: a name, and the bytes.
    pub(crate) fn to_be_signed(&self) -> (String, Vec<u8>) {
        let name = format!("{}-{}", T::ROLE, self.signed.head().2);
        (name, self.message.clone())
    }

    /// Takes over the signatures of another copy of the same file, each of which must be right.
    /// Answers how many were new.
    pub(crate) fn merge(
        &mut self,
        file: &str,
        other: &Self,
        roots: &[&Root],
    ) -> Result<usize, SignError> {
        if self.signed != other.signed {
            return Err(SignError::NotTheSame {
                file: file.to_owned(),
            });
        }
        let message = self.canonical();
        let is_right = |signature: &Signature| {
            roots.iter().any(|root| {
                root.keys_of(T::ROLE).keyids.contains(&signature.keyid)
                    && root
                        .key(&signature.keyid)
                        .is_some_and(|key| key.verify(message, &signature.sig.0))
            })
        };
        if let Some(wrong) = other.signatures.iter().find(|s| !is_right(s)) {
            return Err(SignError::WrongSignature {
                file: file.to_owned(),
                key: wrong.keyid,
            });
        }
        let added = other.signatures.iter().filter(|s| self.put((*s).clone()));
        Ok(added.count())
    }

    /// Everybody whose signature is there, right or wrong.
    pub(crate) fn signers(&self) -> impl Iterator<Item = SignerId> {
        self.signatures.iter().map(|signature| signature.keyid)
    }

    /// Puts a signature in its place by key id; `false` when the very same one is there.
    fn put(&mut self, signature: Signature) -> bool {
        match self
            .signatures
            .binary_search_by_key(&signature.keyid, |s| s.keyid)
        {
            Ok(at) if self.signatures[at] == signature => false,
            Ok(at) => {
                self.signatures[at] = signature;
                true
            }
            Err(at) => {
                self.signatures.insert(at, signature);
                true
            }
        }
    }
}

/// The canonical JSON of a file's `signed` part, whatever is in it.
fn signed_part(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let file: serde_json::Value = json::strict(bytes)?;
    json::canonical_value(&file["signed"])
}

impl TryFrom<String> for Hex {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, hex::FromHexError> {
        hex::decode(text).map(Self)
    }
}

impl From<Hex> for String {
    fn from(bytes: Hex) -> Self {
        hex::encode(bytes.0)
    }
}
