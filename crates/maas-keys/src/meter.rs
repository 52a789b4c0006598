//! Counters of one team and its keys, and the one place where a request is weighed against limits.
//!
//! Everything here happens under the team's one lock: all scopes are checked, then all are debited,
//! and there is no way to debit one of them only. Nothing here waits, reads or allocates beyond a
//! handful of days.

use std::time::Duration;

use jiff::{Timestamp, civil::Date};

use crate::{Day, LimitRefusal, Limits, Scope, bucket::Bucket};

/// How many days a scope remembers. Two are needed (a request admitted before midnight is settled
/// after it); the others keep today's count while a wrong clock is being put right.
const DAYS: usize = 4;

/// Where a request stands after its own reservation; for the `x-ratelimit-*` headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitState {
    /// Requests per minute, of the scope with the fewest left; `None` without such a limit.
    pub requests: Option<RequestState>,
    /// Tokens per day, of the scope with the fewest left; `None` without such a limit.
    pub tokens: Option<TokenState>,
}

/// Where a request-rate limit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestState {
    /// Whose limit.
    pub scope: Scope,
    /// Requests per minute.
    pub limit: u64,
    /// How many more would be admitted at this instant.
    pub remaining: u64,
    /// How long until all of them would be, if nobody asks.
    pub reset_after: Duration,
}

/// Where a token limit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenState {
    /// Whose limit.
    pub scope: Scope,
    /// Tokens per day.
    pub limit: u64,
    /// Tokens neither settled nor reserved.
    pub remaining: u64,
    /// When the count starts again.
    pub resets: Timestamp,
}

/// What a request would like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    /// Tokens of its prompt as they probably are.
    pub(crate) input: u64,
    /// Tokens that its prompt cannot exceed; at least `input`.
    pub(crate) input_most: u64,
    /// Answers that were asked for at once.
    pub(crate) answers: u64,
    /// Tokens that it would like to produce at most, in all of them.
    pub(crate) output: u64,
}

/// What a request got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Granted {
    /// The day it is counted on, however long it runs.
    pub(crate) date: Date,
    /// Tokens reserved in every scope.
    pub(crate) tokens: u64,
    /// Tokens that it may produce; `None` when no token limit applies.
    pub(crate) output_cap: Option<u64>,
    /// Where it left the limits.
    pub(crate) state: LimitState,
}

/// The counters of a team and of its keys.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    team: Meter,
    keys: Vec<Meter>,
}

/// The counters of one scope.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    bucket: Bucket,
    days: Vec<DayCount>,
}

/// Tokens of one scope on one day. Its use is `settled + reserved`.
#[derive(Debug, Clone, Copy)]
struct DayCount {
    date: Date,
    settled: u64,
    reserved: u64,
}

/// The limits that a request falls under.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Applicable {
    pub(crate) key: Limits,
    pub(crate) team: Limits,
}

impl Meters {
    /// A place for one more key.
    pub(crate) fn add_key(&mut self) -> usize {
        self.keys.push(Meter::default());
        self.keys.len() - 1
    }

    /// Counts what an earlier life of the process settled.
    pub(crate) fn restore_key(&mut self, slot: usize, date: Date, tokens: u64) {
        self.keys[slot].on(date).settled = tokens;
    }

    /// Counts what an earlier life of the process settled.
    pub(crate) fn restore_team(&mut self, date: Date, tokens: u64) {
        self.team.on(date).settled = tokens;
    }

    /// Checks every scope and then debits every scope, or refuses and debits none.
    pub(crate) fn reserve(
        &mut self,
        slot: usize,
        limits: Applicable,
        need: Need,
        day: &Day,
        now: Timestamp,
    ) -> Result<Granted, LimitRefusal> {
        let mut scopes = [
            (Scope::Key, limits.key, &mut self.keys[slot]),
            (Scope::Team, limits.team, &mut self.team),
        ];
        // A spent budget is said before a burst: waiting for the burst to pass would not help.
        let afforded = affordable(&mut scopes, need, day)?;
        in_time(&mut scopes, now)?;
        let tokens = afforded.input.saturating_add(afforded.output);
        for (_, limits, meter) in &mut scopes {
            if limits.requests_per_minute.is_some() {
                meter.bucket.take();
            }
            let count = meter.on(day.date);
            count.reserved = count.reserved.saturating_add(tokens);
        }
        Ok(Granted {
            date: day.date,
            tokens,
            output_cap: afforded.limited.then_some(afforded.output),
            state: state(&mut scopes, day, now),
        })
    }

    /// Makes a reservation bigger when a running request turned out to use more.
    pub(crate) fn extend(&mut self, slot: usize, date: Date, more: u64) {
        for meter in [&mut self.keys[slot], &mut self.team] {
            let count = meter.on(date);
            count.reserved = count.reserved.saturating_add(more);
        }
    }

