//! The kernel and its control groups.

use serde::Serialize;

use super::mount::mounts;
use crate::{
    Version,
    tree::{Tree, word},
};

/// The running kernel.
#[derive(Debug, Clone, Serialize)]
pub struct Kernel {
    /// As `uname -r` says: `4.18.0-553.el8_10.x86_64`.
    pub release: Option<String>,
    /// The same as numbers.
    pub version: Option<Version>,
    /// As `uname -m` says: `x86_64`.
    pub arch: String,
    /// Which control groups there are.
    pub cgroups: CgroupVersion,
    /// Their controllers: `memory`, `cpuset`, ….
    pub controllers: Vec<String>,
    /// Whether it lets its own code be changed.
    pub lockdown: Option<Lockdown>,
    /// Differs after every start.
    pub boot_id: Option<String>,
    /// Time since the start, whole seconds.
    pub uptime_seconds: Option<u64>,
}

/// Which control groups there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CgroupVersion {
    /// The unified hierarchy alone.
    V2,
    /// The unified hierarchy without controllers, beside the old ones.
    Hybrid,
    /// The old hierarchies.
    V1,
    /// None are mounted, or that cannot be seen.
    None,
}

/// Whether the kernel lets its own code be changed (`kernel_lockdown(7)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lockdown {
    /// Root may do anything.
    None,
    /// Only signed modules are loaded.
    Integrity,
    /// The same, and the kernel's memory cannot be read.
    Confidentiality,
}

impl Kernel {
    pub(crate) fn look(tree: &Tree<'_>) -> Self {
        let release = tree.word("/proc/sys/kernel/osrelease");
        let uptime = tree.word("/proc/uptime");
        Self {
            version: release.as_deref().and_then(Version::parse),
            release,
            // The file came with Linux 6.1; before it, this program runs on what it was built for.
            arch: tree
                .word("/proc/sys/kernel/arch")
                .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cgroups: cgroups(tree),
            controllers: controllers(tree),
            lockdown: tree
                .word("/sys/kernel/security/lockdown")
                .and_then(|text| lockdown(&text)),
            boot_id: tree.word("/proc/sys/kernel/random/boot_id"),
            uptime_seconds: uptime
                .and_then(|text| text.split(['.', ' ']).next().and_then(|s| s.parse().ok())),
        }
    }
}

fn cgroups(tree: &Tree<'_>) -> CgroupVersion {
    let mounts = mounts(tree);
    let has = |kind: &str| mounts.iter().any(|mount| mount.kind == kind);
    match (has("cgroup2"), has("cgroup")) {
        (true, false) => CgroupVersion::V2,
        (true, true) => CgroupVersion::Hybrid,
        (false, true) => CgroupVersion::V1,
        (false, false) => CgroupVersion::None,
    }
}

fn controllers(tree: &Tree<'_>) -> Vec<String> {
    if let Some(unified) = tree.word("/sys/fs/cgroup/cgroup.controllers") {
        return unified.split_whitespace().map(str::to_owned).collect();
    }
    // `#subsys_name hierarchy num_cgroups enabled`
    let text = tree.text("/proc/cgroups").unwrap_or_default();
    let enabled = text.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        let name = fields.next().filter(|name| !name.starts_with('#'))?;
        (fields.nth(2)? == "1").then(|| word(name))
    });
    enabled.collect()
}

/// `none [integrity] confidentiality`
fn lockdown(text: &str) -> Option<Lockdown> {
    let chosen = text.split_whitespace().find(|word| word.starts_with('['))?;
    match chosen {
        "[none]" => Some(Lockdown::None),
        "[integrity]" => Some(Lockdown::Integrity),
        "[confidentiality]" => Some(Lockdown::Confidentiality),
        _ => None,
    }
}
