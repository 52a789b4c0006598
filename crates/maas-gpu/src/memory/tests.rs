use super::*;

fn uuid(name: &str) -> GpuUuid {
    format!("GPU-{name}").parse().unwrap()
}

fn gpu(index: u32, name: &str) -> Gpu {
    Gpu {
        index,
        uuid: uuid(name),
        name: "NVIDIA H100 80GB HBM3".to_owned(),
        pci_bus_id: "00000000:3B:00.0".to_owned(),
        memory_total: 100,
        memory_used: 60,
        utilization_percent: Some(9),
        temperature_celsius: Some(40),
        power_milliwatts: Some(1),
        ecc: None,
        processes: Vec::new(),
        xids: Vec::new(),
        unreadable: Vec::new(),
    }
}

fn reading(gpus: Vec<Gpu>, silent: Vec<(u32, String)>) -> Reading {
    Reading {
        driver: None,
        cuda: None,
        gpus,
        silent,
    }
}

fn heard(xids: impl IntoIterator<Item = u64>) -> Heard {
    Heard {
        xids: xids.into_iter().map(|xid| (uuid("a"), xid)).collect(),
        deaf: Vec::new(),
    }
}

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

#[test]
fn a_silent_gpu_is_recognised_by_where_it_was() {
    let mut memory = Memory::default();
    let both = reading(vec![gpu(0, "a"), gpu(1, "b")], Vec::new());
    memory.complete(both, Heard::default(), NOW);
    let silent = vec![(1, "lost".to_owned()), (2, "never seen".to_owned())];
    let (gpus, unidentified) =
        memory.complete(reading(vec![gpu(0, "a")], silent), Heard::default(), NOW);
    assert_eq!(gpus[1].uuid, uuid("b"));
    assert_eq!(gpus[1].unreadable, ["lost"]);
    assert_eq!(gpus[1].memory_used, 60);
    assert_eq!(gpus[1].temperature_celsius, None);
    assert_eq!(unidentified, ["GPU 2 tells no UUID: never seen"]);
}

#[test]
fn a_gpu_that_moved_to_another_index_is_not_taken_for_the_silent_one() {
    let mut memory = Memory::default();
    let both = reading(vec![gpu(0, "a"), gpu(1, "b")], Vec::new());
    memory.complete(both, Heard::default(), NOW);
    let (gpus, unidentified) = memory.complete(
        reading(vec![gpu(0, "b")], vec![(1, "lost".to_owned())]),
        Heard::default(),
        NOW,
    );
    let unreadable = |name| {
        let found = gpus.iter().find(|gpu| gpu.uuid == uuid(name));
        found.unwrap().unreadable.clone()
    };
    assert!(unreadable("b").is_empty());
    assert_eq!(unreadable("a"), ["NVML no longer lists it"]);
    assert_eq!(unidentified.len(), 1);
}

#[test]
fn what_a_gpu_is_is_remembered_when_it_can_no_longer_tell() {
    let mut memory = Memory::default();
    memory.complete(reading(vec![gpu(0, "a")], Vec::new()), heard([13]), NOW);
    let mute = Gpu {
        name: String::new(),
        pci_bus_id: String::new(),
        memory_total: 0,
        memory_used: 0,
        unreadable: vec!["name: lost".to_owned()],
        ..gpu(0, "a")
    };
    let (gpus, _) = memory.complete(reading(vec![mute], Vec::new()), Heard::default(), NOW);
    assert_eq!(gpus[0].name, "NVIDIA H100 80GB HBM3");
    assert_eq!(gpus[0].pci_bus_id, "00000000:3B:00.0");
    assert_eq!((gpus[0].memory_total, gpus[0].memory_used), (100, 60));
    assert_eq!(gpus[0].unreadable, ["name: lost"]);
    assert_eq!(gpus[0].xids.len(), 1);
}

#[test]
fn the_newest_xids_are_kept() {
    let mut memory = Memory::default();
    let (gpus, _) = memory.complete(
        reading(vec![gpu(0, "a")], Vec::new()),
        heard(0..MAX_XIDS as u64 + 3),
        NOW,
    );
    assert_eq!(gpus[0].xids.len(), MAX_XIDS);
    assert_eq!(gpus[0].xids[0].xid, 3);
    assert_eq!(gpus[0].xids[MAX_XIDS - 1].xid, MAX_XIDS as u64 + 2);
}
