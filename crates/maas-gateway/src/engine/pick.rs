//! Which engine gets a request: among the ready ones the one with the fewest requests of ours.
//!
//! A count is taken when an engine is picked, not when it answers, so that requests that arrive
//! together do not all see the same idle engine. An engine that fails answers at once and would be
//! idle for ever, so each failure in a row weighs like requests: it is tried again when the others
//! have more to do.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use maas_types::{EngineEntry, EngineState, ModelName};

use super::client::Pool;

/// An engine of the table, with what this gateway knows of it beside.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) entry: EngineEntry,
    pub(crate) local: Arc<Local>,
}

/// What outlives one version of the table: shared by all of them for the same id and socket.
#[derive(Debug, Default)]
pub(crate) struct Local {
    in_flight: AtomicUsize,
    /// The table's sequence at which connecting failed, plus one; 0 when it has not.
    ejected_at: AtomicU64,
    /// Failures since the last good answer.
    failures: AtomicUsize,
    pub(crate) pool: Pool,
}

/// How many requests one failure weighs. Why 8: half of what one engine of a small site has running.
const FAILURE_WEIGHS: usize = 8;

/// Failures beyond this number weigh no more. Why 8: 64 requests on the other replica are a load
/// under which even a doubtful engine should be tried.
const MOST_FAILURES: usize = 8;

/// One request that an engine has. Dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Place(Arc<Local>);

impl Local {
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// How busy it seems.
    fn load(&self) -> usize {
        let failures = self.failures.load(Ordering::Relaxed).min(MOST_FAILURES);
        self.in_flight() + failures * FAILURE_WEIGHS
    }

    /// It failed a request, by its own word or by none.
    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// It answered a request, if only to refuse it.
    pub(crate) fn answered(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    /// Connecting failed: others are preferred until the table says something new.
    pub(crate) fn eject(&self, sequence: u64) {
        self.ejected_at
            .store(sequence.saturating_add(1), Ordering::Relaxed);
        self.pool.clear();
    }

    /// It connected again.
    pub(crate) fn restore(&self) {
        self.ejected_at.store(0, Ordering::Relaxed);
    }

    pub(crate) fn is_ejected(&self, sequence: u64) -> bool {
        self.ejected_at.load(Ordering::Relaxed) == sequence.saturating_add(1)
    }
}

impl Place {
    fn take(local: &Arc<Local>) -> Self {
        local.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(local))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Picks among `engines`, the table at `sequence`. Those in `tried` have failed this very request.
/// An ejected engine is asked only when there is no other: connecting to it again costs microseconds.
pub(crate) fn pick(
    engines: &[Arc<Engine>],
    sequence: u64,
    model: &ModelName,
    tried: &[Arc<Engine>],
) -> Option<(Arc<Engine>, Place)> {
    let engine = engines
        .iter()
        .filter(|engine| engine.entry.state == EngineState::Ready && engine.entry.model == *model)
        .filter(|engine| !tried.iter().any(|tried| tried.entry.id == engine.entry.id))
        .min_by_key(|engine| (engine.local.is_ejected(sequence), engine.local.load()))?;
    Some((Arc::clone(engine), Place::take(&engine.local)))
}

#[cfg(test)]
pub(crate) mod tests {
    use maas_types::{EngineKind, Task};

    use super::*;

    pub(crate) fn entry(id: &str, model: &str, state: EngineState) -> EngineEntry {
        EngineEntry {
            id: id.parse().unwrap(),
            model: model.parse().unwrap(),
            task: Task::Generate,
            kind: EngineKind::Simulated,
            state,
            since: jiff::Timestamp::UNIX_EPOCH,
            progress_percent: None,
            reason: None,
            socket: format!("/nowhere/{id}.sock").into(),
            max_model_len: Some(2048),
            gpus: Vec::new(),
            shim_pid: None,
            restarts: 0,
        }
    }

    fn engines(states: &[(&str, EngineState)]) -> Vec<Arc<Engine>> {
        let engine = |(id, state): &(&str, EngineState)| {
            Arc::new(Engine {
                entry: entry(id, "tiny", *state),
                local: Arc::default(),
            })
        };
        states.iter().map(engine).collect()
    }

    #[test]
    fn requests_that_arrive_together_are_spread() {
        let engines = engines(&[("a", EngineState::Ready), ("b", EngineState::Ready)]);
        let model = "tiny".parse().unwrap();
        let picked: Vec<_> = std::iter::from_fn(|| pick(&engines, 1, &model, &[]))
            .take(4)
            .collect();
        let ids: Vec<_> = picked
            .iter()
            .map(|(engine, _)| engine.entry.id.as_str())
            .collect();
        assert_eq!(ids, ["a", "b", "a", "b"]);
        drop(picked);
        assert!(engines.iter().all(|engine| engine.local.in_flight() == 0));
    }

    #[test]
    fn an_engine_that_fails_at_once_does_not_attract_every_request() {
        let engines = engines(&[("a", EngineState::Ready), ("b", EngineState::Ready)]);
        let model = "tiny".parse().unwrap();
        let ids = |count| {
            let picks = std::iter::from_fn(|| pick(&engines, 1, &model, &[]));
            let held: Vec<_> = picks.take(count).collect();
            let ids = held.iter().map(|(engine, _)| engine.entry.id.to_string());
            ids.collect::<Vec<_>>().concat()
        };
        engines[0].local.failed();
        assert_eq!(ids(8), "bbbbbbbb");
        assert_eq!(
            ids(10),
            "bbbbbbbbab",
            "it is tried again when the other is busy"
        );
        engines[0].local.answered();
        assert_eq!(ids(4), "abab");
    }

    #[test]
    fn only_ready_engines_of_the_model_are_picked() {
        for state in EngineState::ALL {
            let engines = engines(&[("a", state)]);
            let ready = state == EngineState::Ready;
            assert_eq!(
                pick(&engines, 1, &"tiny".parse().unwrap(), &[]).is_some(),
                ready
            );
            assert!(pick(&engines, 1, &"other".parse().unwrap(), &[]).is_none());
        }
    }

    #[test]
    fn an_ejected_engine_is_the_last_choice_until_the_table_changes() {
        let engines = engines(&[("a", EngineState::Ready), ("b", EngineState::Ready)]);
        let model = "tiny".parse().unwrap();
        let id = |sequence, tried: &[Arc<Engine>]| {
            let picked = pick(&engines, sequence, &model, tried);
            picked.map(|(engine, _)| engine.entry.id.to_string())
        };
        engines[0].local.eject(7);
        assert_eq!(id(7, &[]).as_deref(), Some("b"));
        assert_eq!(id(7, &engines[1..]).as_deref(), Some("a"));
        assert_eq!(id(8, &[]).as_deref(), Some("a"));
        engines[0].local.restore();
        assert_eq!(id(7, &[]).as_deref(), Some("a"));
        assert_eq!(id(7, &engines), None);
    }
}
