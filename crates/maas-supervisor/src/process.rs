//! Processes by identity, never by number alone.
//!
//! Threat: a process id is used again after its process has died, and we would take a stranger for
//! our engine, or kill it. Defence: every process is named by id, start time and boot; a signal
//! goes through a pidfd that was opened before that name was checked.

use std::{io, time::Duration};

use fs_err as fs;
use rustix::{
    io::Errno,
    process::{self, Pid, PidfdFlags, Signal, WaitOptions},
};
use serde::{Deserialize, Serialize};
use tokio::io::{Interest, unix::AsyncFd};

/// One process, for ever: no other process has the same three values.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// What `ps` shows.
    pub pid: u32,
    /// When it was started, in clock ticks after boot (`proc_pid_stat(5)`, field 22).
    pub started: u64,
    /// The boot in which it runs (`/proc/sys/kernel/random/boot_id`). State files below `--root` on
    /// a disk outlive a reboot.
    pub boot: String,
}

impl ProcessId {
    /// The process that has the number `pid` now.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Some(Self {
            pid,
            started: Stat::read(pid)?.started,
            boot: boot_id(),
        })
    }

    /// This process.
    pub(crate) fn current() -> io::Result<Self> {
        Self::of(std::process::id())
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "/proc/self/stat is unreadable"))
    }

    /// Whether it is there and does something. A zombie does nothing and holds nothing.
    pub(crate) fn is_alive(&self) -> bool {
        self.stat().is_some_and(|stat| !stat.is_dead())
    }

    /// What the kernel says about it; `None` when it is gone, even if its number is in use again.
    pub(crate) fn stat(&self) -> Option<Stat> {
        Stat::read(self.pid).filter(|s| s.started == self.started && self.boot == boot_id())
    }

    /// Sends a signal. A process that is gone is no error.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        let Some(pid) = self.number() else {
            return Ok(());
        };
        let sent = match process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(_) if self.stat().is_none() => Ok(()),
            Ok(pidfd) => process::pidfd_send_signal(pidfd, signal),
            // Linux before 5.3 (RHEL 8): the number is checked right before it is used.
            Err(Errno::NOSYS) if self.is_alive() => process::kill_process(pid, signal),
            Err(Errno::NOSYS) => Ok(()),
            Err(errno) => Err(errno),
        };
        match sent {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Waits until it is gone; a child of ours is reaped.
    pub(crate) async fn gone(&self) {
        if let Ok(pidfd) = self.pidfd() {
            // Readable means ended, for children and strangers alike (`pidfd_open(2)`).
            if self.is_alive() && pidfd.readable().await.is_ok() {
                self.reap();
                return;
            }
        }
        // No pidfd on this kernel, or no more file descriptors: ask as often as a death may go
        // unseen.
        while self.is_alive() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.reap();
    }

    #[expect(
        deprecated,
        reason = "its successor is unsafe because a type may lie about its descriptor; OwnedFd does not"
    )]
    fn pidfd(&self) -> io::Result<AsyncFd<std::os::fd::OwnedFd>> {
        let pid = self.number().ok_or(Errno::SRCH)?;
        AsyncFd::with_interest(
            process::pidfd_open(pid, PidfdFlags::NONBLOCK)?,
            Interest::READABLE,
        )
    }

    /// Takes its exit status from the kernel if it is a dead child of ours, so that no zombie stays.
    pub(crate) fn reap(&self) {
        if let Some(pid) = self.number() {
            // ECHILD: somebody else's child. Nothing to do.
            let _: rustix::io::Result<_> = process::waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }

    fn number(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.pid).ok()?)
    }
}

/// What `/proc/PID/stat` says, as far as we use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) state: char,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) session: u32,
    pub(crate) started: u64,
}

impl Stat {
    pub(crate) fn read(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The second field is the command in parentheses, chosen by the process itself: it may hold
    /// spaces and parentheses, so everything is counted from the last closing one.
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
        Some(Self {
            state: fields.next()?.chars().next()?,
            parent: fields.next()?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
            session: fields.next()?.parse().ok()?,
            started: fields.nth(15)?.parse().ok()?,
        })
    }

    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

/// Every process that `/proc` shows.
pub(crate) fn all() -> Vec<(u32, Stat)> {
    let Ok(folder) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    folder
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, Stat::read(pid)?)))
        .collect()
}

/// Whether the process was started with `variable` (`NAME=value`) in its environment. Processes of
/// other users do not show theirs.
pub(crate) fn has_variable(pid: u32, variable: &str) -> bool {
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|bytes| bytes.split(|b| *b == 0).any(|v| v == variable.as_bytes()))
}

pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_named_like_a_stat_line_does_not_move_the_fields() {
        let text = "812 (a) R 1 (x) S 7 811 800 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 991122 1 2\n";
        let stat = Stat {
            state: 'S',
            parent: 7,
            group: 811,
            session: 800,
            started: 991_122,
        };
        assert_eq!(Stat::parse(text), Some(stat));
        assert_eq!(Stat::parse("812 (cut) S 7"), None);
    }

    #[test]
    fn a_number_that_is_in_use_again_is_another_process() {
        let me = ProcessId::current().unwrap();
        assert!(me.is_alive());
        let before = ProcessId {
            started: me.started - 1,
            ..me.clone()
        };
        let other_boot = ProcessId {
            boot: "00000000-0000-0000-0000-000000000000".to_owned(),
            ..me
        };
        for stranger in [before, other_boot] {
            assert!(!stranger.is_alive());
            // Would end the test run if it were sent.
            stranger.signal(Signal::KILL).unwrap();
        }
    }
}
