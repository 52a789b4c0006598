//! JSON, read strictly and not without a limit.
//!
//! Threats and defences of parsing stand with [`maas_types::json`]; here a document that eats the memory
//! is refused before it is parsed.

use maas_types::json;
pub(crate) use maas_types::json::plain;
use serde::de::DeserializeOwned;

use crate::FormatError;

/// Parses the whole of `bytes`, at most `limit` of them, as one `T`.
pub(crate) fn strict<T: DeserializeOwned>(
    what: &'static str,
    bytes: &[u8],
    limit: usize,
) -> Result<T, FormatError> {
    if bytes.len() > limit {
        return Err(FormatError::TooBig { what, limit });
    }
    json::strict(bytes).map_err(|error| FormatError::Json {
        what,
        why: plain(&error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_document_that_is_too_big_is_not_parsed() {
        let read = |limit| strict::<Value>("test", b"{\"a\": 1}", limit);
        assert!(read(8).is_ok());
        assert!(matches!(read(7), Err(FormatError::TooBig { .. })));
    }
}
