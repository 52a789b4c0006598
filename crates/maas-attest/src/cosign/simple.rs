//! The old layout: an OCI manifest whose layers are signed payloads.

use std::collections::BTreeMap;

use maas_types::Digest;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{CosignError, ImageSignature, Layout, WantedImage};
use crate::{FormatError, PublicKey, digest_of, json, key::Hashing, octets::Octets};

/// What registries accept as a manifest at most (OCI distribution, "Pushing Manifests").
const LARGEST_MANIFEST: usize = 4 << 20;

/// A payload has about 250 bytes, and the annotations of whoever signed.
const LARGEST_PAYLOAD: usize = 64 << 10;

const LAYER: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const TYPE: &str = "cosign container image signature";

/// An OCI image manifest, as far as signatures go. Members of other uses are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u64,
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// What was signed. `containers-signature(5)` wants a signature refused whose `critical` part has
/// members that are not understood; what is `optional` is anybody's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    critical: Critical,
    #[serde(default, rename = "optional")]
    _optional: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    #[serde(rename = "docker-reference")]
    reference: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: Digest,
}

/// Checks that one of the signatures in a signature manifest is by `key` and over `image`.
/// `payloads` finds a blob by its digest; what it finds is compared with the digest.
///
/// The layout does not say whose a signature is. One that is not by the key over a payload that has
/// its digest is therefore taken to be by another key.
pub fn verify_simple(
    manifest: &[u8],
    payloads: &dyn Fn(&Digest) -> Option<Vec<u8>>,
    key: &PublicKey,
    image: &WantedImage<'_>,
) -> Result<ImageSignature, CosignError> {
    let manifest: Manifest = json::strict("signature manifest", manifest, LARGEST_MANIFEST)?;
    if manifest.schema_version != 2 {
        return Err(FormatError::Value {
            member: "the manifest's schema version",
            found: manifest.schema_version.to_string(),
            wanted: "2",
        }
        .into());
    }
    let layers = manifest.layers.iter();
    let signatures: Vec<_> = layers.filter(|layer| layer.media_type == LAYER).collect();
    if signatures.is_empty() {
        return Err(CosignError::NobodySigned);
    }
    let mut first_error = None;
    for layer in &signatures {
        // A signature of another image says nothing against the next one; anything else does.
        match by_key(layer, payloads, key)?.map(|payload| claim(&payload, image)) {
            Some(Ok(good)) => return Ok(good),
            Some(Err(
                error @ (CosignError::OtherImage { .. } | CosignError::OtherReference { .. }),
            )) => {
                first_error.get_or_insert(error);
            }
            Some(Err(error)) => return Err(error),
            None => {}
        }
    }
    Err(first_error.unwrap_or(CosignError::OtherKey {
        found: signatures.len(),
    }))
}

/// The payload of a layer, if the key signed it.
fn by_key(
    layer: &Layer,
    payloads: &dyn Fn(&Digest) -> Option<Vec<u8>>,
    key: &PublicKey,
) -> Result<Option<Vec<u8>>, CosignError> {
    let wrong = |why: &str| FormatError::Json {
        what: "signature manifest",
        why: why.to_owned(),
    };
    let text = layer
        .annotations
        .get(SIGNATURE)
        .ok_or_else(|| wrong("a layer has no signature"))?;
    let signature = Octets::try_from(text.clone())
        .map_err(|_| wrong("a layer's signature is not base64"))?
        .0;
    let limit = LARGEST_PAYLOAD;
    if layer.size > limit as u64 {
        let what = "signed payload";
        return Err(FormatError::TooBig { what, limit }.into());
    }
    let payload = payloads(&layer.digest).ok_or(CosignError::NoPayload {
        digest: layer.digest,
    })?;
    let found = digest_of(&payload);
    if found != layer.digest || payload.len() as u64 != layer.size {
        return Err(CosignError::OtherPayload {
            wanted: layer.digest,
            found,
        });
    }
    let good = key.verify(&payload, &signature, Hashing::OfTheCurveOrSha256);
    Ok(good.then_some(payload))
}

/// What a payload with a good signature says.
fn claim(payload: &[u8], image: &WantedImage<'_>) -> Result<ImageSignature, CosignError> {
    let payload: Payload = json::strict("signed payload", payload, LARGEST_PAYLOAD)?;
    let critical = payload.critical;
    if critical.kind != TYPE {
        return Err(FormatError::Value {
            member: "the payload's type",
            found: json::plain(&critical.kind),
            wanted: TYPE,
        }
        .into());
    }
    let reference = critical.identity.reference;
    image.signed(Layout::Simple, critical.image.digest, Some(&reference))
}
