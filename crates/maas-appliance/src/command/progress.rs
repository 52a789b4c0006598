//! Progress of long work: bytes, rate and time left on a terminal, a line each 5 % elsewhere, and no
//! more than one in [`PAUSE`]: what is done in a moment needs no report.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use maas_types::ByteSize;
use tokio::time::Instant;

use crate::output;

/// How often a bar is drawn again while nothing arrives, so that the rate falls to zero in sight.
const REDRAW: Duration = Duration::from_millis(250);

/// Between two lines of a report. Why 2 s: the longest that a person waits without a sign, and few
/// enough lines for a serial console.
const PAUSE: Duration = Duration::from_secs(2);

/// One work at a time, phase after phase.
#[derive(Debug, Default)]
pub(super) struct Shown(Mutex<Option<Phase>>);

#[derive(Debug)]
struct Phase {
    name: &'static str,
    total: u64,
    done: u64,
    bar: Option<ProgressBar>,
    began: Instant,
    /// The last multiple of 5 % that was printed, and when.
    said: (u64, Instant),
}

impl Shown {
    /// A phase begins; the one before is over.
    pub(super) fn begin(&self, name: &'static str, total: u64) {
        let bar = output::watched().then(|| {
            let style = ProgressStyle::with_template(
                "{msg:14} {bar:24} {bytes:>10} of {total_bytes:10} {bytes_per_sec:>12}  {eta} left",
            );
            let bar = ProgressBar::new(total).with_message(name);
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar.enable_steady_tick(REDRAW);
            bar
        });
        self.end();
        let now = Instant::now();
        *self.phase() = Some(Phase {
            name,
            total,
            done: 0,
            bar,
            began: now,
            said: (0, now),
        });
    }

    /// More bytes are done.
    pub(super) fn add(&self, bytes: u64) {
        let mut phase = self.phase();
        let Some(phase) = phase.as_mut() else { return };
        phase.done = phase.done.saturating_add(bytes);
        if let Some(bar) = &phase.bar {
            bar.set_position(phase.done);
            return;
        }
        if let Some(line) = phase.report(Instant::now()) {
            output::words(&line);
        }
    }

    /// The work is over.
    pub(super) fn end(&self) {
        if let Some(bar) = self.phase().take().and_then(|phase| phase.bar) {
            bar.finish_and_clear();
        }
    }

    fn phase(&self) -> std::sync::MutexGuard<'_, Option<Phase>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Phase {
    /// The next line, when it is time for one.
    fn report(&mut self, now: Instant) -> Option<String> {
        let total = self.total.max(1);
        let percent = u128::from(self.done.min(total)) * 100 / u128::from(total);
        let step = u64::try_from(percent).unwrap_or(100) / 5 * 5;
        let (said, when) = self.said;
        if step <= said || now.duration_since(when) < PAUSE {
            return None;
        }
        self.said = (step, now);
        let milliseconds = now.duration_since(self.began).as_millis().max(1);
        let rate = u128::from(self.done) * 1000 / milliseconds;
        let left = u128::from(total.saturating_sub(self.done)) / rate.max(1);
        let rate = ByteSize(u64::try_from(rate).unwrap_or(u64::MAX));
        let (done, all) = (ByteSize(self.done), ByteSize(self.total));
        Some(format!(
            "{} {step} %  {done} of {all}  {rate}/s  {left} s left",
            self.name
        ))
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.end();
    }
}

impl maas_bundle::Progress for Shown {
    fn start(&self, phase: maas_bundle::Phase, total: u64) {
        self.begin(phase.as_str(), total);
    }

    fn advance(&self, bytes: u64) {
        self.add(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_comes_each_5_percent_and_not_more_often_than_each_2_seconds() {
        let began = Instant::now();
        let mut phase = Phase {
            name: "copy",
            total: 1_000_000_000,
            done: 0,
            bar: None,
            began,
            said: (0, began),
        };
        let mut at = |done, seconds| {
            phase.done = done;
            phase.report(began + Duration::from_secs(seconds))
        };
        assert_eq!(at(900_000_000, 1), None, "too early");
        assert_eq!(
            at(300_000_000, 3).as_deref(),
            Some("copy 30 %  300.0 MB of 1.0 GB  100.0 MB/s  7 s left")
        );
        assert_eq!(at(340_000_000, 9), None, "less than 5 % more");
        assert_eq!(at(350_000_000, 4), None, "too soon after the last");
        assert!(at(1_000_000_000, 10).is_some());
        assert_eq!(at(1_000_000_000, 20), None, "nothing more");
    }
}
