//! The words in which clients read errors. The path of a request decides which, never a header.

mod anthropic;
mod engine_error;
mod openai;

use bytes::Bytes;
use http::StatusCode;
use maas_types::{Dialect, RequestId};

use crate::{meter::Thread, refusal::Refusal, route::Api};

pub(crate) use engine_error::{EngineError, engine_error};

/// The status of a refusal.
pub(crate) fn status(dialect: Dialect, refusal: &Refusal) -> StatusCode {
    match dialect {
        Dialect::OpenAi => refusal.wire().status,
        Dialect::Anthropic => anthropic::status(refusal.wire().status),
    }
}

/// The body of a refusal.
pub(crate) fn body(dialect: Dialect, refusal: &Refusal, id: &RequestId) -> Bytes {
    match dialect {
        Dialect::OpenAi => openai::body(refusal),
        Dialect::Anthropic => anthropic::body(refusal, id),
    }
}

/// The last frame of a stream that ends in an error.
pub(crate) fn stream_error(
    api: Api,
    refusal: &Refusal,
    id: &RequestId,
    thread: Thread<'_>,
) -> Bytes {
    match (api.dialect(), api) {
        (Dialect::Anthropic, _) => anthropic::stream_error(refusal, id),
        (Dialect::OpenAi, Api::Responses) => openai::response_failed(refusal, id, thread),
        (Dialect::OpenAi, _) => openai::stream_error(refusal),
    }
}

/// What keeps a silent stream alive. OpenAI clients skip comments; Anthropic's know `ping`.
pub(crate) const fn keep_alive(dialect: Dialect) -> Bytes {
    match dialect {
        Dialect::OpenAi => Bytes::from_static(b": keep-alive\n\n"),
        Dialect::Anthropic => Bytes::from_static(b"event: ping\ndata: {\"type\":\"ping\"}\n\n"),
    }
}

/// One frame: `event: name` where there is one, and the data.
fn frame(event: Option<&str>, data: &serde_json::Value) -> Vec<u8> {
    let event = event
        .map(|name| format!("event: {name}\n"))
        .unwrap_or_default();
    format!("{event}data: {data}\n\n").into_bytes()
}

#[cfg(test)]
mod tests;
