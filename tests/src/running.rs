//! A host that is installed and serves: simulated engines, the three services, a team and a key.

use camino::Utf8Path;
use serde_json::{Value, json};

use crate::{Https, Service, Site};

/// What answers in a test.
#[derive(Debug, Clone)]
pub struct EngineUnderTest {
    /// The `[engines]` section of the configuration.
    config: String,
    /// The model's folder; the site's own little one when `None`.
    model: Option<String>,
    /// Variables that the services get.
    environment: Vec<(String, String)>,
    /// `[engine]` lines of the model's manifest.
    manifest: String,
}

impl EngineUnderTest {
    /// The simulated engine with this speed.
    pub fn simulated(simulate: &str) -> Self {
        Self {
            config: format!("kind = \"simulated\"\nsimulate = \"{simulate}\"\n"),
            model: None,
            environment: Vec::new(),
            manifest: String::new(),
        }
    }

    /// The simulated engine on the GPUs of a scenario file, as the fake NVML library tells of them.
    /// `manifest` are lines of the model's `[engine]`.
    pub fn on_gpus(scenario: &Utf8Path, manifest: &str) -> Self {
        let library = crate::fake_nvml();
        Self {
            config: format!(
                "kind = \"simulated\"\ndevice = \"gpu\"\nsimulate = \"load=0s\"\n\
                 [gpus]\nlibrary = \"{library}\"\ninterval_seconds = 1\n"
            ),
            model: None,
            environment: vec![("FAKE_NVML_SCENARIO".to_owned(), scenario.to_string())],
            manifest: manifest.to_owned(),
        }
    }

    /// A real vLLM with the model in a folder.
    pub fn vllm(program: &str, model: &str) -> Self {
        Self {
            config: format!("kind = \"vllm\"\ndevice = \"cpu\"\nvllm = \"{program}\"\n"),
            model: Some(model.to_owned()),
            environment: Vec::new(),
            manifest: String::new(),
        }
    }
}

/// An installed site with its services up and its engine ready.
#[derive(Debug)]
pub struct Running {
    /// The GPU agent.
    pub agent: Option<Service>,
    /// The gateway.
    pub gateway: Option<Service>,
    /// The supervisor; stops the engines when it is told to stop.
    pub supervisor: Option<Service>,
    /// Folders and commands. Dropped last.
    pub site: Site,
    /// A client that trusts the site's CA.
    pub https: Https,
    /// A key of team `blue`, which has no limits.
    pub key: String,
    /// The port of the metrics page.
    pub metrics_port: u16,
}

impl Running {
    /// Installs a bundle with one model, `tiny`, and starts everything. `simulate` sets the speed of
    /// the simulated engine.
    pub fn new(simulate: &str) -> Self {
        Self::with(&EngineUnderTest::simulated(simulate))
    }

    /// As [`Running::new`], with any engine.
    pub fn with(engine: &EngineUnderTest) -> Self {
        let mut running = Self::unready(engine);
        running.wait_until_ready();
        running.site.host(&["team", "create", "blue"]).ok();
        running.key = running.new_key("blue", &[]);
        running
    }

    /// Installs and starts everything, and waits for nothing.
    pub fn unready(engine: &EngineUnderTest) -> Self {
        let mut site = Site::new().with_keys().with_recipe(1).with_small_binary();
        for (name, value) in &engine.environment {
            site = site.with_variable(name, value);
        }
        site.append("model.toml", &engine.manifest);
        if let Some(model) = &engine.model {
            site.use_model(model);
        }
        site.build("bundle");
        site.trust();
        let (port, metrics_port) = site.configure_engines(&engine.config);
        site.host(&["install", "--media", "bundle"]).ok();
        site.host(&["ca", "export", "--out", "ca.pem"]).ok();
        let https = Https::new(port, &site.path("ca.pem"));
        Self {
            agent: Some(site.service(&["gpu-agent"])),
            supervisor: Some(site.service(&["supervisor", "--stop-engines"])),
            gateway: Some(site.service(&["gateway"])),
            site,
            https,
            key: String::new(),
            metrics_port,
        }
    }

    /// Waits until the gateway says that it serves.
    #[track_caller]
    pub fn wait_until_ready(&self) {
        self.site.wait("the gateway to be ready", |_| {
            let answer = self.https.call("GET", "/readyz", "", "").ok()?;
            (answer.status == 200).then_some(())
        });
    }

    /// Creates a key of `team`.
    pub fn new_key(&self, team: &str, more: &[&str]) -> String {
        let words = [&["keys", "create", "--team", team, "--json"], more].concat();
        let created = self.site.host(&words).ok().json();
        created["secret"].as_str().unwrap().to_owned()
    }

    /// The public id in a key.
    pub fn key_id(key: &str) -> &str {
        key.trim_start_matches("sk-maas-")
            .split('_')
            .next()
            .unwrap()
    }

    /// A chat request for `tokens` tokens.
    pub fn chat(tokens: u64) -> Value {
        json!({
            "model": "tiny", "max_tokens": tokens, "ignore_eos": true,
            "messages": [{ "role": "user", "content": "Hello" }],
        })
    }

    /// A chat request for a stream of `tokens` tokens.
    pub fn chat_stream(tokens: u64) -> Value {
        let mut body = Self::chat(tokens);
        body["stream"] = json!(true);
        body
    }

    /// Today's usage by key: input and output tokens of `key`.
    pub fn usage_of(&self, key: &str) -> (u64, u64) {
        let usage = self
            .site
            .host(&["usage", "--by", "key", "--json"])
            .ok()
            .json();
        let id = Self::key_id(key);
        let row = usage["rows"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["name"] == id);
        let tokens = |kind: &str| row.map_or(0, |row| row["usage"][kind].as_u64().unwrap());
        (tokens("input"), tokens("output"))
    }

    /// The metrics page.
    pub fn metrics(&self) -> String {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.metrics_port)).unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// The engine's entry in the table.
    pub fn engine(&self) -> Value {
        let table = self
            .site
            .host_json("run/maas-appliance/engines.json")
            .unwrap();
        table["engines"][0].clone()
    }

    /// Every process whose command line, environment or working folder names this site, as
    /// `(pid, command line)`.
    pub fn processes(&self) -> Vec<(u32, String)> {
        let folder = self.site.path("");
        let folder = folder.as_str().trim_end_matches('/');
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let read = |name: &str| {
                let bytes = std::fs::read(entry.path().join(name)).unwrap_or_default();
                String::from_utf8_lossy(&bytes).replace('\0', " ")
            };
            let line = read("cmdline");
            let works_here = std::fs::read_link(entry.path().join("cwd"))
                .is_ok_and(|cwd| cwd.starts_with(folder));
            let ours = works_here || line.contains(folder) || read("environ").contains(folder);
            if !line.is_empty() && ours {
                found.push((pid, line));
            }
        }
        found
    }
}

impl Drop for Running {
    /// In this order: nobody restarts what the next one stops.
    fn drop(&mut self) {
        self.gateway.take();
        self.supervisor.take();
        self.agent.take();
    }
}
