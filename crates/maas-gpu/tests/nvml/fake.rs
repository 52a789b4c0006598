//! A fake NVML of one's own for each test: a copy of the library with a scenario beside it.

use std::{process::Stdio, sync::OnceLock};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A library to give to the crate, and the scenario that it reads at every call.
pub(crate) struct FakeNvml {
    folder: TempDir,
}

impl FakeNvml {
    pub(crate) fn new(scenario: &Value) -> Self {
        let folder = TempDir::with_prefix("fake-nvml-").expect("a folder for temporary files");
        let fake = Self { folder };
        fs_err::copy(built_library(), fake.library()).expect("room for a copy");
        fake.set(scenario);
        fake
    }

    /// The same, without one of its symbols: what an older driver looks like. The name is changed
    /// in the file, so the loader does not find it.
    pub(crate) fn without_symbol(symbol: &str, scenario: &Value) -> Self {
        let fake = Self::new(scenario);
        let mut bytes = fs_err::read(fake.library()).expect("the copy");
        let name = symbol.as_bytes();
        let last = name.len() - 1;
        let mut found = 0;
        for start in 0..bytes.len() - last {
            if bytes[start..].starts_with(name) {
                bytes[start + last] = b'#';
                found += 1;
            }
        }
        assert!(found > 0, "the fake exports no `{symbol}`");
        fs_err::write(fake.library(), bytes).expect("the copy can be written");
        fake
    }

    pub(crate) fn library(&self) -> Utf8PathBuf {
        let folder = Utf8Path::from_path(self.folder.path()).expect("its name is ASCII");
        folder.join("libnvidia-ml.so.1")
    }

    /// Changes the scenario, at once for all calls.
    pub(crate) fn set(&self, scenario: &Value) {
        let path = self.library().with_extension("1.json");
        let new = path.with_extension("new");
        fs_err::write(&new, scenario.to_string()).expect("room for a scenario");
        fs_err::rename(new, path).expect("same folder");
    }
}

/// A scenario with these GPUs.
pub(crate) fn scenario(gpus: &[Value]) -> Value {
    json!({ "driver": "580.95.05", "cuda": 13000, "gpus": gpus })
}

/// An idle H100.
pub(crate) fn h100(number: u8) -> Value {
    json!({
        "uuid": uuid(number),
        "name": "NVIDIA H100 80GB HBM3",
        "pci_bus_id": format!("00000000:{:02X}:00.0", 0x1b + number),
        "memory_total": 85_520_809_984_u64,
        "memory_used": 0,
        "utilization_percent": 0,
        "temperature_celsius": 30,
        "power_milliwatts": 69_000,
        "ecc": { "corrected": 0, "uncorrected": 0 },
    })
}

pub(crate) fn uuid(number: u8) -> String {
    format!("GPU-5a1f0c1e-0000-4000-8000-00000000000{number}")
}

/// `value` with `key` set: a GPU or a scenario that differs in one thing.
pub(crate) fn with(mut value: Value, key: &str, set: Value) -> Value {
    value[key] = set;
    value
}

/// The library, built once by the same cargo that built this test.
fn built_library() -> &'static Utf8Path {
    static LIBRARY: OnceLock<Utf8PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(build_library)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the library is no dependency of this crate, so cargo must be asked for it"
)]
fn build_library() -> Utf8PathBuf {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "fake-nvml"])
        .arg("--message-format=json")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo can be started");
    assert!(output.status.success(), "cargo could not build fake-nvml");
    let messages = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|message| message["target"]["name"] == "fake_nvml")
        .and_then(|message| message["filenames"][0].as_str().map(Utf8PathBuf::from))
        .expect("cargo says where it put the library")
}
