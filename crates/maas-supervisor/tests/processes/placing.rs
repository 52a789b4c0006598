use fs_err as fs;
use maas_supervisor::{DevicePolicy, Wish};
use maas_types::{EngineState, Gpu, GpuInventory, NvmlHealth};

use crate::house::{House, until_exists};

const GB: u64 = 1_000_000_000;

fn report(house: &House, used: &[u64]) {
    let gpu = |(index, used): (u32, &u64)| Gpu {
        index,
        uuid: format!("GPU-{index}").parse().unwrap(),
        name: "NVIDIA H100 80GB HBM3".to_owned(),
        pci_bus_id: "00000000:3B:00.0".to_owned(),
        memory_total: 80 * GB,
        memory_used: *used,
        utilization_percent: None,
        temperature_celsius: None,
        power_milliwatts: None,
        ecc: None,
        processes: Vec::new(),
        xids: Vec::new(),
        unreadable: Vec::new(),
    };
    let now = jiff::Timestamp::try_from(std::time::SystemTime::UNIX_EPOCH).unwrap()
        + std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let inventory = GpuInventory {
        schema: GpuInventory::SCHEMA.to_owned(),
        written: now,
        answered: Some(now),
        nvml: NvmlHealth::Answering,
        driver: None,
        cuda: None,
        gpus: (0..).zip(used).map(gpu).collect(),
        unidentified: Vec::new(),
    };
    let path = house.layout.gpu_inventory();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, serde_json::to_vec(&inventory).unwrap()).unwrap();
}

fn half(house: &House, name: &str) -> Wish {
    let mut wish = house.wish(name);
    wish.manifest.engine.gpu_memory = Some(40 * GB);
    wish
}

#[tokio::test]
async fn engines_get_gpus_by_uuid_and_start_one_after_the_other_on_one() {
    let mut house = House::new();
    house.settings.device = DevicePolicy::Gpu;
    let first = house.model("first");
    fs::write(first.join("mute"), "").unwrap();
    house.want(vec![
        half(&house, "first"),
        half(&house, "second"),
        half(&house, "third"),
    ]);
    house.start();
    let waits = house
        .until("first-0", |e| e.state == EngineState::Unplaced)
        .await;
    assert_eq!(
        waits.reason.as_deref(),
        Some("waits for the GPU agent's first report")
    );
    report(&house, &[0]);
    until_exists(&first.join("asked")).await;
    let second = house
        .until("second-0", |e| {
            e.reason.as_ref().is_some_and(|r| r.contains("first-0"))
        })
        .await;
    assert_eq!(second.state, EngineState::Unplaced);
    fs::remove_file(first.join("mute")).unwrap();
    house.until_ready("first-0").await;
    let second = house.until_ready("second-0").await;
    assert_eq!(second.gpus, ["GPU-0".parse().unwrap()]);
    let environment = fs::read(format!("/proc/{}/environ", house.pids("second-0").1)).unwrap();
    let mut variables = environment.split(|b| *b == 0);
    assert!(variables.any(|v| v == b"CUDA_VISIBLE_DEVICES=GPU-0"));
    let third = house
        .until("third-0", |e| {
            e.reason.as_ref().is_some_and(|r| r.contains("needs"))
        })
        .await;
    insta::assert_snapshot!(third.reason.unwrap(), @r#"needs a GPU with 40.0 GB free; GPU 0 has 0 B of 80.0 GB free (0 B held by others, 80.0 GB by our engines)"#);
    // A second GPU appears.
    report(&house, &[80 * GB, 0]);
    let third = house.until_ready("third-0").await;
    assert_eq!(third.gpus, ["GPU-1".parse().unwrap()]);
}
