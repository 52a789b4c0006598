//! Main memory.

use serde::Serialize;

use super::mount::{mount_of, mounts};
use crate::tree::{Tree, value};

/// Main memory, in bytes.
#[derive(Debug, Clone, Serialize)]
pub struct Memory {
    /// All of it.
    pub total: Option<u64>,
    /// What could be had now.
    pub available: Option<u64>,
    /// Swap.
    pub swap: Option<u64>,
    /// Set aside as huge pages: nothing that does not ask for those can have it.
    pub huge_pages: u64,
    /// When the kernel makes huge pages by itself: `always`, `madvise` or `never`.
    pub transparent_huge_pages: Option<String>,
    /// Size of `/dev/shm`; `None` if nothing is mounted there.
    pub shm: Option<u64>,
    /// `vm.overcommit_memory`: 2 is strict.
    pub overcommit: Option<u32>,
}

impl Memory {
    pub(crate) fn look(tree: &Tree<'_>) -> Self {
        let text = tree.text("/proc/meminfo").unwrap_or_default();
        let bytes = |key| value(&text, key, ':').and_then(|value| kib(&value));
        let total = bytes("MemTotal");
        let thp = tree.word("/sys/kernel/mm/transparent_hugepage/enabled");
        Self {
            total,
            available: bytes("MemAvailable"),
            swap: bytes("SwapTotal"),
            huge_pages: bytes("Hugetlb").unwrap_or(0),
            transparent_huge_pages: thp.and_then(|text| {
                let (_, after) = text.split_once('[')?;
                Some(after.split_once(']')?.0.to_owned())
            }),
            shm: shm(tree, total),
            overcommit: tree.number("/proc/sys/vm/overcommit_memory"),
        }
    }
}

/// `527949172 kB`, where kB has always meant 1024 bytes.
fn kib(value: &str) -> Option<u64> {
    let number = value.split_ascii_whitespace().next()?.parse::<u64>().ok()?;
    number.checked_mul(1024)
}

fn shm(tree: &Tree<'_>, total: Option<u64>) -> Option<u64> {
    let mounts = mounts(tree);
    let mount = mount_of(&mounts, "/dev/shm".into()).filter(|mount| mount.point == "/dev/shm")?;
    match mount.option("size") {
        Some(size) => kib(size.strip_suffix('k')?),
        // The kernel's own default is half of the memory, and is not written down.
        None => total.map(|total| total / 2),
    }
}
