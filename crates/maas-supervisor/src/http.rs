//! HTTP to an engine over its Unix socket: one request, one connection, a short answer.

use bytes::Bytes;
use camino::Utf8Path;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// The longest answer that is read, bytes. An embedding of one word has some 100 kB.
const LONGEST_ANSWER: usize = 4 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("cannot connect")]
    Connect(#[source] std::io::Error),
    #[error("the connection broke")]
    Broken(#[source] hyper::Error),
    #[error("the answer cannot be read")]
    Answer(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sends one request and reads the answer.
pub(crate) async fn ask(
    socket: &Utf8Path,
    method: Method,
    path: &'static str,
    body: Option<&serde_json::Value>,
) -> Result<(StatusCode, Bytes), HttpError> {
    let stream = UnixStream::connect(socket.as_std_path())
        .await
        .map_err(HttpError::Connect)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(HttpError::Broken)?;
    let exchange = async move {
        let bytes = body.map(ToString::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(bytes)))
            .expect("a constant path and constant headers");
        let answer = sender
            .send_request(request)
            .await
            .map_err(HttpError::Broken)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LONGEST_ANSWER)
            .collect()
            .await
            .map_err(HttpError::Answer)?;
        Ok((status, body.to_bytes()))
        // The sender is dropped here, which ends the connection.
    };
    let (answer, _) = tokio::join!(exchange, connection);
    answer
}
