//! The first stage: what a request says about itself before its body is read.

use std::fmt;

use http::{HeaderMap, Method, Request, Uri};
use hyper::body::Incoming;
use maas_types::{Dialect, RequestId};
use tokio::time::Instant;
use ulid::Ulid;

use crate::{
    refusal::Refusal,
    route::{self, Misrouted, Route},
};

/// A request that has arrived.
pub(crate) struct Arrived {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) dialect: Dialect,
    /// Ours; a client's own id is not taken over.
    pub(crate) id: RequestId,
    pub(crate) began: Instant,
}

/// Headers and URL may hold a key.
impl fmt::Debug for Arrived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrived")
            .field("method", &self.method)
            .field("dialect", &self.dialect)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Arrived {
    /// Takes a request apart.
    pub(crate) fn new(request: Request<Incoming>) -> (Self, Incoming) {
        let (head, body) = request.into_parts();
        let arrived = Self {
            dialect: route::dialect(head.uri.path()),
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            id: new_id(),
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
