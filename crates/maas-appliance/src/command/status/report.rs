//! The judgement: facts in, health and problems out. Pure.

use jiff::{SignedDuration, Timestamp};
use maas_types::{EngineState, NvmlHealth};
use serde::Serialize;

use super::facts::{Facts, GatewayFacts, GenerationFacts, GpuFacts, ModelFacts};

/// The supervisor writes its table every 2 s; five misses are no hiccup.
const TABLE_IS_OLD: SignedDuration = SignedDuration::from_secs(10);

/// The agent writes every few seconds, and when NVML hangs it still says so.
const AGENT_IS_SILENT: SignedDuration = SignedDuration::from_secs(60);

/// One word for the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Health {
    /// Every model answers.
    Healthy,
    /// Requests are answered; something needs attention.
    Degraded,
    /// Nothing is answered.
    Down,
}

/// `maas-appliance/status/v1`
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    pub(super) schema: &'static str,
    pub(super) health: Health,
    pub(super) version: &'static str,
    pub(super) url: &'a str,
    pub(super) generation: Option<&'a GenerationFacts>,
    pub(super) models: &'a [ModelFacts],
    pub(super) gpus: Option<&'a GpuFacts>,
    pub(super) gateway: Option<&'a GatewayFacts>,
    /// Seconds since the supervisor last wrote its table; null when it never did.
    pub(super) engine_table_age_seconds: Option<i64>,
    pub(super) problems: Vec<Problem>,
}

/// Something that needs attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// Stable name, for scripts.
    pub(crate) id: &'static str,
    /// What is wrong, in a sentence.
    pub(crate) text: String,
    /// What to type or to look at.
    pub(crate) action: String,
    #[serde(skip)]
    pub(super) means: Health,
}

impl<'a> Report<'a> {
    pub(super) fn of(facts: &'a Facts, now: Timestamp) -> Self {
        let age = facts
            .table_written
            .map(|written| now.duration_since(written));
        let mut problems = Vec::new();
        problems.extend(installation(facts));
        problems.extend(gateway(facts));
        problems.extend(supervisor(facts, age));
        problems.extend(models(facts));
        problems.extend(replicas(facts));
        problems.extend(gpus(facts, now));
        let health =
            problems
                .iter()
                .map(|problem| problem.means)
                .max_by_key(|health| match health {
                    Health::Healthy => 0,
                    Health::Degraded => 1,
                    Health::Down => 2,
                });
        Self {
            schema: "maas-appliance/status/v1",
            health: health.unwrap_or(Health::Healthy),
            version: env!("CARGO_PKG_VERSION"),
            url: &facts.url,
            generation: facts.generation.as_ref(),
            models: &facts.models,
            gpus: facts.gpus.as_ref(),
            gateway: facts.gateway.as_ref(),
            engine_table_age_seconds: age.map(|age| age.as_secs()),
            problems,
        }
    }
}

fn installation(facts: &Facts) -> Option<Problem> {
    facts.generation.is_none().then(|| Problem {
        id: "P-NOTHING-INSTALLED",
        text: "no bundle is installed".to_owned(),
        action: "maas-appliance install --media DIR".to_owned(),
        means: Health::Down,
    })
}

fn gateway(facts: &Facts) -> Option<Problem> {
    match &facts.gateway {
        None => Some(Problem {
            id: "P-GATEWAY-DOWN",
            text: "the gateway does not answer on its administrative socket".to_owned(),
            action: "systemctl status maas-gateway".to_owned(),
            means: Health::Down,
        }),
        Some(gateway) if !gateway.ledger_healthy => Some(Problem {
            id: "P-LEDGER",
            text: "usage cannot be written, so requests are refused".to_owned(),
            action:
                "look at the disk below /var/lib/maas-appliance and at journalctl -u maas-gateway"
                    .to_owned(),
            means: Health::Down,
        }),
        Some(_) => None,
    }
}

