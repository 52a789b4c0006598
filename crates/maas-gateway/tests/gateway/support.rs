//! A house: folders, a registry with one team and one key, engines, and a gateway on port 0.

use std::{
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use maas_gateway::{Clock, Gateway, Pace, Settings, Sockets, TlsFiles, admin};
use maas_keys::{
    Entropy, Limits, ModelAccess, NewKey, NewTeam, Pepper, Registry, SiteTimeZone, TeamSettings,
    UsageBy, UsageQuery, UsageRow,
};
use maas_simulator::{Listen, Simulator};
use maas_types::{
    EngineEntry, EngineId, EngineKind, EngineState, EngineTable, KeyId, Layout, Task, Usage,
};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    task::JoinSet,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

/// Long enough for a busy machine; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// 2026-11-22 12:00 UTC.
pub(crate) fn noon() -> Timestamp {
    Timestamp::from_second(1_795_348_800).unwrap()
}

/// Waits, but not for ever.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("it happens within 30 s")
}

/// Waits until `what` is true, letting everybody else work in between.
pub(crate) async fn until(what: impl Fn() -> bool) {
    within(async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

pub(crate) struct Plan {
    pub(crate) pace: Pace,
    pub(crate) team: TeamSettings,
    pub(crate) key: Limits,
    /// Simulated engines, by id and settings; the model is the settings' name.
    pub(crate) engines: Vec<(&'static str, maas_simulator::Settings)>,
}

/// An engine that answers at once and says the same for the same request.
pub(crate) fn engine(model: &str) -> maas_simulator::Settings {
    let mut settings = maas_simulator::Settings::new(model);
    settings.max_model_len = 2048;
    settings.clock = maas_simulator::Clock(noon);
    settings.prefix_caching = maas_simulator::Switch::Off;
    settings
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            pace: Pace::default(),
            team: TeamSettings::default(),
            key: Limits::default(),
            engines: vec![("tiny-0", engine("tiny"))],
        }
    }
}

pub(crate) struct House {
    pub(crate) layout: Layout,
    pub(crate) registry: Registry,
    pub(crate) engines: Vec<Simulator>,
    pub(crate) key: String,
    pub(crate) key_id: KeyId,
    pub(crate) address: SocketAddr,
    pub(crate) metrics: SocketAddr,
    pub(crate) admin: admin::Client,
    pub(crate) shutdown: CancellationToken,
    pub(crate) running: JoinSet<Result<(), maas_gateway::GatewayError>>,
    tls: TlsConnector,
    _folder: tempfile::TempDir,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::planned(Plan::default()).await
    }

    pub(crate) async fn planned(plan: Plan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let layout = Layout::new(root);
        fs_err::create_dir_all(layout.engines()).unwrap();
        fs_err::create_dir_all(layout.gateway()).unwrap();

        let mut engines = Vec::new();
        let mut entries = Vec::new();
        for (id, settings) in plan.engines {
            let id: EngineId = id.parse().unwrap();
            fs_err::create_dir_all(layout.engine(&id)).unwrap();
            let socket = layout.engine_socket(&id);
            let model = settings.name().parse().unwrap();
            engines.push(
                Simulator::serve_in_process(Listen::Unix(socket.clone()), settings)
                    .await
                    .unwrap(),
            );
            entries.push(entry(id, model, socket));
        }
        write_table(&layout, 1, entries);

        let (tls, connector) = certificate(root);
        let registry = open_registry(&layout);
        let (key_id, key) = first_key(&registry, plan.team, plan.key);

        let settings = Settings {
            listen: Vec::new(),
            metrics_listen: None,
            tls,
            version: "0.1.0-test",
            clock: Clock(noon),
            pace: plan.pace,
        };
        let sockets = Sockets {
            tls: vec![std::net::TcpListener::bind("127.0.0.1:0").unwrap()],
            metrics: Some(std::net::TcpListener::bind("127.0.0.1:0").unwrap()),
        };
        let gateway = Gateway::open(settings, layout.clone(), registry.clone(), sockets).unwrap();
        let address = gateway.addresses()[0];
        let metrics = gateway.metrics_address().unwrap();
        let shutdown = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(gateway.run(shutdown.clone()));
        Self {
            admin: admin::Client::new(&layout),
            layout,
            registry,
            engines,
            key,
            key_id,
            address,
            metrics,
            shutdown,
            running,
            tls: connector,
            _folder: folder,
        }
    }

    /// A TLS connection.
    pub(crate) async fn connect(&self) -> TlsStream<TcpStream> {
        let stream = within(TcpStream::connect(self.address)).await.unwrap();
        let name = "localhost".try_into().unwrap();
        within(self.tls.connect(name, stream)).await.unwrap()
    }

    /// Sends a request on a connection of its own.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        exchange(self.connect().await, request).await
    }

    /// A request with the house's key.
    pub(crate) fn request(&self, method: Method, path: &str, body: &str) -> Request<Full<Bytes>> {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("authorization", format!("Bearer {}", self.key))
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
            .unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send(self.request(Method::POST, path, body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path, "")).await
    }

    /// Asks the first engine itself, in the words of the gateway.
    pub(crate) async fn ask_engine(&self, path: &str, id: &str, body: &str) -> Answer {
        let Listen::Unix(socket) = self.engines[0].listen() else {
            panic!("a Unix socket")
        };
        let stream = UnixStream::connect(socket).await.unwrap();
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header("host", "engine")
            .header("content-type", "application/json")
            .header("x-request-id", id)
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
            .unwrap();
        exchange(stream, request).await
    }

    /// What the house's team was billed today.
    pub(crate) fn billed(&self) -> UsageRow {
        let today = self.registry.day(noon()).date;
        let query = UsageQuery {
            by: UsageBy::Team,
            from: today,
            to: today,
        };
        self.registry.usage(&query).unwrap().total
    }

    pub(crate) fn bill(&self) -> Usage {
        self.billed().usage
    }

    /// What stands in the ledger's file after the gateway has ended.
    pub(crate) fn bill_on_disk(&self) -> Usage {
        let again = open_registry(&self.layout);
        let today = again.day(noon()).date;
        let query = UsageQuery {
            by: UsageBy::Team,
            from: today,
            to: today,
        };
        again.usage(&query).unwrap().total.usage
    }

    /// Waits until a request is running in the first engine.
    pub(crate) async fn engine_runs(&self, requests: u64) {
        until(|| self.engines[0].requests_running() == requests).await;
    }

    /// Replaces the engine table and waits until the gateway has read it.
    pub(crate) async fn replace_table(&self, sequence: u64, entries: Vec<EngineEntry>) {
        write_table(&self.layout, sequence, entries);
        within(async {
            while self.admin.status().await.unwrap().engine_table.sequence != Some(sequence) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
    }
}

pub(crate) fn entry(
    id: EngineId,
    model: maas_types::ModelName,
    socket: Utf8PathBuf,
) -> EngineEntry {
    EngineEntry {
        id,
        model,
        task: Task::Generate,
        kind: EngineKind::Simulated,
        state: EngineState::Ready,
        since: noon(),
        progress_percent: None,
        reason: None,
        socket,
        max_model_len: Some(2048),
        gpus: Vec::new(),
        shim_pid: None,
        restarts: 0,
    }
}

fn write_table(layout: &Layout, sequence: u64, engines: Vec<EngineEntry>) {
    let table = EngineTable {
        schema: EngineTable::SCHEMA.to_owned(),
        sequence,
        written: noon(),
        generation: Some("7-1".parse().unwrap()),
        engines,
    };
    let beside = layout.run().join("engines.json.new");
    fs_err::write(&beside, serde_json::to_vec(&table).unwrap()).unwrap();
    fs_err::rename(beside, layout.engine_table()).unwrap();
}

fn open_registry(layout: &Layout) -> Registry {
    let pepper = Pepper::from_bytes(&[7; 32]);
    Registry::open(&layout.state_db(), pepper, noon(), SiteTimeZone::utc()).unwrap()
}

fn first_key(registry: &Registry, settings: TeamSettings, limits: Limits) -> (KeyId, String) {
    let team = NewTeam {
        name: "blue".parse().unwrap(),
        settings,
    };
    registry.create_team(team, noon()).unwrap();
    let new = NewKey {
        team: "blue".parse().unwrap(),
        user: None,
        name: "laptop".to_owned(),
        models: ModelAccess::All,
        expires: None,
        limits,
    };
    let entropy = Entropy::from_bytes([42; 48]);
    let (record, secret) = registry.create_key(new, noon(), &entropy).unwrap();
    (record.id, secret.expose().to_owned())
}

fn certificate(root: &Utf8Path) -> (TlsFiles, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let files = TlsFiles {
        chain: root.join("chain.pem"),
        key: root.join("key.pem"),
    };
    fs_err::write(&files.chain, made.cert.pem()).unwrap();
    fs_err::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (files, TlsConnector::from(Arc::new(config)))
}

/// An answer whose body is still to be read. Dropping it drops the connection.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    _connection: JoinSet<()>,
}

