use maas_types::{EngineEntry, EngineKind, Task};
use proptest::prelude::*;

use super::*;

fn trial() -> Trial {
    Trial {
        schema: Trial::SCHEMA.to_owned(),
        from: "1-1".parse().unwrap(),
        to: "2-1".parse().unwrap(),
        began: Timestamp::UNIX_EPOCH,
        models: vec!["tiny".parse().unwrap()],
        seconds: 600,
        passed: 0,
        start_seconds: 300,
        waited: 0,
    }
}

fn engine(model: &str, state: EngineState, restarts: u32) -> EngineEntry {
    EngineEntry {
        id: format!("{model}-0").parse().unwrap(),
        model: model.parse().unwrap(),
        task: Task::Generate,
        kind: EngineKind::Vllm,
        state,
        since: Timestamp::UNIX_EPOCH,
        progress_percent: None,
        reason: Some("exit code 2".to_owned()),
        socket: "/run/sock".into(),
        max_model_len: None,
        gpus: Vec::new(),
        shim_pid: None,
        restarts,
    }
}

fn table(generation: &str, engines: Vec<EngineEntry>) -> EngineTable {
    EngineTable {
        schema: EngineTable::SCHEMA.to_owned(),
        sequence: 1,
        written: Timestamp::UNIX_EPOCH,
        generation: Some(generation.parse().unwrap()),
        engines,
    }
}

fn judged(trial: &Trial, engines: Vec<EngineEntry>) -> Verdict {
    trial.judge(Some(&table("2-1", engines)), Endpoint::Answers)
}

#[test]
fn a_release_whose_engine_gives_up_is_bad_at_once() {
    let bad = judged(&trial(), vec![engine("tiny", EngineState::Failed, 0)]);
    let Verdict::Bad { reason } = bad else {
        panic!("{bad:?}")
    };
    insta::assert_snapshot!(reason, @"engine `tiny-0` does not stay up: exit code 2");
}

#[test]
fn one_restart_is_forgiven_and_the_second_is_not() {
    let with = |restarts| judged(&trial(), vec![engine("tiny", EngineState::Ready, restarts)]);
    assert_eq!(with(1), Verdict::Serving);
    assert!(matches!(with(2), Verdict::Bad { .. }));
}

#[test]
fn a_model_that_did_not_answer_before_need_not_now() {
    let engines = vec![
        engine("tiny", EngineState::Ready, 0),
        engine("other", EngineState::Failed, 5),
    ];
    assert_eq!(judged(&trial(), engines), Verdict::Serving);
}

#[test]
fn what_the_supervisor_says_of_another_generation_counts_for_nothing() {
    let old = table("1-1", vec![engine("tiny", EngineState::Failed, 9)]);
    assert!(matches!(
        trial().judge(Some(&old), Endpoint::Answers),
        Verdict::Starting { .. }
    ));
    assert!(matches!(
        trial().judge(None, Endpoint::Answers),
        Verdict::Starting { .. }
    ));
}

#[test]
fn a_gateway_that_does_not_answer_is_waited_for_and_then_bad() {
    let ready = table("2-1", vec![engine("tiny", EngineState::Ready, 0)]);
    let mut trial = trial();
    assert!(matches!(
        trial.judge(Some(&ready), Endpoint::Silent),
        Verdict::Starting { .. }
    ));
    trial.waited = trial.start_seconds;
    assert!(matches!(
        trial.judge(Some(&ready), Endpoint::Silent),
        Verdict::Bad { .. }
    ));
    // Time that was waited is no time against a release that answers.
    assert_eq!(
        trial.judge(Some(&ready), Endpoint::Answers),
        Verdict::Serving
    );
}

#[test]
fn after_its_time_it_is_kept() {
    let ready = table("2-1", vec![engine("tiny", EngineState::Ready, 0)]);
    let mut trial = trial();
    for _ in 0..60 {
        let verdict = trial.judge(Some(&ready), Endpoint::Answers);
        assert_eq!(verdict, Verdict::Serving);
        trial.count(&verdict, 10);
    }
    assert_eq!(trial.judge(Some(&ready), Endpoint::Answers), Verdict::Kept);
}

proptest! {
    /// Whatever the engines do, a trial ends: no state is waited in for ever.
    #[test]
    fn every_trial_ends(states in prop::collection::vec((0..EngineState::ALL.len(), 0..3_u32, any::<bool>()), 1..40)) {
        let mut trial = trial();
        for turn in 0..2_000 {
            let (state, restarts, answers) = states[turn % states.len()];
            let table = table("2-1", vec![engine("tiny", EngineState::ALL[state], restarts)]);
            let gateway = if answers { Endpoint::Answers } else { Endpoint::Silent };
            let verdict = trial.judge(Some(&table), gateway);
            if matches!(verdict, Verdict::Kept | Verdict::Bad { .. }) {
                return Ok(());
            }
            trial.count(&verdict, 1);
        }
        prop_assert!(false, "{trial:?}");
    }
}
