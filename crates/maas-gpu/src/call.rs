//! Which NVML call is being made: what tells a blocked call from a slow round.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use tokio::sync::watch;

/// Tells the time. The process gives its own; a test gives what it likes.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

/// A call that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    /// Its name in `nvml.h`.
    pub(crate) name: &'static str,
    /// When it began.
    pub(crate) since: Timestamp,
}

/// Where the thread that calls NVML says which call it begins.
#[derive(Debug)]
pub(crate) struct Calls(Option<(watch::Sender<Option<Call>>, Clock)>);

impl Clock {
    pub(crate) fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl Calls {
    /// Calls that nobody watches.
    pub(crate) fn unwatched() -> Self {
        Self(None)
    }

    /// Calls that are told to `begun`. It holds the latest, whether or not that has ended.
    pub(crate) fn watched(begun: watch::Sender<Option<Call>>, clock: Clock) -> Self {
        Self(Some((begun, clock)))
    }

    /// Says that `name` is called next, and calls it.
    pub(crate) fn call<T>(&self, name: &'static str, call: impl FnOnce() -> T) -> T {
        self.begin(name);
        call()
    }

    /// Says that `name` is called next.
    pub(crate) fn begin(&self, name: &'static str) {
        if let Self(Some((sender, clock))) = self {
            let since = clock.now();
            sender.send_replace(Some(Call { name, since }));
        }
    }
}
