//! The engine inside a test: its core a task, everything else as in the process.

use std::{net::SocketAddr, sync::Arc};

use camino::Utf8PathBuf;
use maas_types::Exit;
use tokio::{
    net::UnixStream,
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{
    BehaviourError, Change, Failure, Listen, Settings,
    app::{App, Ending},
    connections::{self, Serving},
    core,
    engine::{Engine, Life},
    listen::Bound,
    metrics::Metrics,
    shutdown,
    start_log::{Pids, StartLog},
};

/// Why the engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The command line is not one of `vllm serve`.
    #[error("{0}")]
    Usage(String),
    /// `MAAS_SIMULATE` is not understood.
    #[error("MAAS_SIMULATE is not understood")]
    Behaviour(#[source] BehaviourError),
    /// The socket or address cannot be taken; a stale socket file counts, as in vLLM.
    #[error("cannot listen on {at}")]
    Listen {
        /// The path or address.
        at: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The core process cannot be started.
    #[error("cannot start the core process from {executable}")]
    Core {
        /// What was to be executed.
        executable: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Loading failed: commanded by `fail=start`, or the core died.
    #[error("the engine failed while it was loading")]
    Load,
}

impl SimulatorError {
    /// What the process exits with.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Behaviour(_) => Exit::Usage,
            Self::Listen { .. } | Self::Core { .. } | Self::Load => Exit::Failed,
        }
    }
}

/// The engine inside the calling process. Dropping it stops it at once, cutting its connections.
#[derive(Debug)]
pub struct Simulator {
    listen: Listen,
    open: Open,
    core: JoinSet<()>,
    watcher: JoinSet<()>,
    ended: watch::Receiver<bool>,
}

impl Simulator {
    /// Binds, starts and returns when the engine listens: after `settings.behaviour.load`.
    pub async fn serve_in_process(
        listen: Listen,
        settings: Settings,
    ) -> Result<Self, SimulatorError> {
        let bound = bind(&listen)?;
        let refused = |source| SimulatorError::Listen {
            at: at(&listen),
            source,
        };
        let (link, core_end) = UnixStream::pair().map_err(refused)?;
        let mut core = JoinSet::new();
        let max = settings.max_num_seqs;
        core.spawn(async move {
            core::serve(core_end, &mut None, max).await;
        });
        let pid = std::process::id();
        let (open, mut endings) = Open::new(&listen, bound, settings, link, (pid, pid)).await?;
        let (end, ended) = watch::channel(false);
        let mut watcher = JoinSet::new();
        let (app, serving) = (Arc::clone(&open.app), open.serving.clone());
        watcher.spawn(async move {
            shutdown::until_over(&app, &mut endings).await;
            serving.send_replace(Serving::Cut);
            end.send_replace(true);
        });
        let listen = open.address.map_or(listen, Listen::Tcp);
        Ok(Self {
            listen,
            open,
            core,
            watcher,
            ended,
        })
    }

    /// Where it listens; for TCP with the port that was taken.
    pub fn listen(&self) -> &Listen {
        &self.listen
    }

    /// The TCP address, if it listens on one.
    pub fn address(&self) -> Option<SocketAddr> {
        self.open.address
    }

    /// Does what `POST /simulate` does.
    pub fn simulate(&self, change: &Change) -> Result<(), BehaviourError> {
        self.open.app.simulate(change).map(drop)
    }

    /// Does what `kill -9` of the core process does.
    pub fn kill_core(&mut self) {
        self.core.abort_all();
    }

    /// Sequences in the batch: `vllm:num_requests_running`.
    pub fn requests_running(&self) -> u64 {
        self.open.app.metrics.running()
    }

    /// What `/metrics` answers.
    pub fn metrics_text(&self) -> String {
        self.open.app.metrics.text()
    }

    /// Waits until the engine has ended by itself, as a failure made it.
    pub async fn ended(&self) {
        // An error means that the watcher is gone, and then nothing serves either.
        self.ended.clone().wait_for(|ended| *ended).await.ok();
    }

    /// Does what SIGTERM does: aborts what is in flight, or waits for it as
    /// `settings.shutdown_timeout` says. Returns when nothing serves any more.
    pub async fn stop(mut self) {
        self.watcher.abort_all();
        let Open {
            app,
            serving,
            server,
            ..
        } = &mut self.open;
        shutdown::stop(app, serving, server, std::future::pending()).await;
    }
}

/// An engine that listens.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) app: Arc<App>,
    pub(crate) serving: watch::Sender<Serving>,
    /// The one task that accepts connections and owns them.
    pub(crate) server: JoinSet<()>,
    pub(crate) log: StartLog,
    pub(crate) worker: u32,
    address: Option<SocketAddr>,
    /// Owned, so that they end with the engine.
    _tasks: JoinSet<()>,
}

