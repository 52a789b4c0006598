//! D-GPU, D-GPU-MEMORY, D-MIG, D-FABRIC, D-IOMMU.

use maas_types::ByteSize;

use super::{Outcome, count, fail, pass, warn};
use crate::{Machine, Wants};

/// Nothing is wanted of GPUs.
pub(super) const NO_GPU: &str = "no model wants a GPU";

pub(crate) fn enough(machine: &Machine, wants: &Wants) -> Outcome {
    let have = machine.nvidia.count();
    let text = format!("the models want {}, {have} here", count(wants.gpus, "GPU"));
    if wants.gpus as usize <= have {
        return pass(text);
    }
    let passed_on = |driver: &str| driver == "vfio-pci";
    let mut on_bus = machine.nvidia.pci.iter();
    if on_bus.any(|gpu| gpu.driver.as_deref().is_some_and(passed_on)) {
        return fail(
            format!("{text}; others are set aside for virtual machines (vfio-pci)"),
            "remove vfio-pci.ids from the kernel's command line, then: reboot",
        );
    }
    let seen = machine.nvidia.pci.len();
    if seen > have {
        return fail(
            format!("{text}; {seen} are on the bus, so the driver has not taken all"),
            "look why: dmesg | grep -i NVRM",
        );
    }
    fail(
        text,
        "start fewer models ([[model]] in appliance.toml); if a card is in the machine and not here: \
         lspci -d 10de:",
    )
}

pub(crate) fn memory(machine: &Machine, wants: &Wants) -> Outcome {
    if wants.gpus == 0 || wants.gpu_memory == 0 {
        return pass("no model says how much memory of a GPU it takes");
    }
    let nvidia = &machine.nvidia;
    let need = ByteSize(wants.gpu_memory);
    let gpus = nvidia.gpus.iter().filter(|gpu| !gpu.excluded);
    let memories: Vec<_> = gpus.map(crate::Gpu::memory).collect();
    if nvidia.driver.is_none() || memories.is_empty() {
        return Outcome::NotLooked;
    }
    let known = || memories.iter().flatten();
    let enough = known()
        .filter(|memory| **memory >= wants.gpu_memory)
        .count();
    let unknown = memories.len() - known().count();
    let text = format!(
        "{} with {need} each: {enough} here",
        count(wants.gpus, "GPU")
    );
    // Where there are too few, big or small, D-GPU says so.
    if enough >= memories.len().min(wants.gpus as usize) {
        return pass(text);
    }
    if enough + unknown >= memories.len().min(wants.gpus as usize) {
        return warn(
            format!("{text}, and {unknown} that do not tell their memory"),
            "compare by hand: nvidia-smi --query-gpu=name,memory.total --format=csv",
        );
    }
    fail(
        text,
        "start smaller models, or spread each over more GPUs (gpus under [[model]] in appliance.toml)",
    )
}

pub(crate) fn mig(machine: &Machine, wants: &Wants) -> Outcome {
    match (machine.nvidia.mig_gpus, wants.gpus) {
        (_, 0) => pass(NO_GPU),
        (0, _) => pass("no GPU is cut into MIG instances"),
        (cut, _) => warn(
            format!(
                "cut into MIG instances, which are not given to engines: {}",
                count(cut, "GPU")
            ),
            "make them whole again, while nothing uses them: nvidia-smi -mig 0",
        ),
    }
}

/// On a machine with `NVSwitch` the driver holds CUDA back, with error 802, until the fabric manager
/// has set the switches up; that also holds for a single GPU.
pub(crate) fn fabric(machine: &Machine, wants: &Wants) -> Outcome {
    let fabric = machine.nvidia.fabric;
    match (fabric.switches, fabric.manager_runs) {
        (0, _) => pass("there is no NVSwitch, so no fabric manager is needed"),
        (switches, true) => pass(format!(
            "{}, and the fabric manager runs",
            count(switches, "NVSwitch chip")
        )),
        (switches, false) if wants.gpus == 0 => pass(format!(
            "{} without a fabric manager; {NO_GPU}",
            count(switches, "NVSwitch chip")
        )),
        (switches, false) => fail(
            format!(
                "{}, and the fabric manager does not run: CUDA will not start (error 802)",
                count(switches, "NVSwitch chip")
            ),
            "install nvidia-fabricmanager of the driver's version, then: systemctl enable --now nvidia-fabricmanager",
        ),
    }
}

/// GPUs that send to each other over the PCI bus go through the IOMMU where it translates, which is slow and
/// on some boards hangs NCCL.
pub(crate) fn iommu(machine: &Machine, wants: &Wants) -> Outcome {
    let nvidia = &machine.nvidia;
    let over_pcie = wants.gpus_per_engine > 1 && nvidia.fabric.switches == 0;
    match nvidia.iommu.as_deref() {
        None => pass("no IOMMU stands between the GPUs"),
        Some("identity") => pass("the IOMMU lets the GPUs through as they are"),
        Some(kind) if over_pcie && !machine.cpu.is_virtual => warn(
            format!(
                "the IOMMU translates ({kind}), and an engine uses {} GPUs over PCIe: they talk slowly, or not at all",
                wants.gpus_per_engine
            ),
            "add iommu=pt to the kernel's command line, then: reboot",
        ),
        Some(kind) => pass(format!(
            "the IOMMU translates ({kind}), which no engine here minds"
        )),
    }
}