    /// Replaces a reservation by what was used, in every scope.
    pub(crate) fn settle(&mut self, slot: usize, date: Date, reserved: u64, used: u64) {
        for meter in [&mut self.keys[slot], &mut self.team] {
            let count = meter.on(date);
            count.reserved = count.reserved.saturating_sub(reserved);
            count.settled = count.settled.saturating_add(used);
        }
    }
}

impl Meter {
    /// The count of a day, begun at zero. Forgets the oldest day when there are too many.
    fn on(&mut self, date: Date) -> &mut DayCount {
        let at = self.days.iter().position(|count| count.date == date);
        let at = at.unwrap_or_else(|| {
            if self.days.len() == DAYS {
                let oldest = (0..DAYS).min_by_key(|at| self.days[*at].date);
                self.days
                    .swap_remove(oldest.expect("there are DAYS of them"));
            }
            self.days.push(DayCount {
                date,
                settled: 0,
                reserved: 0,
            });
            self.days.len() - 1
        });
        &mut self.days[at]
    }

    fn used(&mut self, date: Date) -> u64 {
        let count = self.on(date);
        count.settled.saturating_add(count.reserved)
    }
}

type Scopes<'a> = [(Scope, Limits, &'a mut Meter); 2];

/// The token limit with the least left: scope, limit, used, left.
fn tightest(scopes: &mut Scopes<'_>, date: Date) -> Option<(Scope, u64, u64, u64)> {
    let budgets = scopes.iter_mut().filter_map(|(scope, limits, meter)| {
        let limit = limits.tokens_per_day?;
        let used = meter.used(date);
        Some((*scope, limit, used, limit.saturating_sub(used)))
    });
    budgets.min_by_key(|(_, _, _, left)| *left)
}

/// What a request may use.
#[derive(Debug, Clone, Copy)]
struct Afforded {
    input: u64,
    output: u64,
    /// Whether a token limit applies at all.
    limited: bool,
}

/// What may be used, or the refusal.
fn affordable(scopes: &mut Scopes<'_>, need: Need, day: &Day) -> Result<Afforded, LimitRefusal> {
    let all = |limited| Afforded {
        input: need.input_most,
        output: need.output,
        limited,
    };
    let Some((scope, limit, used, left)) = tightest(scopes, day.date) else {
        return Ok(all(false));
    };
    if left >= need.input_most.saturating_add(need.output).max(1) {
        return Ok(all(true));
    }
    // An answer without a single token is no answer, unless none was wanted (embeddings); an engine
    // refuses a bound of 0, so each of several answers costs at least one token.
    let least = need.input.saturating_add(need.output.min(need.answers));
    if left < least.max(1) {
        return Err(LimitRefusal::Budget {
            scope,
            limit,
            used,
            resets: day.ends,
        });
    }
    Ok(Afforded {
        input: need.input,
        output: need.output.min(left - need.input),
        limited: true,
    })
}

/// Refuses with the scope that takes longest to recover, so that its time is the true one.
fn in_time(scopes: &mut Scopes<'_>, now: Timestamp) -> Result<(), LimitRefusal> {
    let mut worst: Option<(Scope, u64, Option<Duration>)> = None;
    for (scope, limits, meter) in scopes.iter_mut() {
        let Some(limit) = limits.requests_per_minute else {
            continue;
        };
        meter.bucket.drain(limit, now);
        let wait = meter.bucket.wait(limit, now);
        let for_ever = |wait: Option<Duration>| wait.unwrap_or(Duration::MAX);
        let longer = worst.is_none_or(|(_, _, worst)| for_ever(wait) > for_ever(worst));
        if wait != Some(Duration::ZERO) && longer {
            worst = Some((*scope, limit, wait));
        }
    }
    match worst {
        None => Ok(()),
        Some((scope, limit, retry_after)) => Err(LimitRefusal::RequestRate {
            scope,
            limit,
            retry_after,
        }),
    }
}

fn state(scopes: &mut Scopes<'_>, day: &Day, now: Timestamp) -> LimitState {
    let requests = scopes.iter().filter_map(|(scope, limits, meter)| {
        let limit = limits.requests_per_minute?;
        Some(RequestState {
            scope: *scope,
            limit,
            remaining: meter.bucket.remaining(limit),
            reset_after: meter.bucket.empties(limit, now),
        })
    });
    LimitState {
        requests: requests.min_by_key(|state| state.remaining),
        tokens: tightest(scopes, day.date).map(|(scope, limit, _, remaining)| TokenState {
            scope,
            limit,
            remaining,
            resets: day.ends,
        }),
    }
}

#[cfg(test)]
mod tests;