async fn exchange(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
) -> Answer {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let mut driver = JoinSet::new();
    driver.spawn(async move { drop(connection.await) });
    let (head, body) = within(sender.send_request(request))
        .await
        .unwrap()
        .into_parts();
    Answer {
        status: head.status,
        headers: head.headers,
        body,
        _connection: driver,
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// All of the body.
    pub(crate) async fn text(self) -> String {
        let whole = within(self.body.collect()).await.unwrap().to_bytes();
        String::from_utf8(whole.to_vec()).unwrap()
    }

    pub(crate) async fn json(self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"))
    }

    /// What comes next of the body; `None` at its end.
    pub(crate) async fn more(&mut self) -> Option<String> {
        let frame = within(self.body.frame()).await?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    }

    /// Reads until the body so far contains `what`. Returns the body so far.
    pub(crate) async fn read_until(&mut self, what: &str) -> String {
        let mut text = String::new();
        while !text.contains(what) {
            text += &self
                .more()
                .await
                .unwrap_or_else(|| panic!("no `{what}` in {text}"));
        }
        text
    }
}

/// Sends bytes as they are and reads until the other side closes, or `enough` was seen.
pub(crate) async fn raw(house: &House, text: &[u8], enough: &str) -> String {
    let mut stream = house.connect().await;
    stream.write_all(text).await.unwrap();
    stream.flush().await.unwrap();
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = pin!(stream.read(&mut buffer));
        match within(read).await {
            Ok(0) | Err(_) => break,
            Ok(count) => seen.extend_from_slice(&buffer[..count]),
        }
        if String::from_utf8_lossy(&seen).contains(enough) {
            break;
        }
    }
    String::from_utf8_lossy(&seen).into_owned()
}

