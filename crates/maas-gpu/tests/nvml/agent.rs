use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use jiff::Timestamp;
use maas_gpu::{AgentSettings, GpuAgent, GpuError};
use maas_types::{Gpu, GpuInventory, NvmlHealth};
use serde_json::json;
use tokio::{sync::watch, task::JoinSet, time::timeout};

use crate::fake::{FakeNvml, h100, scenario, uuid, with};

/// An agent that runs, and its inventories.
struct Running {
    inventories: watch::Receiver<GpuInventory>,
    /// Ends the agent when it is dropped.
    _agent: JoinSet<GpuError>,
}

impl Running {
    fn start(fake: &FakeNvml) -> Self {
        // A second passes whenever somebody looks, so times can be told apart.
        let ticks = AtomicI64::new(0);
        let clock = move || {
            let second = ticks.fetch_add(1, Ordering::Relaxed);
            Timestamp::from_second(second).expect("small")
        };
        let settings = AgentSettings {
            library: Some(fake.library()),
            interval: Duration::from_millis(10),
            // Longer than a call of the fake takes on a busy machine; if one takes longer, the
            // agent recovers by itself.
            deadline: Duration::from_millis(200),
            retry: Duration::from_millis(10),
        };
        let (agent, inventories) = GpuAgent::new(settings, clock);
        let mut running = JoinSet::new();
        running.spawn(agent.run());
        Self {
            inventories,
            _agent: running,
        }
    }

    /// The next inventory of which `is` is true.
    async fn when(&mut self, is: impl FnMut(&GpuInventory) -> bool) -> GpuInventory {
        let found = timeout(Duration::from_mins(1), self.inventories.wait_for(is)).await;
        let found = found.expect("the state comes within a minute");
        found.expect("the agent runs").clone()
    }

    /// The first inventory of a round that began after now.
    async fn next_round(&mut self) -> GpuInventory {
        let before = self.inventories.borrow().answered;
        let next = self.when(|inventory| inventory.answered > before).await;
        self.when(|inventory| inventory.answered > next.answered)
            .await
    }
}

fn answering(inventory: &GpuInventory) -> bool {
    inventory.nvml == NvmlHealth::Answering
}

fn gpu(inventory: &GpuInventory, number: u8) -> &Gpu {
    let found = inventory
        .gpus
        .iter()
        .find(|gpu| gpu.uuid.as_str() == uuid(number));
    found.expect("a GPU that was seen is always listed")
}

fn xids(gpu: &Gpu) -> Vec<u64> {
    gpu.xids.iter().map(|event| event.xid).collect()
}

#[tokio::test]
async fn a_change_is_seen_in_the_next_round() {
    let fake = FakeNvml::new(&scenario(&[h100(0), h100(1)]));
    let mut agent = Running::start(&fake);
    let first = agent.when(answering).await;
    assert_eq!(first.gpus.len(), 2);
    assert_eq!(gpu(&first, 1).memory_used, 0);

    fake.set(&scenario(&[
        h100(0),
        with(h100(1), "memory_used", json!(4096)),
    ]));
    let second = agent
        .when(|inventory| gpu(inventory, 1).memory_used == 4096)
        .await;
    assert!(second.answered > first.answered);
    assert_eq!(gpu(&second, 0), gpu(&first, 0));
}

