//! Deadlines, with a paused clock and a thread that the test plays itself.

use std::sync::mpsc;

use tokio::{
    sync::mpsc as async_mpsc,
    time::{Instant, advance},
};

use super::*;
use crate::{call::Call, probe::Reading, watch::Heard};

/// The far end of the thread, played by a test.
struct Played {
    asked: mpsc::Receiver<()>,
    answers: async_mpsc::UnboundedSender<Answer>,
    begun: watch::Sender<Option<Call>>,
}

impl Played {
    fn begin(&self, name: &'static str) {
        let since = Timestamp::UNIX_EPOCH;
        self.begun.send_replace(Some(Call { name, since }));
    }

    fn answer(&self) {
        let reading = Reading {
            driver: None,
            cuda: None,
            gpus: Vec::new(),
            silent: Vec::new(),
        };
        let sent = self.answers.send(Ok((reading, Heard::default())));
        sent.expect("the agent listens");
    }
}

fn play() -> (Played, NvmlThread) {
    let (questions, asked) = mpsc::channel();
    let (sender, answers) = async_mpsc::unbounded_channel();
    let (begun, calls) = watch::channel(None);
    let thread = NvmlThread {
        questions,
        answers,
        calls,
    };
    let played = Played {
        asked,
        answers: sender,
        begun,
    };
    (played, thread)
}

fn agent() -> (GpuAgent, watch::Receiver<GpuInventory>) {
    GpuAgent::new(AgentSettings::default(), || Timestamp::UNIX_EPOCH)
}

#[tokio::test(start_paused = true)]
async fn a_slow_round_of_quick_calls_is_not_blocked() {
    let (played, mut thread) = play();
    let (mut agent, mut inventories) = agent();
    inventories.mark_unchanged();
    let rounds = async {
        for _ in 0..8 {
            played.begin("nvmlDeviceGetTemperature");
            sleep(Duration::from_secs(9)).await;
        }
        played.answer();
    };
    let (answer, ()) = tokio::join!(agent.ask(&mut thread), rounds);
    answer.unwrap().unwrap();
    assert!(!inventories.has_changed().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_call_is_blocked_when_its_own_deadline_has_passed_and_no_earlier() {
    let (played, mut thread) = play();
    let (mut agent, mut inventories) = agent();
    let begun = Instant::now();
    let blocked = async {
        sleep(Duration::from_secs(9)).await;
        played.begin("nvmlDeviceGetPowerUsage");
        let seen = inventories
            .wait_for(|inventory| matches!(inventory.nvml, NvmlHealth::Blocked { .. }))
            .await;
        let nvml = seen.unwrap().nvml.clone();
        assert_eq!(begun.elapsed().as_secs(), 19);
        played.answer();
        nvml
    };
    let (answer, nvml) = tokio::join!(agent.ask(&mut thread), blocked);
    answer.unwrap().unwrap();
    let call = "nvmlDeviceGetPowerUsage".to_owned();
    let since = Timestamp::UNIX_EPOCH;
    assert_eq!(nvml, NvmlHealth::Blocked { call, since });
}

#[tokio::test(start_paused = true)]
async fn nothing_more_is_asked_while_a_call_is_blocked() {
    let (played, mut thread) = play();
    let (mut agent, _inventories) = agent();
    let hour = async {
        played.begin("nvmlDeviceGetPowerUsage");
        advance(Duration::from_hours(1)).await;
        sleep(Duration::from_hours(1)).await;
        assert_eq!(played.asked.try_iter().count(), 1);
        played.answer();
    };
    let (answer, ()) = tokio::join!(agent.ask(&mut thread), hour);
    answer.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_has_died_is_an_error() {
    let (played, mut thread) = play();
    let (mut agent, _inventories) = agent();
    drop(played);
    let error = agent.ask(&mut thread).await.unwrap_err();
    assert!(matches!(error, GpuError::ThreadDied), "{error:?}");
}
