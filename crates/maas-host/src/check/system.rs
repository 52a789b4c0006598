//! D-SYSTEMD, D-GLIBC, D-RUNTIME, D-CONTAINER.

use super::{Outcome, fail, pass, warn};
use crate::{Distribution, Libc, Machine, Runtime, Services, Wants};

pub(crate) fn systemd(machine: &Machine, wants: &Wants) -> Outcome {
    let system = &machine.system;
    if wants.services == Services::Direct && wants.runtime != Runtime::Rootfs {
        return pass("the services are started by hand, so systemd is not needed");
    }
    if !system.systemd_runs {
        let init = system.init.as_deref().unwrap_or("not to be seen");
        return fail(
            format!("systemd does not run this machine: process 1 is {init}"),
            "boot with systemd, or install below a folder of your own with --root DIR and start the \
             services yourself",
        );
    }
    match system.systemd {
        Some(version) if version >= wants.systemd => pass(format!(
            "systemd {version} runs; {} is enough",
            wants.systemd
        )),
        Some(version) => fail(
            format!("systemd {version} is older than {}", wants.systemd),
            "move to RHEL 8, Debian 10, Ubuntu 20.04 or later",
        ),
        None => warn(
            "systemd runs, and its version cannot be told from its files",
            format!(
                "compare it by hand with {}: systemctl --version",
                wants.systemd
            ),
        ),
    }
}

pub(crate) fn glibc(machine: &Machine, wants: &Wants) -> Outcome {
    let least = wants.glibc;
    match &machine.system.libc {
        Libc::Glibc(version) if *version >= least => {
            pass(format!("GNU C library {version}; {least} is enough"))
        }
        Libc::Glibc(version) => fail(
            format!("the GNU C library is {version}, and programs of the bundle need {least}"),
            "move to RHEL 8, Debian 10, Ubuntu 20.04 or later",
        ),
        Libc::Musl => fail(
            format!("the C library is musl, and programs of the bundle need GNU's, {least}"),
            "use a distribution with the GNU C library: RHEL, Debian, Ubuntu",
        ),
        Libc::Unknown => warn(
            "no C library was found where distributions keep it",
            format!("compare it by hand with {least}: ldd --version"),
        ),
    }
}

pub(crate) fn runtime(machine: &Machine, wants: &Wants) -> Outcome {
    match wants.runtime {
        Runtime::Host => pass("engines run on the host itself"),
        Runtime::Rootfs => pass("engines run from an unpacked image, which needs systemd only"),
        Runtime::Podman if machine.system.podman => pass("podman is installed"),
        Runtime::Podman => fail(
            "engines are to run in podman, which is not installed",
            install(machine, "podman"),
        ),
    }
}

pub(crate) fn container(machine: &Machine, _: &Wants) -> Outcome {
    let system = &machine.system;
    if let Some(kind) = &system.container {
        return warn(
            format!("this is a container ({kind}): devices, limits and time come from outside"),
            "give it the GPUs, /dev/shm and a volume for the state folder; or install on the host",
        );
    }
    let os = system.os.as_deref().unwrap_or("an unknown distribution");
    let on = system.product.as_deref().unwrap_or("an unknown machine");
    let kind = if machine.cpu.is_virtual {
        "virtual machine"
    } else {
        "machine"
    };
    pass(format!("{os} on a {kind}: {on}"))
}

/// How a package is installed here, from the site's own mirror or medium.
pub(super) fn install(machine: &Machine, package: &str) -> String {
    match machine.system.distribution {
        Distribution::RedHat => format!("dnf install {package}"),
        Distribution::Debian => format!("apt install {package}"),
        Distribution::Other => format!("install {package} with this system's package tool"),
    }
}
