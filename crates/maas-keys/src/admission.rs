//! From a [`Principal`] to a [`Permit`], and from a permit to a settled row: exactly once.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use jiff::Timestamp;
use maas_types::{EngineId, ModelName, Outcome, RequestId, Usage};
use tokio_util::sync::CancellationToken;

use crate::{
    LimitRefusal, LimitState, Principal,
    ledger::{Row, Slot},
    meter::{Applicable, Granted, Need},
    registry::Inner,
    snapshot::KeyEntry,
};

/// More tokens than any request has: an engine that reports more is wrong. It keeps sums over nine
/// million such requests within SQLite's integers.
const MOST_TOKENS: u64 = 1_000_000_000_000;

/// What a request wants to do.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Our ULID, never the client's own id: a second row of the same id is not billed.
    pub request: RequestId,
    /// The model that will answer.
    pub model: ModelName,
    /// The alias that the client asked for, where it differs.
    pub requested_as: Option<ModelName>,
    /// The route, `/v1/chat/completions`.
    pub route: &'static str,
    /// Tokens of the prompt as they probably are: billed when nobody counts them.
    pub input_estimate: u64,
    /// Tokens that the prompt cannot exceed. Reserved as long as the limit has room for it; close to
    /// the limit the estimate is, so that nobody is locked out of the last part of a budget. What the
    /// estimate lacks there is the one way past a token limit, by that much.
    pub input_most: u64,
    /// How many answers were asked for at once: `n` times the prompts of a list. Each is at least one
    /// token long, so a budget that has not that many left cannot take the request.
    pub answers: u64,
    /// Tokens that the client allows at most, of all answers together.
    pub max_output: Option<u64>,
    /// Tokens of all answers to reserve when the client sets no bound; 0 for embeddings.
    pub default_output: u64,
}

/// Leave to forward one request. Private fields: only [`crate::Registry::admit`] makes one.
///
/// Dropped without [`Permit::settle`] it settles by itself, for what was observed and at least the
/// estimate of the prompt, so that a path that forgets it, panics or is cancelled costs its client
/// what it cost the engine and is never free.
pub struct Permit {
    inner: Arc<Inner>,
    live: Live,
    ask: Arc<Ask>,
    granted: Granted,
    /// Grows beyond `granted.tokens` only when more is observed.
    reserved: u64,
    observed: Usage,
    engine: Option<EngineId>,
    admitted: Timestamp,
    /// Taken by whoever settles; a permit without it is settled.
    slot: Option<Slot>,
}

/// Counts a key's running requests.
struct Live(Arc<KeyEntry>);

impl Live {
    fn enter(key: &Arc<KeyEntry>) -> Self {
        key.live.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(key))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::SeqCst);
    }
}

/// See [`crate::Registry::admit`].
pub(crate) fn admit(
    inner: &Arc<Inner>,
    who: &Principal,
    ask: Ask,
    now: Timestamp,
) -> Result<Permit, LimitRefusal> {
    if !who.may_use(&ask.model) {
        return Err(LimitRefusal::ModelNotAllowed);
    }
    let slot = inner.ledger.claim().ok_or(LimitRefusal::LedgerBusy)?;
    // Entered first, looked at second: a revocation that this look does not see counts this request
    // and cancels the very token that its permit will hold.
    let live = Live::enter(&who.key);
    if who.key.cut.is_cancelled() {
        return Err(LimitRefusal::Revoked);
    }
    let limits = Applicable {
        key: who.key.record.limits,
        team: who.key.team.record.settings.limits,
    };
    let need = Need {
        input: ask.input_estimate,
        input_most: ask.input_most,
        answers: ask.answers,
        output: ask.max_output.unwrap_or(ask.default_output),
    };
    let day = inner.day(now);
    let mut meters = who.key.team.meters.lock();
    let granted = meters.reserve(who.key.slot, limits, need, &day, now)?;
    drop(meters);
    Ok(Permit {
        inner: Arc::clone(inner),
        live,
        ask: Arc::new(ask),
        granted,
        reserved: granted.tokens,
        observed: Usage::default(),
        engine: None,
        admitted: now,
        slot: Some(slot),
    })
}

