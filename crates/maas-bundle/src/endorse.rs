//! What makers of models and images have signed, compared with what is shipped (FORMAT.md 6.6).
//!
//! Threats: a model or an image that was exchanged before it came to the release engineer, a signature of
//! somebody else, a signature of something else. Defence: the signed bill says whose signature it must be,
//! and the same check runs when a bundle is built, when it is verified and when it is installed. Content
//! is not read for it: the digests are the bill's, which were compared with the content already.

use std::io;

use maas_attest::{
    KeyError, PublicKey,
    cosign::{self, CosignError, WantedImage},
    oms::{self, ModelTrust, OmsError, ShippedFiles, SignedFile},
};
use maas_types::{
    BillOfLading, Digest, Exit, Image, ImageName, ImageSignatures, ModelName, ModelSigner,
    ShippedModel,
};
use serde::Serialize;

use crate::{
    json,
    oci::{self, Index},
};

/// How much of a signature, or of what it stands on, is read: bytes. Both are some kilobytes, and so is an
/// image's index.
pub const LARGEST_SIGNATURE: u64 = 4 << 20;

/// Reads a small blob whole.
type Read<'a> = &'a dyn Fn(&Digest) -> io::Result<Vec<u8>>;

/// Why what a maker signed is not what is shipped, or not by who should have.
#[derive(Debug, thiserror::Error)]
pub enum EndorsementError {
    /// A model.
    #[error("the signature of model `{model}` does not stand for it")]
    Model {
        /// Its name.
        model: ModelName,
        /// Why.
        #[source]
        source: OmsError,
    },
    /// An image.
    #[error("no signature of image `{image}` stands for it")]
    Image {
        /// Its name.
        image: ImageName,
        /// Why; of the last one looked at, when there are several.
        #[source]
        source: CosignError,
    },
    /// The index that was signed does not name the image.
    #[error("the index that was signed for image `{image}` does not name it: {reason}")]
    Index {
        /// Its name.
        image: ImageName,
        /// Why.
        reason: String,
    },
    /// Who should have signed is not one that can.
    #[error("the signer that is wanted for `{of}` is none")]
    Signer {
        /// Model or image.
        of: String,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// A certificate of a wanted authority is none.
    #[error("a certificate of the authority that is wanted for model `{model}` is none")]
    Authority {
        /// Its name.
        model: ModelName,
    },
    /// A signature cannot be read.
    #[error("cannot read a signature of `{of}`")]
    Read {
        /// Model or image.
        of: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// A signature that was found good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endorsement {
    /// The model or image.
    pub of: String,
    /// Whose signature: a key by the start of its hint, or the name in a certificate.
    pub by: String,
}

impl EndorsementError {
    /// The exit code that answers this.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Model { source, .. } => source.exit(),
            Self::Image { source, .. } => source.exit(),
            Self::Index { .. } | Self::Signer { .. } | Self::Authority { .. } => Exit::Content,
            Self::Read { .. } => Exit::Failed,
        }
    }
}

/// Checks every signature that the bill promises. `read` gives small blobs.
///
/// Certificates must have been valid when the bundle was built: the release's own signers stand for that
/// time, and a host in a locked room may be opened years later.
pub fn check_endorsements(
    bill: &BillOfLading,
    read: Read<'_>,
) -> Result<Vec<Endorsement>, EndorsementError> {
    let mut good = Vec::new();
    for model in &bill.models {
        good.extend(check_model(bill, model, read)?);
    }
    for image in &bill.images {
        good.extend(check_image(image, read)?);
    }
    Ok(good)
}

/// Whose signatures a bill demands, unchecked.
pub(crate) fn wanted_makers(bill: &BillOfLading) -> Vec<Endorsement> {
    let by_key = |key: &str| match PublicKey::from_pem(key) {
        Ok(key) => short(&key),
        Err(_) => "a key that is none".to_owned(),
    };
    let models = bill.models.iter().filter_map(|model| {
        let by = match &model.signature.as_ref()?.signer {
            ModelSigner::Key(key) => by_key(key),
            ModelSigner::Certificate { identity, .. } => json::plain(identity),
        };
        Some((model.manifest.name.to_string(), by))
    });
    let images = bill.images.iter().filter_map(|image| {
        let signatures = image.signatures.as_ref()?;
        Some((image.name.to_string(), by_key(&signatures.key)))
    });
    models
        .chain(images)
        .map(|(of, by)| Endorsement { of, by })
        .collect()
}

fn check_model(
    bill: &BillOfLading,
    model: &ShippedModel,
    read: Read<'_>,
) -> Result<Option<Endorsement>, EndorsementError> {
    let Some(signature) = &model.signature else {
        return Ok(None);
    };
    let name = &model.manifest.name;
    let trust = trust_of(name, &signature.signer)?;
    let bytes = read(&signature.blob).map_err(|source| EndorsementError::Read {
        of: name.to_string(),
        source,
    })?;
    let parts = parts_of(bill, model);
    let files = signed_files(bill, model, &parts);
    let shipped = ShippedFiles {
        files: &files,
        signature: None,
    };
    oms::verify(&bytes, &trust, &shipped, bill.created).map_err(|source| {
        EndorsementError::Model {
            model: name.clone(),
            source,
        }
    })?;
    let by = match &signature.signer {
        ModelSigner::Key(key) => PublicKey::from_pem(key).map(|key| short(&key)),
        ModelSigner::Certificate { identity, .. } => Ok(identity.clone()),
    };
    Ok(Some(Endorsement {
        of: name.to_string(),
        by: by.map_err(|source| EndorsementError::Signer {
            of: name.to_string(),
            source,
        })?,
    }))
}

