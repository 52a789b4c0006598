//! JSON, read strictly and written in one way.
//!
//! Threats and defences of reading stand with [`maas_types::json`].

use maas_types::json;
pub(crate) use maas_types::json::plain;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

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
pub(crate) fn canonical_value(value: &Value) -> Result<Vec<u8>, String> {
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

/// Whether a document has an object wherever its typed reading has one, and a list where that has one: serde
/// takes a list of its members for a structure, which others who read the document would not.
pub(crate) fn same_shape<T: Serialize>(bytes: &[u8], read: &T) -> Result<(), String> {
    let document: Value = strict(bytes)?;
    let read = serde_json::to_value(read).map_err(|error| plain(&error.to_string()))?;
    if shape_differs(&document, &read) {
        return Err("something in it stands in the place of an object and is none".to_owned());
    }
    Ok(())
}

fn shape_differs(document: &Value, read: &Value) -> bool {
    match (document, read) {
        (Value::Object(document), Value::Object(read)) => read.iter().any(|(name, read)| {
            // What was left out and has a default is in the reading alone.
            let there = document.get(name);
            there.is_some_and(|document| shape_differs(document, read))
        }),
        (Value::Array(document), Value::Array(read)) => {
            let mut pairs = document.iter().zip(read);
            document.len() != read.len() || pairs.any(|(a, b)| shape_differs(a, b))
        }
        (_, Value::Object(_) | Value::Array(_)) | (Value::Object(_) | Value::Array(_), _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Outer {
        inner: Vec<Inner>,
        #[serde(default)]
        more: u32,
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Inner {
        a: u32,
    }

    #[test]
    fn a_list_in_the_place_of_an_object_is_found_at_any_level() {
        let shape = |text: &str| {
            let read: Outer = strict(text.as_bytes())?;
            same_shape(text.as_bytes(), &read)
        };
        assert_eq!(shape(r#"{"inner": [{"a": 1, "unknown": [2]}]}"#), Ok(()));
        assert_eq!(shape(r#"{"inner": [], "more": 1}"#), Ok(()));
        for text in [r#"{"inner": [[1]]}"#, r#"[[{"a": 1}], 2]"#] {
            assert!(shape(text).is_err(), "{text}");
        }
    }
}
