use std::io::{Read, Write};

use fs_err as fs;
use maas_supervisor::{StopEngines, stop_all};
use maas_types::EngineState;

use crate::house::{House, eventually, kill, until_exists};

fn files_of_engines(house: &House) -> Vec<String> {
    let entries = fs::read_dir(house.layout.engines()).unwrap();
    entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn a_stopped_supervisor_leaves_engines_running_and_stop_all_leaves_nothing() {
    let mut house = House::new();
    fs::write(house.model("one").join("brood"), "").unwrap();
    house.want(vec![house.wish("one"), house.wish("two")]);
    house.start();
    house.until_ready("one-0").await;
    house.until_ready("two-0").await;
    house.stop_supervisor().await;
    assert_eq!(house.processes().len(), 5);
    assert_eq!(stop_all(&house.layout).await.unwrap(), 2);
    assert_eq!(house.processes(), [0; 0]);
    assert_eq!(files_of_engines(&house), [""; 0]);
    assert_eq!(stop_all(&house.layout).await.unwrap(), 0);
}

#[tokio::test]
async fn stop_all_kills_what_a_killed_shim_has_left() {
    let mut house = House::new();
    fs::write(house.model("one").join("brood"), "").unwrap();
    house.want(vec![house.wish("one")]);
    house.start();
    house.until_ready("one-0").await;
    house.kill_supervisor().await;
    let (shim, main) = house.pids("one-0");
    kill(shim);
    eventually(
        || (!house.processes().contains(&main)).then_some(()),
        || format!("{:?}", house.processes()),
    )
    .await;
    assert_eq!(stop_all(&house.layout).await.unwrap(), 0);
    assert_eq!(house.processes(), [0; 0]);
}

#[tokio::test]
async fn engines_stop_with_their_supervisor_if_it_is_told_so() {
    let mut house = House::new();
    house.settings.stop_engines = StopEngines::WithSupervisor;
    fs::write(house.model("one").join("brood"), "").unwrap();
    fs::write(house.model("bad").join("exit"), "2").unwrap();
    house.want(vec![house.wish("one"), house.wish("bad")]);
    house.start();
    house.until_ready("one-0").await;
    house
        .until("bad-0", |e| e.state == EngineState::Failed)
        .await;
    house.stop_supervisor().await;
    assert_eq!(house.processes(), [0; 0]);
    assert_eq!(house.table().unwrap().engines, []);
    assert_eq!(files_of_engines(&house), [""; 0]);
}

#[tokio::test]
async fn a_model_that_leaves_the_generation_finishes_what_it_has() {
    let mut house = House::new();
    let model = house.model("old");
    house.want(vec![house.wish("old")]);
    house.start();
    let entry = house.until_ready("old-0").await;
    // A request that is in flight.
    fs::write(model.join("slow"), "").unwrap();
    fs::remove_file(model.join("asked")).unwrap();
    let mut client = std::os::unix::net::UnixStream::connect(&entry.socket).unwrap();
    client
        .write_all(b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
        .unwrap();
    until_exists(&model.join("asked")).await;
    house.want(vec![house.wish("new")]);
    house
        .until("old-0", |e| e.state == EngineState::Draining)
        .await;
    house.until_ready("new-0").await;
    let log = house.layout.engine_log(&"old-0".parse().unwrap());
    eventually(
        || {
            fs::read_to_string(&log)
                .ok()
                .filter(|log| log.contains("drains"))
        },
        || "never told to stop".to_owned(),
    )
    .await;
    fs::remove_file(model.join("slow")).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("completion_tokens"),
        "{answer}"
    );
    eventually(
        || house.entry("old-0").is_none().then_some(()),
        || format!("{:?}", house.entry("old-0")),
    )
    .await;
    let mut files = files_of_engines(&house);
    files.sort();
    assert_eq!(files, ["new-0", "new-0.json",]);
    assert_eq!(house.entry("new-0").unwrap().state, EngineState::Ready);
}