/// A key as people compare it: the first digits of its hint.
fn short(key: &PublicKey) -> String {
    format!("key {}", key.hint().chars().take(12).collect::<String>())
}

/// A signer as the format of model signatures knows it.
pub(crate) fn trust_of(
    model: &ModelName,
    signer: &ModelSigner,
) -> Result<ModelTrust, EndorsementError> {
    match signer {
        ModelSigner::Key(key) => PublicKey::from_pem(key)
            .map(ModelTrust::Key)
            .map_err(|source| EndorsementError::Signer {
                of: model.to_string(),
                source,
            }),
        ModelSigner::Certificate { roots, identity } => {
            let der = |pem: &String| match pkcs8::Document::from_pem(pem.trim()) {
                Ok(("CERTIFICATE", document)) => Ok(document.as_bytes().to_vec()),
                Ok(_) | Err(_) => Err(EndorsementError::Authority {
                    model: model.clone(),
                }),
            };
            Ok(ModelTrust::Certificate {
                roots: roots.iter().map(der).collect::<Result<_, _>>()?,
                identity: identity.clone(),
            })
        }
    }
}

/// The parts of each file of a model, in the order of its files.
pub(crate) fn parts_of(bill: &BillOfLading, model: &ShippedModel) -> Vec<Vec<(Digest, u64)>> {
    let files = model.files.iter();
    let parts = files.map(|file| bill.blob(&file.blob).map_or(&[][..], |blob| &blob.parts));
    parts
        .map(|parts| parts.iter().map(|part| (part.digest, part.size)).collect())
        .collect()
}

/// A model's files as the format of model signatures knows them.
pub(crate) fn signed_files<'a>(
    bill: &BillOfLading,
    model: &'a ShippedModel,
    parts: &'a [Vec<(Digest, u64)>],
) -> Vec<SignedFile<'a>> {
    let files = model.files.iter().zip(parts);
    files
        .map(|(file, parts)| SignedFile {
            path: file.path.as_str(),
            size: bill.blob(&file.blob).map_or(0, |blob| blob.size),
            sha256: file.blob,
            parts,
        })
        .collect()
}

fn check_image(image: &Image, read: Read<'_>) -> Result<Option<Endorsement>, EndorsementError> {
    let Some(signatures) = &image.signatures else {
        return Ok(None);
    };
    let name = &image.name;
    let key = PublicKey::from_pem(&signatures.key).map_err(|source| EndorsementError::Signer {
        of: name.to_string(),
        source,
    })?;
    let unread = |source| EndorsementError::Read {
        of: name.to_string(),
        source,
    };
    if let Some(index) = &signatures.index {
        names_image(image, &read(index).map_err(unread)?)?;
    }
    let wanted = WantedImage {
        manifest: image.manifest,
        index: signatures.index,
        reference: None,
    };
    match look_at_all(signatures, &key, &wanted, read).map_err(unread)? {
        Ok(()) => Ok(Some(Endorsement {
            of: name.to_string(),
            by: short(&key),
        })),
        Err(source) => Err(EndorsementError::Image {
            image: name.clone(),
            source,
        }),
    }
}

/// One good signature suffices; the outer error is one of reading.
fn look_at_all(
    signatures: &ImageSignatures,
    key: &PublicKey,
    wanted: &WantedImage<'_>,
    read: Read<'_>,
) -> io::Result<Result<(), CosignError>> {
    let mut last = CosignError::NobodySigned;
    for manifest in &signatures.simple {
        let payload = |digest: &Digest| read(digest).ok();
        match cosign::verify_simple(&read(manifest)?, &payload, key, wanted) {
            Ok(_) => return Ok(Ok(())),
            Err(error) => last = error,
        }
    }
    for bundle in &signatures.bundles {
        match cosign::verify_bundle(&read(bundle)?, key, wanted) {
            Ok(_) => return Ok(Ok(())),
            Err(error) => last = error,
        }
    }
    Ok(Err(last))
}

/// Whether an index names the image for our platform, so that who signed it signed for the image.
fn names_image(image: &Image, index: &[u8]) -> Result<(), EndorsementError> {
    let wrong = |reason| EndorsementError::Index {
        image: image.name.clone(),
        reason,
    };
    let parsed: Index = json::strict(index).map_err(wrong)?;
    parsed
        .check(Some(oci::INDEX))
        .or_else(|_| parsed.check(Some(oci::DOCKER_LIST)))
        .map_err(wrong)?;
    let named = parsed.manifests.iter().any(|d| d.digest == image.manifest);
    if named {
        return Ok(());
    }
    Err(wrong(format!("{} is not in it", image.manifest)))
}
