use jiff::{SignedDuration, Timestamp};
use maas_types::{Gpu, GpuInventory, GpuProcess, NvmlHealth};
use proptest::prelude::*;

use super::*;
use crate::settings::DevicePolicy;

const GB: u64 = 1_000_000_000;

fn uuid(index: u32) -> GpuUuid {
    format!("GPU-{index:08}").parse().unwrap()
}

fn fact(index: u32, total: u64, foreign: u64) -> GpuFact {
    GpuFact {
        index,
        uuid: uuid(index),
        name: "NVIDIA H100 80GB HBM3".to_owned(),
        total,
        foreign,
    }
}

fn demand(id: &str, gpus: u32, memory: Option<u64>) -> Demand {
    Demand {
        id: id.parse().unwrap(),
        gpus,
        memory,
    }
}

fn placed(demands: &[Demand], held: &BTreeMap<EngineId, Held>, ground: &Ground) -> Vec<String> {
    let placements = place(demands, held, ground);
    let shown = |d: &Demand| match placements.get(&d.id) {
        None => format!("{}: runs", d.id),
        Some(Placement::Unplaced(reason)) => format!("{}: {reason}", d.id),
        Some(Placement::Placed(Place::Cpu)) => format!("{}: cpu", d.id),
        Some(Placement::Placed(Place::Gpus { uuids, .. })) => {
            let on: Vec<_> = uuids.iter().map(|u| &u.as_str()[11..]).collect();
            format!("{}: {}", d.id, on.join("+"))
        }
    };
    demands.iter().map(shown).collect()
}

