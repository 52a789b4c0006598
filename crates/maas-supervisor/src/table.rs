//! Publishes the one value that the gateway reads.

use std::{io, time::Duration};

use maas_types::{EngineEntry, EngineState, EngineTable, GenerationId, Layout};

use crate::{clock::Now, files};

/// The table is written at least this often, so that a reader can tell a quiet supervisor from a
/// dead one. Less than half of what any reader calls stale.
const FRESH: Duration = Duration::from_secs(2);

/// The table as it was last written.
#[derive(Debug, Default)]
pub(crate) struct Table {
    sequence: u64,
    generation: Option<GenerationId>,
    engines: Vec<EngineEntry>,
    written: Option<Duration>,
}

impl Table {
    /// Writes the table if it has changed or grown old.
    pub(crate) fn publish(
        &mut self,
        layout: &Layout,
        generation: Option<GenerationId>,
        engines: Vec<EngineEntry>,
        now: Now,
    ) -> io::Result<()> {
        let changed =
            self.written.is_none() || self.generation != generation || self.engines != engines;
        let fresh = self
            .written
            .is_some_and(|at| now.elapsed.saturating_sub(at) < FRESH);
        if !changed && fresh {
            return Ok(());
        }
        if changed {
            self.sequence += 1;
            report(&self.engines, &engines);
            (self.generation, self.engines) = (generation, engines);
        }
        let table = EngineTable {
            schema: EngineTable::SCHEMA.to_owned(),
            sequence: self.sequence,
            written: now.wall,
            generation: self.generation,
            engines: self.engines.clone(),
        };
        // Even if it fails: an error in the log every two seconds is enough.
        self.written = Some(now.elapsed);
        files::replace(&layout.engine_table(), &table)
    }
}

/// Logs every change of state, once.
fn report(before: &[EngineEntry], after: &[EngineEntry]) {
    for engine in after {
        let id = &engine.id;
        if before
            .iter()
            .any(|old| old.id == *id && old.state == engine.state)
        {
            continue;
        }
        let state = engine.state.as_str();
        let reason = engine.reason.as_deref().unwrap_or_default();
        let text = match reason {
            "" => format!("Engine `{id}` is {state}"),
            reason => format!("Engine `{id}` is {state}: {reason}"),
        };
        match engine.state {
            EngineState::BackingOff | EngineState::Failed => {
                tracing::warn!(engine.id = %id, engine.state = state, "{text}");
            }
            EngineState::Unplaced
            | EngineState::Starting
            | EngineState::Ready
            | EngineState::Draining
            | EngineState::Stopped => {
                tracing::info!(engine.id = %id, engine.state = state, "{text}");
            }
        }
    }
    for engine in before {
        let id = &engine.id;
        if !after.iter().any(|new| new.id == *id) {
            tracing::info!(engine.id = %id, "Engine `{id}` has stopped");
        }
    }
}
