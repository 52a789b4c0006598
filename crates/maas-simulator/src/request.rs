//! Reading a request's body, and saying what is wrong with it as vLLM does.

use http::HeaderMap;
use serde_json::{Map, Value};

use crate::error::ApiError;

/// A request with a JSON body.
#[derive(Debug)]
pub(crate) struct Request {
    /// The body.
    pub(crate) body: Map<String, Value>,
    /// `X-Request-Id`, or `request_id` in the body.
    pub(crate) id: Option<String>,
}

impl Request {
    /// Reads the body.
    pub(crate) fn read(headers: &HeaderMap, bytes: &[u8]) -> Result<Self, ApiError> {
        let value: Value =
            serde_json::from_slice(bytes).map_err(|error| not_json(bytes, &error))?;
        let Value::Object(body) = value else {
            let what = "Input should be a valid dictionary or object to extract fields from";
            return Err(ApiError::invalid("model_attributes_type", "body", what, 0));
        };
        let header = headers.get("x-request-id").and_then(|id| id.to_str().ok());
        let id = header.or_else(|| body.get("request_id").and_then(Value::as_str));
        let id = id.map(str::to_owned);
        Ok(Self { body, id })
    }

    /// Whether a switch in the body is on.
    pub(crate) fn is_on(&self, field: &str) -> bool {
        self.body
            .get(field)
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }

    /// Whether a switch below `stream_options` is on.
    pub(crate) fn stream_option(&self, field: &str) -> bool {
        let options = self.body.get("stream_options");
        options
            .and_then(|options| options.get(field))
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }

    /// A whole number, 0 or more.
    pub(crate) fn number(&self, field: &str) -> Result<Option<u64>, ApiError> {
        match self.body.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or_else(|| {
                let what = "Input should be a valid integer";
                ApiError::invalid("int_type", &format!("body.{field}"), what, self.body.len())
            }),
        }
    }

    /// A text, if it is one.
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.body.get(field).and_then(Value::as_str)
    }

    /// Texts of a field that takes one or a list of them.
    pub(crate) fn texts(&self, field: &str) -> Vec<String> {
        match self.body.get(field) {
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Array(list)) => list
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// The message that Python's parser gives, found from where ours stopped.
fn not_json(bytes: &[u8], error: &serde_json::Error) -> ApiError {
    let (at, what) = if error.is_eof() {
        let last = bytes.iter().rev().find(|byte| !byte.is_ascii_whitespace());
        let what = match last {
            Some(b'{' | b',') if inside_object(bytes) => PROPERTY,
            None | Some(b'[' | b':' | b',') => VALUE,
            Some(_) => COMMA,
        };
        (bytes.len(), what)
    } else {
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let before: usize = lines
            .take(error.line().saturating_sub(1))
            .map(<[u8]>::len)
            .sum();
        let text = error.to_string();
        let what = [
            ("key must be a string", PROPERTY),
            ("trailing comma", PROPERTY),
            ("expected `:`", "Expecting ':' delimiter"),
            ("expected `,`", COMMA),
            ("trailing characters", "Extra data"),
        ];
        let what = what.iter().find(|(ours, _)| text.starts_with(ours));
        let at = before + error.column().saturating_sub(1);
        // Python points at the first letter of a word that is none of JSON's, serde at the first
        // that is wrong.
        let at = if text.starts_with("expected ident") {
            start_of_word(bytes, at)
        } else {
            at
        };
        (at, what.map_or(VALUE, |(_, python)| *python))
    };
    let mut refusal = ApiError::invalid(
        "json_invalid",
        &format!("body.{at}"),
        "JSON decode error",
        0,
    );
    let ctx = format!(", 'ctx': {{'error': '{what}'}}}}");
    refusal.message.pop();
    refusal.message.push_str(&ctx);
    refusal
}

const PROPERTY: &str = "Expecting property name enclosed in double quotes";
const VALUE: &str = "Expecting value";
const COMMA: &str = "Expecting ',' delimiter";

/// Where the letters begin that `at` is among.
fn start_of_word(bytes: &[u8], at: usize) -> usize {
    let before = bytes.get(..at).unwrap_or(bytes);
    let letters = before
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_alphabetic());
    before.len() - letters.count()
}

/// Whether the innermost bracket that is open at the end is a brace.
fn inside_object(bytes: &[u8]) -> bool {
    let mut open = Vec::new();
    let mut quoted = false;
    let mut escaped = false;
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => open.push(*byte),
            b'}' | b']' if !quoted => drop(open.pop()),
            _ => {}
        }
    }
    open.last() == Some(&b'{')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> ApiError {
        Request::read(&HeaderMap::new(), body.as_bytes()).unwrap_err()
    }

    #[test]
    fn broken_json_is_refused_in_pythons_words() {
        // The recording's message; its body is not recorded, this one gives the same offset.
        assert_eq!(
            refusal(r#"{"model":"tiny","#).openai(),
            r#"{"error":{"message":"1 validation error:\n  {'type': 'json_invalid', 'loc': 'body.16', 'msg': 'JSON decode error', 'input': '<dict of 0 items>', 'ctx': {'error': 'Expecting property name enclosed in double quotes'}}","type":"Bad Request","param":"body.16","code":400}}"#
        );
        for (body, at, what) in [
            ("", 0, VALUE),
            ("[1,", 3, VALUE),
            (r#"{"a":1"#, 6, COMMA),
            (r#"{"a" 1}"#, 5, "Expecting ':' delimiter"),
            (r#"{"a":1} x"#, 8, "Extra data"),
            ("{\n\"a\":nope}", 6, VALUE),
        ] {
            let error = refusal(body);
            assert!(error.message.contains(what), "{body}: {}", error.message);
            assert!(
                error.message.contains(&format!("'body.{at}'")),
                "{body}: {}",
                error.message
            );
        }
        assert_eq!(refusal("[]").param.as_deref(), Some("body"));
    }
}
