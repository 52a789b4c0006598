//! What the end-to-end tests share: where the repository is, and the binary under test.

mod attacks;
mod https;
mod running;
mod site;

use std::{process::Command, sync::OnceLock};

use camino::{Utf8Path, Utf8PathBuf};

pub use attacks::{Attack, Verdict};
pub use https::{Answer, Https, Streaming};
pub use running::{EngineUnderTest, Running};
pub use site::{PATIENCE, Ran, Service, Site};

/// The root of the repository.
pub fn repository() -> &'static Utf8Path {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the repository")
}

/// The `maas-appliance` binary, built from the sources as they are, once for each test process.
pub fn appliance() -> &'static Utf8Path {
    static BINARY: OnceLock<Utf8PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| built("maas-appliance", "maas-appliance"))
}

/// The fake NVML library, built likewise.
pub fn fake_nvml() -> &'static Utf8Path {
    static LIBRARY: OnceLock<Utf8PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| built("fake-nvml", "libfake_nvml.so"))
}

fn built(package: &str, file: &str) -> Utf8PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--quiet", "--package", package])
        .args(["--message-format", "json", "--manifest-path"])
        .arg(repository().join("Cargo.toml"))
        .output()
        .expect("cargo can be run");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // Cargo says where each artifact is, whatever the profile and the target folder.
    let text = String::from_utf8(output.stdout).expect("cargo prints UTF-8");
    text.lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message.get("filenames")?.as_array().cloned())
        .flatten()
        .filter_map(|name| name.as_str().map(Utf8PathBuf::from))
        .chain(text.lines().filter_map(|line| {
            let message = serde_json::from_str::<serde_json::Value>(line).ok()?;
            message.get("executable")?.as_str().map(Utf8PathBuf::from)
        }))
        .find(|path| path.file_name() == Some(file))
        .unwrap_or_else(|| panic!("cargo built no {file}"))
}
