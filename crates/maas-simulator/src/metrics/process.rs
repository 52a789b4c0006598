//! The families about the process itself, from `/proc`.

use std::fmt::Write;

use jiff::Timestamp;
use rustix::process::{Resource, getrlimit};

use super::{float, real};

/// Clock ticks of `/proc/self/stat` per second: fixed at 100 on Linux for programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// The page of x86-64, the one machine that the appliance runs on.
const PAGE_BYTES: f64 = 4096.0;

/// The exposition text. A number that cannot be read is left out, never made up.
pub(super) fn text(started: Timestamp) -> String {
    let mut text = String::new();
    let pages = fs_err::read_to_string("/proc/self/statm").unwrap_or_default();
    let page = PAGE_BYTES;
    let pages: Vec<f64> = pages
        .split(' ')
        .filter_map(|n| n.trim().parse().ok())
        .collect();
    let start = started.as_duration().as_secs_f64();
    let fds = fs_err::read_dir("/proc/self/fd")
        .ok()
        .map(|dir| real(dir.count() as u64));
    for (name, help, kind, value) in [
        (
            "virtual_memory_bytes",
            "Virtual memory size in bytes.",
            "gauge",
            pages.first().map(|n| n * page),
        ),
        (
            "resident_memory_bytes",
            "Resident memory size in bytes.",
            "gauge",
            pages.get(1).map(|n| n * page),
        ),
        (
            "start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            "gauge",
            Some(start),
        ),
        (
            "cpu_seconds_total",
            "Total user and system CPU time spent in seconds.",
            "counter",
            cpu_seconds(),
        ),
        ("open_fds", "Number of open file descriptors.", "gauge", fds),
        (
            "max_fds",
            "Maximum number of open file descriptors.",
            "gauge",
            getrlimit(Resource::Nofile).current.map(real),
        ),
    ] {
        if let Some(value) = value {
            writeln!(
                text,
                "# HELP process_{name} {help}\n# TYPE process_{name} {kind}\nprocess_{name} {}",
                float(value)
            )
            .expect("writing to a string cannot fail");
        }
    }
    text
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs_err::read_to_string("/proc/self/stat").ok()?;
    // The second field is the name in parentheses and may hold spaces; utime and stime are the
    // 12th and 13th after it.
    let (_, after) = stat.rsplit_once(") ")?;
    let ticks: Vec<f64> = after
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|n| n.parse().ok())
        .collect();
    (ticks.len() == 2).then(|| ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}
