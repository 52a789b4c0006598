//! What goes back to the client: a body that is whole or comes in pieces, and its headers.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use jiff::Timestamp;
use maas_keys::LimitState;
use maas_types::{Dialect, RequestId};
use tokio::sync::mpsc;

use crate::{
    body::content::Content,
    dialect,
    refusal::{Refusal, whole_seconds},
};

/// The answer to a client.
pub(crate) type Reply = Response<ReplyBody>;

/// A body. The client is gone when it is dropped.
#[derive(Debug)]
pub(crate) enum ReplyBody {
    Whole(Option<Content>),
    /// Frames of a stream, each flushed as it comes.
    Stream(mpsc::Receiver<Bytes>),
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes.0)))),
            Self::Stream(frames) => frames
                .poll_recv(cx)
                .map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");

/// A body of JSON.
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    whole(status, JSON, body.into())
}

/// A body of plain text.
pub(crate) fn text(status: StatusCode, body: &'static str) -> Reply {
    whole(
        status,
        HeaderValue::from_static("text/plain; charset=utf-8"),
        Bytes::from_static(body.as_bytes()),
    )
}

/// A body of any type.
pub(crate) fn whole(status: StatusCode, kind: HeaderValue, body: Bytes) -> Reply {
    let mut reply = Response::new(ReplyBody::Whole(
        (!body.is_empty()).then_some(Content(body)),
    ));
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, kind);
    reply
}

/// A stream of events. nginx in between must not collect it (`X-Accel-Buffering`).
pub(crate) fn stream(frames: mpsc::Receiver<Bytes>) -> Reply {
    let mut reply = Response::new(ReplyBody::Stream(frames));
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, EVENTS);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    reply
}

/// A refusal, in its dialect, with what tells a client whether and when to try again.
pub(crate) fn refusal(dialect: Dialect, refusal: &Refusal, id: &RequestId) -> Reply {
    let mut reply = json(
        dialect::status(dialect, refusal),
        dialect::body(dialect, refusal, id),
    );
    let headers = reply.headers_mut();
    if let Some(wait) = refusal.retry_after() {
        put(headers, "retry-after", &whole_seconds(wait));
        // Rounded up as well: a millisecond too early is refused again.
        put(
            headers,
            "retry-after-ms",
            &wait.as_nanos().div_ceil(1_000_000),
        );
    }
    if let Some(should) = refusal.should_retry() {
        put(headers, "x-should-retry", &should);
    }
    if let Refusal::WrongMethod { allow } = refusal {
        headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    if matches!(refusal, Refusal::NoWebSocket) {
        // RFC 9110, 15.5.22: 426 must say to which protocol.
        headers.insert(header::UPGRADE, HeaderValue::from_static("HTTP/2.0"));
    }
    reply
}

/// Puts the request's id where the dialect's SDKs look for it.
pub(crate) fn mark(reply: &mut Reply, dialect: Dialect, id: &RequestId) {
    let headers = reply.headers_mut();
    put(headers, "x-request-id", id);
    if dialect == Dialect::Anthropic {
        put(headers, "request-id", id);
    }
}

/// Puts where the limits stand, in the dialect's names.
pub(crate) fn limits(headers: &mut HeaderMap, dialect: Dialect, state: LimitState, now: Timestamp) {
    if let Some(requests) = state.requests {
        let ends = now.checked_add(requests.reset_after).unwrap_or(now);
        limit(
            headers,
            dialect,
            Kind::Requests,
            [requests.limit, requests.remaining],
            (now, ends),
        );
    }
    if let Some(tokens) = state.tokens {
        limit(
            headers,
            dialect,
            Kind::Tokens,
            [tokens.limit, tokens.remaining],
            (now, tokens.resets),
        );
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Requests,
    Tokens,
}

/// Writes one limit. OpenAI writes the reset as a duration of Go, Anthropic as an instant.
fn limit(
    headers: &mut HeaderMap,
    dialect: Dialect,
    kind: Kind,
    [limit, remaining]: [u64; 2],
    (now, ends): (Timestamp, Timestamp),
) {
    let names = match (dialect, kind) {
        (Dialect::OpenAi, Kind::Requests) => [
            "x-ratelimit-limit-requests",
            "x-ratelimit-remaining-requests",
            "x-ratelimit-reset-requests",
        ],
        (Dialect::OpenAi, Kind::Tokens) => [
            "x-ratelimit-limit-tokens",
            "x-ratelimit-remaining-tokens",
            "x-ratelimit-reset-tokens",
        ],
        (Dialect::Anthropic, Kind::Requests) => [
            "anthropic-ratelimit-requests-limit",
            "anthropic-ratelimit-requests-remaining",
            "anthropic-ratelimit-requests-reset",
        ],
        (Dialect::Anthropic, Kind::Tokens) => [
            "anthropic-ratelimit-tokens-limit",
            "anthropic-ratelimit-tokens-remaining",
            "anthropic-ratelimit-tokens-reset",
        ],
    };
    put(headers, names[0], &limit);
    put(headers, names[1], &remaining);
    let reset = match dialect {
        Dialect::OpenAi => go_duration(ends.duration_since(now).try_into().unwrap_or_default()),
        Dialect::Anthropic => ends.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    };
    put(headers, names[2], &reset);
}

/// `6m0s`, `1.5s`, `12ms`: as OpenAI's own headers write it.
fn go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds == 0 {
        return format!("{}ms", duration.as_millis());
    }
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &impl ToString) {
    let value = HeaderValue::try_from(value.to_string());
    headers.insert(
        HeaderName::from_static(name),
        value.expect("numbers, instants and ids are visible ASCII"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_go_writes_them() {
        let shown = [0, 12, 1_000, 61_500, 360_000, 3_600_000, 86_399_000]
            .map(|ms| go_duration(Duration::from_millis(ms)));
        assert_eq!(
            shown,
            ["0ms", "12ms", "1s", "1m1s", "6m0s", "1h0m0s", "23h59m59s"]
        );
    }
}