/// An engine that answers everything with `answer`, raw bytes, and closes.
pub(crate) fn odd_engine(
    house: &House,
    id: &str,
    answer: &'static [u8],
) -> (EngineEntry, JoinSet<()>) {
    let id: EngineId = id.parse().unwrap();
    fs_err::create_dir_all(house.layout.engine(&id)).unwrap();
    let socket = house.layout.engine_socket(&id);
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = vec![0; 65536];
            drop(stream.read(&mut buffer).await);
            drop(stream.write_all(answer).await);
            drop(stream.shutdown().await);
        }
    });
    (entry(id, "tiny".parse().unwrap(), socket), serving)
}

/// An engine that reads a request and closes the connection. Counts how often.
pub(crate) fn dying_engine(
    house: &House,
    id: &str,
) -> (EngineEntry, Arc<AtomicUsize>, JoinSet<()>) {
    let id: EngineId = id.parse().unwrap();
    fs_err::create_dir_all(house.layout.engine(&id)).unwrap();
    let socket = house.layout.engine_socket(&id);
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let deaths = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&deaths);
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = vec![0; 65536];
            // Whoever asks for metrics leaves no body behind and is not counted.
            let read = stream.read(&mut buffer).await.unwrap_or(0);
            if buffer[..read].starts_with(b"POST") {
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    (entry(id, "tiny".parse().unwrap(), socket), deaths, serving)
}

/// Asks the metrics listener.
pub(crate) async fn plain_http(address: SocketAddr, path: &str) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    let request = Request::builder().uri(path).header("host", "localhost");
    exchange(stream, request.body(Full::default()).unwrap()).await
}

impl House {
    /// A TLS connection on which HTTP/2 was agreed.
    pub(crate) async fn connect_h2(&self) -> TlsStream<TcpStream> {
        let mut config = ClientConfig::clone(self.tls.config());
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = "localhost".try_into().unwrap();
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        stream
    }
}
