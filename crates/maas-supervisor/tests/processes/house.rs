//! An appliance below a temporary folder, with a supervisor that can be started and killed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use maas_supervisor::{
    BackEnd, DevicePolicy, EngineStatus, Settings, StopEngines, Supervisor, SupervisorError, Wish,
    Wishes,
};
use maas_types::{
    EngineEntry, EngineKind, EngineSettings, EngineState, EngineTable, Layout, ModelManifest, Task,
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

/// Everything here happens in milliseconds; a machine with two busy cores may take long.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct House {
    pub(crate) layout: Layout,
    pub(crate) wishes: Arc<Mutex<Wishes>>,
    pub(crate) settings: Settings,
    running: Option<(JoinSet<Result<(), SupervisorError>>, CancellationToken)>,
    _folder: tempfile::TempDir,
}

impl House {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(folder.path().canonicalize().unwrap()).unwrap();
        Self {
            layout: Layout::new(root),
            wishes: Arc::default(),
            settings: Settings {
                device: DevicePolicy::Cpu,
                kind: EngineKind::Simulated,
                back_end: BackEnd::Direct,
                vllm: "/nonexistent/vllm".into(),
                appliance: fake_engine(),
                simulate: None,
                stop_engines: StopEngines::Never,
                remote_code: false,
                drain_seconds: 20,
            },
            running: None,
            _folder: folder,
        }
    }

    /// The folder of a model, which is also how its engine is told to misbehave.
    pub(crate) fn model(&self, name: &str) -> Utf8PathBuf {
        let folder = self.layout.root().join("models").join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    pub(crate) fn wish(&self, name: &str) -> Wish {
        Wish {
            manifest: ModelManifest {
                name: name.parse().unwrap(),
                title: name.to_owned(),
                licence: "Apache-2.0".to_owned(),
                origin: None,
                task: Task::Generate,
                context: 2048,
                remote_code: false,
                engine: EngineSettings {
                    gpus: 1,
                    replicas: 1,
                    gpu_memory: None,
                    args: Vec::new(),
                    env: BTreeMap::new(),
                    start_timeout_seconds: 60,
                },
            },
            folder: self.model(name),
            content: None,
            root: None,
        }
    }

    pub(crate) fn want(&self, wishes: Vec<Wish>) {
        self.wishes.lock().unwrap().models = wishes;
    }

    pub(crate) fn supervisor(&self) -> Result<Supervisor, SupervisorError> {
        let wishes = Arc::clone(&self.wishes);
        let source = Box::new(move || Ok(wishes.lock().unwrap().clone()));
        Supervisor::new(self.settings.clone(), &self.layout, source)
    }

    pub(crate) fn start(&mut self) {
        let token = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(self.supervisor().unwrap().run(token.clone()));
        self.running = Some((tasks, token));
    }

    /// What `kill -9` does to a supervisor: it does nothing more.
    pub(crate) async fn kill_supervisor(&mut self) {
        let (mut tasks, _) = self.running.take().unwrap();
        tasks.shutdown().await;
    }

    /// What SIGTERM does to it.
    pub(crate) async fn stop_supervisor(&mut self) {
        let (mut tasks, token) = self.running.take().unwrap();
        token.cancel();
        let ended = tokio::time::timeout(PATIENCE, tasks.join_next()).await;
        ended.unwrap().unwrap().unwrap().unwrap();
    }

    pub(crate) fn table(&self) -> Option<EngineTable> {
        serde_json::from_slice(&fs::read(self.layout.engine_table()).ok()?).ok()
    }

    pub(crate) fn entry(&self, id: &str) -> Option<EngineEntry> {
        let table = self.table()?;
        table.engines.into_iter().find(|e| e.id.as_str() == id)
    }

    pub(crate) fn status(&self, id: &str) -> Option<EngineStatus> {
        let path = self.layout.engines().join(format!("{id}/status.json"));
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// Waits until the table's entry of `id` is as `is` wants it.
    pub(crate) async fn until(&self, id: &str, is: impl Fn(&EngineEntry) -> bool) -> EngineEntry {
        eventually(
            || self.entry(id).filter(|entry| is(entry)),
            || format!("{:#?}", self.entry(id)),
        )
        .await
    }

    pub(crate) async fn until_ready(&self, id: &str) -> EngineEntry {
        self.until(id, |e| e.state == EngineState::Ready).await
    }

    /// The process ids of a ready engine: shim, main.
    pub(crate) fn pids(&self, id: &str) -> (u32, u32) {
        let status = self.status(id).unwrap();
        (status.shim.pid, status.engine.unwrap().pid)
    }

    /// Every living process that was started for an engine of this house.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let mark = format!("MAAS_ENGINE_SPEC={}/", self.layout.root());
        let marked = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let mut variables = environment.split(|b| *b == 0);
            variables.any(|v| v.starts_with(mark.as_bytes()))
        };
        let all = fs::read_dir("/proc").unwrap();
        all.filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok())
            .filter(marked)
            .collect()
    }

    pub(crate) async fn until_no_process_is_left(&self) {
        eventually(
            || self.processes().is_empty().then_some(()),
            || format!("left: {:?}", self.processes()),
        )
        .await;
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.running = None;
        // Twice, as an engine may be just starting another process.
        for pid in [self.processes(), self.processes()].concat() {
            kill(pid);
        }
    }
}

pub(crate) fn kill(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // It may be gone already.
    let _: rustix::io::Result<()> = kill_process(pid, Signal::KILL);
}

/// Waits until `look` finds something; says what `state` says if it never does.
pub(crate) async fn eventually<T>(look: impl Fn() -> Option<T>, state: impl Fn() -> String) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{}", state());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn until_exists(file: &Utf8Path) {
    eventually(|| file.exists().then_some(()), || format!("no {file}")).await;
}

/// Built beside the tests by every `cargo test` and `cargo nextest run` that is not restricted to
/// certain targets.
fn fake_engine() -> Utf8PathBuf {
    let own = Utf8PathBuf::from_path_buf(std::env::current_exe().unwrap()).unwrap();
    let path = own
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("examples/fake_engine");
    assert!(
        path.exists(),
        "`{path}` is missing; build it with: cargo build -p maas-supervisor --examples"
    );
    path
}
