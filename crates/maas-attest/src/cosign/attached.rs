//! The new layout: a Sigstore bundle about an image.

use super::{CosignError, ImageSignature, Layout, WantedImage};
use crate::{
    PublicKey,
    bundle::{Bundle, KeyName, Material},
    digest_of, json,
    key::Hashing,
    octets::Octets,
    statement::Statement,
};

/// A statement about one image has 300 bytes, a log entry with its proof 10,000.
const LARGEST: usize = 1 << 20;

const PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";

/// Checks that a Sigstore bundle is by `key` and over `image`.
pub fn verify_bundle(
    bundle: &[u8],
    key: &PublicKey,
    image: &WantedImage<'_>,
) -> Result<ImageSignature, CosignError> {
    let bundle = Bundle::read(bundle, LARGEST)?;
    let name = match &bundle.material {
        Material::Key(name) => name,
        Material::Certificates(_) | Material::Keyless => return Err(CosignError::Keyless),
    };
    let signed = bundle.envelope.signed()?;
    if !key.verify(
        &signed.message(),
        signed.signature,
        Hashing::OfTheCurveOrSha256,
    ) {
        return Err(why_not(name, key));
    }
    let statement = Statement::read(signed.payload, LARGEST)?;
    if statement.predicate_type != PREDICATE {
        return Err(CosignError::Predicate {
            found: json::plain(&statement.predicate_type),
        });
    }
    let digest = statement.subject()?.sha256()?;
    image.signed(Layout::Bundle, digest, None)
}

/// The hint is not signed and its form is free, so it cannot refuse a good signature. It can tell why
/// another one is not good: cosign writes the base64 SHA-256 of the key's DER.
fn why_not(name: &KeyName, key: &PublicKey) -> CosignError {
    let ours = String::from(Octets(digest_of(&key.to_der()).as_bytes().to_vec()));
    match name.hint.as_deref() {
        Some(hint) if hint != ours && !hint.is_empty() => CosignError::OtherKey { found: 1 },
        Some(_) | None => CosignError::WrongSignature,
    }
}
