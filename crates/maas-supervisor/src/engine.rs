//! One engine's life, from wish to record. Pure and synchronous: every event is a method, and what
//! is to be done about it is a value, so that all of it is tested without a process.
//!
//! ```text
//! waiting ─► running: starting ─► ready ─► ending ─► backing off ─► waiting …
//!    ▲            └──────────┴──────────────► sweeping ──┘   └► failed
//!    └─ from anywhere, when it is no longer wanted: drained, told, gone
//! ```

mod run;
mod words;

use std::{collections::BTreeMap, time::Duration};

use camino::Utf8PathBuf;
use jiff::Timestamp;
use maas_types::{EngineEntry, EngineId, EngineKind, EngineState, GpuUuid, Layout};

use self::run::{Leaving, Run};
use crate::{
    clock::Now,
    placement::Held,
    policy::{Decision, Ending, History},
    process::ProcessId,
    settings::{EngineRoot, Wish},
    spec::EngineSpec,
    status::{Cause, EngineStatus, ExitRecord, Phase},
};

/// What is to be done about an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// Tell its shim to stop it.
    Terminate(ProcessId),
    /// Its shim hangs: kill that. What is left is then swept.
    Kill(ProcessId),
    /// Its shim is gone: remove what these processes may have left.
    Sweep(Vec<ProcessId>),
}

/// One engine.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) id: EngineId,
    pub(crate) wish: Wish,
    kind: EngineKind,
    life: Life,
    wanted: Wanted,
    since: Timestamp,
    history: History,
    restarts: u32,
    /// Where it runs, or ran last.
    gpus: Vec<GpuUuid>,
    log: Option<Utf8PathBuf>,
}

#[derive(Debug)]
enum Life {
    Waiting {
        reason: String,
    },
    /// Somebody who may start units was asked to; who its shim is comes back with the answer.
    Launching,
    Running(Box<Run>),
    /// Its shim is gone, and what it left is being removed.
    Sweeping {
        record: ExitRecord,
    },
    BackingOff {
        until: Duration,
        reason: String,
    },
    Failed {
        reason: String,
    },
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Yes,
    No,
}

impl Engine {
    /// An engine that nobody has started yet.
    pub(crate) fn new(id: EngineId, wish: Wish, kind: EngineKind, now: Now) -> Self {
        Self {
            id,
            wish,
            kind,
            life: Life::Waiting {
                reason: "waits for a place".to_owned(),
            },
            wanted: Wanted::Yes,
            since: now.wall,
            history: History::default(),
            restarts: 0,
            gpus: Vec::new(),
            log: None,
        }
    }

    /// An engine that an earlier supervisor has started and that lives.
    pub(crate) fn adopted(spec: &EngineSpec, status: EngineStatus, now: Now) -> Self {
        let mut engine = Self::of(spec, now);
        engine.life = Life::Running(Box::new(Run::new(status.shim.clone(), spec)));
        engine.status(status, now);
        engine
    }

    /// An engine that an earlier supervisor has started and that died since.
    pub(crate) fn found_dead(
        spec: &EngineSpec,
        status: Option<EngineStatus>,
        now: Now,
        random: u32,
    ) -> (Self, Option<Act>) {
        let mut engine = Self::of(spec, now);
        let ended = status.as_ref().is_some_and(|s| s.phase == Phase::Ended);
        let leaders = status.iter().flat_map(leaders).collect();
        let record = status.and_then(|status| status.exit);
        match record {
            // Somebody stopped it while there was no supervisor. Now it is wanted again.
            Some(record) if ended && record.cause == Cause::Asked => (engine, None),
            Some(record) if ended => {
                engine.ended(&record, Duration::ZERO, now, random);
                (engine, None)
            }
            record => {
                let record = record.unwrap_or_else(|| words::shim_lost(now.wall));
                engine.life = Life::Sweeping { record };
                (engine, Some(Act::Sweep(leaders)))
            }
        }
    }

    fn of(spec: &EngineSpec, now: Now) -> Self {
        let wish = Wish {
            manifest: spec.manifest.clone(),
            folder: spec.folder.clone(),
            content: spec.content,
            root: spec.root.clone().map(|folder| EngineRoot {
                folder,
                env: BTreeMap::new(),
            }),
        };
        let mut engine = Self::new(spec.id.clone(), wish, spec.kind, now);
        engine.gpus.clone_from(&spec.gpus);
        engine.log = Some(spec.log.clone());
        engine
    }

    // === what the supervisor asks ===

    /// Whether it could be started now.
    pub(crate) fn needs_place(&self) -> bool {
        matches!(self.life, Life::Waiting { .. }) && self.wanted == Wanted::Yes
    }

