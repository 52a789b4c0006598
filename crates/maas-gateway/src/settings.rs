//! What the gateway is told before it starts.

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use camino::Utf8PathBuf;
use jiff::Timestamp;

use crate::GatewayError;

/// The settings of one gateway. `appliance.toml` and the command line are read by the binary.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where clients connect, with TLS: `0.0.0.0:8443`.
    pub listen: Vec<SocketAddr>,
    /// Where `/metrics` is served, without TLS: `127.0.0.1:9464`. `None` serves it nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Certificate and key.
    pub tls: TlsFiles,
    /// The appliance's version, in metrics and in `status`.
    pub version: &'static str,
    /// Where the time comes from.
    pub clock: Clock,
    /// Deadlines and limits.
    pub pace: Pace,
}

/// The server's certificate chain and key, PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The server's certificate first, then every intermediate one. The whole file is served:
    /// Node and Python clients fail when an intermediate is missing.
    pub chain: Utf8PathBuf,
    /// Its private key: PKCS#8, PKCS#1 or SEC1.
    pub key: Utf8PathBuf,
}

/// Where the time comes from; a test gives its own.
#[derive(Debug, Clone, Copy)]
pub struct Clock(pub fn() -> Timestamp);

impl Clock {
    /// The machine's clock.
    pub const SYSTEM: Self = Self(system_now);

    /// The present instant.
    pub fn now(self) -> Timestamp {
        (self.0)()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the crate's one clock; everything else takes `Clock`"
)]
fn system_now() -> Timestamp {
    Timestamp::now()
}

/// Deadlines and limits. The default is right; tests shorten what they would have to wait for.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// A TLS handshake takes at most this long. Why 10 s: three round trips over the worst link
    /// inside one site, and a peer that says nothing costs a file descriptor for no longer.
    pub handshake: Duration,
    /// A request's head arrives within this time, which on HTTP/1.1 also bounds the idle time
    /// between two requests: hyper starts the same clock when it begins to wait for the next one.
    /// Why 30 s: SDKs drop idle connections after 5 s (httpx) to 15 s (Node), so none of them
    /// reuses one that is being closed here; a slow-header attacker holds at most
    /// [`Pace::connections`] for this long.
    pub head: Duration,
    /// A connection without any request for this long is closed; on HTTP/2 nothing else would, as long
    /// as the peer answers pings. Why 60 s: twice [`Pace::head`], which is the rule of HTTP/1.1.
    pub idle: Duration,
    /// The longest pause within a request's body. Why 30 s: a stalled upload is a dead client.
    pub body_pause: Duration,
    /// A whole body arrives within this time. Why 300 s: [`Pace::body_bytes`] over 1 Mbit/s take 268;
    /// without it one byte every [`Pace::body_pause`] would hold a place for ever.
    pub body: Duration,
    /// The largest request body, bytes. Why 32 MiB: what the Anthropic API takes, and the largest of
    /// the dialects' limits.
    pub body_bytes: usize,
    /// Silence on a stream after which a keep-alive goes out. Why 10 s: proxies in between cut at
    /// 60 s (nginx), some at 30; Codex gives up after 300.
    pub keep_alive: Duration,
    /// How long a client may refuse to take a frame before it counts as gone. Why 60 s: the answer
    /// lies finished in the engine's memory meanwhile and holds one of the key's places.
    pub client_stall: Duration,
    /// Silence of an engine after which it counts as broken, for an answer that is not streamed and
    /// between two frames. Why 600 s: the SDKs' own default timeout; a long prompt in a full queue
    /// may well take minutes.
    pub engine_silence: Duration,
    /// Connecting to an engine's Unix socket. Why 2 s: it is a local call; only a full backlog
    /// makes it wait, and another replica may be free.
    pub engine_connect: Duration,
    /// How long live streams may finish after the order to stop. Why 30 s: well below systemd's
    /// 90 s before SIGKILL, long enough for most answers.
    pub drain: Duration,
    /// Connections at once. Why 4,096: a site has hundreds of developers with a few connections
    /// each; two file descriptors per request stay far below systemd's default limit of 524,288.
    pub connections: usize,
    /// Age beyond which the engine table is called stale. Why 10 s: the supervisor writes it at
    /// least every 2 s, so five writes are missing.
    pub table_stale: Duration,
    /// How long `/metrics` waits for an engine's own page. Why 2 s: Prometheus gives up after 10,
    /// and a hanging engine must not take the page with it.
    pub scrape: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(30),
            idle: Duration::from_mins(1),
            body_pause: Duration::from_secs(30),
            body: Duration::from_mins(5),
            body_bytes: 32 * 1024 * 1024,
            keep_alive: Duration::from_secs(10),
            client_stall: Duration::from_mins(1),
            engine_silence: Duration::from_mins(10),
            engine_connect: Duration::from_secs(2),
            drain: Duration::from_secs(30),
            connections: 4_096,
            table_stale: Duration::from_secs(10),
            scrape: Duration::from_secs(2),
        }
    }
}

/// Listening sockets, bound before anything else happens: by [`Sockets::bind`], by systemd, or by a
/// test on port 0.
#[derive(Debug)]
pub struct Sockets {
    /// For clients, with TLS.
    pub tls: Vec<TcpListener>,
    /// For `/metrics`.
    pub metrics: Option<TcpListener>,
}

impl Sockets {
    /// Takes `held` for clients, as somebody has bound it before, and binds the rest.
    pub fn around(held: TcpListener, settings: &Settings) -> Result<Self, GatewayError> {
        let rest = Settings {
            listen: Vec::new(),
            ..settings.clone()
        };
        let mut sockets = Self::bind(&rest)?;
        sockets.tls.push(held);
        Ok(sockets)
    }

    /// Binds what the settings name.
    pub fn bind(settings: &Settings) -> Result<Self, GatewayError> {
        let bind = |address: SocketAddr| {
            TcpListener::bind(address).map_err(|source| GatewayError::Bind { address, source })
        };
        Ok(Self {
            tls: settings
                .listen
                .iter()
                .copied()
                .map(bind)
                .collect::<Result<_, _>>()?,
            metrics: settings.metrics_listen.map(bind).transpose()?,
        })
    }
}
