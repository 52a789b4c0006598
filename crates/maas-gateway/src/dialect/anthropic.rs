//! Errors as Anthropic's clients read them.

use bytes::Bytes;
use http::StatusCode;
use maas_types::RequestId;
use serde_json::{Value, json};

use super::frame;
use crate::refusal::{OVERLOADED, Refusal};

/// Anthropic says 529 where others say 503.
pub(super) fn status(status: StatusCode) -> StatusCode {
    match status {
        StatusCode::SERVICE_UNAVAILABLE => StatusCode::from_u16(OVERLOADED).unwrap_or(status),
        other => other,
    }
}

/// `error.type` for a status that an engine chose.
pub(super) fn kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | OVERLOADED => "overloaded_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    }
}

pub(super) fn error(kind: &str, message: &str, id: &RequestId) -> Value {
    json!({
        "type": "error",
        "error": { "type": kind, "message": message },
        "request_id": id.as_str(),
    })
}

pub(super) fn body(refusal: &Refusal, id: &RequestId) -> Bytes {
    error(refusal.wire().anthropic, &refusal.to_string(), id)
        .to_string()
        .into()
}

pub(super) fn stream_error(refusal: &Refusal, id: &RequestId) -> Bytes {
    let error = error(refusal.wire().anthropic, &refusal.to_string(), id);
    frame(Some("error"), &error).into()
}
