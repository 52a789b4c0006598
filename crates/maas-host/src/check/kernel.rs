//! D-ARCH, D-KERNEL, D-CGROUP.

use super::{Outcome, fail, pass, warn};
use crate::{CgroupVersion, Machine, Runtime, Wants};

pub(crate) fn arch(machine: &Machine, wants: &Wants) -> Outcome {
    let (have, want) = (&machine.kernel.arch, &wants.arch);
    if have == want {
        return pass(format!("the processor is {have}, as the bundle wants"));
    }
    fail(
        format!("the bundle is made for {want}, this machine is {have}"),
        format!("ask the sender for a bundle for {have}"),
    )
}

pub(crate) fn kernel(machine: &Machine, wants: &Wants) -> Outcome {
    let (Some(release), Some(version)) = (&machine.kernel.release, machine.kernel.version) else {
        return warn(
            "the kernel does not tell its version",
            format!("compare it by hand with {}: uname -r", wants.kernel),
        );
    };
    let least = wants.kernel;
    if version >= least {
        return pass(format!("Linux {release}; {least} is enough"));
    }
    fail(
        format!("Linux {release} is older than {least}"),
        "move to RHEL 8, Debian 10, Ubuntu 20.04 or later",
    )
}

/// Engines run without control groups; what is lost is that one engine cannot take the memory of all.
pub(crate) fn cgroup(machine: &Machine, wants: &Wants) -> Outcome {
    let unified = "grubby --update-kernel=ALL --args=systemd.unified_cgroup_hierarchy=1 && reboot";
    let unified = match machine.system.distribution {
        crate::Distribution::RedHat => unified,
        crate::Distribution::Debian | crate::Distribution::Other => {
            "add systemd.unified_cgroup_hierarchy=1 to GRUB_CMDLINE_LINUX in /etc/default/grub, \
             then: update-grub && reboot"
        }
    };
    let controllers = &machine.kernel.controllers;
    match machine.kernel.cgroups {
        CgroupVersion::V2 if controllers.iter().any(|c| c == "memory") => {
            pass("control groups are version 2, with the memory controller")
        }
        CgroupVersion::V2 => warn(
            "control groups are version 2 without the memory controller: no engine can be held to its memory",
            "remove cgroup_disable=memory from the kernel's command line, then: reboot",
        ),
        CgroupVersion::Hybrid | CgroupVersion::V1 => warn(
            "control groups are version 1: an engine that runs out of memory is not killed as a whole",
            unified,
        ),
        CgroupVersion::None => match wants.runtime {
            Runtime::Host => warn(
                "no control groups can be seen: engines share all memory with everything else",
                "mount -t cgroup2 none /sys/fs/cgroup",
            ),
            Runtime::Podman | Runtime::Rootfs => fail(
                "no control groups can be seen, and containers need them",
                "mount -t cgroup2 none /sys/fs/cgroup",
            ),
        },
    }
}
