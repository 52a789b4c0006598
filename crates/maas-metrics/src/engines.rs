//! The supervisor's table as metrics.

use jiff::Timestamp;
use maas_types::{EngineEntry, EngineKind, EngineState, EngineTable, Task};

use crate::{catalogue, exposition::Exposition};

/// Writes the families of `table`, whose age is taken at `now`.
pub(crate) fn write(page: &mut Exposition, table: &EngineTable, now: Timestamp) {
    page.family(&catalogue::GENERATION_INFO, |family| {
        if let Some(generation) = &table.generation {
            family.sample([&generation.to_string()], 1);
        }
    });
    page.family(&catalogue::ENGINE_TABLE_AGE, |family| {
        // A clock that was set back must not make the table look as if it came from the future.
        let age = now.duration_since(table.written).as_secs_f64().max(0.0);
        family.sample([], age);
    });
    page.family(&catalogue::ENGINE_INFO, |family| {
        for engine in &table.engines {
            let [id, model] = names(engine);
            family.sample([id, model, kind(engine.kind), task(engine.task)], 1);
        }
    });
    page.family(&catalogue::ENGINE_STATE, |family| {
        for engine in &table.engines {
            let [id, model] = names(engine);
            for state in EngineState::ALL {
                family.sample([id, model, state.as_str()], u8::from(engine.state == state));
            }
        }
    });
    page.family(&catalogue::ENGINE_RESTARTS, |family| {
        for engine in &table.engines {
            family.sample(names(engine), engine.restarts);
        }
    });
    page.family(&catalogue::ENGINE_PROGRESS, |family| {
        for engine in &table.engines {
            if let Some(percent) = engine.progress_percent {
                family.sample(names(engine), f64::from(percent) / 100.0);
            }
        }
    });
}

fn names(engine: &EngineEntry) -> [&str; 2] {
    [engine.id.as_str(), engine.model.as_str()]
}

fn kind(kind: EngineKind) -> &'static str {
    match kind {
        EngineKind::Vllm => "vllm",
        EngineKind::Simulated => "simulated",
    }
}

fn task(task: Task) -> &'static str {
    match task {
        Task::Generate => "generate",
        Task::Embed => "embed",
    }
}
