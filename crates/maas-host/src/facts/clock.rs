//! What tells the time.

use jiff::Timestamp;
use serde::Serialize;

use super::{Process, is_running};
use crate::tree::Tree;

/// Programs that set the clock.
const KEEPERS: [&str; 6] = [
    "chronyd",
    "systemd-timesyncd",
    "ntpd",
    "ptp4l",
    "phc2sys",
    "openntpd",
];

/// Files that a running host writes again and again: a clock that says less than their times has been
/// set back.
const WITNESSES: [&str; 6] = [
    "/var/lib/systemd/timesync/clock",
    "/var/lib/systemd/random-seed",
    "/var/lib/chrony/drift",
    "/var/log/wtmp",
    "/var/log/lastlog",
    "/etc/machine-id",
];

/// What tells the time.
#[derive(Debug, Clone, Serialize)]
pub struct Clock {
    /// What the system's clock says.
    pub now: Timestamp,
    /// What the clock on the board says; it counts whole seconds.
    pub board: Option<Timestamp>,
    /// The latest time of a file that a running host writes.
    pub witness: Option<Timestamp>,
    /// Programs that run and set the clock. None need to.
    pub keepers: Vec<String>,
}

impl Clock {
    pub(crate) fn look(tree: &Tree<'_>, running: &[Process], now: Timestamp) -> Self {
        let time = |seconds: i64| Timestamp::from_second(seconds).ok();
        let keepers = KEEPERS.iter().filter(|name| is_running(running, name));
        Self {
            now,
            board: tree
                .number("/sys/class/rtc/rtc0/since_epoch")
                .and_then(time),
            witness: WITNESSES
                .iter()
                .filter_map(|file| tree.stat(file))
                .filter_map(|stat| time(stat.st_mtime))
                .max(),
            keepers: keepers.map(|name| (*name).to_owned()).collect(),
        }
    }
}
