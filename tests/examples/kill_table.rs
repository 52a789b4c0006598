//! Kills every process of a serving host, one at a time, and prints what a client saw.
//!
//! ```text
//! cargo run --release -p maas-tests --example kill_table
//! cargo run --release -p maas-tests --example kill_table -- /path/to/vllm /path/to/model
//! ```
//!
//! With a real vLLM each row takes as long as that needs to start: one to four minutes.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use maas_tests::{EngineUnderTest, Running};
use rustix::process::{Pid, Signal, kill_process};

/// A process to kill: how people call it and a word in its command line.
const TARGETS: [(&str, &str); 5] = [
    ("engine core", "VLLM::EngineCore"),
    ("engine API process", "--served-model-name"),
    ("shim", "engine-shim"),
    ("supervisor", " supervisor"),
    ("gateway", " gateway"),
];

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let engine = match arguments.as_slice() {
        [] => EngineUnderTest::simulated("load=0s,token=20ms"),
        [vllm, model] => EngineUnderTest::vllm(&whole(vllm), &whole(model)),
        _ => {
            eprintln!("usage: kill_table [VLLM MODEL_FOLDER]");
            std::process::exit(2);
        }
    };
    let mut running = Running::with(&engine);
    println!(
        "| killed | the open stream | next good answer after | engine restarted | left over |"
    );
    println!("|---|---|---|---|---|");
    for (name, word) in TARGETS {
        row(&mut running, name, word);
    }
}

/// The services run in folders of their own.
fn whole(path: &str) -> String {
    let path = std::path::absolute(path).expect("a path");
    path.to_str().expect("UTF-8").to_owned()
}

fn row(running: &mut Running, name: &str, word: &str) {
    let before = running.processes();
    let engine = running.engine()["shim_pid"].clone();
    let body = Running::chat_stream(400).to_string();
    let mut stream = running
        .https
        .open("POST", "/v1/chat/completions", &running.key, &body)
        .expect("a stream");
    stream.line().expect("its first event");
    let victim = before
        .iter()
        .find(|(_, line)| line.contains(word))
        .expect(name)
        .0;
    let killed = Instant::now();
    let pid = Pid::from_raw(i32::try_from(victim).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    let seen = match stream.finish() {
        Err(error) => format!("cut ({:?})", error.kind()),
        Ok(answer) if answer.body.contains("\"error\"") => "ends with an error event".to_owned(),
        Ok(answer) if answer.body.contains("[DONE]") => "goes on to its end".to_owned(),
        Ok(_) => "cut".to_owned(),
    };
    let stream_took = killed.elapsed();
    // What systemd does with Restart=always.
    match name {
        "supervisor" => {
            running.supervisor.take().unwrap().kill();
            running.supervisor = Some(running.site.service(&["supervisor", "--stop-engines"]));
        }
        "gateway" => {
            running.gateway.take().unwrap().kill();
            running.gateway = Some(running.site.service(&["gateway"]));
        }
        _ => {}
    }
    let again = next_good_answer(running, killed);
    let restarted = running.engine()["shim_pid"] != engine;
    let old: BTreeSet<_> = before.iter().map(|(pid, _)| *pid).collect();
    let left = running
        .processes()
        .into_iter()
        .filter(|(pid, line)| restarted && old.contains(pid) && is_of_an_engine(line))
        .count();
    println!(
        "| {name} | {seen} ({:.1} s) | {:.1} s | {} | {left} processes |",
        stream_took.as_secs_f64(),
        again.as_secs_f64(),
        if restarted { "yes" } else { "no" },
    );
}

fn is_of_an_engine(line: &str) -> bool {
    !["supervisor", "gateway", "gpu-agent"]
        .iter()
        .any(|service| line.contains(service))
}

fn next_good_answer(running: &Running, since: Instant) -> Duration {
    let body = Running::chat(2).to_string();
    running.site.wait("a good answer", |_| {
        let answer = running
            .https
            .call("POST", "/v1/chat/completions", &running.key, &body)
            .ok()?;
        (answer.status == 200).then(|| since.elapsed())
    })
}
