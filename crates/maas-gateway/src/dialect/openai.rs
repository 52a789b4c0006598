//! Errors as OpenAI's clients read them.

use bytes::Bytes;
use maas_types::RequestId;
use serde_json::{Value, json};

use super::frame;
use crate::{meter::Thread, refusal::Refusal};

fn error(refusal: &Refusal) -> Value {
    let wire = refusal.wire();
    json!({ "error": {
        "message": refusal.to_string(),
        "type": wire.kind,
        "param": refusal.param(),
        "code": wire.code,
    }})
}

pub(super) fn body(refusal: &Refusal) -> Bytes {
    error(refusal).to_string().into()
}

/// openai-python raises `APIError` for a chunk with `error`; no `[DONE]` follows.
pub(super) fn stream_error(refusal: &Refusal) -> Bytes {
    frame(None, &error(refusal)).into()
}

/// Two events, as OpenAI itself sends them: `error`, for which openai-python raises `APIError`, and
/// `response.failed`, whose message Codex shows.
pub(super) fn response_failed(refusal: &Refusal, id: &RequestId, thread: Thread<'_>) -> Bytes {
    let wire = refusal.wire();
    let message = refusal.to_string();
    let mut error = error(refusal);
    error["type"] = "error".into();
    error["code"] = wire.code.into();
    error["message"] = message.as_str().into();
    error["param"] = Value::Null;
    error["sequence_number"] = thread.next_sequence.into();
    let own_id = format!("resp_{id}");
    let failed = json!({
        "type": "response.failed",
        "sequence_number": thread.next_sequence.saturating_add(1),
        "response": {
            "id": thread.id.unwrap_or(&own_id),
            "object": "response",
            "status": "failed",
            "error": { "code": wire.code, "message": message },
            "output": [],
        },
    });
    let mut frames = frame(Some("error"), &error);
    frames.extend(frame(Some("response.failed"), &failed));
    frames.into()
}