#[tokio::test]
async fn a_gpu_that_falls_off_the_bus_stays_listed_and_the_others_stay_good() {
    let fake = FakeNvml::new(&scenario(&[h100(0), h100(1)]));
    let mut agent = Running::start(&fake);
    agent.when(answering).await;

    let lost = with(h100(1), "xids", json!([79]));
    let lost = with(lost, "returns", json!({ "*": "GPU_IS_LOST" }));
    fake.set(&scenario(&[h100(0), lost]));
    let inventory = agent
        .when(|inventory| !gpu(inventory, 1).xids.is_empty())
        .await;

    assert_eq!(inventory.nvml, NvmlHealth::Answering);
    assert!(gpu(&inventory, 0).unreadable.is_empty());
    let lost = gpu(&inventory, 1);
    assert_eq!(lost.index, 1);
    assert_eq!(lost.name, "NVIDIA H100 80GB HBM3");
    assert_eq!(lost.memory_total, 85_520_809_984);
    assert_eq!(lost.temperature_celsius, None);
    assert_eq!(xids(lost), [79]);
    insta::assert_debug_snapshot!(lost.unreadable, @r#"
    [
        "the GPU has fallen off the bus (GPU_IS_LOST)",
        "XID events: the GPU has fallen off the bus (GPU_IS_LOST)",
    ]
    "#);
}

#[tokio::test]
async fn a_gpu_that_nvml_no_longer_lists_stays_listed() {
    let fake = FakeNvml::new(&scenario(&[h100(0), h100(1)]));
    let mut agent = Running::start(&fake);
    agent.when(answering).await;

    fake.set(&scenario(&[h100(1)]));
    let inventory = agent.when(|inventory| gpu(inventory, 1).index == 0).await;
    assert!(gpu(&inventory, 1).unreadable.is_empty());
    let gone = &gpu(&inventory, 0).unreadable;
    assert_eq!(gone[0], "NVML no longer lists it");
}

#[tokio::test]
async fn an_xid_is_told_once_and_outlives_a_driver_that_went_away() {
    let told = with(h100(0), "xids", json!([31]));
    let fake = FakeNvml::new(&scenario(std::slice::from_ref(&told)));
    let mut agent = Running::start(&fake);
    agent.when(|inventory| !inventory.gpus.is_empty()).await;
    let later = agent.next_round().await;
    assert_eq!(xids(gpu(&later, 0)), [31]);

    let gone =
        json!({ "nvmlDeviceGetCount_v2": "DRIVER_NOT_LOADED", "nvmlInit_v2": "DRIVER_NOT_LOADED" });
    fake.set(&with(scenario(&[]), "returns", gone));
    let absent = agent.when(|inventory| !answering(inventory)).await;
    let detail = "the NVIDIA driver is not loaded".to_owned();
    assert_eq!(absent.nvml, NvmlHealth::Absent { detail });
    assert_eq!(xids(gpu(&absent, 0)), [31]);

    fake.set(&scenario(&[with(told, "xids", json!([31, 94]))]));
    agent.when(answering).await;
    let back = agent.next_round().await;
    assert_eq!(xids(gpu(&back, 0)), [31, 94]);
}

#[tokio::test]
async fn a_blocked_call_is_named_the_last_good_facts_stay_and_it_recovers() {
    let fake = FakeNvml::new(&scenario(&[
        h100(0),
        with(h100(1), "memory_used", json!(7)),
    ]));
    let mut agent = Running::start(&fake);
    let good = agent.when(answering).await;

    let hot = with(h100(0), "temperature_celsius", json!(90));
    let stuck = with(h100(1), "block", json!(["nvmlDeviceGetTemperature"]));
    fake.set(&scenario(&[hot.clone(), stuck]));
    let blocked = agent
        .when(|inventory| matches!(inventory.nvml, NvmlHealth::Blocked { .. }))
        .await;
    let NvmlHealth::Blocked { call, since } = &blocked.nvml else {
        panic!("{blocked:#?}");
    };
    assert_eq!(call, "nvmlDeviceGetTemperature");
    assert!(*since > good.written && *since <= blocked.written);
    assert!(blocked.answered >= good.answered);
    assert_eq!(gpu(&blocked, 1).memory_used, 7);
    assert_eq!(gpu(&blocked, 0).temperature_celsius, Some(30));

    // It says again and again that it is blocked, so that a reader knows that the agent lives.
    let still = agent
        .when(|inventory| inventory.written > blocked.written)
        .await;
    assert_eq!(still.nvml, blocked.nvml);
    assert_eq!(still.answered, blocked.answered);

    fake.set(&scenario(&[hot, h100(1)]));
    let recovered = agent.when(answering).await;
    assert_eq!(gpu(&recovered, 0).temperature_celsius, Some(90));
    assert_eq!(gpu(&recovered, 1).memory_used, 0);
}

#[tokio::test]
async fn a_driver_that_blocks_from_the_start_is_published_too() {
    let fake = FakeNvml::new(&with(scenario(&[h100(0)]), "block", json!(["nvmlInit_v2"])));
    let mut agent = Running::start(&fake);
    let blocked = agent
        .when(|inventory| matches!(inventory.nvml, NvmlHealth::Blocked { .. }))
        .await;
    assert!(blocked.gpus.is_empty());
    assert_eq!(blocked.answered, None);

    fake.set(&scenario(&[h100(0)]));
    assert_eq!(agent.when(answering).await.gpus.len(), 1);
}

#[tokio::test]
async fn a_driver_that_comes_later_is_found() {
    let no_driver = json!({ "nvmlInit_v2": "DRIVER_NOT_LOADED" });
    let fake = FakeNvml::new(&with(scenario(&[h100(0)]), "returns", no_driver));
    let mut agent = Running::start(&fake);
    let absent = agent.when(|inventory| !inventory.written.is_zero()).await;
    assert!(
        matches!(absent.nvml, NvmlHealth::Absent { .. }),
        "{absent:#?}"
    );

    fake.set(&scenario(&[h100(0)]));
    assert_eq!(agent.when(answering).await.gpus.len(), 1);
}

#[tokio::test]
async fn a_failing_driver_leaves_the_last_good_facts() {
    let fake = FakeNvml::new(&scenario(&[h100(0)]));
    let mut agent = Running::start(&fake);
    let good = agent.when(answering).await;

    let failing = json!({ "nvmlDeviceGetCount_v2": "IRQ_ISSUE" });
    fake.set(&with(scenario(&[h100(0)]), "returns", failing));
    let failing = agent.when(|inventory| !answering(inventory)).await;
    let detail =
        "nvmlDeviceGetCount_v2: NVIDIA kernel detected an interrupt issue with a device".to_owned();
    assert_eq!(failing.nvml, NvmlHealth::Failing { detail });
    assert_eq!(failing.gpus, good.gpus);

    fake.set(&scenario(&[h100(0)]));
    agent.when(answering).await;
}
