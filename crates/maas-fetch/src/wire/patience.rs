//! How often and how long after a failure a request is made again.

use std::time::Duration;

use tokio::time::sleep;

use super::WireError;
use crate::{FetchError, Note, Progress};

/// Failures in a row after which we stop: with the waits below, a server may be away for half a
/// minute (a restart, a switch of a proxy).
const MOST_FAILURES: u32 = 6;

/// The first wait; each further one is twice as long. No randomness: one client is no herd.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// A server that asks for more wants us to come back another day.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// Counts failures of one request or one file.
pub(crate) struct Patience<'a> {
    failures: u32,
    progress: &'a dyn Progress,
}

impl<'a> Patience<'a> {
    pub(crate) fn new(progress: &'a dyn Progress) -> Self {
        Self {
            failures: 0,
            progress,
        }
    }

    /// New bytes have come: a line that breaks every minute still brings a file of 5 GB.
    pub(crate) fn renew(&mut self) {
        self.failures = 0;
    }

    /// Waits before the next try, or says that there is none.
    pub(crate) async fn wait(&mut self, error: WireError) -> Result<(), FetchError> {
        if !error.may_pass() {
            return Err(error.into());
        }
        self.failures += 1;
        let backoff = FIRST_WAIT * 2_u32.pow(self.failures - 1);
        let wait = error.asked_wait().unwrap_or(backoff);
        if self.failures >= MOST_FAILURES || wait > LONGEST_WAIT {
            return Err(FetchError::GaveUp {
                attempts: self.failures,
                wait: error.asked_wait(),
                source: Box::new(error),
            });
        }
        self.progress.note(&Note::Retry {
            reason: &error.to_string(),
            wait,
        });
        sleep(wait).await;
        Ok(())
    }
}
