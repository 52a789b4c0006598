use maas_types::ModelManifest;

use super::*;
use crate::progress::Progress;

const ID: &str = "tiny-0";

fn now(milliseconds: u64) -> Now {
    let elapsed = Duration::from_millis(milliseconds);
    Now {
        elapsed,
        wall: Timestamp::UNIX_EPOCH + elapsed,
    }
}

fn process(pid: u32) -> ProcessId {
    ProcessId {
        pid,
        started: 1,
        boot: "boot".to_owned(),
    }
}

fn manifest() -> ModelManifest {
    let text = r#"{"name": "tiny", "title": "Tiny", "licence": "MIT", "task": "generate",
        "context": 2048, "engine": {}}"#;
    serde_json::from_str(text).unwrap()
}

fn spec() -> EngineSpec {
    EngineSpec {
        schema: EngineSpec::SCHEMA.to_owned(),
        id: ID.parse().unwrap(),
        generation: None,
        manifest: manifest(),
        folder: "/models/tiny".into(),
        content: None,
        kind: EngineKind::Vllm,
        gpus: vec!["GPU-1".parse().unwrap()],
        program: "/vllm".into(),
        args: Vec::new(),
        env: BTreeMap::new(),
        socket: "/run/tiny-0.sock".into(),
        log: "/log/tiny-0.log".into(),
        cache: "/cache".into(),
        root: None,
        start_timeout_seconds: 60,
        drain_seconds: 10,
    }
}

fn status(shim: u32, phase: Phase) -> EngineStatus {
    let ready = match phase {
        Phase::Starting => None,
        Phase::Ready | Phase::Draining | Phase::Ending | Phase::Ended => {
            Some(Timestamp::UNIX_EPOCH)
        }
    };
    EngineStatus {
        schema: EngineStatus::SCHEMA.to_owned(),
        id: ID.parse().unwrap(),
        shim: process(shim),
        engine: Some(process(shim + 1)),
        phase,
        since: Timestamp::UNIX_EPOCH,
        started: Timestamp::UNIX_EPOCH,
        progress: Progress::default(),
        ready,
        exit: None,
    }
}

fn ended(shim: u32, code: i32) -> EngineStatus {
    EngineStatus {
        exit: Some(ExitRecord {
            when: Timestamp::UNIX_EPOCH,
            cause: Cause::Died,
            code: Some(code),
            signal: None,
            line: None,
            unkillable: Vec::new(),
        }),
        ..status(shim, Phase::Ended)
    }
}

fn fresh() -> Engine {
    let wish = Wish {
        manifest: manifest(),
        folder: "/models/tiny".into(),
        content: None,
        root: None,
    };
    Engine::new(ID.parse().unwrap(), wish, EngineKind::Vllm, now(0))
}

/// An engine that is ready below shim 10.
fn ready() -> Engine {
    let mut engine = fresh();
    engine.launched(&spec(), process(10), now(0));
    engine.status(status(10, Phase::Ready), now(0));
    engine
}

#[test]
fn a_life_without_trouble() {
    let mut engine = fresh();
    assert!(engine.needs_place());
    engine.launched(&spec(), process(10), now(5));
    assert_eq!(engine.state(), EngineState::Starting);
    let news = engine.status(status(10, Phase::Starting), now(6));
    assert_eq!(news, Some(process(11)));
    let news = engine.status(status(10, Phase::Ready), now(7));
    assert_eq!((news, engine.state()), (None, EngineState::Ready));
    assert_eq!(engine.tick(now(1_000_000)), None);
    assert_eq!(engine.since, now(7).wall);
    engine.unwanted(now(8));
    assert_eq!(engine.state(), EngineState::Draining);
    // First the table, then SIGTERM, and only once.
    assert_eq!(engine.tick(now(507)), None);
    assert_eq!(engine.tick(now(508)), Some(Act::Terminate(process(10))));
    assert_eq!(engine.tick(now(509)), None);
    engine.status(status(10, Phase::Draining), now(600));
    let act = engine.shim_gone(&process(10), Some(ended(10, 0)), now(700), 0);
    assert!(act.is_none() && engine.is_gone());
}

