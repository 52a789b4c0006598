//! The one owner of the truth about engines: a single loop that reads what has changed, lets each
//! engine's state machine decide, does what it says, and publishes the table.
//!
//! It reads small files and `/proc` on the loop itself: together they are some hundred microseconds
//! ten times a second. What takes longer (waiting for deaths, sweeping) is a task in a [`JoinSet`].

mod launch;
mod units;

use std::{collections::BTreeMap, time::Duration};

use maas_types::{EngineEntry, EngineId, GpuInventory, Layout};
use rustix::process::{Signal, getpid, set_child_subreaper};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::{
    argv,
    clock::Now,
    engine::{Act, Engine},
    error::SupervisorError,
    files::{self, ProcessLock},
    placement,
    process::ProcessId,
    recover::{Life, recover},
    settings::{BackEnd, Settings, StopEngines, WishSource, Wishes},
    spec::{EngineFiles, EngineSpec},
    state,
    status::EngineStatus,
    sweep::{Traces, sweep},
    table::Table,
};

/// How often statuses are read: half of the 200 ms in which the death of an engine must be in the
/// table, though deaths themselves wake the loop.
const LOOK: Duration = Duration::from_millis(100);

/// How often wishes and GPUs are read. A person who installs a generation does not notice a second.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// Runs the engines of one appliance.
pub struct Supervisor {
    settings: Settings,
    layout: Layout,
    source: WishSource,
    /// `None` until the source has answered once.
    wishes: Option<Wishes>,
    source_fails: bool,
    inventory: Option<GpuInventory>,
    engines: BTreeMap<EngineId, Engine>,
    /// Processes that are left of engines that are gone.
    left: BTreeMap<EngineId, Vec<u32>>,
    tasks: JoinSet<Event>,
    table: Table,
    begun: Instant,
    looked_around: Option<Instant>,
    stopping: bool,
    turn: Box<dyn FnMut() + Send>,
    _lock: ProcessLock,
}

/// What a task has found.
#[derive(Debug)]
enum Event {
    ShimGone(EngineId, ProcessId),
    MainGone(EngineId, ProcessId),
    Swept(EngineId, Vec<u32>),
    Launched(EngineId, Box<EngineSpec>, Result<ProcessId, String>),
    /// What was asked of the launcher failed; the engine's own files and process say the rest.
    Asked(EngineId, Result<(), String>),
}

impl std::fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supervisor")
            .field("settings", &self.settings)
            .field("layout", &self.layout)
            .field("engines", &self.engines)
            .finish_non_exhaustive()
    }
}

impl Supervisor {
    /// A supervisor that has taken the lock of `layout` and made its folders, and has not looked at
    /// any process yet. [`SupervisorError::Busy`] if there is another one.
    pub fn new(
        settings: Settings,
        layout: &Layout,
        source: WishSource,
    ) -> Result<Self, SupervisorError> {
        let layout = state::prepared(layout, &settings.back_end)?;
        let lock = state::lock(&layout)?;
        Ok(Self {
            settings,
            source,
            wishes: None,
            source_fails: false,
            inventory: None,
            engines: BTreeMap::new(),
            left: BTreeMap::new(),
            tasks: JoinSet::new(),
            table: Table::default(),
            begun: Instant::now(),
            looked_around: None,
            stopping: false,
            turn: Box::new(|| ()),
            layout,
            _lock: lock,
        })
    }

    /// Calls `turn` in every round of the loop, at least ten times a second: for a watchdog.
    #[must_use]
    pub fn on_every_turn(mut self, turn: impl FnMut() + Send + 'static) -> Self {
        self.turn = Box::new(turn);
        self
    }

