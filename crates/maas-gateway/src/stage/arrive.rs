//! The first stage: what a request says about itself before its body is read.

use http::{HeaderMap, Method, Request, Uri};
use hyper::body::Incoming;
use jiff::Timestamp;
use maas_types::{Dialect, RequestId};
use tokio::time::Instant;
use ulid::Ulid;

use crate::{
    refusal::Refusal,
    route::{self, Misrouted, Route},
};

/// A request that has arrived.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) dialect: Dialect,
    /// Ours; a client's own id is not taken over.
    pub(crate) id: RequestId,
    pub(crate) at: Timestamp,
    pub(crate) began: Instant,
}

impl Arrived {
    /// Takes a request apart.
    pub(crate) fn new(request: Request<Incoming>, at: Timestamp) -> (Self, Incoming) {
        let (head, body) = request.into_parts();
        let arrived = Self {
            dialect: route::dialect(head.uri.path()),
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            id: new_id(),
            at,
            began: Instant::now(),
        };
        (arrived, body)
    }

    /// What it asks for.
    pub(crate) fn route(&self) -> Result<Route, Refusal> {
        route::find(&self.method, self.uri.path()).map_err(|why| match why {
            Misrouted::NoSuchPath => Refusal::NoSuchPath,
            Misrouted::WrongMethod(allow) => Refusal::WrongMethod { allow },
            Misrouted::NoWebSocket => Refusal::NoWebSocket,
        })
    }
}

fn new_id() -> RequestId {
    let text = Ulid::generate().to_string();
    text.parse().expect("a ULID is 26 letters and digits")
}