#[test]
fn a_death_takes_it_out_of_service_before_its_shim_is_done() {
    for end in [Phase::Ending, Phase::Ended] {
        let mut engine = ready();
        engine.status(status(10, end), now(1));
        assert_eq!(engine.state(), EngineState::BackingOff);
    }
    let mut engine = ready();
    engine.main_gone(&process(99), now(1));
    assert_eq!(engine.state(), EngineState::Ready);
    engine.main_gone(&process(11), now(1));
    assert_eq!(engine.state(), EngineState::BackingOff);
    // Nothing is started while the shim cleans up.
    assert!(!engine.needs_place());
    assert_eq!(engine.tick(now(1_000)), None);
}

#[test]
fn after_a_crash_it_waits_and_comes_back() {
    let mut engine = ready();
    assert_eq!(
        engine.shim_gone(&process(10), Some(ended(10, 0)), now(100), 0),
        None
    );
    assert_eq!(engine.state(), EngineState::BackingOff);
    engine.tick(now(1_099));
    assert!(!engine.needs_place());
    engine.tick(now(1_100));
    assert!(engine.needs_place());
    assert_eq!(engine.restarts, 1);
    // Back to where its caches are warm.
    assert_eq!(engine.held(), Some(Held::Ran(spec().gpus)));
}

#[test]
fn a_shim_without_a_record_is_swept_before_anything_is_started() {
    // What it said last, or what another shim said, is no record of this death.
    for last in [None, Some(status(10, Phase::Ready)), Some(ended(7, 0))] {
        let mut engine = ready();
        let act = engine.shim_gone(&process(10), last, now(1), 0);
        let Some(Act::Sweep(leaders)) = act else {
            panic!("{act:?}");
        };
        assert!(leaders.contains(&process(10)));
        assert!(!engine.needs_place() && engine.disturbs(&spec().gpus));
        assert!(matches!(engine.held(), Some(Held::Runs(_))));
        engine.swept(&[], now(2), 0);
        engine.tick(now(1_002));
        assert!(engine.needs_place());
    }
}

