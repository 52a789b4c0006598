//! What an operator sees, as they see it.

use jiff::Timestamp;
use maas_types::{EngineKind, EngineState, Gpu, NvmlHealth, Task, XidEvent};

use super::{
    Facts, Report,
    facts::{EngineFacts, GatewayFacts, GenerationFacts, GpuFacts, ModelFacts},
    text,
};

fn noon() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn engine(id: &str, state: EngineState, gpu: &str) -> EngineFacts {
    EngineFacts {
        id: id.parse().unwrap(),
        kind: EngineKind::Vllm,
        state,
        since: noon(),
        progress_percent: None,
        reason: None,
        gpus: vec![gpu.to_owned()],
        restarts: 0,
        log: format!("/var/lib/maas-appliance/engines/logs/{id}.log").into(),
    }
}

fn gpu(index: u32) -> Gpu {
    Gpu {
        index,
        uuid: format!("GPU-{index}").parse().unwrap(),
        name: "NVIDIA H100 80GB HBM3".to_owned(),
        pci_bus_id: format!("00000000:{index}B:00.0"),
        memory_total: 85_520_809_984,
        memory_used: 70_000_000_000,
        utilization_percent: Some(87),
        temperature_celsius: Some(60 + index),
        power_milliwatts: Some(512_000),
        ecc: None,
        processes: Vec::new(),
        xids: Vec::new(),
        unreadable: Vec::new(),
    }
}

/// A host as it should be.
fn facts() -> Facts {
    Facts {
        url: "https://maas.site.internal:8443".to_owned(),
        generation: Some(GenerationFacts {
            id: "7-1".parse().unwrap(),
            bundle: "acme-2026.11-a".parse().unwrap(),
            version: "2026.11.0".to_owned(),
            installed: noon(),
        }),
        models: vec![ModelFacts {
            name: "qwen3-coder".parse().unwrap(),
            title: "Qwen3 Coder".to_owned(),
            task: Task::Generate,
            context: 131_072,
            engines: vec![
                engine("qwen3-coder-0", EngineState::Ready, "0"),
                engine("qwen3-coder-1", EngineState::Ready, "1"),
            ],
        }],
        gpus: Some(GpuFacts {
            nvml: NvmlHealth::Answering,
            written: noon(),
            answered: Some(noon()),
            driver: Some("580.95.05".to_owned()),
            gpus: vec![gpu(0), gpu(1)],
            unidentified: Vec::new(),
        }),
        gateway: Some(GatewayFacts {
            uptime_seconds: 1_051_200,
            in_flight: 14,
            ledger_healthy: true,
        }),
        table_written: Some(noon()),
    }
}

fn shown(facts: &Facts) -> String {
    text::render(&Report::of(facts, noon()))
}