    /// Whether nothing of it is left.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.life, Life::Gone)
    }

    /// The place that it takes.
    pub(crate) fn held(&self) -> Option<Held> {
        match self.life {
            Life::Launching | Life::Running(_) | Life::Sweeping { .. } => {
                Some(Held::Runs(self.gpus.clone()))
            }
            _ if self.gpus.is_empty() => None,
            Life::Waiting { .. } | Life::BackingOff { .. } | Life::Failed { .. } | Life::Gone => {
                Some(Held::Ran(self.gpus.clone()))
            }
        }
    }

    /// The process whose session holds all of its processes.
    pub(crate) fn shim(&self) -> Option<&ProcessId> {
        match &self.life {
            Life::Running(run) => Some(&run.shim),
            Life::Waiting { .. }
            | Life::Launching
            | Life::Sweeping { .. }
            | Life::BackingOff { .. }
            | Life::Failed { .. }
            | Life::Gone => None,
        }
    }

    /// Whether it takes or gives back memory just now, so that nobody may measure it beside it on
    /// one of `gpus` (vllm#17979: two engines that start at once mis-measure each other).
    pub(crate) fn disturbs(&self, gpus: &[GpuUuid]) -> bool {
        let moving = match &self.life {
            Life::Running(run) => run.ready.is_none() || run.ending.is_some() || run.is_leaving(),
            Life::Launching | Life::Sweeping { .. } => true,
            Life::Waiting { .. } | Life::BackingOff { .. } | Life::Failed { .. } | Life::Gone => {
                false
            }
        };
        moving && self.gpus.iter().any(|gpu| gpus.contains(gpu))
    }

    // === what happens to it ===

    /// It cannot be started yet.
    pub(crate) fn waits(&mut self, reason: String) {
        if let Life::Waiting { reason: old } = &mut self.life {
            *old = reason;
        }
    }

    /// It can never be started as it is wanted.
    pub(crate) fn refused(&mut self, reason: String, now: Now) {
        self.change(now, |engine| engine.life = Life::Failed { reason });
    }

    /// Its shim was started.
    pub(crate) fn launched(&mut self, spec: &EngineSpec, shim: ProcessId, now: Now) {
        self.change(now, |engine| {
            engine.gpus.clone_from(&spec.gpus);
            engine.log = Some(spec.log.clone());
            let mut run = Run::new(shim, spec);
            if engine.wanted == Wanted::No {
                run.leaving = Leaving::Announced(now.elapsed);
            }
            engine.life = Life::Running(Box::new(run));
        });
    }

    /// Whoever may start its unit was asked to.
    pub(crate) fn launching(&mut self, spec: &EngineSpec, now: Now) {
        self.change(now, |engine| {
            engine.gpus.clone_from(&spec.gpus);
            engine.log = Some(spec.log.clone());
            engine.life = Life::Launching;
        });
    }

    /// Its shim could not be started.
    pub(crate) fn not_launched(&mut self, detail: String, now: Now, random: u32) {
        let record = ExitRecord {
            when: now.wall,
            cause: Cause::NotStarted { detail },
            code: None,
            signal: None,
            line: None,
            unkillable: Vec::new(),
        };
        self.change(now, |engine| {
            engine.ended(&record, Duration::ZERO, now, random);
        });
    }

    /// Its shim says how it is. Answers with the engine's main process when that is new.
    pub(crate) fn status(&mut self, status: EngineStatus, now: Now) -> Option<ProcessId> {
        let mut news = None;
        self.change(now, |engine| {
            let Life::Running(run) = &mut engine.life else {
                return;
            };
            if status.shim != run.shim {
                return;
            }
            let known = run.status.as_ref().and_then(|old| old.engine.as_ref());
            if status.engine.as_ref() != known {
                news.clone_from(&status.engine);
            }
            run.read(status, now);
        });
        news
    }

    /// The process `main` has ended, and its shim may not have said so yet.
    pub(crate) fn main_gone(&mut self, main: &ProcessId, now: Now) {
        self.change(now, |engine| {
            if let Life::Running(run) = &mut engine.life
                && run.status.as_ref().and_then(|s| s.engine.as_ref()) == Some(main)
            {
                run.ending.get_or_insert(now.elapsed);
            }
        });
    }

    /// Its shim has ended and `last` is what it said last.
    pub(crate) fn shim_gone(
        &mut self,
        shim: &ProcessId,
        last: Option<EngineStatus>,
        now: Now,
        random: u32,
    ) -> Option<Act> {
        let mut act = None;
        self.change(now, |engine| {
            let Life::Running(run) = &engine.life else {
                return;
            };
            if run.shim != *shim {
                return;
            }
            let ready = run.ready_for(now);
            let last = last.filter(|last| last.shim == *shim);
            let ended = last.as_ref().filter(|last| last.phase == Phase::Ended);
            if let Some(record) = ended.and_then(|last| last.exit.as_ref()) {
                engine.ended(record, ready, now, random);
                return;
            }
            let mut found: Vec<_> = last.iter().flat_map(leaders).collect();
            found.push(shim.clone());
            let record = words::shim_lost(now.wall);
            engine.life = Life::Sweeping { record };
            act = Some(Act::Sweep(found));
        });
        act
    }

    /// What it left was removed, but for the processes in `left`.
    pub(crate) fn swept(&mut self, left: &[u32], now: Now, random: u32) {
        self.change(now, |engine| {
            let Life::Sweeping { record } = &engine.life else {
                return;
            };
            let mut record = record.clone();
            record.unkillable = left.to_vec();
            engine.ended(&record, Duration::ZERO, now, random);
        });
    }

    /// It is no longer wanted.
    pub(crate) fn unwanted(&mut self, now: Now) {
        self.change(now, |engine| {
            engine.wanted = Wanted::No;
            match &mut engine.life {
                Life::Running(run) if run.leaving == Leaving::No => {
                    run.leaving = Leaving::Announced(now.elapsed);
                }
                // It ends by itself.
                Life::Launching | Life::Running(_) | Life::Sweeping { .. } => {}
                Life::Waiting { .. }
                | Life::BackingOff { .. }
                | Life::Failed { .. }
                | Life::Gone => engine.life = Life::Gone,
            }
        });
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Now) -> Option<Act> {
        let mut act = None;
        self.change(now, |engine| match &mut engine.life {
            Life::BackingOff { until, reason } if *until <= now.elapsed => {
                let reason = std::mem::take(reason);
                engine.restarts = engine.restarts.saturating_add(1);
                engine.life = Life::Waiting { reason };
            }
            Life::Running(run) => act = run.tick(now),
            Life::Waiting { .. }
            | Life::Launching
            | Life::Sweeping { .. }
            | Life::BackingOff { .. }
            | Life::Failed { .. }
            | Life::Gone => {}
        });
        act
    }

    fn ended(&mut self, record: &ExitRecord, ready: Duration, now: Now, random: u32) {
        if self.wanted == Wanted::No && record.unkillable.is_empty() {
            self.life = Life::Gone;
            return;
        }
        let why = words::why(record);
        let log = self.log.as_deref();
        if !record.unkillable.is_empty() {
            let reason = words::unkillable(&why, &record.unkillable);
            self.life = Life::Failed { reason };
            return;
        }
        let ending = match (&record.cause, record.code) {
            // argparse's code for flags that it does not know.
            (Cause::Died, Some(2)) => Ending::BadFlags,
            _ => Ending::Crash,
        };
        self.life = match self.history.failed(ending, now.elapsed, ready, random) {
            Decision::Restart(delay) => Life::BackingOff {
                until: now.elapsed + delay,
                reason: words::again(&why, now.wall, delay),
            },
            Decision::GiveUp(give_up) => Life::Failed {
                reason: words::given_up(&why, give_up, log),
            },
        };
    }

    fn change(&mut self, now: Now, change: impl FnOnce(&mut Self)) {
        let before = self.state();
        change(self);
        if self.state() != before {
            self.since = now.wall;
        }
    }

    // === what the table says ===

    pub(crate) fn state(&self) -> EngineState {
        match &self.life {
            Life::Waiting { .. } => EngineState::Unplaced,
            Life::Launching => EngineState::Starting,
            Life::Running(run) => run.state(),
            Life::Sweeping { .. } | Life::BackingOff { .. } => EngineState::BackingOff,
            Life::Failed { .. } => EngineState::Failed,
            Life::Gone => EngineState::Stopped,
        }
    }

    pub(crate) fn entry(&self, layout: &Layout) -> EngineEntry {
        let (run, reason) = match &self.life {
            Life::Running(run) => (Some(run), run.reason()),
            Life::Waiting { reason }
            | Life::BackingOff { reason, .. }
            | Life::Failed { reason } => (None, Some(reason.clone())),
            Life::Sweeping { record } => (None, Some(words::sweeping(Some(record)))),
            Life::Launching | Life::Gone => (None, None),
        };
        let status = run.and_then(|run| run.status.as_ref());
        let state = self.state();
        let progress = status.filter(|_| state == EngineState::Starting);
        let manifest = &self.wish.manifest;
        EngineEntry {
            id: self.id.clone(),
            model: manifest.name.clone(),
            task: manifest.task,
            kind: self.kind,
            state,
            since: self.since,
            progress_percent: progress.map(|status| status.progress.percent),
            reason,
            socket: layout.engine_socket(&self.id),
            // What it was told with `--max-model-len`, and a token has shown that it took it.
            max_model_len: run.and_then(|run| run.ready).map(|_| manifest.context),
            gpus: self.gpus.clone(),
            shim_pid: run.map(|run| run.shim.pid),
            restarts: self.restarts,
        }
    }
}

/// The processes of a run that lead a session or a group.
fn leaders(status: &EngineStatus) -> impl Iterator<Item = ProcessId> {
    [Some(status.shim.clone()), status.engine.clone()]
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests;
