//! NVIDIA's cards and switches on the PCI bus, with or without a driver.

use serde::Serialize;

use crate::tree::{Tree, word};

const DEVICES: &str = "/sys/bus/pci/devices";

/// NVIDIA's number in the PCI list.
const NVIDIA: &str = "0x10de";

/// A GPU on the bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PciGpu {
    /// `0000:3b:00.0`
    pub bus: String,
    /// Its number in NVIDIA's list: `0x2330`.
    pub device: String,
    /// The kernel module that has it: `nvidia`, `nouveau`, `vfio-pci`.
    pub driver: Option<String>,
}

/// The switches between GPUs, and what runs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fabric {
    /// `NVSwitch` chips on the bus.
    pub switches: usize,
    /// Whether the fabric manager runs. Without it no GPU behind a switch computes.
    pub manager_runs: bool,
}

fn of_class<'a>(tree: &'a Tree<'_>, classes: &'a [&str]) -> impl Iterator<Item = String> + 'a {
    tree.names(DEVICES).into_iter().filter(move |bus| {
        let said = |what| {
            tree.word(format!("{DEVICES}/{bus}/{what}"))
                .unwrap_or_default()
        };
        let class = said("class");
        said("vendor") == NVIDIA && classes.iter().any(|wanted| class.starts_with(wanted))
    })
}

/// Display controllers (`0x0300`) and 3D controllers (`0x0302`).
pub(super) fn gpus(tree: &Tree<'_>) -> Vec<PciGpu> {
    let gpus = of_class(tree, &["0x0300", "0x0302"]).map(|bus| {
        let driver = tree.link(format!("{DEVICES}/{bus}/driver"));
        PciGpu {
            device: tree
                .word(format!("{DEVICES}/{bus}/device"))
                .unwrap_or_default(),
            driver: driver.map(|link| word(link.rsplit('/').next().unwrap_or(&link))),
            bus: word(&bus),
        }
    });
    gpus.collect()
}

/// Bridges of the class "other" (`0x0680`).
pub(super) fn switches(tree: &Tree<'_>) -> usize {
    let on_bus = of_class(tree, &["0x0680"]).count();
    // In a virtual machine the bus may not show what the driver has.
    let is_switch = |name: &&String| {
        let number = name.strip_prefix("nvidia-nvswitch").unwrap_or_default();
        !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    };
    on_bus.max(tree.names("/dev").iter().filter(is_switch).count())
}

/// How the IOMMU treats the first GPU that it treats at all.
pub(super) fn iommu(tree: &Tree<'_>, gpus: &[PciGpu]) -> Option<String> {
    let kinds = gpus
        .iter()
        .filter_map(|gpu| tree.word(format!("{DEVICES}/{}/iommu_group/type", gpu.bus)));
    kinds.into_iter().next()
}
