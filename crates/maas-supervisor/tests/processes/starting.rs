use fs_err as fs;
use maas_supervisor::Phase;
use maas_types::EngineState;

use crate::house::{House, until_exists};

#[tokio::test]
async fn an_engine_is_ready_only_after_one_real_token() {
    let mut house = House::new();
    let model = house.model("tiny");
    fs::write(model.join("mute"), "").unwrap();
    house.want(vec![house.wish("tiny")]);
    house.start();
    // It answers /health with 200, or nobody would have asked for a token.
    until_exists(&model.join("asked")).await;
    assert_eq!(house.status("tiny-0").unwrap().phase, Phase::Starting);
    let entry = house
        .until("tiny-0", |e| e.progress_percent == Some(10))
        .await;
    assert_eq!(entry.state, EngineState::Starting);
    assert_eq!(entry.reason.as_deref(), Some("it is loading weights"));
    fs::remove_file(model.join("mute")).unwrap();
    let entry = house.until_ready("tiny-0").await;
    assert_eq!(
        (entry.progress_percent, entry.max_model_len),
        (None, Some(2048))
    );
    assert_eq!(entry.shim_pid, Some(house.pids("tiny-0").0));
    let log = fs::read_to_string(house.layout.engine_log(&"tiny-0".parse().unwrap())).unwrap();
    assert!(log.contains("Starting to load model"), "{log}");
}

#[tokio::test]
async fn an_engine_without_a_token_in_its_time_is_ended_and_tried_again() {
    let mut house = House::new();
    fs::write(house.model("tiny").join("mute"), "").unwrap();
    let mut wish = house.wish("tiny");
    wish.manifest.engine.start_timeout_seconds = 1;
    house.want(vec![wish]);
    house.start();
    let entry = house
        .until("tiny-0", |e| e.state == EngineState::BackingOff)
        .await;
    let reason = entry.reason.unwrap();
    assert!(
        reason.starts_with("it had no token after 1 s: /v1/completions answers 500"),
        "{reason}"
    );
    house
        .until("tiny-0", |e| {
            e.restarts == 1 && e.state == EngineState::Starting
        })
        .await;
}

#[tokio::test]
async fn an_engine_that_exits_with_0_unasked_has_failed() {
    let mut house = House::new();
    let model = house.model("tiny");
    fs::write(model.join("exit"), "0").unwrap();
    house.want(vec![house.wish("tiny")]);
    house.start();
    let entry = house
        .until("tiny-0", |e| {
            e.state == EngineState::BackingOff && e.shim_pid.is_none()
        })
        .await;
    let reason = entry.reason.unwrap();
    let expected = "it ended without being told to (exit code 0): ValueError: Free memory on device is less than desired; it is started again at ";
    assert!(reason.starts_with(expected), "{reason}");
    fs::remove_file(model.join("exit")).unwrap();
    let entry = house.until_ready("tiny-0").await;
    assert!(entry.restarts >= 1);
}

#[tokio::test]
async fn an_engine_that_does_not_take_its_flags_is_never_tried_again() {
    let mut house = House::new();
    let model = house.model("tiny");
    fs::write(model.join("exit"), "2").unwrap();
    house.want(vec![house.wish("tiny")]);
    house.start();
    let failed = house
        .until("tiny-0", |e| e.state == EngineState::Failed)
        .await;
    assert!(
        failed
            .reason
            .unwrap()
            .contains("it is not started again until its manifest changes")
    );
    assert_eq!(failed.restarts, 0);
    // Not by another supervisor either.
    fs::remove_file(model.join("exit")).unwrap();
    house.kill_supervisor().await;
    fs::remove_file(house.layout.engine_table()).unwrap();
    house.start();
    let still = house.until("tiny-0", |_| true).await;
    assert_eq!(still.state, EngineState::Failed);
    // But with another manifest it is.
    let mut wish = house.wish("tiny");
    wish.manifest.context = 1024;
    house.want(vec![wish]);
    house.until_ready("tiny-0").await;
}

#[tokio::test]
async fn a_manifest_that_is_refused_fails_alone() {
    let mut house = House::new();
    let mut wish = house.wish("evil");
    wish.manifest.engine.args = vec!["--host=0.0.0.0".to_owned()];
    house.want(vec![wish, house.wish("tiny")]);
    house.start();
    house.until_ready("tiny-0").await;
    let evil = house
        .until("evil-0", |e| e.state == EngineState::Failed)
        .await;
    insta::assert_snapshot!(evil.reason.unwrap(), @"the manifest of `evil` has the engine flag `--host=0.0.0.0`, which the appliance sets itself");
    assert!(!house.layout.engines().join("evil-0.json").exists());
}
