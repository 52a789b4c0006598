//! Stands for `maas-appliance` in this crate's tests: the verbs of a shim, and a tiny engine that
//! misbehaves on command. Never shipped.
//!
//! The engine looks for files in its model folder:
//!
//! | file | effect |
//! |---|---|
//! | `mute` | every request for a token gets 500 while it is there |
//! | `deaf` | it answers nothing at all, not even `/health`, while it is there |
//! | `slow` | an answer waits until it is gone |
//! | `exit` | it exits at its start with the code in the file, after printing a traceback |
//! | `brood` | at its start it has a child that ignores SIGTERM, in a session of its own |
//! | `asked` | written by the engine when somebody has asked for a token |

use std::{convert::Infallible, ffi::OsString, process::ExitCode, time::Duration};

use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use maas_supervisor::{BackEnd, DevicePolicy, Settings, StopEngines, Supervisor, Wish, Wishes};
use maas_types::{EngineKind, Layout};
use tokio::{
    net::UnixListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let text = |i: usize| args.get(i).and_then(|a| a.to_str()).unwrap_or_default();
    match text(0) {
        maas_supervisor::SHIM_VERB => ExitCode::from(
            maas_supervisor::shim(Utf8Path::new(text(1)), Box::new(|_| ()))
                .await
                .code(),
        ),
        maas_supervisor::EXEC_VERB => {
            let parent = text(1).parse().expect("a process id");
            ExitCode::from(maas_supervisor::engine_exec(parent, &args[2], &args[3..]).code())
        }
        maas_supervisor::SIMULATED_VERB => {
            let uds = args.iter().position(|a| a == "--uds").expect("--uds");
            serve(text(1).into(), text(uds + 1).into()).await
        }
        "stubborn" => stubborn().await,
        "supervise" => supervise(text(1), text(2).into(), text(3).into()).await,
        other => {
            say(&format!("unknown verb {other}"));
            ExitCode::from(2)
        }
    }
}

fn say(line: &str) {
    use std::io::Write;
    drop(writeln!(std::io::stdout(), "{line}"));
}

/// By hand, with a real engine: `fake_engine supervise ROOT VLLM MODEL-FOLDER`. Its engines outlive
/// it, and the next one adopts them.
async fn supervise(root: &str, vllm: Utf8PathBuf, folder: Utf8PathBuf) -> ExitCode {
    let manifest = serde_json::json!({
        "name": "tiny", "title": "Tiny", "licence": "Apache-2.0", "task": "generate", "context": 2048,
        "engine": {
            "args": ["--enforce-eager", "--dtype", "bfloat16"],
            "env": {"VLLM_CPU_KVCACHE_SPACE": "1"},
        },
    });
    let wish = Wish {
        manifest: serde_json::from_value(manifest).expect("a manifest"),
        folder,
        content: None,
        root: None,
    };
    let settings = Settings {
        device: DevicePolicy::Cpu,
        kind: EngineKind::Vllm,
        back_end: BackEnd::Direct,
        vllm,
        appliance: Utf8PathBuf::try_from(std::env::current_exe().expect("a path")).expect("UTF-8"),
        simulate: None,
        stop_engines: StopEngines::Never,
        remote_code: false,
        drain_seconds: 10,
    };
    let wishes = Wishes {
        generation: None,
        models: vec![wish],
    };
    let source = Box::new(move || Ok(wishes.clone()));
    let supervisor = Supervisor::new(settings, &Layout::new(root), source).expect("a supervisor");
    let mut stop = signal(SignalKind::terminate()).expect("a signal handler");
    let shutdown = CancellationToken::new();
    let _guard = shutdown.clone().drop_guard();
    tokio::select! {
        ended = supervisor.run(shutdown) => ended.expect("a supervisor"),
        _ = stop.recv() => {}
    }
    ExitCode::SUCCESS
}

async fn stubborn() -> ExitCode {
    rustix::process::setsid().expect("no group leader");
    let _ignored = signal(SignalKind::terminate()).expect("a signal handler");
    std::future::pending().await
}

async fn serve(model: Utf8PathBuf, socket: Utf8PathBuf) -> ExitCode {
    if model.join("brood").exists() {
        brood();
    }
    if let Ok(code) = fs_err::read_to_string(model.join("exit")) {
        say("Traceback (most recent call last):");
        say("ValueError: Free memory on device is less than desired");
        return ExitCode::from(code.trim().parse::<u8>().expect("a code"));
    }
    say("INFO 11-22 07:28:51 [x.py:1] Starting to load model");
    let listener = UnixListener::bind(&socket).expect("the socket is free");
    let mut stop = signal(SignalKind::terminate()).expect("a signal handler");
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted.expect("a connection").0,
            _ = stop.recv() => break,
        };
        let model = model.clone();
        let service = service_fn(move |request| answer(model.clone(), request));
        // One request per connection, so that draining is waiting for connections to end.
        let mut server = http1::Builder::new();
        connections.spawn(
            server
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service),
        );
    }
    say("drains");
    drop(listener);
    drop(connections.join_all().await);
    ExitCode::SUCCESS
}

#[expect(
    clippy::disallowed_methods,
    reason = "an engine has children of its own"
)]
fn brood() {
    let spawned = std::process::Command::new("/proc/self/exe")
        .arg("stubborn")
        .spawn();
    drop(spawned.expect("a child"));
}

async fn answer(
    model: Utf8PathBuf,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    until_gone(&model.join("deaf")).await;
    let (status, body) = match request.uri().path() {
        "/health" => (StatusCode::OK, ""),
        "/v1/completions" => {
            fs_err::write(model.join("asked"), "").expect("a writable folder");
            until_gone(&model.join("slow")).await;
            if model.join("mute").exists() {
                (StatusCode::INTERNAL_SERVER_ERROR, "{\"error\":\"mute\"}")
            } else {
                (StatusCode::OK, "{\"usage\":{\"completion_tokens\":1}}")
            }
        }
        _ => (StatusCode::NOT_FOUND, "{}"),
    };
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    Ok(response)
}

async fn until_gone(file: &Utf8Path) {
    while file.exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
