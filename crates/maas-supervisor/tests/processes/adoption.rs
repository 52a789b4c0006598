use fs_err as fs;
use maas_supervisor::SupervisorError;
use maas_types::{EngineState, Exit};

use crate::house::{House, eventually, kill};

#[tokio::test]
async fn a_new_supervisor_adopts_what_runs() {
    let mut house = House::new();
    house.want(vec![house.wish("tiny")]);
    house.start();
    house.until_ready("tiny-0").await;
    let before = house.pids("tiny-0");
    for _ in 0..2 {
        house.kill_supervisor().await;
        fs::remove_file(house.layout.engine_table()).unwrap();
        house.start();
        let entry = house.until("tiny-0", |_| true).await;
        assert_eq!((entry.state, entry.restarts), (EngineState::Ready, 0));
    }
    assert_eq!(house.pids("tiny-0"), before);
    // The death of an adopted one, which is nobody's child here, is seen all the same.
    kill(before.1);
    house
        .until("tiny-0", |e| {
            e.restarts == 1 && e.state == EngineState::Ready
        })
        .await;
}

#[tokio::test]
async fn what_died_with_its_shim_while_nobody_looked_is_swept_and_started_again() {
    let mut house = House::new();
    fs::write(house.model("tiny").join("brood"), "").unwrap();
    house.want(vec![house.wish("tiny")]);
    house.start();
    house.until_ready("tiny-0").await;
    house.kill_supervisor().await;
    let (shim, main) = house.pids("tiny-0");
    kill(shim);
    // The kernel takes the main process with the shim; its child is left to nobody.
    eventually(
        || (!house.processes().contains(&main)).then_some(()),
        || format!("{:?}", house.processes()),
    )
    .await;
    let orphans = house.processes();
    assert_eq!(orphans.len(), 1);
    house.start();
    house
        .until("tiny-0", |e| {
            e.state == EngineState::Ready && e.restarts == 1
        })
        .await;
    assert!(!house.processes().contains(&orphans[0]));
}

#[tokio::test]
async fn a_death_while_nobody_looked_is_read_from_its_record() {
    let mut house = House::new();
    house.want(vec![house.wish("tiny")]);
    house.start();
    house.until_ready("tiny-0").await;
    house.kill_supervisor().await;
    kill(house.pids("tiny-0").1);
    house.until_no_process_is_left().await;
    fs::remove_file(house.layout.engine_table()).unwrap();
    house.start();
    let entry = house.until("tiny-0", |_| true).await;
    assert_eq!(entry.state, EngineState::BackingOff);
    assert!(
        entry
            .reason
            .unwrap()
            .starts_with("it was killed (signal 9;")
    );
    house.until_ready("tiny-0").await;
}

#[tokio::test]
async fn engines_of_another_program_are_replaced() {
    let mut house = House::new();
    house.want(vec![house.wish("tiny")]);
    house.start();
    house.until_ready("tiny-0").await;
    let before = house.pids("tiny-0");
    house.kill_supervisor().await;
    let renamed = house.layout.root().join("appliance");
    fs::copy(&house.settings.appliance, &renamed).unwrap();
    house.settings.appliance = renamed;
    house.start();
    house
        .until("tiny-0", |e| {
            e.state == EngineState::Ready && e.shim_pid != Some(before.0)
        })
        .await;
}

#[tokio::test]
async fn there_is_one_supervisor() {
    let mut house = House::new();
    house.start();
    let error = house.supervisor().unwrap_err();
    assert!(matches!(error, SupervisorError::Busy { .. }), "{error}");
    assert_eq!(error.exit(), Exit::Busy);
    let error = maas_supervisor::stop_all(&house.layout).await.unwrap_err();
    assert!(matches!(error, SupervisorError::Busy { .. }), "{error}");
}
