//! The table: each finding's code, what it means, and who decides it.

use maas_types::Exit;

use crate::{
    Level, Machine, Wants,
    check::{Outcome, cpu, disk, gpu, kernel, memory, net, nvidia, old, security, system, time},
};

/// A finding that there can be.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its code. Codes never change meaning; scripts and tickets have them.
    pub(crate) id: &'static str,
    /// What it is about, for the reference page.
    pub(super) meaning: &'static str,
    /// How it may turn out at worst.
    pub(crate) worst: Level,
    /// Why it can never be accepted, where that is so.
    pub(crate) never: Option<&'static str>,
    /// What its failure tells the shell.
    pub(super) exit: Exit,
    /// Who decides it.
    pub(super) check: Check,
}

type Check = fn(&Machine, &Wants) -> Outcome;

const fn entry_of(id: &'static str, worst: Level, check: Check, meaning: &'static str) -> Entry {
    Entry {
        id,
        meaning,
        worst,
        never: None,
        exit: Exit::HostCheck,
        check,
    }
}

const fn fails(id: &'static str, check: Check, meaning: &'static str) -> Entry {
    entry_of(id, Level::Fail, check, meaning)
}

const fn warns(id: &'static str, check: Check, meaning: &'static str) -> Entry {
    entry_of(id, Level::Warn, check, meaning)
}

const fn tells(id: &'static str, check: Check, meaning: &'static str) -> Entry {
    entry_of(id, Level::Pass, check, meaning)
}

impl Entry {
    const fn never(self, why: &'static str) -> Self {
        Self {
            never: Some(why),
            ..self
        }
    }

    const fn exiting(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }
}

/// A heading of the reference page, and the findings below it.
pub(super) type Group = (&'static str, &'static [Entry]);

pub(super) const GROUPS: [Group; 7] = [
    ("System", &SYSTEM),
    ("Processor and memory", &MEMORY),
    ("Disk", &DISK),
    ("GPUs", &GPUS),
    ("Time", &TIME),
    ("Network", &NETWORK),
    ("Security and surroundings", &SURROUNDINGS),
];

const SYSTEM: [Entry; 7] = [
    fails(
        "D-ARCH",
        kernel::arch,
        "The bundle is made for this processor's architecture.",
    )
    .never("programs for another processor do not start"),
    fails(
        "D-KERNEL",
        kernel::kernel,
        "The kernel is new enough (4.18, as in RHEL 8).",
    ),
    fails(
        "D-CGROUP",
        kernel::cgroup,
        "Control groups can hold an engine to its memory (version 2).",
    ),
    fails(
        "D-SYSTEMD",
        system::systemd,
        "systemd runs the machine and is new enough (239), where it starts the services.",
    ),
    fails(
        "D-GLIBC",
        system::glibc,
        "The GNU C library is new enough (2.28).",
    )
    .never("the loader refuses programs that need a newer C library"),
    fails(
        "D-RUNTIME",
        system::runtime,
        "What engines run in is installed.",
    ),
    warns(
        "D-CONTAINER",
        system::container,
        "This is a machine, real or virtual, and no container.",
    ),
];

const MEMORY: [Entry; 5] = [
    fails(
        "D-CPU",
        cpu::cpu,
        "The processor has the features that engines need.",
    ),
    fails(
        "D-MEMORY",
        memory::memory,
        "There is memory for all engines, beside what is set aside as huge pages.",
    ),
    fails(
        "D-SHM",
        memory::shm,
        "`/dev/shm` is big enough for engines that use several GPUs.",
    ),
    warns(
        "D-LIMITS",
        memory::limits,
        "Open files and locked memory are not limited too low, where no unit sets them.",
    ),
    warns(
        "D-OVERCOMMIT",
        memory::overcommit,
        "The kernel promises memory as CUDA needs (`vm.overcommit_memory` is not 2).",
    ),
];

