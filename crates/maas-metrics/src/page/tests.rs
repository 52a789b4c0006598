use std::{collections::BTreeSet, time::Duration};

use camino::Utf8PathBuf;
use maas_types::{
    Ecc, EngineEntry, EngineId, EngineKind, EngineState, Gpu, GpuProcess, ModelName, NvmlHealth,
    Outcome, Task, Usage, XidEvent,
};

use super::*;
use crate::{Refusal, Route, Settled, catalogue, strict};

const VLLM: &str = include_str!("../../fixtures/vllm-0.32.0.txt");

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn engine(id: &str, state: EngineState) -> EngineEntry {
    EngineEntry {
        id: id.parse().unwrap(),
        model: id.split('-').next().unwrap().parse().unwrap(),
        task: Task::Generate,
        kind: EngineKind::Simulated,
        state,
        since: at(90),
        progress_percent: (state == EngineState::Starting).then_some(43),
        reason: None,
        socket: Utf8PathBuf::from("/run/a.sock"),
        max_model_len: None,
        gpus: Vec::new(),
        shim_pid: None,
        restarts: 3,
    }
}

fn table() -> EngineTable {
    EngineTable {
        schema: EngineTable::SCHEMA.to_owned(),
        sequence: 1,
        written: at(100),
        generation: Some("7-1".parse().unwrap()),
        engines: vec![
            engine("tiny-0", EngineState::Ready),
            engine("big-0", EngineState::Starting),
        ],
    }
}

fn inventory() -> GpuInventory {
    GpuInventory {
        schema: GpuInventory::SCHEMA.to_owned(),
        written: at(99),
        answered: Some(at(98)),
        nvml: NvmlHealth::Answering,
        driver: Some("580.95.05".to_owned()),
        cuda: Some("13.0".to_owned()),
        gpus: vec![Gpu {
            index: 0,
            uuid: "GPU-a".parse().unwrap(),
            name: "NVIDIA H100 80GB HBM3".to_owned(),
            pci_bus_id: "00000000:3B:00.0".to_owned(),
            memory_total: 85_520_809_984,
            memory_used: 4096,
            utilization_percent: Some(37),
            temperature_celsius: Some(41),
            power_milliwatts: Some(71_234),
            ecc: Some(Ecc {
                corrected: 2,
                uncorrected: 0,
            }),
            processes: vec![GpuProcess {
                pid: 1,
                memory_used: None,
            }],
            xids: [79, 13, 79]
                .map(|xid| XidEvent { xid, seen: at(97) })
                .into(),
            unreadable: vec!["XID events: lost".to_owned()],
        }],
        unidentified: vec!["GPU 1 tells no UUID: lost".to_owned()],
    }
}

fn gateway() -> GatewayMetrics {
    let (model, team) = ("tiny".parse().unwrap(), "blue".parse().unwrap());
    let gateway = GatewayMetrics::new("0.1.0", at(1));
    drop(gateway.admitted(&model));
    gateway.first_token(&model, Duration::from_secs(1));
    gateway.refused(Refusal::Unauthenticated);
    gateway.settled(Settled {
        model: &model,
        team: &team,
        route: Route::Embeddings,
        outcome: Outcome::TimedOut,
        usage: Usage::default(),
        elapsed: Duration::from_secs(1),
    });
    gateway
}

fn sources<'a>() -> Sources<'a> {
    Sources {
        gateway: None,
        engines: None,
        gpus: None,
        scrapes: &[],
        now: at(130),
    }
}

#[test]
fn the_whole_page_is_valid_and_its_own_metrics_are_those_of_the_catalogue() {
    let (gateway, table, inventory) = (gateway(), table(), inventory());
    let (engine, model): (EngineId, ModelName) =
        ("tiny-0".parse().unwrap(), "tiny".parse().unwrap());
    let scrapes = [EngineScrape {
        engine: &engine,
        model: &model,
        body: Some(VLLM.as_bytes()),
    }];
    let text = render(&Sources {
        gateway: Some(&gateway),
        engines: Some(&table),
        gpus: Some(&inventory),
        scrapes: &scrapes,
        now: at(130),
    });
    let page = strict::read(&text).unwrap();

    let own: BTreeSet<&str> = page.families.keys().map(String::as_str).collect();
    let own: BTreeSet<&str> = own
        .into_iter()
        .filter(|name| !name.starts_with("vllm:"))
        .collect();
    let known: BTreeSet<&str> = catalogue()
        .iter()
        .map(|definition| definition.name)
        .collect();
    assert_eq!(own, known);
    for definition in catalogue() {
        let family = &page.families[definition.name];
        assert_eq!(family.kind, definition.kind.as_str(), "{}", definition.name);
        assert_eq!(family.help, definition.help);
        for sample in &family.samples {
            let labels: BTreeSet<&str> = sample.labels.keys().map(String::as_str).collect();
            let labels: BTreeSet<&str> = labels.into_iter().filter(|l| *l != "le").collect();
            let known = definition.labels.iter().copied().collect();
            assert_eq!(labels, known, "{}", definition.name);
        }
    }
}

