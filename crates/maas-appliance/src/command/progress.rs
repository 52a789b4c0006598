//! Progress of long work: bytes, rate and time left on a terminal, a line each 5 % elsewhere.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use maas_types::ByteSize;

use crate::output;

/// How often a bar is drawn again while nothing arrives, so that the rate falls to zero in sight.
const REDRAW: Duration = Duration::from_millis(250);

/// One work at a time, phase after phase.
#[derive(Debug, Default)]
pub(super) struct Shown(Mutex<Option<Phase>>);

#[derive(Debug)]
struct Phase {
    name: &'static str,
    total: u64,
    done: u64,
    bar: Option<ProgressBar>,
    /// The last multiple of 5 % that was printed.
    said: u64,
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
        *self.phase() = Some(Phase {
            name,
            total,
            done: 0,
            bar,
            said: 0,
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
        let percent = if phase.total == 0 {
            100
        } else {
            u64::try_from(u128::from(phase.done) * 100 / u128::from(phase.total)).unwrap_or(100)
        };
        let step = percent.min(100) / 5 * 5;
        if step > phase.said {
            phase.said = step;
            let (done, total) = (ByteSize(phase.done), ByteSize(phase.total));
            output::words(&format!("{} {step} %  {done} of {total}", phase.name));
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