#[test]
fn engines_fill_gpus_in_order_and_the_one_too_many_says_why() {
    let ground = Ground::Gpus(vec![fact(0, 80 * GB, 0), fact(1, 80 * GB, 30 * GB)]);
    let demands = [
        demand("chat-0", 1, None),
        demand("embed-0", 1, Some(20 * GB)),
        demand("embed-1", 1, Some(20 * GB)),
        demand("embed-2", 1, Some(20 * GB)),
        demand("big-0", 2, None),
    ];
    insta::assert_snapshot!(placed(&demands, &BTreeMap::new(), &ground).join("\n"), @r#"
chat-0: 0
embed-0: 1
embed-1: 1
embed-2: needs a GPU with 20.0 GB free; GPU 0 has 0 B of 80.0 GB free (0 B held by others, 80.0 GB by our engines); GPU 1 has 10.0 GB of 80.0 GB free (30.0 GB held by others, 40.0 GB by our engines)
big-0: needs 2 GPUs of one kind, each with nothing else on it; GPU 0 has 0 B of 80.0 GB free (0 B held by others, 80.0 GB by our engines); GPU 1 has 10.0 GB of 80.0 GB free (30.0 GB held by others, 40.0 GB by our engines)
"#);
}

#[test]
fn a_whole_gpu_is_one_that_nobody_else_holds() {
    let nearly_free = Ground::Gpus(vec![fact(0, 80 * GB, 5 * GB)]);
    let held_by_others = Ground::Gpus(vec![fact(0, 80 * GB, 6 * GB)]);
    let demands = [demand("a-0", 1, None)];
    assert_eq!(placed(&demands, &BTreeMap::new(), &nearly_free), ["a-0: 0"]);
    assert!(
        placed(&demands, &BTreeMap::new(), &held_by_others)[0].contains("6.0 GB held by others")
    );
}

#[test]
fn gpus_of_one_engine_are_alike() {
    let small = GpuFact {
        name: "NVIDIA L4".to_owned(),
        ..fact(0, 24 * GB, 0)
    };
    let ground = Ground::Gpus(vec![small, fact(1, 80 * GB, 0), fact(2, 80 * GB, 0)]);
    let placed = placed(&[demand("a-0", 2, Some(GB))], &BTreeMap::new(), &ground);
    assert_eq!(placed, ["a-0: 1+2"]);
}

#[test]
fn what_ran_goes_back_to_its_gpu_unless_it_is_taken() {
    let demands = [demand("a-0", 1, None), demand("b-0", 1, None)];
    let held = [("b-0".parse().unwrap(), Held::Ran(vec![uuid(0)]))].into();
    // `a` comes first, but first fit alone would have given it GPU 0 and moved `b`.
    let free = Ground::Gpus(vec![fact(0, 80 * GB, 0), fact(1, 80 * GB, 0)]);
    assert_eq!(placed(&demands, &held, &free), ["a-0: 1", "b-0: 0"]);
    let taken = Ground::Gpus(vec![
        fact(0, 80 * GB, 70 * GB),
        fact(1, 80 * GB, 0),
        fact(2, 80 * GB, 0),
    ]);
    assert_eq!(placed(&demands, &held, &taken), ["a-0: 1", "b-0: 2"]);
}

#[test]
fn a_cpu_is_one_slot_for_all() {
    let demands = [demand("a-0", 4, None), demand("a-1", 4, Some(u64::MAX))];
    assert_eq!(
        placed(&demands, &BTreeMap::new(), &Ground::Cpu),
        ["a-0: cpu", "a-1: cpu"]
    );
}

fn inventory(nvml: NvmlHealth, gpus: Vec<Gpu>) -> GpuInventory {
    GpuInventory {
        schema: GpuInventory::SCHEMA.to_owned(),
        written: Timestamp::UNIX_EPOCH,
        answered: None,
        nvml,
        driver: None,
        cuda: None,
        gpus,
        unidentified: Vec::new(),
    }
}

fn gpu(used: u64, processes: &[(u32, Option<u64>)]) -> Gpu {
    let process = |&(pid, memory_used): &(u32, Option<u64>)| GpuProcess { pid, memory_used };
    Gpu {
        index: 0,
        uuid: uuid(0),
        name: "NVIDIA H100 80GB HBM3".to_owned(),
        pci_bus_id: "00000000:3B:00.0".to_owned(),
        memory_total: 80 * GB,
        memory_used: used,
        utilization_percent: None,
        temperature_celsius: None,
        power_milliwatts: None,
        ecc: None,
        processes: processes.iter().map(process).collect(),
        xids: Vec::new(),
        unreadable: Vec::new(),
    }
}

#[test]
fn memory_of_our_own_engines_is_not_foreign() {
    // 7 and 8 are ours, promised 20 GB each; the driver does not say what 8 holds.
    let owner = |pid: u32| {
        let id = match pid {
            7 => "a-0",
            8 | 9 => "b-0",
            _ => return None,
        };
        Some(Owner {
            id: id.parse().unwrap(),
            memory: Some(20 * GB),
        })
    };
    let held = [(7, Some(15 * GB)), (8, None), (9, None), (66, Some(3 * GB))];
    let report = inventory(NvmlHealth::Answering, vec![gpu(40 * GB, &held)]);
    let ground = ground(
        DevicePolicy::Auto,
        Some(&report),
        Timestamp::UNIX_EPOCH,
        owner,
    );
    // 40 used − 15 said − 20 promised.
    assert_eq!(ground, Ground::Gpus(vec![fact(0, 80 * GB, 5 * GB)]));
}

#[test]
fn only_a_fresh_answer_of_nvml_is_believed() {
    let absent = NvmlHealth::Absent {
        detail: "libnvidia-ml.so.1: not found".to_owned(),
    };
    let blocked = NvmlHealth::Blocked {
        call: "nvmlDeviceGetMemoryInfo_v2".to_owned(),
        since: Timestamp::UNIX_EPOCH,
    };
    let cases = [
        (DevicePolicy::Cpu, None, 0),
        (DevicePolicy::Auto, None, 0),
        (
            DevicePolicy::Auto,
            Some(inventory(absent.clone(), vec![])),
            0,
        ),
        (DevicePolicy::Gpu, Some(inventory(absent, vec![])), 0),
        (
            DevicePolicy::Auto,
            Some(inventory(NvmlHealth::Answering, vec![])),
            0,
        ),
        (
            DevicePolicy::Gpu,
            Some(inventory(NvmlHealth::Answering, vec![])),
            0,
        ),
        (
            DevicePolicy::Auto,
            Some(inventory(blocked, vec![gpu(0, &[])])),
            0,
        ),
        (
            DevicePolicy::Auto,
            Some(inventory(NvmlHealth::Answering, vec![gpu(0, &[])])),
            61,
        ),
    ];
    let shown: Vec<_> = cases
        .iter()
        .map(|(policy, report, age)| {
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(*age);
            format!("{:?}", ground(*policy, report.as_ref(), now, |_| None))
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
Cpu
Unknown("waits for the GPU agent's first report")
Cpu
Unknown("this host has no NVIDIA driver or NVML (libnvidia-ml.so.1: not found)")
Cpu
Unknown("NVML reports no GPU")
Unknown("the NVIDIA driver hangs: `nvmlDeviceGetMemoryInfo_v2` does not come back")
Unknown("the GPU agent's last report is 61 s old; is it running?")
"#);
}

prop_compose! {
    fn facts()(cards in prop::collection::vec((1u64..100, 0u64..100, 0u8..2), 1..7)) -> Vec<GpuFact> {
        let card = |(index, (total, foreign, kind)): (usize, (u64, u64, u8))| GpuFact {
            name: format!("kind {kind}"),
            ..fact(u32::try_from(index).unwrap(), total * GB, foreign * GB)
        };
        cards.into_iter().enumerate().map(card).collect()
    }
}

prop_compose! {
    fn demands_of()(wants in prop::collection::vec((1u32..4, prop::option::of(1u64..60)), 1..9)) -> Vec<Demand> {
        let want = |(i, (gpus, memory)): (usize, (u32, Option<u64>))| {
            demand(&format!("m{i}-0"), gpus, memory.map(|m| m * GB))
        };
        wants.into_iter().enumerate().map(want).collect()
    }
}

/// Where each demand was put.
fn chosen(placements: &BTreeMap<EngineId, Placement>, id: &EngineId) -> Vec<GpuUuid> {
    match placements.get(id) {
        Some(Placement::Placed(Place::Gpus { uuids, .. })) => uuids.clone(),
        Some(Placement::Placed(Place::Cpu) | Placement::Unplaced(_)) | None => Vec::new(),
    }
}

proptest! {
    #[test]
    fn no_gpu_is_promised_twice(facts in facts(), demands in demands_of()) {
        let placements = place(&demands, &BTreeMap::new(), &Ground::Gpus(facts.clone()));
        for fact in &facts {
            let here: Vec<_> = demands
                .iter()
                .filter(|d| chosen(&placements, &d.id).contains(&fact.uuid))
                .collect();
            if here.iter().any(|d| d.memory.is_none()) {
                prop_assert_eq!(here.len(), 1);
            }
            let promised: u64 = here.iter().filter_map(|d| d.memory).sum();
            prop_assert!(here.is_empty() || promised + fact.foreign <= fact.total);
        }
        for demand in &demands {
            let mut on = chosen(&placements, &demand.id);
            on.sort();
            on.dedup();
            prop_assert!(on.is_empty() || on.len() == demand.gpus as usize);
        }
    }

    #[test]
    fn what_runs_stays_and_what_ran_goes_back(facts in facts(), demands in demands_of(), running in any::<u16>()) {
        let ground = Ground::Gpus(facts);
        let first = place(&demands, &BTreeMap::new(), &ground);
        prop_assert_eq!(&first, &place(&demands, &BTreeMap::new(), &ground));
        let runs = |i: usize| running & (1 << i) != 0;
        let held: BTreeMap<_, _> = demands
            .iter()
            .enumerate()
            .map(|(i, d)| (i, d, chosen(&first, &d.id)))
            .filter(|(_, _, on)| !on.is_empty())
            .map(|(i, d, on)| (d.id.clone(), if runs(i) { Held::Runs(on) } else { Held::Ran(on) }))
            .collect();
        let second = place(&demands, &held, &ground);
        for demand in &demands {
            match held.get(&demand.id) {
                Some(Held::Runs(_)) => prop_assert!(!second.contains_key(&demand.id)),
                Some(Held::Ran(on)) => prop_assert_eq!(&chosen(&second, &demand.id), on),
                None => prop_assert!(matches!(second[&demand.id], Placement::Unplaced(_))),
            }
        }
    }
}
