//! The gateway as one value: bound by [`Gateway::open`], alive in [`Gateway::run`].

use std::{net::SocketAddr, sync::Arc};

use jiff::Timestamp;
use maas_keys::Registry;
use maas_metrics::GatewayMetrics;
use maas_types::Layout;
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    GatewayError, Settings, Sockets, admin, engine::table::EngineTableWatch, metrics_page, server,
    tls,
};

/// A gateway whose sockets are bound and whose certificate is good.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    tls: Vec<TcpListener>,
    config: Arc<rustls::ServerConfig>,
    metrics: Option<TcpListener>,
    admin: admin::AdminSocket,
}

/// What every request can see.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) layout: Layout,
    pub(crate) registry: Registry,
    pub(crate) metrics: Arc<GatewayMetrics>,
    pub(crate) table: EngineTableWatch,
    pub(crate) started: Timestamp,
    /// Where clients connect.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Where `/metrics` is.
    pub(crate) metrics_address: Option<SocketAddr>,
    /// Connections, streams and what they leave behind.
    pub(crate) tasks: TaskTracker,
    /// Connections to engines. Nobody waits for these: they end when their owner drops them.
    pub(crate) drivers: TaskTracker,
    /// Nothing new is accepted.
    pub(crate) stop: CancellationToken,
    /// Streams that still run are ended with an event that says so.
    pub(crate) cut: CancellationToken,
    /// Connections that still stand are dropped.
    pub(crate) force: CancellationToken,
}

/// How long streams have for their last event, and connections for their last bytes, once they are
/// cut. Why 3 s: one second for the event, and the rest for a slow link.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_secs(3);

impl Gateway {
    /// Takes the sockets, reads the certificate, takes the administrative socket and reads the
    /// engine table. Nothing is served before [`Gateway::run`]. Must be called within a tokio
    /// runtime.
    pub fn open(
        settings: Settings,
        layout: Layout,
        registry: Registry,
        sockets: Sockets,
    ) -> Result<Self, GatewayError> {
        let config = tls::server_config(&settings.tls)?;
        let tls = sockets
            .tls
            .into_iter()
            .map(listener)
            .collect::<Result<Vec<_>, _>>()?;
        if tls.is_empty() {
            return Err(GatewayError::NoAddress);
        }
        let metrics = sockets.metrics.map(listener).transpose()?;
        let table = EngineTableWatch::open(layout.engine_table())?;
        let admin = admin::AdminSocket::take(layout.admin_socket())?;
        let address = |listener: &TcpListener| listener.local_addr().map_err(GatewayError::Socket);
        let started = settings.clock.now();
        let shared = Shared {
            metrics: Arc::new(GatewayMetrics::new(settings.version, started)),
            addresses: tls.iter().map(address).collect::<Result<_, _>>()?,
            metrics_address: metrics.as_ref().map(address).transpose()?,
            settings,
            layout,
            registry,
            table,
            started,
            tasks: TaskTracker::new(),
            drivers: TaskTracker::new(),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
            force: CancellationToken::new(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            tls,
            config,
            metrics,
            admin,
        })
    }

    /// Where clients connect: the ports that port 0 became.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.shared.addresses
    }

    /// Where `/metrics` is.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.shared.metrics_address
    }

    /// Serves until `shutdown`, then drains: nothing new is accepted, live streams may finish within
    /// [`Pace::drain`](crate::Pace::drain) and are ended with an event after it, and the ledger is
    /// written to its end.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), GatewayError> {
        let Self {
            shared,
            tls,
            config,
            metrics,
            admin,
        } = self;
        let acceptor = TlsAcceptor::from(config);
        let mut services = JoinSet::new();
        for listener in tls {
            services.spawn(server::clients(
                Arc::clone(&shared),
                listener,
                acceptor.clone(),
            ));
        }
        if let Some(listener) = metrics {
            services.spawn(metrics_page::serve(Arc::clone(&shared), listener));
        }
        services.spawn(admin::serve(Arc::clone(&shared), admin));
        services.spawn({
            let shared = Arc::clone(&shared);
            async move { shared.table.follow(&shared.stop).await }
        });
        tracing::info!(addresses = ?shared.addresses, "Serving on {:?}", shared.addresses);

        shutdown.cancelled().await;
        tracing::info!("Stopping: nothing new is accepted, live streams may finish");
        shared.stop.cancel();
        drain(&shared).await;
        while services.join_next().await.is_some() {}
        flush(&shared).await
    }
}

/// Waits for requests to end, and makes them end.
async fn drain(shared: &Shared) {
    shared.tasks.close();
    if timeout(shared.settings.pace.drain, shared.tasks.wait())
        .await
        .is_ok()
    {
        return;
    }
    tracing::warn!("Cutting streams that are still running");
    shared.cut.cancel();
    if timeout(LAST_WORDS, shared.tasks.wait()).await.is_ok() {
        return;
    }
    shared.force.cancel();
    drop(timeout(LAST_WORDS, shared.tasks.wait()).await);
}

/// Writes the ledger to its end.
async fn flush(shared: &Shared) -> Result<(), GatewayError> {
    let registry = shared.registry.clone();
    let closing = tokio::task::spawn_blocking(move || registry.close());
    match closing.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(source)) => Err(GatewayError::Flush(Box::new(source))),
        Err(panic) => Err(GatewayError::Flush(Box::new(panic))),
    }
}

impl Shared {
    pub(crate) fn now(&self) -> Timestamp {
        self.settings.clock.now()
    }
}

fn listener(socket: std::net::TcpListener) -> Result<TcpListener, GatewayError> {
    socket.set_nonblocking(true).map_err(GatewayError::Socket)?;
    TcpListener::from_std(socket).map_err(GatewayError::Socket)
}