#[test]
fn the_order_of_the_page_is_that_of_the_catalogue() {
    let (gateway, table, inventory) = (gateway(), table(), inventory());
    let text = render(&Sources {
        gateway: Some(&gateway),
        engines: Some(&table),
        gpus: Some(&inventory),
        ..sources()
    });
    let shown: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let order: Vec<&str> = catalogue()
        .iter()
        .map(|definition| definition.name)
        .collect();
    let order: Vec<&str> = order
        .into_iter()
        .filter(|name| shown.contains(name))
        .collect();
    assert_eq!(shown, order);
}

#[test]
fn nothing_is_said_about_what_is_not_known() {
    assert_eq!(render(&sources()), "");
}

#[test]
fn engines_are_shown_as_the_supervisor_tells_them() {
    let table = table();
    let text = render(&Sources {
        engines: Some(&table),
        ..sources()
    });
    insta::assert_snapshot!(text, @r#"
    # HELP maas_generation_info Always 1; the generation whose models are served.
    # TYPE maas_generation_info gauge
    maas_generation_info{generation="7-1"} 1
    # HELP maas_engine_table_age_seconds Seconds since the supervisor last wrote its table of engines.
    # TYPE maas_engine_table_age_seconds gauge
    maas_engine_table_age_seconds 30
    # HELP maas_engine_info Always 1; what answers behind an engine. Kind simulated is no model.
    # TYPE maas_engine_info gauge
    maas_engine_info{engine="tiny-0",model="tiny",kind="simulated",task="generate"} 1
    maas_engine_info{engine="big-0",model="big",kind="simulated",task="generate"} 1
    # HELP maas_engine_state 1 for the state that an engine is in, 0 for every other.
    # TYPE maas_engine_state gauge
    maas_engine_state{engine="tiny-0",model="tiny",state="unplaced"} 0
    maas_engine_state{engine="tiny-0",model="tiny",state="starting"} 0
    maas_engine_state{engine="tiny-0",model="tiny",state="ready"} 1
    maas_engine_state{engine="tiny-0",model="tiny",state="draining"} 0
    maas_engine_state{engine="tiny-0",model="tiny",state="backing_off"} 0
    maas_engine_state{engine="tiny-0",model="tiny",state="failed"} 0
    maas_engine_state{engine="tiny-0",model="tiny",state="stopped"} 0
    maas_engine_state{engine="big-0",model="big",state="unplaced"} 0
    maas_engine_state{engine="big-0",model="big",state="starting"} 1
    maas_engine_state{engine="big-0",model="big",state="ready"} 0
    maas_engine_state{engine="big-0",model="big",state="draining"} 0
    maas_engine_state{engine="big-0",model="big",state="backing_off"} 0
    maas_engine_state{engine="big-0",model="big",state="failed"} 0
    maas_engine_state{engine="big-0",model="big",state="stopped"} 0
    # HELP maas_engine_restarts_total Starts after a death, since the supervisor started.
    # TYPE maas_engine_restarts_total counter
    maas_engine_restarts_total{engine="tiny-0",model="tiny"} 3
    maas_engine_restarts_total{engine="big-0",model="big"} 3
    # HELP maas_engine_start_progress_ratio Loading progress, 0 to 1, while an engine starts and where it is known.
    # TYPE maas_engine_start_progress_ratio gauge
    maas_engine_start_progress_ratio{engine="big-0",model="big"} 0.43
    "#);
}

#[test]
fn a_table_from_the_future_is_fresh() {
    let table = table();
    let text = render(&Sources {
        engines: Some(&table),
        now: at(50),
        ..sources()
    });
    let page = strict::read(&text).unwrap();
    assert!(page.value("maas_engine_table_age_seconds", &[]).abs() < f64::EPSILON);
}

#[test]
fn gpus_are_shown_as_the_agent_tells_them() {
    let inventory = inventory();
    let text = render(&Sources {
        gpus: Some(&inventory),
        ..sources()
    });
    insta::assert_snapshot!(text, @r#"
    # HELP maas_nvml_up 1 if the last call of the GPU agent came back with an answer in time.
    # TYPE maas_nvml_up gauge
    maas_nvml_up 1
    # HELP maas_nvml_state 1 for the state that NVML is in, 0 for every other. Blocked and failing mean that the GPU facts are old.
    # TYPE maas_nvml_state gauge
    maas_nvml_state{state="answering"} 1
    maas_nvml_state{state="absent"} 0
    maas_nvml_state{state="blocked"} 0
    maas_nvml_state{state="failing"} 0
    # HELP maas_nvml_last_success_timestamp_seconds When NVML last answered, Unix time; the GPU facts are from then.
    # TYPE maas_nvml_last_success_timestamp_seconds gauge
    maas_nvml_last_success_timestamp_seconds 98
    # HELP maas_gpu_driver_info Always 1; the NVIDIA driver and the CUDA version that it supports.
    # TYPE maas_gpu_driver_info gauge
    maas_gpu_driver_info{driver="580.95.05",cuda="13.0"} 1
    # HELP maas_gpu_unidentified GPUs that NVML counts but that never told their UUID.
    # TYPE maas_gpu_unidentified gauge
    maas_gpu_unidentified 1
    # HELP maas_gpu_info Always 1; what a GPU is. Label gpu is NVML's index now, which may change.
    # TYPE maas_gpu_info gauge
    maas_gpu_info{gpu_uuid="GPU-a",gpu="0",name="NVIDIA H100 80GB HBM3",pci_bus_id="00000000:3B:00.0"} 1
    # HELP maas_gpu_unreadable_facts Facts about a GPU that could not be read at the last attempt. Not 0 for a GPU that is lost.
    # TYPE maas_gpu_unreadable_facts gauge
    maas_gpu_unreadable_facts{gpu_uuid="GPU-a"} 1
    # HELP maas_gpu_memory_total_bytes All memory of a GPU.
    # TYPE maas_gpu_memory_total_bytes gauge
    maas_gpu_memory_total_bytes{gpu_uuid="GPU-a"} 85520809984
    # HELP maas_gpu_memory_used_bytes Memory in use by anybody.
    # TYPE maas_gpu_memory_used_bytes gauge
    maas_gpu_memory_used_bytes{gpu_uuid="GPU-a"} 4096
    # HELP maas_gpu_processes Compute processes on a GPU.
    # TYPE maas_gpu_processes gauge
    maas_gpu_processes{gpu_uuid="GPU-a"} 1
    # HELP maas_gpu_utilization_ratio Share of NVML's last sample period in which a kernel ran, 0 to 1.
    # TYPE maas_gpu_utilization_ratio gauge
    maas_gpu_utilization_ratio{gpu_uuid="GPU-a"} 0.37
    # HELP maas_gpu_temperature_celsius Core temperature.
    # TYPE maas_gpu_temperature_celsius gauge
    maas_gpu_temperature_celsius{gpu_uuid="GPU-a"} 41
    # HELP maas_gpu_power_watts Power drawn now.
    # TYPE maas_gpu_power_watts gauge
    maas_gpu_power_watts{gpu_uuid="GPU-a"} 71.234
    # HELP maas_gpu_ecc_errors_total Memory errors since the driver was loaded; kind corrected or uncorrected.
    # TYPE maas_gpu_ecc_errors_total counter
    maas_gpu_ecc_errors_total{gpu_uuid="GPU-a",kind="corrected"} 2
    maas_gpu_ecc_errors_total{gpu_uuid="GPU-a",kind="uncorrected"} 0
    # HELP maas_gpu_xid_total XID errors seen since the GPU agent started, of the newest 64 of a GPU.
    # TYPE maas_gpu_xid_total counter
    maas_gpu_xid_total{gpu_uuid="GPU-a",xid="13"} 1
    maas_gpu_xid_total{gpu_uuid="GPU-a",xid="79"} 2
    "#);
}

#[test]
fn memory_that_was_never_read_is_absent_and_not_zero() {
    let mut inventory = inventory();
    inventory.gpus[0].memory_total = 0;
    let text = render(&Sources {
        gpus: Some(&inventory),
        ..sources()
    });
    assert!(!text.contains("maas_gpu_memory"), "{text}");
}

#[test]
fn a_blocked_driver_is_down_and_its_old_facts_have_their_time() {
    let inventory = GpuInventory {
        nvml: NvmlHealth::Blocked {
            call: "nvmlDeviceGetPowerUsage".to_owned(),
            since: at(99),
        },
        ..inventory()
    };
    let text = render(&Sources {
        gpus: Some(&inventory),
        ..sources()
    });
    let page = strict::read(&text).unwrap();
    assert!(page.value("maas_nvml_up", &[]).abs() < f64::EPSILON);
    let blocked = page.value("maas_nvml_state", &[("state", "blocked")]);
    assert!((blocked - 1.0).abs() < f64::EPSILON);
    let since = page.value("maas_nvml_last_success_timestamp_seconds", &[]);
    assert!((since - 98.0).abs() < f64::EPSILON);
}
