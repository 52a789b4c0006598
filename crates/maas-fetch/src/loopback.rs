//! A server on this machine, for tests: a function from a request to an answer, and what it has seen.

use std::sync::{Arc, Mutex};

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use camino::Utf8PathBuf;
use futures_util::{StreamExt, stream};
use http::{StatusCode, header};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{Note, PlainHttp, Progress, Roots, Wire};

/// A request, as far as tests look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Path and query.
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) range: Option<String>,
    pub(crate) if_range: Option<String>,
}

pub(crate) struct Server {
    /// `http://127.0.0.1:port`.
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Ends with the test.
    _tasks: JoinSet<()>,
}

/// Serves on a free port. The second argument counts the earlier requests for the same path.
pub(crate) async fn serve(
    answer: impl Fn(&Seen, usize) -> Response + Send + Sync + 'static,
) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::<Seen>::new()));
    let log = Arc::clone(&seen);
    let answer = Arc::new(answer);
    let router = axum::Router::new().fallback(move |request: Request| {
        let request = look_at(&request);
        let mut log = log.lock().unwrap();
        let earlier = log.iter().filter(|seen| seen.path == request.path).count();
        log.push(request.clone());
        let response = answer(&request, earlier);
        async move { response }
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    Server {
        url,
        seen,
        _tasks: tasks,
    }
}

fn look_at(request: &Request) -> Seen {
    let text = |name| {
        let value = request.headers().get(name)?;
        Some(value.to_str().unwrap().to_owned())
    };
    Seen {
        path: request.uri().to_string(),
        authorization: text(header::AUTHORIZATION),
        range: text(header::RANGE),
        if_range: text(header::IF_RANGE),
    }
}

impl Server {
    /// `127.0.0.1:port`.
    pub(crate) fn host(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// The requests so far whose path contains `part`.
    pub(crate) fn seen(&self, part: &str) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|seen| seen.path.contains(part))
            .cloned()
            .collect()
    }

    pub(crate) fn ranges(&self, part: &str) -> Vec<Option<String>> {
        self.seen(part).into_iter().map(|seen| seen.range).collect()
    }
}

pub(crate) fn wire() -> Wire {
    Wire::new(PlainHttp::LoopbackOnly, &Roots::System).unwrap()
}

/// A file as good servers give it: ranges, a strong validator, `If-Range`.
pub(crate) fn file(seen: &Seen, bytes: &[u8], etag: &str) -> Response {
    let same = seen.if_range.as_ref().is_none_or(|wanted| wanted == etag);
    let range = seen.range.as_ref().filter(|_| same);
    let Some(from) = range.map(|range| from(range)) else {
        return ([(header::ETAG, etag.to_owned())], bytes.to_vec()).into_response();
    };
    let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
    let headers = [
        (header::CONTENT_RANGE, range),
        (header::ETAG, etag.to_owned()),
    ];
    (StatusCode::PARTIAL_CONTENT, headers, bytes[from..].to_vec()).into_response()
}

fn from(range: &str) -> usize {
    let from = range.strip_prefix("bytes=").unwrap().strip_suffix('-');
    from.unwrap().parse().unwrap()
}

/// Gives so many bytes of a good answer and breaks the connection.
pub(crate) fn cut(response: Response, after: usize, whole: &[u8]) -> Response {
    let (mut parts, _) = response.into_parts();
    let range = parts.headers.get(header::CONTENT_RANGE);
    let from = range.map_or(0, |range| {
        let range = range.to_str().unwrap().strip_prefix("bytes ").unwrap();
        range.split_once('-').unwrap().0.parse().unwrap()
    });
    let length = whole.len() - from;
    parts.headers.insert(header::CONTENT_LENGTH, length.into());
    let some = Bytes::copy_from_slice(&whole[from..whole.len().min(from + after)]);
    let first = stream::iter([Ok(some)]);
    let then = stream::once(async {
        // The server sends what it has while it waits for more.
        tokio::task::yield_now().await;
        Err(std::io::Error::other("cut"))
    });
    Response::from_parts(parts, Body::from_stream(first.chain(then)))
}

/// A status and nothing else.
pub(crate) fn status(code: u16) -> Response {
    StatusCode::from_u16(code).unwrap().into_response()
}

pub(crate) fn redirect(to: &str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, to.to_owned())]).into_response()
}

pub(crate) fn json(value: &serde_json::Value) -> Response {
    (
        [(header::CONTENT_TYPE, "application/json")],
        value.to_string(),
    )
        .into_response()
}

/// A listener that writes down what it hears.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<(u64, u64, Vec<String>)>);

impl Heard {
    pub(crate) fn total(&self) -> u64 {
        self.0.lock().unwrap().0
    }

    pub(crate) fn advanced(&self) -> u64 {
        self.0.lock().unwrap().1
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.0.lock().unwrap().2.clone()
    }
}

impl Progress for Heard {
    fn start(&self, _what: &str, total: u64) {
        self.0.lock().unwrap().0 += total;
    }

    fn advance(&self, bytes: u64) {
        self.0.lock().unwrap().1 += bytes;
    }

    fn note(&self, note: &Note<'_>) {
        self.0.lock().unwrap().2.push(note.to_string());
    }
}

/// A folder that goes away with the test, and its path.
pub(crate) fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    (folder, path)
}

/// The error and all its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