impl Open {
    /// Loads, and then listens. `pids` are those of API and core.
    pub(crate) async fn new(
        listen: &Listen,
        bound: Bound,
        settings: Settings,
        link: UnixStream,
        (api, core): (u32, u32),
    ) -> Result<(Self, mpsc::UnboundedReceiver<Ending>), SimulatorError> {
        let metrics = Arc::new(Metrics::new(settings.name(), settings.clock.now()));
        let mut tasks = JoinSet::new();
        let engine = Engine::start(link, Arc::clone(&metrics), &mut tasks);
        let worker = engine.worker().await;
        let log = StartLog::new(&settings, Pids { api, core, worker });
        load(&settings, &engine, &log).await?;
        let (commanded, endings) = mpsc::unbounded_channel();
        let app = App::new(settings, engine, metrics, commanded);
        let refused = |source| SimulatorError::Listen {
            at: at(listen),
            source,
        };
        let listener = bound.listen().map_err(refused)?;
        let address = listener.address();
        let serving = watch::Sender::new(Serving::Open);
        let mut server = JoinSet::new();
        server.spawn(connections::serve(
            listener,
            Arc::clone(&app),
            serving.subscribe(),
        ));
        log.ready(&app.settings, listen);
        let open = Self {
            app,
            serving,
            server,
            log,
            worker,
            address,
            _tasks: tasks,
        };
        Ok((open, endings))
    }
}

/// Takes the address.
pub(crate) fn bind(listen: &Listen) -> Result<Bound, SimulatorError> {
    Bound::to(listen).map_err(|source| SimulatorError::Listen {
        at: at(listen),
        source,
    })
}

/// Passes the load time, unless the core dies or a failure is commanded.
async fn load(settings: &Settings, engine: &Engine, log: &StartLog) -> Result<(), SimulatorError> {
    let mut life = engine.life();
    let dead = async { life.wait_for(|life| *life == Life::Dead).await.map(drop) };
    let shards = shards(settings);
    if settings.behaviour.fail == Some(Failure::Start) {
        log.load(settings, shards, settings.behaviour.load / 2)
            .await;
        log.failed("RuntimeError: Simulated failure while loading.");
        return Err(SimulatorError::Load);
    }
    tokio::select! {
        () = log.load(settings, shards, settings.behaviour.load) => Ok(()),
        _ = dead => {
            log.failed("RuntimeError: The core process is gone.");
            Err(SimulatorError::Load)
        }
    }
}

/// Files of weights in the model's folder; one when there is none to count.
fn shards(settings: &Settings) -> u32 {
    let files = fs_err::read_dir(&settings.model_dir)
        .into_iter()
        .flatten()
        .flatten();
    let weights = files.filter(|file| {
        file.path()
            .extension()
            .is_some_and(|extension| extension == "safetensors")
    });
    u32::try_from(weights.count()).unwrap_or(u32::MAX).max(1)
}

fn at(listen: &Listen) -> String {
    match listen {
        Listen::Unix(path) => path.to_string(),
        Listen::Tcp(address) => address.to_string(),
    }
}
