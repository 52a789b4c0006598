//! What an engine says when it refuses or fails, in the words of the client's dialect.
//!
//! vLLM 0.32 has four shapes (recorded): `{"error":{"message","type","param","code":404}}`,
//! `{"detail":"Not Found"}` and `{"detail":[…]}` of `FastAPI`, `{"error":"Unauthorized"}`, and
//! `{"type":"error","error":{"type","message"}}` on the Anthropic routes. Whatever stands before it
//! may answer in HTML.

use bytes::Bytes;
use http::StatusCode;
use maas_types::{Dialect, RequestId};
use serde_json::{Value, json};

use super::anthropic;
use crate::refusal::Refusal;

/// An answer of an engine that is not a success, ready for the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EngineError {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    /// Whether the engine refused this request (4xx), rather than failed.
    pub(crate) refused: bool,
    /// The same for a stream that has begun, where there is no status any more.
    pub(crate) midway: Refusal,
}

/// Translates an engine's answer. A body of the right shape passes as it is.
pub(crate) fn engine_error(
    dialect: Dialect,
    status: StatusCode,
    body: &Bytes,
    id: &RequestId,
) -> EngineError {
    let said = serde_json::from_slice::<Value>(body).ok();
    let message = said.as_ref().and_then(message);
    // An engine has no keys: 401 or 403 from it is the operator's mistake, not the client's.
    let ours = matches!(status.as_u16(), 401 | 403 | 407) || !is_error(status);
    let Some((said, message)) = said.zip(message).filter(|_| !ours) else {
        let refusal = Refusal::EngineNonsense;
        return EngineError {
            status: super::status(dialect, &refusal),
            body: super::body(dialect, &refusal, id),
            refused: false,
            midway: refusal,
        };
    };
    let right = match dialect {
        Dialect::OpenAi => said["error"]["message"].is_string(),
        Dialect::Anthropic => said["type"] == "error" && said["error"]["type"].is_string(),
    };
    let translated = || match dialect {
        Dialect::OpenAi => openai_body(status, &message),
        Dialect::Anthropic => anthropic::error(anthropic::kind(status), &message, id)
            .to_string()
            .into(),
    };
    EngineError {
        status: match dialect {
            Dialect::OpenAi => status,
            Dialect::Anthropic => anthropic::status(status),
        },
        body: if right { body.clone() } else { translated() },
        refused: status.is_client_error(),
        midway: Refusal::EngineSaid { status, message },
    }
}

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

fn openai_body(status: StatusCode, message: &str) -> Bytes {
    let kind = if status.is_client_error() {
        "invalid_request_error"
    } else {
        "server_error"
    };
    let code = status.as_u16().to_string();
    let error = json!({ "message": message, "type": kind, "param": null, "code": code });
    json!({ "error": error }).to_string().into()
}

/// The sentence in any of the four shapes.
fn message(said: &Value) -> Option<String> {
    let text = [
        &said["error"]["message"],
        &said["error"],
        &said["detail"],
        &said["message"],
    ]
    .into_iter()
    .find_map(Value::as_str)
    .map(str::to_owned);
    text.or_else(|| {
        let findings = said["detail"].as_array()?;
        let sentences: Vec<_> = findings.iter().filter_map(finding).collect();
        (!sentences.is_empty()).then(|| sentences.join("; "))
    })
}

/// One of `FastAPI`'s findings: `body.messages.0.role: Input should be 'user'`. Its `input` is left
/// out, because it repeats what the client wrote.
fn finding(finding: &Value) -> Option<String> {
    let what = finding["msg"].as_str()?;
    let place: Vec<_> = finding["loc"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|part| {
            part.as_str()
                .map_or_else(|| part.to_string(), str::to_owned)
        })
        .collect();
    Some(if place.is_empty() {
        what.to_owned()
    } else {
        format!("{}: {what}", place.join("."))
    })
}
