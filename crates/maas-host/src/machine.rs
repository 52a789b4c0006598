//! All facts about a machine, looked at once.

use camino::Utf8Path;
use jiff::Timestamp;
use maas_types::GpuInventory;
use serde::Serialize;

use crate::{
    Latency, Wants,
    facts::{
        Clock, Cpu, Disk, Kernel, Leftover, Limits, Memory, Net, Nvidia, Security, System,
        processes,
    },
    tree::Tree,
};

/// What a machine is.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The kernel and its control groups.
    pub kernel: Kernel,
    /// The first process, the C library, the distribution.
    pub system: System,
    /// Processors.
    pub cpu: Cpu,
    /// Main memory.
    pub memory: Memory,
    /// What this process may use.
    pub limits: Limits,
    /// The disk of the state folder.
    pub disk: Disk,
    /// How fast that disk writes; `None` until [`crate::measure_latency`] was asked.
    pub latency: Option<Latency>,
    /// NVIDIA's driver and cards.
    pub nvidia: Nvidia,
    /// What tells the time.
    pub clock: Clock,
    /// Ports and routes.
    pub net: Net,
    /// `SELinux`, `AppArmor`, FIPS and the like.
    pub security: Security,
    /// What serves models here already, or did.
    pub leftovers: Vec<Leftover>,
}

impl Machine {
    /// Looks at the host below `root`, `/` for this one. Reads and never writes; what cannot be read
    /// is `None` or left out. `now` is what the system's clock says.
    ///
    /// Of `wants` only the state folder and the ports are used: they say which disk and which sockets
    /// to look at.
    pub fn look(root: &Utf8Path, wants: &Wants, now: Timestamp) -> Self {
        let tree = Tree::new(root);
        let running = processes(&tree);
        let memory = Memory::look(&tree);
        Self {
            kernel: Kernel::look(&tree),
            system: System::look(&tree),
            cpu: Cpu::look(&tree),
            memory,
            limits: Limits::look(&tree),
            disk: Disk::look(&tree, &wants.state),
            latency: None,
            nvidia: Nvidia::look(&tree, &running),
            clock: Clock::look(&tree, &running, now),
            net: Net::look(&tree, &running, &wants.ports),
            security: Security::look(&tree),
            leftovers: Leftover::look(&tree, &running),
        }
    }

    /// Adds what NVML says: CUDA version and memory of each GPU, which no file tells.
    pub fn add_inventory(&mut self, inventory: &GpuInventory) {
        self.nvidia.add_inventory(inventory);
    }
}