fn supervisor(facts: &Facts, age: Option<SignedDuration>) -> Option<Problem> {
    let means = Health::Degraded;
    let action = "systemctl status maas-supervisor".to_owned();
    match age {
        None => Some(Problem {
            id: "P-SUPERVISOR-DOWN",
            text: "the supervisor has never written its table".to_owned(),
            action,
            means: if facts.generation.is_some() {
                Health::Down
            } else {
                means
            },
        }),
        Some(age) if age > TABLE_IS_OLD => Some(Problem {
            id: "P-SUPERVISOR-SILENT",
            text: format!(
                "the supervisor wrote its table {} s ago; engines go on, nobody watches them",
                age.as_secs()
            ),
            action,
            means,
        }),
        Some(_) => None,
    }
}

fn models(facts: &Facts) -> Vec<Problem> {
    let answers = |model: &ModelFacts| model.engines.iter().any(|e| e.state == EngineState::Ready);
    let none_answers = !facts.models.iter().any(answers);
    let silent = facts.models.iter().filter(|model| !answers(model));
    silent
        .map(|model| {
            // The one that says why, if any does.
            let with_reason = model.engines.iter().find(|engine| engine.reason.is_some());
            let engine = with_reason.or(model.engines.first());
            let state = engine.map_or("not started", |engine| engine.state.as_str());
            let reason = because(engine.and_then(|engine| engine.reason.as_deref()));
            Problem {
                id: "P-MODEL-DOWN",
                text: format!("{} does not answer ({state}){reason}", model.name),
                action: engine.map_or_else(
                    || "systemctl status maas-supervisor".to_owned(),
                    |engine| format!("read {}", engine.log),
                ),
                means: if none_answers {
                    Health::Down
                } else {
                    Health::Degraded
                },
            }
        })
        .collect()
}

/// Engines that do not serve although their model is answered by another one.
fn replicas(facts: &Facts) -> Vec<Problem> {
    let answered = facts
        .models
        .iter()
        .filter(|model| model.engines.iter().any(|e| e.state == EngineState::Ready));
    let engines = answered.flat_map(|model| &model.engines);
    engines
        .filter(|engine| match engine.state {
            EngineState::Failed | EngineState::BackingOff | EngineState::Unplaced => true,
            EngineState::Starting
            | EngineState::Ready
            | EngineState::Draining
            | EngineState::Stopped => false,
        })
        .map(|engine| Problem {
            id: "P-ENGINE-DOWN",
            text: format!(
                "{} does not serve ({}){}; its model is answered by another engine",
                engine.id,
                engine.state.as_str(),
                because(engine.reason.as_deref())
            ),
            action: format!("read {}", engine.log),
            means: Health::Degraded,
        })
        .collect()
}

fn because(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(": {reason}"))
}

fn gpus(facts: &Facts, now: Timestamp) -> Vec<Problem> {
    let Some(gpus) = &facts.gpus else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    let age = now.duration_since(gpus.written);
    if age > AGENT_IS_SILENT {
        problems.push(Problem {
            id: "P-AGENT-SILENT",
            text: format!(
                "the GPU agent wrote its facts {} s ago; they are old",
                age.as_secs()
            ),
            action: "systemctl status maas-gpu-agent".to_owned(),
            means: Health::Degraded,
        });
    }
    for text in &gpus.unidentified {
        problems.push(Problem {
            id: "P-GPU-UNKNOWN",
            text: text.clone(),
            action: "nvidia-smi".to_owned(),
            means: Health::Degraded,
        });
    }
    match &gpus.nvml {
        NvmlHealth::Answering | NvmlHealth::Absent { .. } => {}
        NvmlHealth::Blocked { call, since } => problems.push(Problem {
            id: "P-NVML-BLOCKED",
            text: format!("NVML has not come back from {call} since {since}; GPU facts are old"),
            action: "dmesg | grep -i -e nvrm -e xid".to_owned(),
            means: Health::Degraded,
        }),
        NvmlHealth::Failing { detail } => problems.push(Problem {
            id: "P-NVML-FAILING",
            text: format!("NVML answers with an error: {detail}"),
            action: "nvidia-smi".to_owned(),
            means: Health::Degraded,
        }),
    }
    for gpu in &gpus.gpus {
        if let Some(xid) = gpu.xids.last() {
            problems.push(Problem {
                id: "P-XID",
                text: format!(
                    "GPU {} ({}) reported XID {} at {}",
                    gpu.index, gpu.uuid, xid.xid, xid.seen
                ),
                action: "maas-appliance gpu list".to_owned(),
                means: Health::Degraded,
            });
        }
    }
    problems
}
