//! One run of an engine: from the start of its shim to the end of it.

use std::time::Duration;

use maas_types::EngineState;

use super::{Act, words};
use crate::{
    clock::Now,
    process::ProcessId,
    spec::EngineSpec,
    status::{EngineStatus, Phase},
};

/// Between the table that no longer offers an engine and SIGTERM. vLLM refuses new requests at once
/// while it drains, and answers some with 500; in this time every reader of the table has seen it.
const UNROUTED: Duration = Duration::from_millis(500);

/// What a shim needs beyond the drain itself: 25 s for vLLM, 30 s for what cannot be killed, 10 s
/// for a busy host. A shim that takes longer hangs.
const SHIM_MARGIN: Duration = Duration::from_secs(65);

/// One run of an engine below one shim.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) shim: ProcessId,
    pub(super) status: Option<EngineStatus>,
    pub(super) drain: Duration,
    /// Since when the engine has been ready, and for how long it had been when we met it.
    pub(super) ready: Option<(Duration, Duration)>,
    /// Since when the engine is gone while its shim cleans up.
    pub(super) ending: Option<Duration>,
    pub(super) leaving: Leaving,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    No,
    /// The table says so since then.
    Announced(Duration),
    /// Its shim was told then.
    Told(Duration),
    /// Its shim was killed.
    Killed,
}

impl Run {
    pub(super) fn new(shim: ProcessId, spec: &EngineSpec) -> Self {
        Self {
            shim,
            status: None,
            drain: Duration::from_secs(spec.drain_seconds),
            ready: None,
            ending: None,
            leaving: Leaving::No,
        }
    }

    pub(super) fn read(&mut self, status: EngineStatus, now: Now) {
        if let (None, Some(since)) = (self.ready, status.ready) {
            let before = now.wall.duration_since(since);
            let before = Duration::try_from(before).unwrap_or_default();
            self.ready = Some((now.elapsed, before));
        }
        match status.phase {
            // Somebody else has told the shim.
            Phase::Draining if self.leaving == Leaving::No => {
                self.leaving = Leaving::Told(now.elapsed);
            }
            Phase::Starting | Phase::Ready | Phase::Draining => {}
            Phase::Ending | Phase::Ended => {
                self.ending.get_or_insert(now.elapsed);
            }
        }
        self.status = Some(status);
    }

    pub(super) fn tick(&mut self, now: Now) -> Option<Act> {
        let over = |since: Duration, limit| now.elapsed.saturating_sub(since) >= limit;
        let told_long_ago = match self.leaving {
            Leaving::Announced(since) if over(since, UNROUTED) => {
                self.leaving = Leaving::Told(now.elapsed);
                return Some(Act::Terminate(self.shim.clone()));
            }
            Leaving::Told(since) => over(since, self.drain + SHIM_MARGIN),
            Leaving::No | Leaving::Announced(_) => false,
            Leaving::Killed => return None,
        };
        let hangs = self.ending.is_some_and(|since| over(since, SHIM_MARGIN));
        (told_long_ago || hangs).then(|| {
            self.leaving = Leaving::Killed;
            Act::Kill(self.shim.clone())
        })
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving != Leaving::No
    }

    pub(super) fn ready_for(&self, now: Now) -> Duration {
        self.ready.map_or(Duration::ZERO, |(since, before)| {
            now.elapsed.saturating_sub(since) + before
        })
    }

    pub(super) fn state(&self) -> EngineState {
        match (self.leaving, self.ending, self.ready) {
            (Leaving::Announced(_) | Leaving::Told(_), ..) => EngineState::Draining,
            (Leaving::Killed, ..) | (_, Some(_), _) => EngineState::BackingOff,
            (Leaving::No, None, Some(_)) => EngineState::Ready,
            (Leaving::No, None, None) => EngineState::Starting,
        }
    }

    pub(super) fn reason(&self) -> Option<String> {
        match self.state() {
            EngineState::Starting => self.status.as_ref().map(|status| {
                let stage = status.progress.stage.as_str();
                format!("it is {stage}")
            }),
            EngineState::Draining => Some("it finishes what it has and stops".to_owned()),
            EngineState::BackingOff => {
                let record = self.status.as_ref().and_then(|s| s.exit.as_ref());
                Some(words::sweeping(record))
            }
            EngineState::Unplaced
            | EngineState::Ready
            | EngineState::Failed
            | EngineState::Stopped => None,
        }
    }
}
