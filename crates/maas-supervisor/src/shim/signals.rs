//! What the kernel tells a shim: a child has ended, somebody wants it to stop.

use std::io;

use rustix::process::{self, Pid, WaitOptions};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::process::ProcessId;

/// Signals that a shim waits for.
#[derive(Debug)]
pub(super) struct Signals {
    child: Signal,
    stop: Signal,
    interrupt: Signal,
    _hangup: Signal,
}

impl Signals {
    pub(super) fn take() -> io::Result<Self> {
        Ok(Self {
            child: signal(SignalKind::child())?,
            stop: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            // Taken and never looked at: a closed terminal is no reason to stop serving.
            _hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one. Being told to stop comes first: when a host shuts down, an engine
    /// may be told so before we are.
    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            biased;
            _ = self.stop.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.child.recv() => Told::ChildEnded,
        }
    }
}

/// What a signal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Somebody wants this process to stop.
    Stop,
    /// At least one child has ended.
    ChildEnded,
}

/// Makes this process the leader of a session, out of reach of the terminal of whoever started the
/// supervisor, and the one to whom orphans below it are given.
pub(super) fn lead_a_session() -> io::Result<()> {
    match process::setsid() {
        // It leads a process group already: started by hand or by systemd.
        Ok(_) | Err(rustix::io::Errno::PERM) => {}
        Err(errno) => return Err(errno.into()),
    }
    process::set_child_subreaper(Some(process::getpid()))?;
    Ok(())
}

/// How a process ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reaped {
    pub(super) code: Option<i32>,
    pub(super) signal: Option<i32>,
}

/// Takes the exit status of every child that has ended, and answers with that of `main` if it is
/// among them.
pub(super) fn reap(main: Option<&ProcessId>) -> Option<Reaped> {
    let mut found = None;
    // Err: no child is left.
    while let Ok(Some((pid, status))) = process::wait(WaitOptions::NOHANG) {
        if main.is_some_and(|main| is(pid, main)) {
            found = Some(Reaped {
                code: status.exit_status(),
                signal: status.terminating_signal(),
            });
        }
    }
    found
}

fn is(pid: Pid, process: &ProcessId) -> bool {
    pid.as_raw_nonzero().get().unsigned_abs() == process.pid
}
