//! Connections of clients: TCP, TLS, HTTP.
//!
//! Threats: connections that say nothing or speak slowly, in the handshake, in a request's head, or
//! between requests; heads without end; thousands of streams on one HTTP/2 connection.
//! Defences: a deadline for each of the three, on HTTP/2 too, where a peer that answers pings could
//! stay for ever; limits on count and size of headers, a bound on streams and on connections. The body's deadline is [`crate::stage::read`]'s. What ends a message
//! (`Content-Length`, `Transfer-Encoding`) is decided by hyper alone; nothing of a client's framing
//! reaches an engine, which gets a body of known length from us.

mod busy;

use std::{convert::Infallible, sync::Arc, time::Duration};

use http::Request;
use hyper::{
    body::Incoming,
    rt::Executor,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use self::busy::{Busy, OnConnection};
use crate::{gateway::Shared, stage::answer::answer};

/// Headers of one request. Why 100: Claude Code sends about 40, the most of all clients seen.
const HEADERS: usize = 100;

/// Bytes of a request's head, and of one read. Why 64 KiB: twice what nginx takes.
const HEAD_BYTES: usize = 64 * 1024;

/// Streams on one HTTP/2 connection. Why 128: an agent with all its helpers uses about a dozen.
const STREAMS: u32 = 128;

/// After an accept that failed for want of file descriptors, how long to wait for some. Why 100 ms:
/// trying at once would spin, and requests end all the time.
const BREATH: Duration = Duration::from_millis(100);

/// Runs hyper's own tasks where shutdown waits for them.
#[derive(Debug, Clone)]
pub(crate) struct Tracked(pub(crate) TaskTracker);

impl<F> Executor<F> for Tracked
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

/// Accepts clients until the gateway stops.
pub(crate) async fn clients(shared: Arc<Shared>, listener: TcpListener, acceptor: TlsAcceptor) {
    let places = Arc::new(Semaphore::new(shared.settings.pace.connections));
    loop {
        let place = tokio::select! {
            () = shared.stop.cancelled() => return,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let serving = client(Arc::clone(&shared), stream, acceptor.clone());
                shared.tasks.spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "Cannot accept a connection");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

async fn client(shared: Arc<Shared>, stream: TcpStream, acceptor: TlsAcceptor) {
    // Nagle's algorithm and delayed acknowledgements together hold a token back for 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "Cannot set TCP_NODELAY");
    }
    let handshake = tokio::select! {
        done = timeout(shared.settings.pace.handshake, acceptor.accept(stream)) => done,
        () = shared.stop.cancelled() => return,
    };
    let stream = match handshake {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "A TLS handshake failed"),
        Err(_) => return tracing::debug!("A TLS handshake took too long"),
    };
    let busy = Busy::default();
    let service = {
        let (shared, busy) = (Arc::clone(&shared), busy.clone());
        service_fn(move |request: Request<Incoming>| {
            let (shared, on) = (Arc::clone(&shared), busy.request());
            async move {
                let reply = answer(shared, request).await;
                Ok::<_, Infallible>(reply.map(|body| OnConnection { body, _on: on }))
            }
        })
    };
    // By what was agreed in the handshake, not by the first bytes: there is no clock before those.
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let stream = TokioIo::new(stream);
    if http2 {
        let connection = http2_builder(&shared).serve_connection(stream, service);
        drive(&shared, connection, &busy).await;
    } else {
        let connection = http1_builder(&shared).serve_connection(stream, service);
        drive(&shared, connection, &busy).await;
    }
}

/// Serves one connection to its end, or to ours.
async fn drive<C>(shared: &Shared, connection: C, busy: &Busy)
where
    C: GracefulConnection<Error = hyper::Error>,
{
    let mut connection = std::pin::pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "A client's connection ended early");
                }
                return;
            }
            () = busy.idle_for(shared.settings.pace.idle), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = shared.stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = shared.force.cancelled() => return,
        }
    }
}

fn http1_builder(shared: &Shared) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(shared.settings.pace.head)
        .max_headers(HEADERS)
        .max_buf_size(HEAD_BYTES);
    builder
}

fn http2_builder(shared: &Shared) -> http2::Builder<Tracked> {
    let pace = &shared.settings.pace;
    let mut builder = http2::Builder::new(Tracked(shared.tasks.clone()));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
        // A peer that has vanished without a word is noticed.
        .keep_alive_interval(pace.head)
        .keep_alive_timeout(pace.handshake);
    builder
}
