//! One exchange with one engine: HTTP/1.1 over its Unix socket.
//!
//! A connection carries one request at a time and is closed, not reused, unless its answer was read
//! to the end: closing it is how vLLM learns that nobody waits any more, and stops computing.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{net::UnixStream, time::Instant};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::pick::Engine;

/// How long an unused connection is kept. Why 3 s: vLLM's server closes its side after 5 s of
/// silence (uvicorn's `timeout_keep_alive`), and a request must not meet that close.
const KEPT: Duration = Duration::from_secs(3);

/// How many unused connections are kept per engine. Why 32: as many as the requests that end within
/// a few milliseconds of each other; connecting anew costs about 50 µs.
const MOST_KEPT: usize = 32;

/// Unused connections of one engine.
#[derive(Debug, Default)]
pub(crate) struct Pool(Mutex<Vec<Connection>>);

#[derive(Debug)]
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Aborted on drop, so that the socket closes at that very moment.
    _driver: AbortOnDropHandle<()>,
    idle_since: Instant,
}

/// An answer whose body is still to be read. Dropping it closes the connection at once.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    connection: Connection,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("cannot connect to the engine")]
    Connect(#[source] std::io::Error),
    #[error("the engine did not take the connection in time")]
    ConnectTimeout,
    #[error("the engine broke the connection before it answered")]
    Broken(#[source] hyper::Error),
}

impl Pool {
    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }

    fn take(&self) -> Option<Connection> {
        let mut kept = self.0.lock();
        loop {
            let connection = kept.pop()?;
            if connection.idle_since.elapsed() < KEPT && connection.sender.is_ready() {
                return Some(connection);
            }
        }
    }

    fn give_back(&self, connection: Connection) {
        let mut kept = self.0.lock();
        kept.retain(|old| old.idle_since.elapsed() < KEPT);
        if kept.len() < MOST_KEPT {
            kept.push(connection);
        }
    }
}

/// Sends `request` and waits for the head of the answer. The wait has no limit of its own: the
/// caller drops the future.
pub(crate) async fn exchange(
    engine: &Engine,
    mut request: Request<Full<Bytes>>,
    connect: Duration,
    drivers: &TaskTracker,
) -> Result<Exchange, ClientError> {
    if let Some(mut connection) = engine.local.pool.take() {
        match connection.sender.try_send_request(request).await {
            Ok(response) => return Ok(Exchange::new(response, connection)),
            // It closed between two requests; ours was not sent.
            Err(mut error) => match error.take_message() {
                Some(unsent) => request = unsent,
                None => return Err(ClientError::Broken(error.into_error())),
            },
        }
    }
    let mut connection = open(engine, connect, drivers).await?;
    let response = connection
        .sender
        .send_request(request)
        .await
        .map_err(ClientError::Broken)?;
    Ok(Exchange::new(response, connection))
}

/// A request in the engine's words.
pub(crate) fn request(
    method: Method,
    path: &'static str,
    headers: HeaderMap,
    body: Bytes,
) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = http::Uri::from_static(path);
    *request.headers_mut() = headers;
    request
        .headers_mut()
        .insert(header::HOST, HeaderValue::from_static("engine"));
    request
}

async fn open(
    engine: &Engine,
    within: Duration,
    drivers: &TaskTracker,
) -> Result<Connection, ClientError> {
    let stream = tokio::time::timeout(within, UnixStream::connect(&engine.entry.socket))
        .await
        .map_err(|_| ClientError::ConnectTimeout)?
        .map_err(ClientError::Connect)?;
    engine.local.restore();
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(ClientError::Broken)?;
    let driver = drivers.spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "A connection to an engine ended early");
        }
    });
    Ok(Connection {
        sender,
        _driver: AbortOnDropHandle::new(driver),
        idle_since: Instant::now(),
    })
}

impl Exchange {
    fn new(response: Response<Incoming>, connection: Connection) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            body,
            connection,
        }
    }

    /// Whether the answer is a stream of events.
    pub(crate) fn is_event_stream(&self) -> bool {
        let kind = self.headers.get(header::CONTENT_TYPE);
        kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
    }

    /// The next bytes of the body; `None` after the last.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        loop {
            let frame = match self.body.frame().await? {
                Ok(frame) => frame,
                Err(error) => return Some(Err(error)),
            };
            // Trailers carry nothing for us.
            if let Ok(data) = frame.into_data() {
                return Some(Ok(data));
            }
        }
    }

    /// The body was read to its end: the connection may carry the next request.
    pub(crate) fn finished(self, engine: &Engine) {
        let mut connection = self.connection;
        connection.idle_since = Instant::now();
        engine.local.pool.give_back(connection);
    }
}
