//! Why a model's signature is refused.

use maas_types::{Digest, Exit};

use crate::{ChainError, FormatError, Refusal};

/// Why a model's signature does not stand for the shipped files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OmsError {
    /// There is no signature file. Only a caller can see that, and says it with this.
    #[error("nobody signed the model: there is no signature file")]
    NobodySigned,
    /// The bundle cannot be read.
    #[error("the model's signature cannot be read")]
    Format(#[from] FormatError),
    /// A signature of model-signing 0.2.
    #[error(
        "the model was signed with model-signing 0.2, whose format is not supported: sign it again \
         with version 1.0 or later"
    )]
    OldVersion,
    /// A Sigstore keyless signature.
    #[error(
        "the model was signed keyless, which is not supported: it takes a network to check. Ask for \
         a signature by a key or a certificate"
    )]
    Keyless,
    /// A key was expected and a certificate found, or the other way round.
    #[error("the model was signed by {found}, and {wanted} is trusted for it")]
    OtherMethod {
        /// `a key` or `a certificate`.
        found: &'static str,
        /// `a key` or `a certificate`.
        wanted: &'static str,
    },
    /// Another key than the trusted one.
    #[error("the model was signed by another key: by {found}, and {wanted} is trusted for it")]
    OtherKey {
        /// What the bundle says about its key.
        found: String,
        /// The trusted key's hint.
        wanted: String,
    },
    /// A key for an algorithm that models are not signed with.
    #[error("models are signed with ECDSA on P-256, P-384 or P-521, and this is an Ed25519 key")]
    KeyAlgorithm,
    /// A certificate that is not trusted.
    #[error("the model's signer is not trusted")]
    Chain(#[from] ChainError),
    /// The signature is not one of the key over the payload.
    #[error("the model's signature is wrong: it or what it signs was changed")]
    WrongSignature,
    /// A well signed statement that is not a manifest of a model as it is supported here.
    #[error("the model's signed manifest is refused")]
    Manifest(#[from] ManifestError),
    /// A good signature over other files.
    #[error("the shipped model is not the one that was signed")]
    Content(#[from] ContentError),
}

impl OmsError {
    /// What kind of no this is.
    pub const fn refusal(&self) -> Refusal {
        match self {
            Self::NobodySigned => Refusal::NobodySigned,
            Self::Format(_) | Self::OldVersion | Self::Keyless | Self::Manifest(_) => {
                Refusal::NotUnderstood
            }
            Self::OtherMethod { .. } | Self::OtherKey { .. } | Self::KeyAlgorithm => {
                Refusal::NotTrusted
            }
            Self::Chain(error) => error.refusal(),
            Self::WrongSignature => Refusal::WrongSignature,
            Self::Content(_) => Refusal::OtherContent,
        }
    }

    /// The exit code that answers this.
    pub const fn exit(&self) -> Exit {
        self.refusal().exit()
    }
}

/// Why a signed manifest is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The statement is not about a model.
    #[error("it is a statement of type `{found}`, not of `https://model_signing/signature/v1.0`")]
    Predicate {
        /// Its predicate type.
        found: String,
    },
    /// No files.
    #[error("it signs no files")]
    Empty,
    /// A name that is not a plain path inside the model.
    #[error("`{name}` is not a path of a file in a model: {why}")]
    Name {
        /// The name.
        name: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// A name that is there twice.
    #[error("`{name}` is signed twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// A digest that is not SHA-256 in hex.
    #[error("`{name}` has no SHA-256 digest of 64 lower-case hex digits")]
    Digest {
        /// The resource's name.
        name: String,
    },
    /// Another hash function.
    #[error("it uses `{found}`, and only sha256 is supported")]
    Hash {
        /// Its name.
        found: String,
    },
    /// Another way to serialize.
    #[error("it has files as `{found}`, and only `files` and `shards` are supported")]
    Method {
        /// Its name.
        found: String,
    },
    /// A shard size where there are no shards.
    #[error("it gives a shard size and has whole files")]
    SizeOfNoShards,
    /// Shards of another size.
    #[error("{}", shard_size(*found))]
    ShardSize {
        /// The size, if there is one.
        found: Option<u64>,
    },
    /// Links were followed, so names do not say where bytes came from.
    #[error("it allows symbolic links, which are not supported: sign a folder of plain files")]
    Symlinks,
    /// A rule of ignored paths that is not a plain path.
    #[error("`{rule}` among the ignored paths is not a plain path: {why}")]
    Ignored {
        /// The entry.
        rule: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A subject without a name.
    #[error("its subject has no name")]
    Nameless,
    /// A root digest that is not that of the resources.
    #[error("its root digest is {signed}, and its resources have {computed}")]
    Root {
        /// The digest of the subject.
        signed: Digest,
        /// The digest over the digests of the resources.
        computed: Digest,
    },
}

fn shard_size(found: Option<u64>) -> String {
    match found {
        Some(size) => format!(
            "it has shards of {size} bytes, and only shards of {} bytes are supported",
            super::SHARD_BYTES
        ),
        None => "it has shards and does not say of what size".to_owned(),
    }
}

/// How the shipped files differ from the signed ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// Another digest.
    #[error("`{name}` is {found}, and {signed} was signed")]
    Differs {
        /// The file, or `path:start:end` of a shard.
        name: String,
        /// The digest that was signed.
        signed: Digest,
        /// The digest of what is shipped.
        found: Digest,
    },
    /// Signed and not shipped.
    #[error("`{name}` was signed and is not shipped")]
    Missing {
        /// The file, or `path:start:end` of a shard.
        name: String,
    },
    /// Shipped and not signed.
    #[error("`{name}` is shipped and was not signed")]
    NotSigned {
        /// The file, or `path:start:end` of a shard.
        name: String,
    },
    /// Shipped, and covered by what the signer left out.
    #[error("`{path}` is shipped, and the signer left out `{rule}`")]
    LeftOut {
        /// The file.
        path: String,
        /// The entry of the ignored paths that covers it.
        rule: String,
    },
    /// Listed twice among the shipped files.
    #[error("`{path}` is shipped twice")]
    Twice {
        /// The file.
        path: String,
    },
    /// Parts that do not make up their file.
    #[error("the parts of `{path}` are not the {size} bytes of the file in shards")]
    Parts {
        /// The file.
        path: String,
        /// Its length, bytes.
        size: u64,
    },
}
