use jiff::Timestamp;
use maas_gpu::{GpuError, Probe};
use maas_types::{Ecc, Exit, GpuInventory, GpuProcess, NvmlHealth};
use serde_json::json;

use crate::fake::{FakeNvml, h100, scenario, uuid, with};

fn inventory(fake: &FakeNvml) -> GpuInventory {
    let probe = Probe::open(Some(&fake.library())).expect("the fake opens");
    probe.inventory(Timestamp::UNIX_EPOCH).expect("it answers")
}

#[test]
fn facts_are_as_nvml_gives_them() {
    let busy = json!({
        "uuid": uuid(1),
        "name": "NVIDIA H100 80GB HBM3",
        "pci_bus_id": "00000000:3B:00.0",
        "memory_total": 85_520_809_984_u64,
        "memory_used": 68_719_476_736_u64,
        "processes": [{ "pid": 4242, "memory_used": 68_182_605_824_u64 }, { "pid": 4243 }],
        "utilization_percent": 87,
        "temperature_celsius": 61,
        "power_milliwatts": 512_000,
        "ecc": { "corrected": 3, "uncorrected": 1 },
    });
    let inventory = inventory(&FakeNvml::new(&scenario(&[h100(0), busy])));

    assert_eq!(inventory.nvml, NvmlHealth::Answering);
    assert_eq!(inventory.answered, Some(Timestamp::UNIX_EPOCH));
    assert_eq!(inventory.driver.as_deref(), Some("580.95.05"));
    assert_eq!(inventory.cuda.as_deref(), Some("13.0"));
    let [idle, busy] = &inventory.gpus[..] else {
        panic!("{inventory:#?}");
    };
    assert_eq!((idle.index, busy.index), (0, 1));
    assert_eq!(idle.uuid.as_str(), uuid(0));
    assert!(idle.processes.is_empty());
    assert_eq!(busy.uuid.as_str(), uuid(1));
    assert_eq!(busy.name, "NVIDIA H100 80GB HBM3");
    assert_eq!(busy.pci_bus_id, "00000000:3B:00.0");
    assert_eq!(busy.memory_total, 85_520_809_984);
    assert_eq!(busy.memory_used, 68_719_476_736);
    assert_eq!(busy.utilization_percent, Some(87));
    assert_eq!(busy.temperature_celsius, Some(61));
    assert_eq!(busy.power_milliwatts, Some(512_000));
    let ecc = Ecc {
        corrected: 3,
        uncorrected: 1,
    };
    assert_eq!(busy.ecc, Some(ecc));
    let processes = [
        GpuProcess {
            pid: 4242,
            memory_used: Some(68_182_605_824),
        },
        GpuProcess {
            pid: 4243,
            memory_used: None,
        },
    ];
    assert_eq!(busy.processes, processes);
    assert!(busy.unreadable.is_empty());
}

#[test]
fn what_a_card_does_not_have_is_not_unreadable() {
    let plain = json!({
        "uuid": uuid(0),
        "name": "NVIDIA L4",
        "pci_bus_id": "00000000:01:00.0",
        "memory_total": 1,
    });
    let inventory = inventory(&FakeNvml::new(&scenario(&[plain])));
    let gpu = &inventory.gpus[0];
    assert_eq!((gpu.ecc, gpu.temperature_celsius), (None, None));
    assert!(gpu.unreadable.is_empty(), "{:?}", gpu.unreadable);
}

#[test]
fn a_fact_that_cannot_be_read_is_named_and_the_rest_is_good() {
    let returns = json!({
        "nvmlDeviceGetTemperature": "UNKNOWN",
        "nvmlDeviceGetComputeRunningProcesses_v3": "NO_PERMISSION",
    });
    let fake = FakeNvml::new(&scenario(&[with(h100(0), "returns", returns), h100(1)]));
    let inventory = inventory(&fake);
    insta::assert_debug_snapshot!(inventory.gpus[0].unreadable, @r#"
    [
        "processes: the current user does not have permission to perform this operation",
        "temperature: an internal driver error occurred",
    ]
    "#);
    assert_eq!(inventory.gpus[0].power_milliwatts, Some(69_000));
    assert!(inventory.gpus[1].unreadable.is_empty());
}

#[test]
fn a_function_that_an_older_driver_lacks_costs_one_fact() {
    let fake = FakeNvml::without_symbol("nvmlDeviceGetPowerUsage", &scenario(&[h100(0)]));
    let inventory = inventory(&fake);
    let gpu = &inventory.gpus[0];
    assert_eq!(gpu.power_milliwatts, None);
    assert_eq!(gpu.temperature_celsius, Some(30));
    let [unreadable] = &gpu.unreadable[..] else {
        panic!("{:?}", gpu.unreadable);
    };
    assert!(
        unreadable.starts_with("power: function symbol failed to load"),
        "{unreadable}"
    );
}

#[test]
fn a_gpu_that_tells_no_uuid_is_seen_by_a_person() {
    let lost = with(h100(0), "returns", json!({ "*": "GPU_IS_LOST" }));
    let strange = with(h100(1), "uuid", json!("7"));
    let inventory = inventory(&FakeNvml::new(&scenario(&[lost, strange, h100(2)])));
    assert_eq!(inventory.gpus.len(), 1);
    assert_eq!(inventory.gpus[0].index, 2);
    insta::assert_debug_snapshot!(inventory.unidentified, @r#"
    [
        "GPU 0 tells no UUID: the GPU has fallen off the bus (GPU_IS_LOST)",
        "GPU 1 tells no UUID: `7` is not a valid GPU UUID (want `GPU-` or `MIG-` and at most 90 letters, digits, `/` or `-`)",
    ]
    "#);
}

#[test]
fn a_host_without_a_library_or_a_driver_is_told_apart_from_a_failing_one() {
    let missing = Probe::open(Some("/nonexistent/libnvidia-ml.so.1".into())).unwrap_err();
    assert_eq!(missing.exit(), Exit::HostCheck);
    let NvmlHealth::Absent { detail } = missing.health() else {
        panic!("{missing:?}");
    };
    assert!(
        detail.starts_with("no NVML library `/nonexistent/libnvidia-ml.so.1`: "),
        "{detail}"
    );

    let no_driver = json!({ "nvmlInit_v2": "DRIVER_NOT_LOADED" });
    let fake = FakeNvml::new(&with(scenario(&[]), "returns", no_driver));
    let error = Probe::open(Some(&fake.library())).unwrap_err();
    assert!(matches!(error, GpuError::DriverNotLoaded), "{error:?}");
    assert_eq!(error.exit(), Exit::HostCheck);

    let failing = json!({ "nvmlDeviceGetCount_v2": "UNKNOWN" });
    let fake = FakeNvml::new(&with(scenario(&[]), "returns", failing));
    let probe = Probe::open(Some(&fake.library())).unwrap();
    let error = probe.inventory(Timestamp::UNIX_EPOCH).unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    let detail = "nvmlDeviceGetCount_v2: an internal driver error occurred".to_owned();
    assert_eq!(error.health(), NvmlHealth::Failing { detail });
}

#[test]
fn a_scenario_with_a_key_that_the_fake_does_not_know_is_an_error_of_nvml() {
    let fake = FakeNvml::new(&with(scenario(&[h100(0)]), "temprature", json!(1)));
    let error = Probe::open(Some(&fake.library())).unwrap_err();
    assert!(
        matches!(
            error,
            GpuError::Call {
                call: "nvmlInit_v2",
                ..
            }
        ),
        "{error:?}"
    );
}
