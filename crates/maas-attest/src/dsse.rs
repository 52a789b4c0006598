//! DSSE v1: an envelope around bytes that were signed together with their type.
//!
//! Sources: secure-systems-lab/dsse `protocol.md` (PAE) and `envelope.md` (JSON); Sigstore
//! `sigstore_bundle.proto` ("MUST have exactly one signature"). Unknown members are ignored, as the
//! envelope's specification wants; `keyid` is not looked at, as it is not signed.

use serde::{Deserialize, Serialize};

use crate::{FormatError, json, octets::Octets};

/// The payload type of in-toto statements (in-toto attestation, Envelope).
pub(crate) const IN_TOTO: &str = "application/vnd.in-toto+json";

/// A DSSE envelope.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    payload: Octets,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Signature {
    sig: Octets,
    #[serde(default)]
    keyid: Option<String>,
}

/// An envelope of the right type with one signature.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// What was signed, together with its type.
    pub payload: &'a [u8],
    /// By whom is for the reader to find out.
    pub signature: &'a [u8],
}

impl Envelope {
    /// Wraps an in-toto statement and what `sign` makes of its pre-authentication encoding.
    pub fn seal(payload: Vec<u8>, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Self {
        let signature = sign(&encoding(IN_TOTO, &payload));
        Self {
            payload: Octets(payload),
            payload_type: IN_TOTO.to_owned(),
            signatures: vec![Signature {
                sig: Octets(signature),
                keyid: Some(String::new()),
            }],
        }
    }

    /// The payload and its only signature. Nothing is trusted yet.
    pub fn signed(&self) -> Result<Signed<'_>, FormatError> {
        if self.payload_type != IN_TOTO {
            return Err(FormatError::Value {
                member: "the envelope's payload type",
                found: json::plain(&self.payload_type),
                wanted: IN_TOTO,
            });
        }
        let [signature] = self.signatures.as_slice() else {
            return Err(FormatError::Signatures {
                found: self.signatures.len(),
            });
        };
        Ok(Signed {
            payload: &self.payload.0,
            signature: &signature.sig.0,
        })
    }
}

impl Signed<'_> {
    /// The bytes that were signed.
    pub fn message(&self) -> Vec<u8> {
        encoding(IN_TOTO, self.payload)
    }
}

/// PAE: `"DSSEv1" SP LEN(type) SP type SP LEN(body) SP body`, lengths in decimal ASCII.
fn encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    );
    [head.as_bytes(), payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_that_of_the_protocols_own_example() {
        // dsse/protocol.md, "Test vectors".
        assert_eq!(
            encoding("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
        assert_eq!(encoding("é", b""), "DSSEv1 2 é 0 ".as_bytes());
    }

    fn read(text: &str) -> Envelope {
        json::strict("test", text.as_bytes(), 1 << 10).unwrap()
    }

    #[test]
    fn the_key_id_may_be_there_empty_null_or_absent() {
        for keyid in [r#""keyid":"","#, r#""keyid":null,"#, r#""keyid":"x","#, ""] {
            let envelope = read(&format!(
                r#"{{"payload":"e30=","payloadType":"{IN_TOTO}","signatures":[{{{keyid}"sig":"AAEC"}}]}}"#
            ));
            assert_eq!(envelope.signed().unwrap().signature, [0, 1, 2]);
        }
    }

    #[test]
    fn no_signature_two_signatures_and_another_type_are_refused() {
        let none = read(&format!(
            r#"{{"payload":"","payloadType":"{IN_TOTO}","signatures":[]}}"#
        ));
        insta::assert_snapshot!(
            none.signed().unwrap_err(),
            @"the envelope must have exactly one signature, and it has 0"
        );
        let two = read(&format!(
            r#"{{"payload":"","payloadType":"{IN_TOTO}","signatures":[{{"sig":""}},{{"sig":""}}]}}"#
        ));
        assert_eq!(
            two.signed().unwrap_err(),
            FormatError::Signatures { found: 2 }
        );
        let other = read(r#"{"payload":"","payloadType":"text/plain","signatures":[{"sig":""}]}"#);
        insta::assert_snapshot!(
            other.signed().unwrap_err(),
            @"the envelope's payload type is `text/plain`, not `application/vnd.in-toto+json`"
        );
    }
}
