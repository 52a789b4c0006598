//! Clocks, caches and memory.

use std::{
    fmt, fs,
    fs::File,
    process::Command,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{Advice, fadvise};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::bundle::{GB, MB};

/// What a child says when it is done.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_bytes: u64,
    pub(crate) read: u64,
    pub(crate) written: u64,
}

impl Sample {
    pub(crate) fn now(elapsed: Duration, read: u64, written: u64) -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes: u64 = peak
            .unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap();
        Self {
            seconds: elapsed.as_secs_f64(),
            cpu_seconds: cpu_seconds(),
            peak_bytes: kibibytes * 1024,
            read,
            written,
        }
    }

    pub(crate) fn print(&self) {
        println!("{}", serde_json::to_string(self).unwrap());
    }
}

/// `proc_pid_stat(5)`: fields 14 and 15, in hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks
        .map(|ticks| ticks.parse::<f64>().unwrap() / 100.0)
        .sum()
}

/// Runs a part of this program as a child.
pub(crate) fn child(what: &str, source: &Utf8Path, root: &Utf8Path) -> Sample {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--child", what, source.as_str(), root.as_str()])
        .stderr(std::process::Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{what}: {}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Speeds of several runs, GB/s.
#[derive(Debug, Default)]
pub(crate) struct Spread(Vec<f64>);

impl Spread {
    #[expect(
        clippy::cast_precision_loss,
        reason = "gigabytes by seconds, printed with two digits"
    )]
    pub(crate) fn add(&mut self, bytes: u64, seconds: f64) {
        self.0.push(bytes as f64 / seconds / GB as f64);
        self.0.sort_by(f64::total_cmp);
    }

    pub(crate) fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    pub(crate) fn best(&self) -> f64 {
        self.0[self.0.len() - 1]
    }
}

/// For people; alternate: as columns of a table.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (median, worst, best) = (self.median(), self.0[0], self.best());
        if f.alternate() {
            write!(f, "| {median:.3} | {worst:.3} | {best:.3}")
        } else {
            write!(f, "{median:.3} GB/s ({worst:.3} to {best:.3})")
        }
    }
}

pub(crate) fn gigabytes(bytes: u64) -> String {
    format!("{}.{:02} GB", bytes / GB, bytes % GB / (10 * MB))
}

/// Every object of the bundle on a stick, and its length.
pub(crate) fn object_files(stick: &Utf8Path) -> Vec<(Utf8PathBuf, u64)> {
    let mut files = Vec::new();
    for kind in ["blobs", "parts"] {
        let bundles = stick.join("MAAS").read_dir_utf8().unwrap();
        for bundle in bundles {
            let folder = bundle.unwrap().path().join(kind).join("sha256");
            // A small bundle has no parts.
            let Ok(entries) = folder.read_dir_utf8() else {
                continue;
            };
            for file in entries {
                let path = file.unwrap().into_path();
                let size = path.metadata().unwrap().len();
                files.push((path, size));
            }
        }
    }
    files
}

/// Empties the page cache, of these files at least.
pub(crate) fn forget_pages(files: &[(Utf8PathBuf, u64)]) {
    rustix::fs::sync();
    for (file, _) in files {
        fadvise(File::open(file).unwrap(), 0, None, Advice::DontNeed).unwrap();
    }
    // Only root of the machine itself may.
    fs::write("/proc/sys/vm/drop_caches", "1").ok();
}

/// GB/s of so many threads that do nothing else.
#[expect(clippy::cast_precision_loss, reason = "printed with two digits")]
pub(crate) fn sha256_speed(threads: usize) -> f64 {
    const ROUNDS: usize = 256;
    let buffer = vec![0x5a; 4 << 20];
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut hash = Sha256::new();
                (0..ROUNDS).for_each(|_| hash.update(&buffer));
                std::hint::black_box(hash.finalize());
            });
        }
    });
    let bytes = threads * ROUNDS * buffer.len();
    bytes as f64 / started.elapsed().as_secs_f64() / GB as f64
}
