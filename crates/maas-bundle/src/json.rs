//! JSON, read strictly and written in one way.
//!
//! Threats and defences of reading stand with [`maas_types::json`].

use maas_types::json;
pub(crate) use maas_types::json::plain;
use serde::{Serialize, de::DeserializeOwned};

/// Parses the whole of `bytes` as one `T`; the error is a reason for people.
pub(crate) fn strict<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    json::strict(bytes).map_err(|error| plain(&error.to_string()))
}

/// OLPC canonical JSON, over which TUF signatures are made (TUF 4.2).
pub(crate) fn canonical<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let formatter = olpc_cjson::CanonicalFormatter::new();
    value
        .serialize(&mut serde_json::Serializer::with_formatter(
            &mut bytes, formatter,
        ))
        .expect("our own structures have text keys and no floats");
    bytes
}

/// The same of a document of somebody else; the error is a reason for people.
pub(crate) fn canonical_value(value: &serde_json::Value) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let formatter = olpc_cjson::CanonicalFormatter::new();
    value
        .serialize(&mut serde_json::Serializer::with_formatter(
            &mut bytes, formatter,
        ))
        .map_err(|error| plain(&error.to_string()))?;
    Ok(bytes)
}

/// The one rendering of our own files: two spaces, members in the structure's order, a final newline.
pub(crate) fn pretty<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("our own structures are always JSON");
    bytes.push(b'\n');
    bytes
}
