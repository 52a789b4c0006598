//! The few fields of `config.json` that describe a model to people.

use serde_json::Value;

use crate::licence::first_line;

/// Real ones have a few kilobytes; the longest list every layer of a quantised model.
const LARGEST: usize = 4 << 20;

/// What `config.json` says; nothing where it says nothing, or is no JSON.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Config {
    pub(super) family: Option<String>,
    pub(super) architecture: Option<String>,
    pub(super) context: Option<u64>,
    pub(super) dtype: Option<String>,
    pub(super) quantisation: Option<String>,
}

impl Config {
    pub(super) fn read(bytes: &[u8]) -> Self {
        if bytes.len() > LARGEST {
            return Self::default();
        }
        let json: Value = serde_json::from_slice(bytes).unwrap_or_default();
        // Models that also see or hear keep what is about text one level down.
        let get = |key: &str| {
            let nested = || json.get("text_config").and_then(|text| text.get(key));
            json.get(key).or_else(nested)
        };
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(first_line);
        let quantisation = get("quantization_config").and_then(|q| q.get("quant_method"));
        Self {
            family: text(json.get("model_type")),
            architecture: text(json.get("architectures").and_then(|list| list.get(0))),
            context: get("max_position_embeddings").and_then(Value::as_u64),
            dtype: text(get("dtype").or_else(|| get("torch_dtype"))),
            quantisation: text(quantisation),
        }
    }
}
