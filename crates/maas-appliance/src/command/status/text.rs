//! The report as a person reads it, in 80 columns.

use std::fmt::Write as _;

use maas_types::{ByteSize, EngineKind, EngineState, NvmlHealth};

use super::{
    facts::{EngineFacts, GpuFacts, ModelFacts},
    report::{Health, Report},
};
use crate::output;

/// The whole page.
pub(super) fn render(report: &Report<'_>) -> String {
    let mut page = String::new();
    let health = match report.health {
        Health::Healthy => "HEALTHY",
        Health::Degraded => "DEGRADED",
        Health::Down => "DOWN",
    };
    let _ = writeln!(page, "{}  {health}  v{}", report.url, report.version);
    if !report.models.is_empty() {
        page.push_str(&models(report.models));
    }
    if let Some(gpus) = report.gpus {
        let _ = writeln!(page, "gpus     {}", gpu_line(gpus));
    }
    if let Some(generation) = report.generation {
        let _ = writeln!(
            page,
            "bundle   {}  version {}  epoch {}  generation {}",
            generation.bundle, generation.version, generation.id.epoch, generation.id
        );
    }
    if let Some(gateway) = report.gateway {
        let _ = writeln!(
            page,
            "gateway  up {}  in flight {}  ledger {}",
            duration(gateway.uptime_seconds),
            gateway.in_flight,
            if gateway.ledger_healthy {
                "ok"
            } else {
                "FAILING"
            },
        );
    }
    for problem in &report.problems {
        let word = if problem.means == Health::Down {
            "FAIL"
        } else {
            "WARN"
        };
        let _ = write!(
            page,
            "\n{word}  {}  {}\naction: {}\n",
            problem.id, problem.text, problem.action
        );
    }
    page
}

fn models(models: &[ModelFacts]) -> String {
    let rows = models.iter().flat_map(|model| {
        let nothing = || {
            let dash = || "-".to_owned();
            [
                model.name.to_string(),
                "not started".to_owned(),
                dash(),
                dash(),
                model.context.to_string(),
                dash(),
            ]
        };
        let none = model.engines.is_empty().then(nothing);
        none.into_iter()
            .chain(model.engines.iter().map(|engine| row(model, engine)))
    });
    output::columns(
        ["MODEL", "STATE", "ENGINE", "GPU", "CTX", "RESTARTS"],
        4..6,
        rows,
    )
}

fn row(model: &ModelFacts, engine: &EngineFacts) -> [String; 6] {
    [
        model.name.to_string(),
        state(engine),
        kind(engine.kind).to_owned(),
        if engine.gpus.is_empty() {
            "cpu".to_owned()
        } else {
            engine.gpus.join(",")
        },
        model.context.to_string(),
        engine.restarts.to_string(),
    ]
}

fn state(engine: &EngineFacts) -> String {
    match engine.progress_percent {
        Some(percent) if engine.state == EngineState::Starting => format!("starting {percent}%"),
        _ => engine.state.as_str().to_owned(),
    }
}

/// A simulated engine is never taken for a real one.
fn kind(kind: EngineKind) -> &'static str {
    match kind {
        EngineKind::Vllm => "vllm",
        EngineKind::Simulated => "SIMULATED",
    }
}

fn gpu_line(gpus: &GpuFacts) -> String {
    match &gpus.nvml {
        // The loader's long sentence is in `gpu list`.
        NvmlHealth::Absent { .. } => return "none: this host has no NVIDIA driver".to_owned(),
        NvmlHealth::Answering | NvmlHealth::Blocked { .. } | NvmlHealth::Failing { .. } => {}
    }
    let Some(first) = gpus.gpus.first() else {
        return "none reported by NVML".to_owned();
    };
    let used: u64 = gpus.gpus.iter().map(|gpu| gpu.memory_used).sum();
    let total: u64 = gpus.gpus.iter().map(|gpu| gpu.memory_total).sum();
    let hottest = gpus
        .gpus
        .iter()
        .filter_map(|gpu| gpu.temperature_celsius)
        .max();
    let hottest = hottest.map_or_else(String::new, |celsius| format!("  max {celsius}C"));
    format!(
        "{}x {}  memory {} of {}{hottest}",
        gpus.gpus.len(),
        first.name,
        ByteSize(used),
        ByteSize(total)
    )
}

fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}