    /// Runs until `shutdown`. What happens to the engines then is [`Settings::stop_engines`]; if
    /// this future is dropped, or its process killed, they go on, and the next supervisor adopts
    /// them.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), SupervisorError> {
        // When a shim is killed, its orphans become our children, and we can take their exit
        // statuses. Without that they stay zombies where process 1 does not do it.
        if let Err(error) = set_child_subreaper(Some(getpid())) {
            tracing::warn!(%error, "cannot become the reaper of orphans: {error}");
        }
        self.adopt().await?;
        let mut tick = interval(LOOK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            self.advance();
            self.publish();
            (self.turn)();
            if self.stopping && self.engines.is_empty() {
                return self.stopped();
            }
            tokio::select! {
                () = shutdown.cancelled(), if !self.stopping => {
                    match self.settings.stop_engines {
                        StopEngines::Never => return Ok(()),
                        StopEngines::WithSupervisor => self.stop(),
                    }
                }
                _ = tick.tick() => {}
                Some(event) = self.tasks.join_next() => match event {
                    Ok(event) => self.handle(event),
                    Err(error) => tracing::error!(%error, "a task of the supervisor has failed: {error}"),
                },
            }
        }
    }

    /// Takes over what an earlier supervisor has started.
    async fn adopt(&mut self) -> Result<(), SupervisorError> {
        let engines = self.layout.engines();
        let found = recover(&self.layout)
            .await
            .map_err(state::failed(&engines))?;
        let now = self.now();
        for found in found {
            let id = found.spec.id.clone();
            let same = self.settings.kind == found.spec.kind
                && *self.settings.program() == found.spec.program;
            let (engine, act) = match (found.life, found.status) {
                (Life::Lives, Some(status)) => {
                    let pid = status.shim.pid;
                    tracing::info!(engine.id = %id, pid, "Adopted engine `{id}` (shim {pid})");
                    self.watch(&id, status.shim.clone(), Event::ShimGone);
                    if let Some(main) = status.engine.clone() {
                        self.watch(&id, main, Event::MainGone);
                    }
                    (Engine::adopted(&found.spec, status, now), None)
                }
                (_, status) => {
                    note_unkillable(&mut self.left, &id, status.as_ref());
                    Engine::found_dead(&found.spec, status, now, random())
                }
            };
            self.engines.insert(id.clone(), engine);
            self.carry_out(&id, act);
            if !same && let Some(engine) = self.engines.get_mut(&id) {
                tracing::info!(engine.id = %id, "Engine `{id}` runs another program than is configured now; it is replaced");
                engine.unwanted(now);
            }
        }
        Ok(())
    }

    /// Everything that time and files may have changed.
    fn advance(&mut self) {
        if self
            .looked_around
            .is_none_or(|at| at.elapsed() >= LOOK_AROUND)
        {
            self.looked_around = Some(Instant::now());
            self.look_around();
        }
        let now = self.now();
        for id in self.engines.keys().cloned().collect::<Vec<_>>() {
            self.read_status(&id, now);
            let act = self
                .engines
                .get_mut(&id)
                .and_then(|engine| engine.tick(now));
            self.carry_out(&id, act);
        }
        self.reconcile(now);
        if !self.stopping {
            self.launch(now);
        }
    }

    fn look_around(&mut self) {
        match (self.source)() {
            Ok(wishes) => {
                self.source_fails = false;
                self.wishes = Some(wishes);
            }
            Err(error) if !self.source_fails => {
                self.source_fails = true;
                tracing::error!(%error, "cannot read the current generation; what runs goes on: {error}");
            }
            Err(_) => {}
        }
        self.inventory = files::read(&self.layout.gpu_inventory());
    }

    /// Lets go of engines that are not wanted and makes those that are.
    fn reconcile(&mut self, now: Now) {
        // Nothing is stopped for want of an answer.
        let Some(wishes) = &self.wishes else {
            return self.forget();
        };
        let wanted = if self.stopping {
            Vec::new()
        } else {
            placement::demands(&wishes.models)
        };
        for engine in self.engines.values_mut() {
            let wish = wanted.iter().find(|(id, _)| *id == engine.id);
            match wish {
                // The same files in a newer generation's folder: from there next time.
                Some((_, wish)) if engine.wish.is_met_by(wish) => {
                    engine.wish.folder.clone_from(&wish.folder);
                    engine.wish.root.clone_from(&wish.root);
                }
                Some(_) | None => engine.unwanted(now),
            }
        }
        let kind = self.settings.kind;
        let mut missing: Vec<_> = wanted
            .into_iter()
            .filter(|(id, _)| self.engines.get(id).is_none_or(Engine::is_gone))
            .map(|(id, wish)| (id.clone(), Engine::new(id, wish.clone(), kind, now)))
            .collect();
        self.forget();
        self.engines.extend(missing.drain(..));
    }

    /// Removes engines of which nothing is left, and their files.
    fn forget(&mut self) {
        let gone = self.engines.extract_if(.., |_, engine| engine.is_gone());
        for (id, _) in gone {
            if let Err(error) = EngineFiles::new(&self.layout, &id).remove() {
                tracing::warn!(%error, "{error}");
            }
        }
    }

    fn read_status(&mut self, id: &EngineId, now: Now) {
        let Some(engine) = self.engines.get_mut(id) else {
            return;
        };
        if engine.shim().is_none() {
            return;
        }
        let path = EngineFiles::new(&self.layout, id).status();
        let status: Option<EngineStatus> = files::read(&path);
        let main = status.and_then(|status| engine.status(status, now));
        if let Some(main) = main {
            self.watch(id, main, Event::MainGone);
        }
    }

    fn handle(&mut self, event: Event) {
        let now = self.now();
        let (Event::ShimGone(id, _)
        | Event::MainGone(id, _)
        | Event::Swept(id, _)
        | Event::Launched(id, ..)
        | Event::Asked(id, _)) = &event;
        let id = id.clone();
        let Some(engine) = self.engines.get_mut(&id) else {
            return;
        };
        let act = match event {
            Event::MainGone(_, main) => {
                engine.main_gone(&main, now);
                None
            }
            Event::ShimGone(_, shim) => {
                let last: Option<EngineStatus> =
                    files::read(&EngineFiles::new(&self.layout, &id).status());
                note_unkillable(&mut self.left, &id, last.as_ref());
                engine.shim_gone(&shim, last, now, random())
            }
            Event::Swept(_, left) => {
                if !left.is_empty() {
                    self.left.insert(id.clone(), left.clone());
                }
                engine.swept(&left, now, random());
                None
            }
            Event::Launched(_, spec, Ok(shim)) => {
                engine.launched(&spec, shim.clone(), now);
                self.watch(&id, shim, Event::ShimGone);
                None
            }
            Event::Launched(_, _, Err(detail)) => {
                engine.not_launched(detail, now, random());
                None
            }
            Event::Asked(_, asked) => {
                if let Err(error) = asked {
                    tracing::error!(engine.id = %id, %error, "the launcher failed: {error}");
                }
                None
            }
        };
        self.carry_out(&id, act);
    }

    fn carry_out(&mut self, id: &EngineId, act: Option<Act>) {
        let Some(act) = act else { return };
        match self.settings.back_end.clone() {
            BackEnd::Direct => self.carry_out_directly(id, act),
            BackEnd::Units { launcher } => self.ask(id, &act, launcher),
        }
    }

    fn carry_out_directly(&mut self, id: &EngineId, act: Act) {
        let (shim, signal) = match act {
            Act::Terminate(shim) => (shim, Signal::TERM),
            Act::Kill(shim) => (shim, Signal::KILL),
            Act::Sweep(leaders) => {
                let id = id.clone();
                let traces = Traces {
                    marker: argv::marker(&EngineFiles::new(&self.layout, &id).spec()),
                    leaders,
                    parent: None,
                };
                self.tasks
                    .spawn(async move { Event::Swept(id, sweep(&traces).await) });
                return;
            }
        };
        if let Err(error) = shim.signal(signal) {
            tracing::error!(engine.id = %id, %error, "cannot signal the shim of `{id}`: {error}");
        }
    }

    fn watch(
        &mut self,
        id: &EngineId,
        process: ProcessId,
        event: fn(EngineId, ProcessId) -> Event,
    ) {
        let id = id.clone();
        self.tasks.spawn(async move {
            process.gone().await;
            event(id, process)
        });
    }

    fn stop(&mut self) {
        self.stopping = true;
        let now = self.now();
        for engine in self.engines.values_mut() {
            engine.unwanted(now);
        }
    }

    fn stopped(self) -> Result<(), SupervisorError> {
        if self.left.is_empty() {
            return Ok(());
        }
        Err(SupervisorError::Unkillable { left: self.left })
    }

    fn publish(&mut self) {
        let now = self.now();
        let generation = self.wishes.as_ref().and_then(|wishes| wishes.generation);
        let entries: Vec<EngineEntry> = self
            .in_order()
            .iter()
            .filter_map(|id| Some(self.engines.get(id)?.entry(&self.layout)))
            .collect();
        let layout = &self.layout;
        if let Err(error) = self.table.publish(layout, generation, entries, now) {
            tracing::error!(%error, "cannot publish the table of engines: {error}");
        }
    }

    /// Engines in the order of the generation, then those that are on their way out.
    fn in_order(&self) -> Vec<EngineId> {
        let models = self.wishes.as_ref().map(|w| w.models.as_slice());
        let mut order: Vec<EngineId> = placement::demands(models.unwrap_or_default())
            .into_iter()
            .map(|(id, _)| id)
            .filter(|id| self.engines.contains_key(id))
            .collect();
        let others = self.engines.keys().filter(|id| !order.contains(id));
        let others: Vec<_> = others.cloned().collect();
        order.extend(others);
        order
    }

    fn now(&self) -> Now {
        Now::after(self.begun)
    }
}

/// Keeps in mind which processes a shim could not kill, whatever becomes of its engine.
fn note_unkillable(
    left: &mut BTreeMap<EngineId, Vec<u32>>,
    id: &EngineId,
    last: Option<&EngineStatus>,
) {
    let record = last.and_then(|status| status.exit.as_ref());
    if let Some(record) = record.filter(|record| !record.unkillable.is_empty()) {
        left.insert(id.clone(), record.unkillable.clone());
    }
}

/// For the jitter of back-offs. Without the kernel's randomness there is none, which is no harm.
fn random() -> u32 {
    getrandom::u32().unwrap_or(0)
}
