//! A connected side, two sticks and a host, all below one temporary folder, driven by the real
//! commands.

use std::{
    io::Read as _,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use tempfile::TempDir;

use crate::appliance;

/// How long anything may take before a test gives up. Generous: CI has two loaded cores, and a real
/// vLLM was seen to take 214 s to its first token.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// What it printed as data.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

impl Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        }
    }

    /// The command must have succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// What it printed, as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// The folder with everything in it.
#[derive(Debug)]
pub struct Site {
    folder: TempDir,
    /// Variables that services get.
    environment: Vec<(String, String)>,
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

impl Site {
    /// An empty site.
    pub fn new() -> Self {
        // Short, because Unix sockets below it have 107 bytes at most.
        Self {
            folder: tempfile::Builder::new()
                .prefix("maas")
                .tempdir_in("/tmp")
                .unwrap(),
            environment: Vec::new(),
        }
    }

    /// A path below the site.
    pub fn path(&self, relative: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.folder.path())
            .unwrap()
            .join(relative)
    }

    /// Gives the services this variable.
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Types a command in the site's folder.
    pub fn run(&self, words: &[&str]) -> Ran {
        let output = Command::new(appliance())
            .args(words)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Ran::from(output)
    }

    /// Types a command for the host.
    pub fn host(&self, words: &[&str]) -> Ran {
        self.run(&[&["--root", "host"], words].concat())
    }

    /// Types a command for the host as another person, who has used `sudo`. A process that somebody has logged
    /// in for keeps his name whatever `sudo` says, so where the tests run under a login it is his.
    pub fn host_as(&self, uid: u32, words: &[&str]) -> Ran {
        let output = Command::new(appliance())
            .args(["--root", "host"])
            .args(words)
            .env("SUDO_UID", uid.to_string())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Ran::from(output)
    }

