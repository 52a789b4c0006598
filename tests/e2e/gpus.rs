//! GPUs as the real NVML crate sees them, through a library of our own in the place of the driver's.

use std::fs;

use camino::Utf8PathBuf;
use maas_tests::{EngineUnderTest, Running, repository};
use serde_json::{Value, json};

/// A copy of a scenario that a test may change while the services run.
struct Scenario {
    _folder: tempfile::TempDir,
    path: Utf8PathBuf,
}

impl Scenario {
    fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().join("scenario.json")).unwrap();
        let from = repository().join(format!("tests/fake-nvml/scenarios/{name}.json"));
        fs::copy(from, &path).unwrap();
        Self {
            _folder: folder,
            path,
        }
    }

    fn change(&self, change: impl FnOnce(&mut Value)) {
        let mut scenario = serde_json::from_slice(&fs::read(&self.path).unwrap()).unwrap();
        change(&mut scenario);
        let beside = self.path.with_extension("new");
        fs::write(&beside, scenario.to_string()).unwrap();
        fs::rename(beside, &self.path).unwrap();
    }
}

fn uuid(index: u32) -> String {
    format!("GPU-5a1f0c1e-{index:04}-4000-8000-{index:012}")
}

/// Every engine's GPUs, in the order of the table.
fn gpus(running: &Running) -> Vec<Value> {
    let table = running.site.host_json("run/maas-appliance/engines.json");
    let engines = table.unwrap()["engines"].as_array().unwrap().clone();
    engines
        .iter()
        .map(|engine| engine["gpus"].clone())
        .collect()
}

#[test]
fn engines_are_placed_on_the_gpus_that_nvml_reports_by_uuid() {
    let scenario = Scenario::new("eight-h100");
    // Two engines of two whole GPUs each.
    let manifest = "gpus = 2\nreplicas = 2\n";
    let running = Running::with(&EngineUnderTest::on_gpus(&scenario.path, manifest));
    running.site.wait("both engines", |_| {
        let status = running.site.host(&["status", "--json"]).json();
        let engines = status["models"][0]["engines"].as_array()?.clone();
        let ready = engines.iter().filter(|e| e["state"] == "ready").count();
        (ready == 2).then_some(())
    });
    assert_eq!(
        gpus(&running),
        [json!([uuid(0), uuid(1)]), json!([uuid(2), uuid(3)])]
    );
    // What the engine itself was given.
    let visible: Vec<_> = running
        .processes()
        .into_iter()
        .filter(|(_, line)| line.contains("--served-model-name"))
        .map(|(pid, _)| fs::read_to_string(format!("/proc/{pid}/environ")).unwrap())
        .collect();
    for pair in [[0, 1], [2, 3]] {
        let wanted = format!("CUDA_VISIBLE_DEVICES={},{}\0", uuid(pair[0]), uuid(pair[1]));
        assert!(visible.iter().any(|e| e.contains(&wanted)), "{visible:?}");
    }
    let list = running.site.host(&["gpu", "list", "--json"]).ok().json();
    assert_eq!(list["gpus"].as_array().unwrap().len(), 8);
    let status = running.site.host(&["status"]).ok();
    assert!(
        status.stdout.contains("8x NVIDIA H100"),
        "{}",
        status.stdout
    );
    let page = running.metrics();
    let wanted = format!("maas_gpu_memory_total_bytes{{gpu_uuid=\"{}\"}}", uuid(7));
    assert!(page.contains(&wanted), "{page}");
}

#[test]
fn a_gpu_that_falls_off_is_named_and_the_engine_on_another_serves_on() {
    let scenario = Scenario::new("eight-h100");
    let running = Running::with(&EngineUnderTest::on_gpus(&scenario.path, ""));
    assert_eq!(gpus(&running), [json!([uuid(0)])]);
    let engine = running.engine()["shim_pid"].clone();
    scenario.change(|scenario| {
        scenario["gpus"][5]["xids"] = json!([79]);
        scenario["gpus"][5]["returns"] = json!({ "*": "GPU_IS_LOST" });
    });
    let text = running.site.wait("the XID in status", |site| {
        let status = site.host(&["status"]);
        (status.code == Some(3)).then_some(status.stdout)
    });
    assert!(text.contains("XID 79"), "{text}");
    let answer = running
        .https
        .post("/v1/chat/completions", &running.key, &Running::chat(3));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(running.engine()["shim_pid"], engine);
}

#[test]
fn a_driver_that_hangs_holds_up_nobody_and_is_called_by_its_name() {
    let scenario = Scenario::new("eight-h100");
    let running = Running::with(&EngineUnderTest::on_gpus(&scenario.path, ""));
    scenario.change(|scenario| {
        scenario["gpus"][3]["block"] = json!(["nvmlDeviceGetTemperature"]);
    });
    let text = running.site.wait("the call in status", |site| {
        let status = site.host(&["status"]);
        (status.code == Some(3)).then_some(status.stdout)
    });
    assert!(
        text.contains("NVML has not come back from nvmlDeviceGetTemperature"),
        "{text}"
    );
    // The last good facts are still there.
    let list = running.site.host(&["gpu", "list", "--json"]).json();
    assert_eq!(list["gpus"].as_array().unwrap().len(), 8);
    let answer = running
        .https
        .post("/v1/chat/completions", &running.key, &Running::chat(3));
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn a_model_that_fits_on_no_gpu_says_what_stands_on_each() {
    let scenario = Scenario::new("eight-h100");
    scenario.change(|scenario| {
        for gpu in scenario["gpus"].as_array_mut().unwrap() {
            gpu["memory_used"] = json!(40_000_000_000_u64);
        }
    });
    let engine = EngineUnderTest::on_gpus(&scenario.path, "gpu_memory = 60_000_000_000\n");
    let running = Running::unready(&engine);
    let text = running.site.wait("the reason in status", |site| {
        let status = site.host(&["status"]);
        status
            .stdout
            .contains("60.0 GB free")
            .then_some(status.stdout)
    });
    assert!(text.contains("DOWN"), "{text}");
    assert!(
        text.contains("GPU 7 has 45.5 GB of 85.5 GB free (40.0 GB held by others"),
        "{text}"
    );
    // It is placed as soon as there is room.
    scenario.change(|scenario| scenario["gpus"][6]["memory_used"] = json!(0));
    running.wait_until_ready();
    assert_eq!(gpus(&running), [json!([uuid(6)])]);
}
