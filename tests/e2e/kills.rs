//! `kill -9` of every process, one at a time. What lives goes on, what died comes back, and nothing
//! is left over.

use maas_tests::Running;
use rustix::process::{Pid, Signal, kill_process};

fn kill(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

fn answers(running: &Running) -> bool {
    running
        .https
        .call(
            "POST",
            "/v1/chat/completions",
            &running.key,
            &Running::chat(3).to_string(),
        )
        .is_ok_and(|answer| answer.status == 200)
}

/// The process whose command line has this word and which belongs to the engine.
fn engine_process(running: &Running, word: &str) -> u32 {
    running.site.wait(word, |_| {
        running
            .processes()
            .into_iter()
            .find(|(_, line)| line.contains(word))
            .map(|(pid, _)| pid)
    })
}

fn survives_the_death_of(word: &str) {
    let running = Running::new("load=0s,token=1ms");
    assert!(answers(&running));
    let before: Vec<_> = running
        .processes()
        .into_iter()
        .map(|(pid, _)| pid)
        .collect();
    let engine = running.engine();
    kill(engine_process(&running, word));
    running.site.wait("a new engine", |_| {
        let now = running.engine();
        (now["shim_pid"] != engine["shim_pid"] && now["state"] == "ready").then_some(())
    });
    running
        .site
        .wait("an answer", |_| answers(&running).then_some(()));
    // Of the old engine nothing is left: three services live on, everything else is new.
    let alive: Vec<_> = running.processes();
    let survivors: Vec<_> = alive
        .iter()
        .filter(|(pid, _)| before.contains(pid))
        .collect();
    assert_eq!(survivors.len(), 3, "{survivors:?}");
}

#[test]
fn an_engine_whose_core_is_killed_comes_back() {
    survives_the_death_of("VLLM::EngineCore");
}

#[test]
fn an_engine_whose_api_process_is_killed_comes_back_and_leaves_no_orphan() {
    survives_the_death_of("--served-model-name");
}

#[test]
fn an_engine_whose_shim_is_killed_comes_back_and_leaves_no_orphan() {
    survives_the_death_of("engine-shim");
}

#[test]
fn engines_do_not_notice_that_the_supervisor_is_killed() {
    let mut running = Running::new("load=0s,token=1ms");
    let before = running.engine();
    running.supervisor.take().unwrap().kill();
    assert!(answers(&running));
    running.supervisor = Some(running.site.service(&["supervisor", "--stop-engines"]));
    let written = running
        .site
        .host_json("run/maas-appliance/engines.json")
        .unwrap()["written"]
        .clone();
    running.site.wait("the new supervisor's table", |site| {
        let table = site.host_json("run/maas-appliance/engines.json")?;
        (table["written"] != written && table["engines"][0]["state"] == "ready").then_some(())
    });
    assert_eq!(
        before["shim_pid"],
        running.engine()["shim_pid"],
        "it was restarted"
    );
    assert!(answers(&running));
}

#[test]
fn engines_and_the_ledger_survive_a_killed_gateway() {
    let mut running = Running::new("load=0s,token=1ms");
    let answer = running
        .https
        .post("/v1/chat/completions", &running.key, &Running::chat(7));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let used = running.usage_of(&running.key);
    let engine = running.engine()["shim_pid"].clone();
    running.gateway.take().unwrap().kill();
    running.gateway = Some(running.site.service(&["gateway"]));
    running.wait_until_ready();
    assert_eq!(running.usage_of(&running.key), used);
    assert_eq!(running.engine()["shim_pid"], engine);
    assert!(answers(&running));
}

#[test]
fn nothing_is_left_when_all_is_stopped() {
    let mut running = Running::new("load=0s,token=1ms");
    assert!(running.processes().len() >= 5, "{:?}", running.processes());
    running.gateway.take().unwrap().stop();
    running.supervisor.take().unwrap().stop();
    running.agent.take().unwrap().stop();
    assert_eq!(running.processes(), []);
}

#[test]
fn an_engine_serves_on_when_a_new_release_has_the_same_model() {
    let running = Running::new("load=0s,token=1ms");
    let before = running.engine()["shim_pid"].clone();
    running.site.recipe(2);
    running.site.build("newer");
    running.site.host(&["install", "--media", "newer"]).ok();
    running
        .site
        .wait("the new generation in the table", |site| {
            let table = site.host_json("run/maas-appliance/engines.json")?;
            (table["generation"] == "2-1").then_some(())
        });
    assert_eq!(running.engine()["shim_pid"], before, "it was restarted");
    assert_eq!(running.engine()["state"], "ready");
    assert!(answers(&running));
}

#[test]
fn an_engine_is_replaced_when_a_new_release_changes_its_model() {
    let running = Running::new("load=0s,token=1ms");
    let before = running.engine()["shim_pid"].clone();
    running.site.recipe(2);
    running
        .site
        .write("model/tokenizer.json", "{\"version\": \"2.0\"}\n");
    running.site.build("newer");
    running.site.host(&["install", "--media", "newer"]).ok();
    running.site.wait("a new engine", |_| {
        let now = running.engine();
        (now["shim_pid"] != before && now["state"] == "ready").then_some(())
    });
    assert!(answers(&running));
}
