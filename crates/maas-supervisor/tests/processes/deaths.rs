use std::time::Duration;

use fs_err as fs;
use maas_types::EngineState;
use tokio::time::Instant;

use crate::house::{House, eventually, kill};

/// A ready engine with a child that ignores SIGTERM in a session of its own; and all its processes.
async fn with_a_brood(house: &mut House) -> Vec<u32> {
    fs::write(house.model("tiny").join("brood"), "").unwrap();
    house.want(vec![house.wish("tiny")]);
    house.start();
    house.until_ready("tiny-0").await;
    // Shim, engine, child.
    eventually(
        || Some(house.processes()).filter(|all| all.len() == 3),
        || format!("{:?}", house.processes()),
    )
    .await
}

fn no_longer(house: &House, old: &[u32]) -> bool {
    let now = house.processes();
    old.iter().all(|pid| !now.contains(pid))
}

#[tokio::test]
async fn a_killed_engine_is_out_of_the_table_at_once_and_started_again() {
    let mut house = House::new();
    let old = with_a_brood(&mut house).await;
    let (shim, main) = house.pids("tiny-0");
    let killed = Instant::now();
    kill(main);
    let entry = house
        .until("tiny-0", |e| e.state != EngineState::Ready)
        .await;
    let seen = killed.elapsed();
    assert_eq!(entry.state, EngineState::BackingOff);
    // 200 ms is the promise; a second is for machines that do other things too.
    assert!(seen < Duration::from_secs(1), "{seen:?}");
    let entry = house.until_ready("tiny-0").await;
    assert_eq!(entry.restarts, 1);
    let (new_shim, new_main) = house.pids("tiny-0");
    assert!(new_shim != shim && new_main != main);
    assert!(no_longer(&house, &old), "{old:?} {:?}", house.processes());
}

#[tokio::test]
async fn a_killed_shim_takes_its_engine_with_it_and_both_come_back() {
    let mut house = House::new();
    let old = with_a_brood(&mut house).await;
    kill(house.pids("tiny-0").0);
    let entry = house
        .until("tiny-0", |e| {
            e.state == EngineState::BackingOff && e.shim_pid.is_none()
        })
        .await;
    assert!(entry.reason.unwrap().contains("its shim was killed"));
    house.until_ready("tiny-0").await;
    assert!(no_longer(&house, &old), "{old:?} {:?}", house.processes());
}

#[tokio::test]
async fn a_killed_child_of_the_engine_is_the_engines_own_affair() {
    let mut house = House::new();
    let old = with_a_brood(&mut house).await;
    let (shim, main) = house.pids("tiny-0");
    let child = old.iter().find(|pid| ![shim, main].contains(pid)).unwrap();
    kill(*child);
    eventually(|| no_longer(&house, &[*child]).then_some(()), String::new).await;
    assert_eq!(house.pids("tiny-0"), (shim, main));
    assert_eq!(house.entry("tiny-0").unwrap().state, EngineState::Ready);
}
