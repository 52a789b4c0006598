//! How long a disk takes to say that something is written.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use serde::Serialize;

/// Size of each write of the probe, bytes: a page of SQLite, and a block of most disks.
const BLOCK: usize = 4096;

/// Most writes that a probe makes: a minute on a disk that takes 60 ms for each.
const MOST: usize = 1_000;

/// How long synced writes of 4 KiB took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Writes that were made.
    pub writes: usize,
    /// Half of them took no longer, microseconds.
    pub p50_us: u64,
    /// All but one in a hundred took no longer, microseconds.
    pub p99_us: u64,
}

/// The probe could not write.
#[derive(Debug, thiserror::Error)]
#[error(
    "failed to {doing} `{path}`, so how fast this disk writes is not known; \
     check that the folder is there and can be written to"
)]
pub struct LatencyError {
    /// `create`, `write` or `remove`.
    doing: &'static str,
    /// The file of the probe.
    path: Utf8PathBuf,
    /// What the system said.
    #[source]
    source: std::io::Error,
}

/// Writes `writes` blocks of 4 KiB (1 to 1,000) to a new file in `folder`, each forced to the disk,
/// and says how long that took. `clock` tells the time since any fixed moment and never goes back.
///
/// The file loses its name before the first write, so that no power cut leaves it behind.
pub fn measure_latency(
    folder: &Utf8Path,
    writes: usize,
    mut clock: impl FnMut() -> Duration,
) -> Result<Latency, LatencyError> {
    let path = folder.join(format!(
        ".maas-latency-probe-{}",
        rustix::process::getpid().as_raw_nonzero()
    ));
    let failed = |doing| {
        let path = path.clone();
        move |errno: Errno| LatencyError {
            doing,
            path,
            source: errno.into(),
        }
    };
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o600);
    let file = rustix::fs::open(path.as_str(), flags, mode).map_err(failed("create"))?;
    rustix::fs::unlink(path.as_str()).map_err(failed("remove"))?;
    let block = [0x5a; BLOCK];
    let mut times = Vec::new();
    for place in 0..writes.clamp(1, MOST) {
        let begun = clock();
        let offset = (place * BLOCK) as u64;
        write_all(&file, &block, offset).map_err(failed("write"))?;
        rustix::fs::fdatasync(&file).map_err(failed("write"))?;
        times.push(clock().saturating_sub(begun));
    }
    Ok(Latency::of(&mut times))
}

fn write_all(file: impl rustix::fd::AsFd, block: &[u8], offset: u64) -> Result<(), Errno> {
    let mut done = 0;
    while done < block.len() {
        match rustix::io::pwrite(&file, &block[done..], offset + done as u64) {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => done += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

impl Latency {
    /// Of the times of single writes; they are sorted.
    fn of(times: &mut [Duration]) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            // The smallest time that at least so many percent do not exceed.
            let rank = (times.len() * percent).div_ceil(100).max(1);
            let time = times.get(rank - 1).copied().unwrap_or_default();
            u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
        };
        Self {
            writes: times.len(),
            p50_us: at(50),
            p99_us: at(99),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_probe_measures_each_write_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        let mut now = Duration::ZERO;
        let mut step = 0;
        let latency = measure_latency(path, 100, || {
            step += 1;
            now += Duration::from_micros(step);
            now
        });
        let latency = latency.unwrap();
        // The clock's n-th step takes n µs, and every second step ends a write: 2, 4, … 200.
        assert_eq!(
            (latency.writes, latency.p50_us, latency.p99_us),
            (100, 100, 198)
        );
        assert_eq!(fs_err::read_dir(path).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = measure_latency("/nowhere".into(), 1, || Duration::ZERO).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("failed to create `/nowhere/.maas-latency-probe-")
        );
    }

    proptest! {
        #[test]
        fn percentiles_are_in_order_and_among_the_times(
            micros in proptest::collection::vec(0_u64..1_000_000, 1..300)
        ) {
            let mut times: Vec<_> = micros.iter().copied().map(Duration::from_micros).collect();
            let latency = Latency::of(&mut times);
            prop_assert!(latency.p50_us <= latency.p99_us);
            prop_assert!(micros.contains(&latency.p50_us) && micros.contains(&latency.p99_us));
            let below = micros.iter().filter(|time| **time <= latency.p99_us).count();
            prop_assert!(below * 100 >= micros.len() * 99);
        }
    }
}
