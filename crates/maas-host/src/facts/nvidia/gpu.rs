//! `/proc/driver/nvidia/gpus/*/information`

use serde::Serialize;

use crate::tree::{Tree, value, word};

/// A GPU that the driver has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gpu {
    /// Where on the bus, as the kernel writes it: `0000:3b:00.0`.
    pub bus: String,
    /// `NVIDIA H100 80GB HBM3`
    pub model: String,
    /// `GPU-…`; the driver does not tell it while the card sleeps.
    pub uuid: Option<String>,
    /// The number in `/dev/nvidia0`.
    pub minor: Option<u32>,
    /// Whether the driver has been told to leave it alone.
    pub excluded: bool,
    /// All of its memory, bytes, where NVML was asked.
    pub memory: Option<u64>,
}

impl Gpu {
    /// Its memory, bytes: what NVML said, else what its name says: `80GB`. A name counts bytes by the
    /// thousand at most, so that the card has no less.
    pub fn memory(&self) -> Option<u64> {
        self.memory.or_else(|| {
            let mut words = self.model.split_ascii_whitespace().rev();
            let gigabytes = words.find_map(|word| {
                let word = word.rsplit('-').next().unwrap_or(word);
                word.strip_suffix("GB")?.parse::<u64>().ok()
            })?;
            gigabytes.checked_mul(1_000_000_000)
        })
    }
}

pub(super) fn gpus(tree: &Tree<'_>) -> Vec<Gpu> {
    let folder = "/proc/driver/nvidia/gpus";
    let gpus = tree.names(folder).into_iter().filter_map(|bus| {
        let text = tree.text(format!("{folder}/{bus}/information"))?;
        let said = |key| value(&text, key, ':');
        Some(Gpu {
            bus: word(&bus),
            model: said("Model").unwrap_or_default(),
            uuid: said("GPU UUID").filter(|uuid| !uuid.contains('?')),
            minor: said("Device Minor").and_then(|minor| minor.parse().ok()),
            excluded: said("GPU Excluded").is_some_and(|excluded| excluded == "Yes"),
            memory: None,
        })
    });
    gpus.collect()
}

/// How many GPUs are cut into MIG instances: `capabilities/gpu0/mig/gi1/access`.
pub(super) fn cut(tree: &Tree<'_>) -> usize {
    let folder = "/proc/driver/nvidia/capabilities";
    let gpus = tree
        .names(folder)
        .into_iter()
        .filter(|gpu| gpu.starts_with("gpu"));
    let has_instance = |gpu: &String| {
        let instances = tree.names(format!("{folder}/{gpu}/mig"));
        instances.iter().any(|name| name.starts_with("gi"))
    };
    gpus.filter(has_instance).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_tell_the_memory_and_nvml_knows_better() {
        for (model, gigabytes) in [
            ("NVIDIA H100 80GB HBM3", Some(80)),
            ("NVIDIA A100-SXM4-40GB", Some(40)),
            ("Tesla V100-SXM2-32GB", Some(32)),
            ("NVIDIA H200", None),
            ("NVIDIA L40S", None),
            ("99999999999999GB", None),
        ] {
            let mut gpu = Gpu {
                bus: String::new(),
                model: model.to_owned(),
                uuid: None,
                minor: None,
                excluded: false,
                memory: None,
            };
            assert_eq!(
                gpu.memory(),
                gigabytes.map(|gb: u64| gb * 1_000_000_000),
                "{model}"
            );
            gpu.memory = Some(1);
            assert_eq!(gpu.memory(), Some(1));
        }
    }
}
