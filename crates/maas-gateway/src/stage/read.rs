//! Reads a request's body: whole, bounded, and not for ever.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use crate::{
    Pace,
    refusal::{Refusal, quoted},
};

/// How much of a refused body is read and thrown away, and for how long. A client that is still
/// sending when its connection closes sees a reset instead of our sentence (the reason for nginx's
/// `lingering_close`). Why 256 MiB and 10 s: SDKs give up sending by then.
const LINGER_BYTES: u64 = 256 * 1024 * 1024;
const LINGER: Duration = Duration::from_secs(10);

/// Reads the body.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: &mut Incoming,
    pace: &Pace,
) -> Result<Bytes, Refusal> {
    let reading = collect(headers, body, pace);
    let done = tokio::time::timeout(pace.body, reading).await;
    done.map_err(|_| Refusal::BodyTooSlow(pace.body))?
}

async fn collect(headers: &HeaderMap, body: &mut Incoming, pace: &Pace) -> Result<Bytes, Refusal> {
    if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
        && encoding != "identity"
    {
        let encoding = String::from_utf8_lossy(encoding.as_bytes());
        return Err(Refusal::Encoded(quoted(&encoding)));
    }
    let too_large = Refusal::TooLarge {
        limit: pace.body_bytes,
    };
    let announced = body.size_hint().lower();
    if announced > pace.body_bytes as u64 {
        return Err(too_large);
    }
    let mut whole: Option<Bytes> = None;
    let mut parts = BytesMut::new();
    loop {
        let frame = tokio::time::timeout(pace.body_pause, body.frame()).await;
        let frame = match frame.map_err(|_| Refusal::BodyStalled(pace.body_pause))? {
            None => break,
            // The client is gone, and with it whoever would read this.
            Some(Err(_)) => return Err(Refusal::BodyStalled(Duration::ZERO)),
            Some(Ok(frame)) => frame,
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let so_far = parts.len() + whole.as_ref().map_or(0, Bytes::len);
        if so_far + data.len() > pace.body_bytes {
            return Err(too_large);
        }
        // Most bodies come in one piece and need no copy.
        if so_far == 0 {
            whole = Some(data);
        } else {
            parts.extend(whole.take());
            parts.extend_from_slice(&data);
        }
    }
    Ok(whole.unwrap_or_else(|| parts.freeze()))
}

/// Reads on after a refusal, so that the client gets to read it.
pub(crate) async fn linger(mut body: Incoming) {
    let drain = async {
        let mut seen = 0;
        while let Some(Ok(frame)) = body.frame().await {
            seen += frame.data_ref().map_or(0, |data| data.len() as u64);
            if seen > LINGER_BYTES {
                return;
            }
        }
    };
    drop(tokio::time::timeout(LINGER, drain).await);
}
