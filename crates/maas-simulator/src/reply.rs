//! Responses with uvicorn's headers, in uvicorn's order.

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use jiff::Timestamp;
use serde::Serialize;

use crate::error::ApiError;

/// A connection that is to be cut.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the connection is cut, as commanded")]
pub(crate) struct Cut;

/// A body, whole or in chunks.
pub(crate) type Body = UnsyncBoxBody<Bytes, Cut>;

/// A response without its headers `date`, `server` and `vary`, which [`finish`] adds.
pub(crate) type Reply = Response<Body>;

/// JSON, without spaces and in the order of the fields.
pub(crate) fn json_text(value: &impl Serialize) -> String {
    // The bodies are structs of strings and numbers: nothing in them can fail to serialise.
    serde_json::to_string(value).expect("bodies have string keys and no failing serialisers")
}

/// 200 with a JSON body.
pub(crate) fn json(value: &impl Serialize) -> Reply {
    whole(StatusCode::OK, "application/json", json_text(value))
}

/// A body of known length.
pub(crate) fn whole(status: StatusCode, kind: &'static str, text: String) -> Reply {
    let mut reply = Response::new(
        Full::new(Bytes::from(text))
            .map_err(|never| match never {})
            .boxed_unsync(),
    );
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}

/// A status and no body, as `/health` answers.
pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(
        Full::default()
            .map_err(|never| match never {})
            .boxed_unsync(),
    );
    *reply.status_mut() = status;
    reply
}

/// What the framework itself answers: `{"detail":"Not Found"}`.
pub(crate) fn detail(status: StatusCode, allow: Option<&'static str>) -> Reply {
    let text = format!(
        "{{\"detail\":\"{}\"}}",
        status.canonical_reason().unwrap_or_default()
    );
    let mut reply = whole(status, "application/json", text);
    if let Some(allow) = allow {
        reply
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    reply
}

/// An error in the words of OpenAI.
pub(crate) fn openai_error(error: &ApiError) -> Reply {
    whole(status(error), "application/json", error.openai())
}

/// An error in the words of Anthropic.
pub(crate) fn anthropic_error(error: &ApiError) -> Reply {
    whole(status(error), "application/json", error.anthropic())
}

/// What a proxy's error page looks like; no vLLM sends one.
pub(crate) fn html() -> Reply {
    let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
                <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>simulated</center>\r\n\
                </body>\r\n</html>\r\n";
    whole(StatusCode::BAD_GATEWAY, "text/html", page.to_owned())
}

/// Headers that promise a body, and then a cut connection.
pub(crate) fn cut() -> Reply {
    let body = StreamBody::new(stream::iter([Err::<Frame<Bytes>, _>(Cut)]));
    let mut reply = Response::new(BodyExt::boxed_unsync(body));
    let kind = HeaderValue::from_static("application/json");
    reply.headers_mut().insert(header::CONTENT_TYPE, kind);
    // Any length that does not come; without one the body would be chunked, which vLLM's is not.
    reply
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from_static("512"));
    reply
}

/// Puts uvicorn's headers around a reply, in the recorded order, and ours behind them.
pub(crate) fn finish(mut reply: Reply, now: Timestamp, echo: Option<HeaderValue>) -> Reply {
    let given = std::mem::take(reply.headers_mut());
    let mut headers = HeaderMap::new();
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::try_from(date) {
        headers.insert(header::DATE, date);
    }
    headers.insert(header::SERVER, HeaderValue::from_static("uvicorn"));
    let length = http_body::Body::size_hint(reply.body()).exact();
    let length = given
        .get(header::CONTENT_LENGTH)
        .cloned()
        .or_else(|| length.map(HeaderValue::from));
    let parts = [
        (header::ALLOW, given.get(header::ALLOW).cloned()),
        (header::CONTENT_LENGTH, length),
        (
            header::CONTENT_TYPE,
            given.get(header::CONTENT_TYPE).cloned(),
        ),
    ];
    for (name, value) in parts {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(id) = echo {
        headers.insert("x-request-id", id);
    }
    headers.insert("x-maas-engine", HeaderValue::from_static("simulated"));
    *reply.headers_mut() = headers;
    reply
}

fn status(error: &ApiError) -> StatusCode {
    StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
