//! The small process between the supervisor and one engine.
//!
//! It outlives the supervisor and must run for months across upgrades, so it decides nothing: it
//! starts one engine once, says how that goes, and when the engine ends, or when it is told to end
//! it, leaves nothing behind but a record. Whether to try again is the supervisor's question.

mod signals;

use std::time::Duration;

use camino::Utf8Path;
use jiff::Timestamp;
use maas_types::Exit;
use rustix::process::Signal;
use tokio::time::{Instant, sleep, sleep_until};

use self::signals::{Reaped, Signals, Told};
use crate::{
    argv,
    clock::wall_clock,
    files::{self, ProcessLock},
    log::Log,
    process::ProcessId,
    progress::{Progress, Stage},
    spawn,
    spec::{EngineFiles, EngineSpec},
    status::{Cause, EngineStatus, ExitRecord, Phase},
    sweep::{self, Traces},
    token::{NoToken, first_token},
};

/// What vLLM needs after its own `--shutdown-timeout`: 5 s for its workers, 4 s more, then it kills
/// them; with room for a busy host (`field/supervisor.md` 7: at least 25 s).
const AFTER_DRAIN: Duration = Duration::from_secs(25);

/// Between two questions whether a loading engine answers. Connecting to a socket that is not there
/// costs nothing.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// The longest start that is waited for, seconds: a day. Nothing that loads so long is loading.
const LONGEST_START: u64 = 86_400;

/// How long the last words of a dead engine may take through its pipe. Longer only if a process
/// that cannot be killed holds the pipe.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs one engine to its end, as the spec at `spec_path` says, and answers how it went:
/// [`Exit::Done`] if it was told to stop, [`Exit::Failed`] if the engine ended by itself (with
/// whatever code) or never worked, [`Exit::Busy`] if this engine already has a shim.
///
/// For the verb [`SHIM_VERB`](crate::SHIM_VERB), awaited directly by `main`: it makes this process
/// the leader of a session and the reaper of all orphans below it, takes every child's exit status,
/// and ties the engine's life to the calling thread.
///
/// `tell` hears every status that is published, for whoever else wants to know.
pub async fn shim(spec_path: &Utf8Path, tell: Box<dyn Fn(&EngineStatus)>) -> Exit {
    match Shim::prepare(spec_path, tell) {
        Ok(shim) => shim.run().await,
        Err(error) => {
            let exit = error.exit();
            let mut text = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            tracing::error!(%spec_path, "{text}");
            exit
        }
    }
}

/// Why a shim never came to start its engine.
#[derive(Debug, thiserror::Error)]
enum ShimError {
    #[error("`{0}` is not the path of an engine's spec")]
    NotASpec(camino::Utf8PathBuf),
    #[error("the spec `{0}` is missing, damaged or of a kind that this version does not know")]
    Spec(camino::Utf8PathBuf),
    #[error("another shim already runs engine `{0}`")]
    Second(maas_types::EngineId),
    #[error("cannot prepare this process ({what})")]
    Process {
        what: &'static str,
        #[source]
        source: std::io::Error,
    },
}

impl ShimError {
    fn exit(&self) -> Exit {
        match self {
            Self::NotASpec(_) => Exit::Usage,
            Self::Spec(_) | Self::Process { .. } => Exit::Failed,
            Self::Second(_) => Exit::Busy,
        }
    }
}

struct Shim {
    spec: EngineSpec,
    spec_path: camino::Utf8PathBuf,
    files: EngineFiles,
    status: EngineStatus,
    signals: Signals,
    log: Option<Log>,
    tell: Box<dyn Fn(&EngineStatus)>,
    _lock: ProcessLock,
}

/// How a run came to its end, before what is left of it is removed.
struct End {
    cause: Cause,
    main: Option<Reaped>,
}

impl Shim {
    fn prepare(spec_path: &Utf8Path, tell: Box<dyn Fn(&EngineStatus)>) -> Result<Self, ShimError> {
        let process = |what| move |source| ShimError::Process { what, source };
        let files = EngineFiles::of_spec(spec_path)
            .ok_or_else(|| ShimError::NotASpec(spec_path.to_owned()))?;
        let spec: EngineSpec = files::read(spec_path)
            .filter(|spec: &EngineSpec| spec.schema == EngineSpec::SCHEMA)
            .ok_or_else(|| ShimError::Spec(spec_path.to_owned()))?;
        let lock = ProcessLock::take(&files.lock())
            .map_err(process("lock"))?
            .ok_or_else(|| ShimError::Second(spec.id.clone()))?;
        let signals = Signals::take().map_err(process("signals"))?;
        signals::lead_a_session().map_err(process("session"))?;
        let now = wall_clock();
        Ok(Self {
            status: EngineStatus {
                schema: EngineStatus::SCHEMA.to_owned(),
                id: spec.id.clone(),
                shim: ProcessId::current().map_err(process("/proc"))?,
                engine: None,
                phase: Phase::Starting,
                since: now,
                started: now,
                progress: Progress::default(),
                ready: None,
                exit: None,
            },
            spec,
            spec_path: spec_path.to_owned(),
            files,
            signals,
            log: None,
            tell,
            _lock: lock,
        })
    }

    async fn run(mut self) -> Exit {
        self.publish();
        let end = match self.start() {
            Ok(()) => self.watch().await,
            Err(error) => End {
                cause: Cause::NotStarted {
                    detail: error.to_string(),
                },
                main: None,
            },
        };
        self.finish(end).await
    }

