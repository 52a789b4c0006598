//! Processors: `/proc/cpuinfo`.

use serde::Serialize;

use crate::tree::{Tree, value};

/// Features that decide how fast things go here, and are kept.
const TOLD: [&str; 12] = [
    "aes",
    "avx2",
    "avx512f",
    "avx512_bf16",
    "avx512_vnni",
    "amx_bf16",
    "amx_tile",
    "sha_ni",
    "asimd",
    "bf16",
    "sha2",
    "sve",
];

/// The processors.
#[derive(Debug, Clone, Serialize)]
pub struct Cpu {
    /// `Intel(R) Xeon(R) Platinum 8480C`; not told on Arm.
    pub model: Option<String>,
    /// Logical processors.
    pub processors: usize,
    /// Every feature of the first, as the kernel spells them; empty if that cannot be read.
    #[serde(skip)]
    pub features: Vec<String>,
    /// Those of them that decide how fast hashing and engines on processors are.
    pub fast: Vec<String>,
    /// NUMA nodes.
    pub numa_nodes: usize,
    /// Whether this is a virtual machine, as far as its processor says.
    pub is_virtual: bool,
}

impl Cpu {
    pub(crate) fn look(tree: &Tree<'_>) -> Self {
        let text = tree.text("/proc/cpuinfo").unwrap_or_default();
        // Longer than a word that is shown, and never shown as a whole.
        let line = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            ["flags", "Features"]
                .contains(&name.trim())
                .then_some(value)
        });
        let features: Vec<_> = line
            .unwrap_or_default()
            .split_ascii_whitespace()
            .map(str::to_owned)
            .collect();
        let has = |name: &str| features.iter().any(|feature| feature == name);
        let numbered = |name: &String| {
            let number = name.strip_prefix("node").unwrap_or_default();
            !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
        };
        Self {
            model: value(&text, "model name", ':'),
            processors: text
                .lines()
                .filter(|line| line.starts_with("processor"))
                .count(),
            fast: TOLD
                .iter()
                .filter(|n| has(n))
                .map(|n| (*n).to_owned())
                .collect(),
            numa_nodes: tree
                .names("/sys/devices/system/node")
                .iter()
                .filter(|n| numbered(n))
                .count(),
            is_virtual: has("hypervisor"),
            features,
        }
    }
}
