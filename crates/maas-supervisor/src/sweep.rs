//! Leaves no process of an engine behind, whatever became of their parents.
//!
//! vLLM's processes outlive a killed API server for minutes and hold the GPU (vllm#55510), and they
//! are then nobody's children. They are found by what they cannot lose: the spec's path in their
//! environment, the shim's session, the engine's process group.

use std::time::Duration;

use fs_err as fs;
use rustix::process::Signal;
use tokio::time::Instant;

use crate::process::{self, ProcessId, Stat};

/// How an engine's processes are recognised.
#[derive(Debug, Clone)]
pub(crate) struct Traces {
    /// `MAAS_ENGINE_SPEC=…`
    pub(crate) marker: String,
    /// The shim and the engine's main process: leaders of a session and of a process group.
    pub(crate) leaders: Vec<ProcessId>,
    /// A subreaper all of whose children are the engine's: the shim itself, when it sweeps.
    pub(crate) parent: Option<u32>,
}

/// A process that does not die of SIGKILL in this time hangs in the kernel, mostly in the GPU's
/// driver, and only a reboot removes it.
const UNKILLABLE: Duration = Duration::from_secs(30);

/// How long Python's resource tracker may remove shared memory after its parents' death. It does so
/// in milliseconds; killed with the others it would leave some 400 MB per engine in `/dev/shm`.
const TRACKER: Duration = Duration::from_secs(2);

/// Between two looks at `/proc`.
const PAUSE: Duration = Duration::from_millis(20);

/// Kills every process that bears one of the traces, except this one, and waits until they are
/// gone. Answers with those that are still there after 30 s.
pub(crate) async fn sweep(traces: &Traces) -> Vec<u32> {
    let begun = Instant::now();
    loop {
        let found = find(traces);
        if found.is_empty() || begun.elapsed() > UNKILLABLE {
            return found.into_iter().map(|process| process.pid).collect();
        }
        let spared = begun.elapsed() < TRACKER;
        for process in found.iter().filter(|p| !(spared && is_tracker(p.pid))) {
            if let Err(error) = process.signal(Signal::KILL) {
                let pid = process.pid;
                tracing::warn!(pid, %error, "cannot kill process {pid}: {error}");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The processes that bear one of the traces. Dead children of ours among them are reaped.
pub(crate) fn find(traces: &Traces) -> Vec<ProcessId> {
    let me = std::process::id();
    let leaders: Vec<_> = traces
        .leaders
        .iter()
        .filter(|l| keeps_its_number(l))
        .collect();
    let mut found = Vec::new();
    for (pid, stat) in process::all() {
        if pid == me || !bears(pid, &stat, traces, &leaders) {
            continue;
        }
        let Some(process) = ProcessId::of(pid).filter(|p| p.started == stat.started) else {
            continue;
        };
        match stat.is_dead() {
            true if stat.parent == me => process.reap(),
            true => {}
            false => found.push(process),
        }
    }
    found
}

fn bears(pid: u32, stat: &Stat, traces: &Traces, leaders: &[&ProcessId]) -> bool {
    let led = |leader: &&ProcessId| {
        let below = stat.session == leader.pid || stat.group == leader.pid;
        below && stat.started >= leader.started
    };
    leaders.iter().any(led)
        || traces.parent == Some(stat.parent)
        || process::has_variable(pid, &traces.marker)
}

/// Whether a session or group with the leader's number can only be the leader's. The kernel gives a
/// number away again when no session and no group has it any more; so a stranger with that number
/// proves that nothing of ours is left under it.
fn keeps_its_number(leader: &ProcessId) -> bool {
    let same_boot = ProcessId::of(leader.pid).is_none_or(|now| now == *leader);
    same_boot && process::boot_id() == leader.boot
}

fn is_tracker(pid: u32) -> bool {
    let marker = b"multiprocessing.resource_tracker";
    fs::read(format!("/proc/{pid}/cmdline"))
        .is_ok_and(|line| line.windows(marker.len()).any(|part| part == marker))
}
