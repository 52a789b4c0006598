//! Why an image's signature is refused.

use maas_types::{Digest, Exit};

use crate::{FormatError, Refusal};

/// Why an image's signature does not stand for the image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CosignError {
    /// There is no signature: no such manifest, which only a caller can see, or none in it.
    #[error("nobody signed the image: there is no cosign signature")]
    NobodySigned,
    /// The signature cannot be read.
    #[error("the image's signature cannot be read")]
    Format(#[from] FormatError),
    /// A Sigstore keyless signature, or one by certificate.
    #[error(
        "the image was signed keyless or by a certificate, which is not supported: ask for a \
         signature by a key"
    )]
    Keyless,
    /// None of the signatures is by the key.
    #[error("the image was signed by {}, and not by the trusted one", others(*found))]
    OtherKey {
        /// How many signatures there are.
        found: usize,
    },
    /// The signature is not one of the key over the payload.
    #[error("the image's signature is wrong: it or what it signs was changed")]
    WrongSignature,
    /// The statement is not about an image.
    #[error("it is a statement of type `{found}`, not of `https://sigstore.dev/cosign/sign/v1`")]
    Predicate {
        /// Its predicate type.
        found: String,
    },
    /// A signature is named in the manifest and its payload is not there.
    #[error("the payload {digest} of a signature is missing")]
    NoPayload {
        /// The payload's digest in the manifest.
        digest: Digest,
    },
    /// A payload that is not the one that the manifest names.
    #[error("the payload {wanted} of a signature has {found}")]
    OtherPayload {
        /// The digest in the manifest.
        wanted: Digest,
        /// The digest of what is there.
        found: Digest,
    },
    /// A good signature over another image.
    #[error(
        "the signature is good for another image: {signed} was signed, and {wanted} is shipped"
    )]
    OtherImage {
        /// The digest that was signed.
        signed: Digest,
        /// The digest of the image's manifest.
        wanted: Digest,
    },
    /// A good signature under another name.
    #[error("the image was signed as `{signed}`, and `{wanted}` is wanted")]
    OtherReference {
        /// The reference that was signed.
        signed: String,
        /// The wanted reference.
        wanted: String,
    },
}

impl CosignError {
    /// What kind of no this is.
    pub const fn refusal(&self) -> Refusal {
        match self {
            Self::NobodySigned => Refusal::NobodySigned,
            Self::Format(_) | Self::Keyless | Self::Predicate { .. } => Refusal::NotUnderstood,
            Self::OtherKey { .. } => Refusal::NotTrusted,
            Self::WrongSignature => Refusal::WrongSignature,
            Self::NoPayload { .. }
            | Self::OtherPayload { .. }
            | Self::OtherImage { .. }
            | Self::OtherReference { .. } => Refusal::OtherContent,
        }
    }

    /// The exit code that answers this.
    pub const fn exit(&self) -> Exit {
        self.refusal().exit()
    }
}

fn others(found: usize) -> String {
    if found == 1 {
        "another key".to_owned()
    } else {
        format!("{found} other keys")
    }
}