const DISK: [Entry; 7] = [
    fails(
        "D-DISK-FS",
        disk::file_system,
        "The state folder lies on a file system with hard links and modes.",
    )
    .never("a generation is made of hard links"),
    fails(
        "D-DISK-LASTING",
        disk::lasting,
        "It is a disk of this machine, and stays after a start.",
    ),
    fails(
        "D-DISK-OPTIONS",
        disk::options,
        "It is mounted for writing, and nothing weakens forced writes.",
    ),
    fails(
        "D-DISK-SPACE",
        disk::space,
        "It has the bytes that the bundle needs.",
    )
    .never("what does not fit is not installed")
    .exiting(Exit::NoSpace),
    fails(
        "D-DISK-INODES",
        disk::inodes,
        "It has the inodes that the bundle needs.",
    )
    .never("what does not fit is not installed")
    .exiting(Exit::NoSpace),
    warns("D-DISK-MEDIUM", disk::medium, "It is no turning disk."),
    fails(
        "D-LATENCY",
        disk::latency,
        "A forced write of 4 KiB takes 50 ms at worst (99 in 100); more than 1 s fails. Left out where nobody measured.",
    ),
];

const GPUS: [Entry; 11] = [
    fails(
        "D-NOUVEAU",
        nvidia::nouveau,
        "The module that Linux brings along does not hold the cards.",
    ),
    fails(
        "D-DRIVER",
        nvidia::driver,
        "NVIDIA's driver is loaded, new enough, and of the version of its libraries.",
    ),
    fails(
        "D-CUDA",
        nvidia::cuda,
        "The driver runs the CUDA that engines were built with (11: 450.80.02, 12: 525.60.13, 13: 580).",
    ),
    fails(
        "D-GPU",
        gpu::enough,
        "There are as many GPUs as the models take.",
    ),
    fails(
        "D-GPU-MEMORY",
        gpu::memory,
        "They have the memory that the models take.",
    ),
    fails(
        "D-NODES",
        nvidia::nodes,
        "`/dev/nvidia*` are there and are the driver's.",
    ),
    warns(
        "D-PERSISTENCE",
        nvidia::persistence,
        "`nvidia-persistenced` keeps the cards awake.",
    ),
    fails(
        "D-FABRIC",
        gpu::fabric,
        "The fabric manager runs where there is an NVSwitch.",
    ),
    warns("D-MIG", gpu::mig, "No GPU is cut into MIG instances."),
    warns(
        "D-IOMMU",
        gpu::iommu,
        "No IOMMU slows down GPUs that talk over the PCI bus.",
    ),
    fails(
        "D-CDI",
        nvidia::cdi,
        "A CDI specification of the driver that runs tells podman about the GPUs.",
    ),
];

const TIME: [Entry; 2] = [
    fails(
        "D-CLOCK",
        time::clock,
        "The clock is not before what has been, nor ten years after, and agrees with the board's and with files.",
    ),
    tells(
        "D-TIME-SYNC",
        time::sync,
        "Which program sets the clock. None is needed.",
    ),
];

const NETWORK: [Entry; 3] = [
    fails(
        "D-PORT",
        net::ports,
        "The gateway's ports are free, or its own.",
    ),
    tells(
        "D-ROUTE",
        net::route,
        "Whether there is a default route. None is needed.",
    ),
    warns(
        "D-FIREWALL",
        net::firewall,
        "The host's firewall lets the gateway's ports through.",
    ),
];

const SURROUNDINGS: [Entry; 5] = [
    warns(
        "D-SELINUX",
        security::selinux,
        "SELinux lets engines use devices, and stays as it is after the next start.",
    ),
    tells(
        "D-APPARMOR",
        security::apparmor,
        "Whether AppArmor is on. No profile is needed.",
    ),
    warns(
        "D-FIPS",
        security::fips,
        "The kernel is not in FIPS mode, which the appliance's cryptography is not validated for.",
    ),
    warns(
        "D-LOCKDOWN",
        security::lockdown,
        "A kernel that is locked down has NVIDIA's driver loaded.",
    ),
    warns(
        "D-OLD",
        old::old,
        "Nothing else here serves models, or takes our names.",
    ),
];
