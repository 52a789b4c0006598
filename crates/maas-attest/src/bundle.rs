//! Sigstore bundle v0.3: an envelope and who signed it, in one JSON file.
//!
//! Sources: sigstore/protobuf-specs `sigstore_bundle.proto` and `sigstore_common.proto`; OMS v1.0,
//! 4.1 and 11.2. Threats: two contents or two signers in one file, of which one is checked and the
//! other believed. Defences: each must be there exactly once. Unknown members, log entries and time
//! stamps are ignored: trust comes from a key or a certificate that the caller brought.

use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{FormatError, dsse::Envelope, json, octets::Octets};

/// The media type of the only version that is read and written.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// A bundle as read.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub(crate) material: Material,
    pub(crate) envelope: Envelope,
}

/// Who is said to have signed, in the one way that the bundle uses.
#[derive(Debug)]
pub(crate) enum Material {
    /// A key that the verifier must have.
    Key(KeyName),
    /// Certificates, DER, the signer's first.
    Certificates(Vec<Vec<u8>>),
    /// A short-lived certificate whose validity a log must prove.
    Keyless,
}

/// What a bundle calls its key: `PublicKeyIdentifier`, and its form before model-signing 1.1.0.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyName {
    /// An unauthenticated name of the key.
    pub(crate) hint: Option<String>,
    /// The key itself as PEM text (OMS 11.2, 1).
    pub(crate) raw_bytes: Option<Octets>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    media_type: String,
    verification_material: WireMaterial,
    dsse_envelope: Option<Envelope>,
    message_signature: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMaterial {
    public_key: Option<KeyName>,
    x509_certificate_chain: Option<WireChain>,
    certificate: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct WireChain {
    certificates: Vec<WireCertificate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireCertificate {
    raw_bytes: Octets,
}

/// A bundle to be written: signed by a key that is named by its hint.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    media_type: &'a str,
    verification_material: WrittenMaterial<'a>,
    dsse_envelope: &'a Envelope,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenMaterial<'a> {
    public_key: Hint<'a>,
}

#[derive(Serialize)]
struct Hint<'a> {
    hint: &'a str,
}

impl Bundle {
    pub(crate) fn read(bytes: &[u8], limit: usize) -> Result<Self, FormatError> {
        let wire: Wire = json::strict("Sigstore bundle", bytes, limit)?;
        if wire.media_type != MEDIA_TYPE {
            return Err(FormatError::Value {
                member: "the bundle's media type",
                found: json::plain(&wire.media_type),
                wanted: MEDIA_TYPE,
            });
        }
        let (Some(envelope), None) = (wire.dsse_envelope, wire.message_signature) else {
            return Err(FormatError::Content);
        };
        Ok(Self {
            material: wire.verification_material.only()?,
            envelope,
        })
    }
}

impl WireMaterial {
    fn only(self) -> Result<Material, FormatError> {
        match (
            self.public_key,
            self.x509_certificate_chain,
            self.certificate,
        ) {
            (Some(key), None, None) => Ok(Material::Key(key)),
            (None, Some(chain), None) => Ok(Material::Certificates(
                chain
                    .certificates
                    .into_iter()
                    .map(|c| c.raw_bytes.0)
                    .collect(),
            )),
            (None, None, Some(_)) => Ok(Material::Keyless),
            (key, chain, certificate) => Err(FormatError::Material {
                found: usize::from(key.is_some())
                    + usize::from(chain.is_some())
                    + usize::from(certificate.is_some()),
            }),
        }
    }
}

/// Writes a bundle that is signed by the key with this hint.
pub(crate) fn write(hint: &str, envelope: &Envelope) -> Vec<u8> {
    let bundle = Written {
        media_type: MEDIA_TYPE,
        verification_material: WrittenMaterial {
            public_key: Hint { hint },
        },
        dsse_envelope: envelope,
    };
    let mut bytes = serde_json::to_vec(&bundle).expect("texts and bytes are always JSON");
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests;