    /// Writes a file.
    pub fn write(&self, relative: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Adds text to the end of a file.
    pub fn append(&self, relative: &str, text: &str) {
        let before = std::fs::read_to_string(self.path(relative)).unwrap_or_default();
        self.write(relative, before + text);
    }

    /// Three keys (ana, bo, cy) and a root of two of three, signed by ana and bo. The keys are in
    /// clear text: what makes a passphrase safe makes it slow.
    pub fn with_keys(self) -> Self {
        for who in ["ana", "bo", "cy"] {
            let key = format!("{who}.key");
            // Bo's key lies on a token, so to say: a root may list both kinds.
            let algorithm = if who == "bo" { "p256" } else { "ed25519" };
            self.run(&[
                "key",
                "gen",
                "--out",
                &key,
                "--algorithm",
                algorithm,
                "--unsafe-without-passphrase",
            ])
            .ok();
        }
        self.run(&[
            "trust",
            "root",
            "init",
            "--threshold",
            "2",
            "--key",
            "ana.key.pub",
            "--key",
            "bo.key.pub",
            "--key",
            "cy.key.pub",
        ])
        .ok();
        for key in ["ana.key", "bo.key"] {
            self.run(&["trust", "root", "sign", "1.root.json", "--key", key])
                .ok();
        }
        self
    }

    /// A model folder, its manifest and a recipe for bundle `test-<epoch>`.
    pub fn with_recipe(self, epoch: u64) -> Self {
        self.recipe(epoch);
        self
    }

    /// As [`Site::with_recipe`].
    pub fn recipe(&self, epoch: u64) {
        self.write("model/config.json", "{\"max_position_embeddings\": 2048}\n");
        self.write("model/tokenizer.json", "{\"version\": \"1.0\"}\n");
        let header = br#"{"w":{"dtype":"U8","shape":[300000],"data_offsets":[0,300000]}}"#;
        let mut weights = (header.len() as u64).to_le_bytes().to_vec();
        weights.extend(header);
        weights.extend((0..300_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8));
        self.write("model/model.safetensors", weights);
        self.write(
            "model.toml",
            "name = \"tiny\"\ntitle = \"Tiny\"\nlicence = \"Apache-2.0\"\ntask = \"generate\"\n\
             context = 2048\n\n[engine]\n",
        );
        self.write(
            "recipe.toml",
            format!(
                "bundle = \"test-{epoch}\"\nepoch = {epoch}\nversion = \"1.{epoch}\"\nbinary = \"binary\"\n\n\
                 [[model]]\nmanifest = \"model.toml\"\nfolder = \"model\"\n"
            ),
        );
    }

    /// Uses the model in `folder`, under the name `tiny`.
    pub fn use_model(&self, folder: &str) {
        self.write(
            "model.toml",
            "name = \"tiny\"\ntitle = \"Under test\"\nlicence = \"as stated\"\ntask = \"generate\"\n\
             context = 2048\n\n[engine]\nargs = [\"--enforce-eager\", \"--dtype\", \"bfloat16\"]\n\n\
             [engine.env]\nVLLM_CPU_KVCACHE_SPACE = \"1\"\n",
        );
        let recipe = std::fs::read_to_string(self.path("recipe.toml")).unwrap();
        self.write(
            "recipe.toml",
            recipe.replace("folder = \"model\"", &format!("folder = \"{folder}\"")),
        );
    }

    /// A small file in the place of the binary, so that a test does not carry 30 MB about.
    pub fn with_small_binary(self) -> Self {
        self.write("binary", "#!/bin/sh\nexit 0\n");
        self
    }

    /// Builds the recipe into `folder`, signed by ana and bo.
    pub fn build(&self, folder: &str) {
        self.run(&["bundle", "build", "recipe.toml", "--out", folder])
            .ok();
        for who in ["ana", "bo"] {
            self.sign(folder, who).ok();
        }
    }

    /// Signs `folder` as `who`.
    pub fn sign(&self, folder: &str, who: &str) -> Ran {
        let key = format!("{who}.key");
        self.run(&["bundle", "sign", folder, "--key", &key])
    }

    /// The fingerprint of the root, as `trust show` prints it.
    pub fn fingerprint(&self) -> String {
        let shown = self
            .run(&["trust", "show", "1.root.json", "--json"])
            .ok()
            .json();
        shown["fingerprint"].as_str().unwrap().to_owned()
    }

    /// Makes the host trust the root.
    pub fn trust(&self) {
        let fingerprint = self.fingerprint();
        self.host(&["trust", "add", "1.root.json", "--fingerprint", &fingerprint])
            .ok();
    }

    /// Writes the host's configuration: simulated engines on free ports. Returns the ports of the
    /// endpoint and of the metrics page.
    pub fn configure(&self, simulate: &str) -> (u16, u16) {
        self.configure_engines(&format!(
            "kind = \"simulated\"\nsimulate = \"{simulate}\"\n"
        ))
    }

    /// As [`Site::configure`], with this `[engines]` section.
    pub fn configure_engines(&self, engines: &str) -> (u16, u16) {
        let ports = [free_port(), free_port()];
        self.write(
            "host/etc/maas-appliance/appliance.toml",
            format!(
                "[site]\nnames = [\"localhost\"]\naddresses = [\"127.0.0.1\"]\n\
                 [gateway]\nlisten = \"127.0.0.1:{}\"\n[metrics]\nlisten = \"127.0.0.1:{}\"\n\
                 [engines]\n{engines}",
                ports[0], ports[1]
            ),
        );
        (ports[0], ports[1])
    }

    /// Starts a service of the host; it is stopped when dropped.
    pub fn service(&self, words: &[&str]) -> Service {
        let log = self.path(&format!("{}.log", words[0]));
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let child = Command::new(appliance())
            .args(["--root", "host", "--with-parent"])
            .args(words)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .unwrap();
        Service { child, log }
    }

    /// Waits until `found` finds something, looking at the host again and again.
    #[track_caller]
    pub fn wait<T>(&self, what: &str, mut found: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(value) = found(self) {
                return value;
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain for {what}: {self:?}"
            );
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// A JSON file below the host.
    pub fn host_json(&self, relative: &str) -> Option<Value> {
        let bytes = std::fs::read(self.path("host").join(relative)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A running service.
#[derive(Debug)]
pub struct Service {
    child: Child,
    log: Utf8PathBuf,
}

impl Service {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        let mut text = String::new();
        let _ = std::fs::File::open(&self.log).and_then(|mut file| file.read_to_string(&mut text));
        text
    }

    /// Ends it without a word, as `kill -9` does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Tells it to stop and waits for it.
    pub fn stop(mut self) {
        self.terminate();
    }

    fn terminate(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let pid = i32::try_from(self.child.id())
                .ok()
                .and_then(rustix::process::Pid::from_raw);
            let _ = rustix::process::kill_process(pid.unwrap(), rustix::process::Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.terminate();
    }
}