    /// Starts the engine.
    fn start(&mut self) -> std::io::Result<()> {
        let spec = &self.spec;
        // vLLM leaves its socket behind and cannot bind over it (errno 98).
        files::remove(&spec.socket)?;
        fs_err::create_dir_all(&spec.cache)?;
        if let Some(folder) = spec.log.parent() {
            fs_err::create_dir_all(folder)?;
        }
        let (reader, writer) = std::io::pipe()?;
        self.log = Some(Log::begin(&spec.log, reader)?);
        self.status.engine = Some(spawn::engine(spec, &self.spec_path, writer)?);
        self.publish();
        Ok(())
    }

    /// Watches the engine until it ends or is told to.
    async fn watch(&mut self) -> End {
        let spec = self.spec.clone();
        let (said, last) = tokio::sync::watch::channel("it never answered".to_owned());
        let mut token = std::pin::pin!(until_first_token(&spec, said));
        let patience = spec.start_timeout_seconds.min(LONGEST_START);
        let late = Instant::now() + Duration::from_secs(patience);
        loop {
            let starting = self.status.phase == Phase::Starting;
            let log = self.log.as_mut().expect("started engines have a log");
            tokio::select! {
                biased;
                told = self.signals.next() => match told {
                    Told::Stop => return self.drain().await,
                    Told::ChildEnded => if let Some(main) = signals::reap(self.status.engine.as_ref()) {
                        return End { cause: Cause::Died, main: Some(main) };
                    }
                },
                outcome = &mut token, if starting => match outcome {
                    Ok(()) => self.ready(),
                    Err(detail) => return End { cause: Cause::FirstTokenRefused { detail }, main: None },
                },
                () = sleep_until(late), if starting => {
                    let detail = last.borrow().clone();
                    return End { cause: Cause::StartTimeout { seconds: spec.start_timeout_seconds, detail }, main: None };
                }
                progress = log.advanced(), if starting => {
                    self.status.progress = progress;
                    self.publish();
                }
            }
        }
    }

    fn ready(&mut self) {
        let log = self.log.as_ref().expect("started engines have a log");
        log.first_token();
        self.status.progress = Progress {
            stage: Stage::FirstToken,
            percent: 100,
        };
        self.status.ready = Some(wall_clock());
        self.enter(Phase::Ready);
    }

    /// Lets the engine finish what it has. A second SIGTERM ends that.
    async fn drain(&mut self) -> End {
        self.enter(Phase::Draining);
        let drain = match self.status.ready {
            Some(_) => Duration::from_secs(self.spec.drain_seconds),
            None => Duration::ZERO,
        };
        let deadline = Instant::now() + drain + AFTER_DRAIN;
        let main = self.status.engine.clone();
        if let Some(Err(error)) = main.as_ref().map(|main| main.signal(Signal::TERM)) {
            tracing::warn!(%error, "cannot tell the engine to stop: {error}");
        }
        let reaped = loop {
            tokio::select! {
                told = self.signals.next() => match told {
                    Told::Stop => break None,
                    Told::ChildEnded => if let Some(reaped) = signals::reap(main.as_ref()) {
                        break Some(reaped);
                    }
                },
                () = sleep_until(deadline) => break None,
            }
        };
        End {
            cause: Cause::Asked,
            main: reaped,
        }
    }

    /// Removes what is left and writes the record.
    async fn finish(mut self, end: End) -> Exit {
        let exit = match end.cause {
            Cause::Asked => Exit::Done,
            Cause::Died
            | Cause::NotStarted { .. }
            | Cause::StartTimeout { .. }
            | Cause::ShimLost { .. }
            | Cause::FirstTokenRefused { .. } => Exit::Failed,
        };
        // At once, so that no request is sent here any more; in full below.
        self.record(&end, wall_clock(), Vec::new());
        self.enter(Phase::Ending);
        let when = self.status.since;
        let leaders = [Some(&self.status.shim), self.status.engine.as_ref()];
        let traces = Traces {
            marker: argv::marker(&self.spec_path),
            leaders: leaders.into_iter().flatten().cloned().collect(),
            parent: Some(std::process::id()),
        };
        let left = sweep::sweep(&traces).await;
        if let Some(log) = &mut self.log {
            drop(tokio::time::timeout(LAST_WORDS, log.ended()).await);
        }
        if let Err(error) = files::remove(&self.files.socket()) {
            tracing::warn!(%error, "{error}");
        }
        self.record(&end, when, left);
        self.enter(Phase::Ended);
        exit
    }

    fn record(&mut self, end: &End, when: Timestamp, unkillable: Vec<u32>) {
        let asked = end.cause == Cause::Asked;
        let line = self.log.as_ref().and_then(Log::cause);
        self.status.exit = Some(ExitRecord {
            when,
            cause: end.cause.clone(),
            code: end.main.and_then(|main| main.code),
            signal: end.main.and_then(|main| main.signal),
            line: line.filter(|_| !asked),
            unkillable,
        });
    }

    fn enter(&mut self, phase: Phase) {
        self.status.phase = phase;
        self.status.since = wall_clock();
        self.publish();
    }

    fn publish(&self) {
        (self.tell)(&self.status);
        let path = self.files.status();
        if let Err(error) = files::replace(&path, &self.status) {
            tracing::error!(%error, "cannot say how the engine is: {error}");
        }
    }
}

/// Asks until there is a token. `said` gets what the last attempt said.
async fn until_first_token(
    spec: &EngineSpec,
    said: tokio::sync::watch::Sender<String>,
) -> Result<(), String> {
    loop {
        match first_token(spec).await {
            Ok(()) => return Ok(()),
            Err(NoToken::Refused(detail)) => return Err(detail),
            Err(NoToken::NotYet(detail)) => drop(said.send(detail)),
        }
        sleep(ASK_AGAIN).await;
    }
}