impl Permit {
    /// The request's id.
    pub fn request(&self) -> &RequestId {
        &self.ask.request
    }

    /// The model that is to answer.
    pub fn model(&self) -> &ModelName {
        &self.ask.model
    }

    /// Tokens that all answers together may have at most, and at least one for each: to be shared out
    /// and set upstream, also when the client set no bound. `None` when no token limit applies; then the client's own bound stands as it is.
    pub fn output_cap(&self) -> Option<u64> {
        self.granted.output_cap
    }

    /// Cancelled when the key is revoked or its team disabled: cut the stream then.
    pub fn revoked(&self) -> &CancellationToken {
        &self.live.0.cut
    }

    /// Where the limits stood after this request's reservation.
    pub fn limits(&self) -> LimitState {
        self.granted.state
    }

    /// Notes which engine answers; the last one counts when a request is tried again.
    pub fn sent_to(&mut self, engine: EngineId) {
        self.engine = Some(engine);
    }

    /// Notes the usage so far (running totals, not increments). Never goes down. What exceeds the
    /// reservation is reserved at once, so that other requests see it.
    pub fn observe(&mut self, usage: Usage) {
        let usage = bounded(usage);
        self.observed = Usage {
            input: self.observed.input.max(usage.input),
            cached: self.observed.cached.max(usage.cached),
            output: self.observed.output.max(usage.output),
        };
        let more = self.observed.total().saturating_sub(self.reserved);
        if more > 0 {
            let key = &self.live.0;
            let mut meters = key.team.meters.lock();
            meters.extend(key.slot, self.granted.date, more);
            self.reserved += more;
        }
    }

    /// Ends the request: replaces the reservation by `usage` and hands one row to the ledger.
    /// [`Outcome::EngineRefused`] bills nothing. `took` is from arrival to the last byte.
    pub fn settle(mut self, usage: Usage, outcome: Outcome, took: Duration) {
        self.finish(usage, outcome, Some(took));
    }

    fn finish(&mut self, usage: Usage, outcome: Outcome, took: Option<Duration>) {
        let Some(slot) = self.slot.take() else {
            return;
        };
        let usage = match outcome {
            Outcome::EngineRefused => Usage::default(),
            Outcome::Complete
            | Outcome::ClientGone
            | Outcome::EngineFailed
            | Outcome::TimedOut
            | Outcome::Revoked
            | Outcome::ShutDown => bounded(usage),
        };
        let key = &self.live.0;
        let mut meters = key.team.meters.lock();
        let date = self.granted.date;
        meters.settle(key.slot, date, self.reserved, usage.total());
        drop(meters);
        let row = Row {
            at: self.admitted,
            date,
            who: Arc::clone(key),
            ask: Arc::clone(&self.ask),
            usage,
            outcome,
            engine: self.engine.take(),
            took,
        };
        self.inner.ledger.push(row, slot);
    }

    /// What an unsettled permit is charged: what was seen, and at least the prompt.
    fn abandoned(&self) -> (Usage, Outcome) {
        let mut usage = self.observed;
        if usage.input == 0 {
            usage.input = self.ask.input_estimate;
        }
        let outcome = if self.revoked().is_cancelled() {
            Outcome::Revoked
        } else if std::thread::panicking() {
            Outcome::EngineFailed
        } else {
            Outcome::ClientGone
        };
        (usage, outcome)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let (usage, outcome) = self.abandoned();
        self.finish(usage, outcome, None);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("request", &self.ask.request)
            .field("key", &self.live.0.record.id)
            .field("granted", &self.granted)
            .field("observed", &self.observed)
            .finish_non_exhaustive()
    }
}

/// What can be summed and stored. The engine's word is taken up to the impossible.
fn bounded(usage: Usage) -> Usage {
    let input = usage.input.min(MOST_TOKENS);
    Usage {
        input,
        cached: usage.cached.min(input),
        output: usage.output.min(MOST_TOKENS),
    }
}
