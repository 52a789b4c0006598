//! What runs the machine: the first process, the C library, the distribution, and what it runs in.

use serde::Serialize;

use super::Libc;
use crate::tree::{Tree, value};

/// Where systemd keeps its own library, whose name has its version.
const SYSTEMD_FOLDERS: [&str; 6] = [
    "/usr/lib/systemd",
    "/lib/systemd",
    "/usr/lib64/systemd",
    "/usr/lib/x86_64-linux-gnu/systemd",
    "/usr/lib/aarch64-linux-gnu/systemd",
    "/usr/lib/x86_64-linux-gnu",
];

/// What runs the machine.
#[derive(Debug, Clone, Serialize)]
pub struct System {
    /// Name of process 1.
    pub init: Option<String>,
    /// Whether systemd runs the machine.
    pub systemd_runs: bool,
    /// Version of the systemd that is installed.
    pub systemd: Option<u32>,
    /// The C library.
    pub libc: Libc,
    /// `Red Hat Enterprise Linux 8.10 (Ootpa)`
    pub os: Option<String>,
    /// Which commands install packages there.
    pub distribution: Distribution,
    /// What kind of container this is, where it is one.
    pub container: Option<String>,
    /// Maker and product of the machine, or what a virtual machine calls itself.
    pub product: Option<String>,
    /// Whether podman is installed.
    pub podman: bool,
}

/// Which family of distributions it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// RHEL, Rocky, Fedora: `dnf`.
    RedHat,
    /// Debian, Ubuntu: `apt`.
    Debian,
    /// Another.
    Other,
}

impl System {
    pub(crate) fn look(tree: &Tree<'_>) -> Self {
        let release = tree
            .text("/etc/os-release")
            .or_else(|| tree.text("/usr/lib/os-release"))
            .unwrap_or_default();
        let said = |key| value(&release, key, '=').map(|value| value.replace('"', ""));
        let family = [said("ID"), said("ID_LIKE")].into_iter().flatten();
        let init = tree.word("/proc/1/comm");
        Self {
            systemd_runs: tree.has("/run/systemd/system") && init.as_deref() == Some("systemd"),
            init,
            systemd: systemd(tree),
            libc: Libc::look(tree),
            os: said("PRETTY_NAME"),
            distribution: distribution(&family.collect::<Vec<_>>().join(" ")),
            container: container(tree),
            product: product(tree),
            podman: tree.has("/usr/bin/podman") || tree.has("/usr/local/bin/podman"),
        }
    }
}

/// `libsystemd-shared-239.so`, `libsystemd-shared-257.5-1.fc42.so`
fn systemd(tree: &Tree<'_>) -> Option<u32> {
    let names = SYSTEMD_FOLDERS.iter().flat_map(|folder| tree.names(folder));
    let versions = names.filter_map(|name| {
        let version = name.strip_prefix("libsystemd-shared-")?;
        let end = version.find(|c: char| !c.is_ascii_digit())?;
        version[..end].parse().ok()
    });
    versions.max()
}

fn distribution(ids: &str) -> Distribution {
    let is = |names: &[&str]| ids.split_whitespace().any(|id| names.contains(&id));
    if is(&["rhel", "fedora", "centos"]) {
        Distribution::RedHat
    } else if is(&["debian", "ubuntu"]) {
        Distribution::Debian
    } else {
        Distribution::Other
    }
}

fn container(tree: &Tree<'_>) -> Option<String> {
    if let Some(name) = tree.word("/run/systemd/container") {
        return Some(name);
    }
    let told = tree.text("/proc/1/environ").unwrap_or_default();
    let told = told.split('\0').find_map(|v| v.strip_prefix("container="));
    if let Some(name) = told.filter(|name| !name.is_empty()) {
        return Some(crate::tree::word(name));
    }
    let marks = [("/run/.containerenv", "podman"), ("/.dockerenv", "docker")];
    let mark = marks.iter().find(|(file, _)| tree.has(file));
    mark.map(|(_, name)| (*name).to_owned())
}

fn product(tree: &Tree<'_>) -> Option<String> {
    let parts = ["sys_vendor", "product_name"];
    let parts = parts
        .iter()
        .filter_map(|part| tree.word(format!("/sys/class/dmi/id/{part}")));
    Some(parts.collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty())
}
