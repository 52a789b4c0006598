//! What a service tells systemd: that it serves, what it does, that it lives. Without systemd nobody
//! listens, and nothing happens.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::Instant;

/// Tells systemd; a word that is lost does no harm that the watchdog does not mend.
fn tell(words: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(words) {
        tracing::debug!(%error, "systemd does not listen");
    }
}

/// The service does what it is for.
pub(crate) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// One line for `systemctl status`.
pub(crate) fn status(text: &str) {
    tell(&[NotifyState::Status(text)]);
}

/// The service finishes what it has.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The unit's `WatchdogSec=`: who does not beat in that time is killed and started again.
#[derive(Debug)]
pub(crate) struct Watchdog {
    every: Option<Duration>,
    last: Option<Instant>,
}

impl Watchdog {
    /// As systemd has told this process; without it, beats go nowhere.
    pub(crate) fn of_unit() -> Self {
        Self {
            // Half of it, as sd_watchdog_enabled(3) asks for.
            every: sd_notify::watchdog_enabled().map(|limit| limit / 2),
            last: None,
        }
    }

    /// Says that the loop that calls this turns; as often as you like.
    pub(crate) fn beat(&mut self) {
        let Some(every) = self.every else { return };
        if self.last.is_none_or(|last| last.elapsed() >= every) {
            self.last = Some(Instant::now());
            tell(&[NotifyState::Watchdog]);
        }
    }

    /// Beats from the runtime that the service's own tasks run on: when they hold it up, it stops.
    pub(crate) async fn beats(mut self) {
        let Some(every) = self.every else { return };
        let mut tick = tokio::time::interval(every);
        loop {
            tick.tick().await;
            self.beat();
        }
    }
}
