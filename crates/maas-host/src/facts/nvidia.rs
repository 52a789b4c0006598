//! NVIDIA's driver and cards, without NVML: what the kernel shows in files.

mod cdi;
mod gpu;
mod node;
mod pci;

use maas_types::GpuInventory;
use serde::Serialize;

use super::{Process, is_running};
use crate::{Version, tree::Tree};

pub use cdi::CdiSpec;
pub use gpu::Gpu;
pub use node::Node;
pub use pci::{Fabric, PciGpu};

/// Where the driver's libraries lie, whose names have its version.
const LIBRARY_FOLDERS: [&str; 4] = [
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib",
];

/// NVIDIA's driver and cards.
#[derive(Debug, Clone, Serialize)]
pub struct Nvidia {
    /// Version of the kernel module that is loaded.
    pub driver: Option<Version>,
    /// Which of the two kernel modules that is.
    pub flavour: Option<DriverFlavour>,
    /// Versions of the libraries that are installed. One that is not the module's cannot talk to it.
    pub libraries: Vec<Version>,
    /// CUDA version of the driver, where NVML was asked.
    pub cuda: Option<Version>,
    /// GPUs that the driver has.
    pub gpus: Vec<Gpu>,
    /// GPUs of NVIDIA's on the PCI bus, whichever driver they have.
    pub pci: Vec<PciGpu>,
    /// Device nodes.
    pub nodes: Vec<Node>,
    /// Whether the module that Linux brings along for these cards is loaded.
    pub nouveau: bool,
    /// The switches between GPUs, and what runs them.
    pub fabric: Fabric,
    /// Whether the daemon runs that keeps cards awake.
    pub persistenced: bool,
    /// What tells containers about GPUs.
    pub cdi: Vec<CdiSpec>,
    /// GPUs that are cut into MIG instances.
    pub mig_gpus: usize,
    /// How the IOMMU treats the GPUs: `identity`, `DMA`, `DMA-FQ`; `None` without one.
    pub iommu: Option<String>,
}

/// Which of NVIDIA's two kernel modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriverFlavour {
    /// The open one. Cards from Blackwell on need it.
    Open,
    /// The older, closed one.
    Proprietary,
}

impl Nvidia {
    pub(crate) fn look(tree: &Tree<'_>, running: &[Process]) -> Self {
        let told = tree.text("/proc/driver/nvidia/version").unwrap_or_default();
        let (flavour, driver) = driver(&told).unzip();
        let pci = pci::gpus(tree);
        Self {
            driver,
            flavour,
            libraries: libraries(tree),
            cuda: None,
            gpus: gpu::gpus(tree),
            nodes: node::nodes(tree),
            nouveau: tree.has("/sys/module/nouveau"),
            fabric: Fabric {
                switches: pci::switches(tree),
                manager_runs: is_running(running, "nv-fabricmanager"),
            },
            persistenced: is_running(running, "nvidia-persistenced"),
            cdi: cdi::specs(tree),
            mig_gpus: gpu::cut(tree),
            iommu: pci::iommu(tree, &pci),
            pci,
        }
    }

    pub(crate) fn add_inventory(&mut self, inventory: &GpuInventory) {
        if let Some(cuda) = inventory.cuda.as_deref().and_then(Version::parse) {
            self.cuda = Some(cuda);
        }
        for gpu in &mut self.gpus {
            // `00000000:3B:00.0` of NVML is `0000:3b:00.0` of the kernel.
            let same_place = |id: &str| {
                let id = id.to_ascii_lowercase();
                id.get(id.len().saturating_sub(12)..) == Some(gpu.bus.as_str())
            };
            let told = inventory
                .gpus
                .iter()
                .find(|told| same_place(&told.pci_bus_id));
            if let Some(told) = told {
                gpu.memory = Some(told.memory_total);
            }
        }
    }

    /// How many GPUs there are to give: those of the driver, or without one those on the bus.
    pub fn count(&self) -> usize {
        if self.driver.is_some() {
            self.gpus.iter().filter(|gpu| !gpu.excluded).count()
        } else {
            self.pci.len()
        }
    }
}

/// `NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build …`, or
/// `NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar …`
fn driver(text: &str) -> Option<(DriverFlavour, Version)> {
    let line = text
        .lines()
        .find(|line| line.starts_with("NVRM version:"))?;
    let flavour = if line.contains("Open Kernel Module") {
        DriverFlavour::Open
    } else {
        DriverFlavour::Proprietary
    };
    let mut words = line.split_ascii_whitespace();
    let version = words.find_map(|word| Version::parse(word).filter(|_| word.contains('.')))?;
    Some((flavour, version))
}

/// `libcuda.so.580.95.05`, not the link `libcuda.so.1`.
fn libraries(tree: &Tree<'_>) -> Vec<Version> {
    let names = LIBRARY_FOLDERS.iter().flat_map(|folder| tree.names(folder));
    let versions = names.filter_map(|name| {
        let version = ["libcuda.so.", "libnvidia-ml.so."]
            .iter()
            .find_map(|library| name.strip_prefix(library))?;
        Version::parse(version).filter(|_| version.contains('.'))
    });
    let mut versions: Vec<_> = versions.collect();
    versions.sort();
    versions.dedup();
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_modules_say_their_version() {
        for (text, flavour, version) in [
            (
                "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (dvs-builder@x)  Tue Sep 23 09:55:41 UTC 2025\nGCC version:  gcc version 12.2.0\n",
                DriverFlavour::Open,
                [580, 95, 5],
            ),
            (
                "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n",
                DriverFlavour::Proprietary,
                [550, 54, 15],
            ),
        ] {
            assert_eq!(driver(text), Some((flavour, Version::new(&version))));
        }
        assert_eq!(driver("NVRM version:"), None);
        assert_eq!(driver(""), None);
    }
}
