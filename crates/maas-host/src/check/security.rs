//! D-SELINUX, D-APPARMOR, D-FIPS, D-LOCKDOWN.

use super::{Outcome, pass, warn};
use crate::{Lockdown, Machine, Runtime, Selinux, Wants};

pub(crate) fn selinux(machine: &Machine, wants: &Wants) -> Outcome {
    let security = &machine.security;
    let after = security.selinux_configured.as_deref();
    let needs_devices = wants.runtime == Runtime::Podman && wants.gpus > 0;
    match (security.selinux, after) {
        (Selinux::Off, Some("enforcing" | "permissive")) => warn(
            "SELinux is off and will be on after the next start, when every file lacks its label",
            "touch /.autorelabel && reboot, now rather than later",
        ),
        (Selinux::Off, _) => pass("SELinux is off"),
        (Selinux::Permissive, _) => pass("SELinux only tells (permissive)"),
        (Selinux::Enforcing, _) if needs_devices && security.container_devices != Some(true) => {
            warn(
                "SELinux is enforcing: containers may not use devices until that is allowed",
                "setsebool -P container_use_devices on",
            )
        }
        (Selinux::Enforcing, _) => pass("SELinux is enforcing, which the units are made for"),
    }
}

pub(crate) fn apparmor(machine: &Machine, _: &Wants) -> Outcome {
    pass(match machine.security.apparmor {
        Some(true) => "AppArmor is on; no profile of its own is needed",
        Some(false) => "AppArmor is off",
        None => "this kernel has no AppArmor",
    })
}

pub(crate) fn fips(machine: &Machine, _: &Wants) -> Outcome {
    if !machine.security.fips {
        return pass("the kernel is not in FIPS mode");
    }
    warn(
        "the kernel is in FIPS mode, and the appliance's cryptography (AWS-LC) is not a validated build",
        "ask who answers for the rules here, and say so: --accept D-FIPS --reason \"…\"",
    )
}

/// Secure Boot locks the kernel down; a module that nobody the machine trusts has signed is then not
/// loaded.
pub(crate) fn lockdown(machine: &Machine, wants: &Wants) -> Outcome {
    match machine.kernel.lockdown {
        None => pass("whether the kernel is locked down is not told here"),
        Some(Lockdown::None) => pass("the kernel is not locked down"),
        Some(Lockdown::Integrity | Lockdown::Confidentiality)
            if wants.gpus > 0 && machine.nvidia.driver.is_none() =>
        {
            warn(
                "the kernel is locked down and no NVIDIA driver is loaded: a module that is not signed is refused",
                "sign the module and enrol its key: mokutil --import KEY.der, then: reboot",
            )
        }
        Some(Lockdown::Integrity | Lockdown::Confidentiality) => {
            pass("the kernel is locked down, and what is needed is loaded")
        }
    }
}