#[test]
fn processes_that_cannot_be_killed_keep_it_down() {
    let mut engine = ready();
    engine.shim_gone(&process(10), None, now(1), 0);
    engine.swept(&[77], now(2), 0);
    engine.tick(now(1_000_000));
    let entry = engine.entry(&Layout::new("/"));
    assert_eq!(entry.state, EngineState::Failed);
    insta::assert_snapshot!(entry.reason.unwrap(), @r#"its shim was killed, and it with it; its processes 77 hang in the kernel, and hold what they have until a reboot"#);
}

#[test]
fn news_of_another_shim_changes_nothing() {
    let mut engine = ready();
    assert_eq!(engine.status(ended(12, 0), now(1)), None);
    assert_eq!(
        engine.shim_gone(&process(12), Some(ended(12, 0)), now(1), 0),
        None
    );
    assert_eq!(engine.state(), EngineState::Ready);
}

#[test]
fn a_shim_that_hangs_is_killed() {
    let mut engine = ready();
    engine.unwanted(now(0));
    engine.tick(now(500));
    // Ten seconds of draining and the margin.
    assert_eq!(engine.tick(now(75_499)), None);
    assert_eq!(engine.tick(now(75_500)), Some(Act::Kill(process(10))));
    assert_eq!(engine.tick(now(900_000)), None);
    let mut engine = ready();
    engine.main_gone(&process(11), now(0));
    assert_eq!(engine.tick(now(65_000)), Some(Act::Kill(process(10))));
}

#[test]
fn whatever_it_does_it_can_be_let_go() {
    let mut waiting = fresh();
    waiting.unwanted(now(1));
    let mut backing_off = ready();
    backing_off.shim_gone(&process(10), Some(ended(10, 1)), now(1), 0);
    backing_off.unwanted(now(2));
    let mut failed = ready();
    failed.shim_gone(&process(10), Some(ended(10, 2)), now(1), 0);
    assert_eq!(failed.state(), EngineState::Failed);
    failed.unwanted(now(2));
    let mut sweeping = ready();
    sweeping.shim_gone(&process(10), None, now(1), 0);
    sweeping.unwanted(now(2));
    assert!(!sweeping.is_gone());
    sweeping.swept(&[], now(3), 0);
    for engine in [waiting, backing_off, failed, sweeping] {
        assert!(engine.is_gone(), "{engine:?}");
    }
}

#[test]
fn ten_minutes_of_service_before_an_adoption_count() {
    let mut engine = Engine::adopted(&spec(), status(10, Phase::Ready), now(0));
    for _ in 0..3 {
        engine
            .history
            .failed(Ending::Crash, Duration::ZERO, Duration::ZERO, 0);
    }
    // Ready for eleven minutes when it was met.
    let since = Timestamp::UNIX_EPOCH;
    let mut old = status(10, Phase::Ready);
    old.ready = Some(since);
    let later = Now {
        elapsed: Duration::ZERO,
        wall: since + Duration::from_mins(11),
    };
    let mut adopted = Engine::adopted(&spec(), old, later);
    adopted.history = engine.history;
    adopted.shim_gone(&process(10), Some(ended(10, 1)), later, 0);
    let Life::BackingOff { until, .. } = adopted.life else {
        panic!("{adopted:?}");
    };
    assert_eq!(until, Duration::from_secs(1));
}

#[test]
fn reasons_are_for_a_person() {
    let record = |cause, code, signal, line: Option<&str>| ExitRecord {
        cause,
        code,
        signal,
        line: line.map(str::to_owned),
        ..ended(10, 0).exit.unwrap()
    };
    let detail = || "/health: cannot connect: No such file or directory (os error 2)".to_owned();
    let records = [
        record(Cause::Died, Some(0), None, None),
        record(
            Cause::Died,
            Some(1),
            None,
            Some("torch.OutOfMemoryError: CUDA out of memory."),
        ),
        record(
            Cause::Died,
            Some(2),
            None,
            Some("vllm serve: error: unrecognized arguments: --x"),
        ),
        record(Cause::Died, None, Some(9), None),
        record(Cause::Died, None, Some(11), None),
        record(Cause::Asked, Some(0), None, None),
        record(Cause::NotStarted { detail: detail() }, None, None, None),
        record(
            Cause::StartTimeout {
                seconds: 60,
                detail: detail(),
            },
            None,
            None,
            None,
        ),
        record(
            Cause::FirstTokenRefused { detail: detail() },
            None,
            None,
            None,
        ),
    ];
    let mut reasons = Vec::new();
    for record in records {
        let mut engine = ready();
        let last = EngineStatus {
            exit: Some(record),
            ..status(10, Phase::Ended)
        };
        engine.shim_gone(&process(10), Some(last), now(1), 0);
        reasons.push(engine.entry(&Layout::new("/")).reason.unwrap());
    }
    insta::assert_snapshot!(reasons.join("\n"), @r#"
it ended without being told to (exit code 0); it is started again at 1970-01-01T00:00:01Z
it ended with exit code 1: torch.OutOfMemoryError: CUDA out of memory; it is started again at 1970-01-01T00:00:01Z
it does not take its flags (exit code 2): vllm serve: error: unrecognized arguments: --x; it is not started again until its manifest changes (logs: `/log/tiny-0.log`, `/log/tiny-0.previous.log`)
it was killed (signal 9; the kernel does that too, when memory is out); it is started again at 1970-01-01T00:00:01Z
it was ended by signal 11; it is started again at 1970-01-01T00:00:01Z
somebody else told it to stop; it is started again at 1970-01-01T00:00:01Z
it could not be started: /health: cannot connect: No such file or directory (os error 2); it is started again at 1970-01-01T00:00:01Z
it had no token after 60 s: /health: cannot connect: No such file or directory (os error 2); it is started again at 1970-01-01T00:00:01Z
it refuses its first token: /health: cannot connect: No such file or directory (os error 2); it is started again at 1970-01-01T00:00:01Z
"#);
}