#[test]
fn a_healthy_host_is_short() {
    insta::assert_snapshot!(shown(&facts()), @"
    https://maas.site.internal:8443  HEALTHY  v0.1.0
    MODEL        STATE  ENGINE  GPU     CTX  RESTARTS
    qwen3-coder  ready  vllm    0    131072         0
    qwen3-coder  ready  vllm    1    131072         0
    gpus     2x NVIDIA H100 80GB HBM3  memory 140.0 GB of 171.0 GB  max 61C
    bundle   acme-2026.11-a  version 2026.11.0  epoch 7  generation 7-1
    gateway  up 12d 4h  in flight 14  ledger ok
    ");
}

#[test]
fn what_is_wrong_says_what_to_type() {
    let mut facts = facts();
    let engines = &mut facts.models[0].engines;
    engines[0].state = EngineState::Starting;
    engines[0].progress_percent = Some(40);
    engines[1].state = EngineState::BackingOff;
    engines[1].restarts = 3;
    engines[1].reason = Some("it died (code 1): CUDA out of memory; next try in 4 s".to_owned());
    let gpus = facts.gpus.as_mut().unwrap();
    gpus.gpus[1].xids.push(XidEvent {
        xid: 79,
        seen: noon(),
    });
    insta::assert_snapshot!(shown(&facts), @"
    https://maas.site.internal:8443  DOWN  v0.1.0
    MODEL        STATE         ENGINE  GPU     CTX  RESTARTS
    qwen3-coder  starting 40%  vllm    0    131072         0
    qwen3-coder  backing_off   vllm    1    131072         3
    gpus     2x NVIDIA H100 80GB HBM3  memory 140.0 GB of 171.0 GB  max 61C
    bundle   acme-2026.11-a  version 2026.11.0  epoch 7  generation 7-1
    gateway  up 12d 4h  in flight 14  ledger ok

    FAIL  P-MODEL-DOWN  qwen3-coder does not answer (backing_off): it died (code 1): CUDA out of memory; next try in 4 s
    action: read /var/lib/maas-appliance/engines/logs/qwen3-coder-1.log

    WARN  P-XID  GPU 1 (GPU-1) reported XID 79 at 2026-11-24T12:00:00Z
    action: maas-appliance gpu list
    ");
}

#[test]
fn a_replica_that_is_down_is_named_although_its_model_answers() {
    let mut facts = facts();
    let engine = &mut facts.models[0].engines[1];
    engine.state = EngineState::Failed;
    engine.reason = Some("it exited with code 2: unknown flags".to_owned());
    insta::assert_snapshot!(shown(&facts), @"
    https://maas.site.internal:8443  DEGRADED  v0.1.0
    MODEL        STATE   ENGINE  GPU     CTX  RESTARTS
    qwen3-coder  ready   vllm    0    131072         0
    qwen3-coder  failed  vllm    1    131072         0
    gpus     2x NVIDIA H100 80GB HBM3  memory 140.0 GB of 171.0 GB  max 61C
    bundle   acme-2026.11-a  version 2026.11.0  epoch 7  generation 7-1
    gateway  up 12d 4h  in flight 14  ledger ok

    WARN  P-ENGINE-DOWN  qwen3-coder-1 does not serve (failed): it exited with code 2: unknown flags; its model is answered by another engine
    action: read /var/lib/maas-appliance/engines/logs/qwen3-coder-1.log
    ");
}

#[test]
fn an_empty_host_says_how_to_begin() {
    let facts = Facts {
        generation: None,
        models: Vec::new(),
        gpus: None,
        gateway: None,
        table_written: None,
        ..facts()
    };
    insta::assert_snapshot!(shown(&facts), @"
    https://maas.site.internal:8443  DOWN  v0.1.0

    FAIL  P-NOTHING-INSTALLED  no bundle is installed
    action: maas-appliance install --media DIR

    FAIL  P-GATEWAY-DOWN  the gateway does not answer on its administrative socket
    action: systemctl status maas-gateway

    WARN  P-SUPERVISOR-DOWN  the supervisor has never written its table
    action: systemctl status maas-supervisor
    ");
}

#[test]
fn old_facts_are_called_old() {
    let mut facts = facts();
    let early = "2026-11-24T11:55:00Z".parse().unwrap();
    facts.table_written = Some(early);
    facts.gpus.as_mut().unwrap().written = early;
    facts.gpus.as_mut().unwrap().nvml = NvmlHealth::Blocked {
        call: "nvmlDeviceGetTemperature".to_owned(),
        since: early,
    };
    facts.gateway.as_mut().unwrap().ledger_healthy = false;
    insta::assert_snapshot!(shown(&facts), @"
    https://maas.site.internal:8443  DOWN  v0.1.0
    MODEL        STATE  ENGINE  GPU     CTX  RESTARTS
    qwen3-coder  ready  vllm    0    131072         0
    qwen3-coder  ready  vllm    1    131072         0
    gpus     2x NVIDIA H100 80GB HBM3  memory 140.0 GB of 171.0 GB  max 61C
    bundle   acme-2026.11-a  version 2026.11.0  epoch 7  generation 7-1
    gateway  up 12d 4h  in flight 14  ledger FAILING

    FAIL  P-LEDGER  usage cannot be written, so requests are refused
    action: look at the disk below /var/lib/maas-appliance and at journalctl -u maas-gateway

    WARN  P-SUPERVISOR-SILENT  the supervisor wrote its table 300 s ago; engines go on, nobody watches them
    action: systemctl status maas-supervisor

    WARN  P-AGENT-SILENT  the GPU agent wrote its facts 300 s ago; they are old
    action: systemctl status maas-gpu-agent

    WARN  P-NVML-BLOCKED  NVML has not come back from nvmlDeviceGetTemperature since 2026-11-24T11:55:00Z; GPU facts are old
    action: dmesg | grep -i -e nvrm -e xid
    ");
}
