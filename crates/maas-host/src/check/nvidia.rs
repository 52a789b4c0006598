//! D-NOUVEAU, D-DRIVER, D-CUDA, D-NODES, D-PERSISTENCE, D-CDI.

use super::{Outcome, count, fail, gpu::NO_GPU, pass, warn};
use crate::{Distribution, Machine, Node, Runtime, Version, Wants};

/// CUDA's major versions and the oldest driver that runs programs built with any of their minor
/// versions. NVIDIA, "CUDA Compatibility", "Minor Version Compatibility", table 1
/// (docs.nvidia.com/deploy/cuda-compatibility), with the last numbers of table 2 of the release notes
/// of the CUDA Toolkit.
const OLDEST_DRIVERS: [(u32, Version); 3] = [
    (13, Version::new(&[580])),
    (12, Version::new(&[525, 60, 13])),
    (11, Version::new(&[450, 80, 2])),
];

pub(crate) fn nouveau(machine: &Machine, wants: &Wants) -> Outcome {
    match (machine.nvidia.nouveau, wants.gpus) {
        (false, _) => pass("nouveau is not loaded"),
        (true, 0) => pass(format!("nouveau is loaded; {NO_GPU}")),
        (true, _) => {
            let rebuild = match machine.system.distribution {
                Distribution::RedHat => "dracut -f",
                Distribution::Debian => "update-initramfs -u",
                Distribution::Other => "rebuild the initramfs",
            };
            fail(
                "nouveau is loaded, which keeps NVIDIA's driver from the cards",
                format!(
                    "printf 'blacklist nouveau\\noptions nouveau modeset=0\\n' > \
                     /etc/modprobe.d/nouveau.conf && {rebuild} && reboot"
                ),
            )
        }
    }
}

pub(crate) fn driver(machine: &Machine, wants: &Wants) -> Outcome {
    let nvidia = &machine.nvidia;
    let Some(driver) = nvidia.driver else {
        return if wants.gpus == 0 {
            pass(format!("no NVIDIA driver is loaded; {NO_GPU}"))
        } else if nvidia.libraries.is_empty() {
            fail(
                "no NVIDIA driver is loaded, and none is installed",
                "install NVIDIA's data centre driver from this site's mirror, then: reboot",
            )
        } else {
            fail(
                "the NVIDIA driver is installed, and its kernel module is not loaded",
                "modprobe nvidia; if that fails, look why: dmesg | grep -i -e nvidia -e NVRM",
            )
        };
    };
    if let Some(least) = wants.driver.filter(|least| driver < *least) {
        return fail(
            format!("the NVIDIA driver is {driver}, the bundle needs {least}"),
            format!("install driver {least} or later from this site's mirror, then: reboot"),
        );
    }
    if !nvidia.libraries.is_empty() && !nvidia.libraries.contains(&driver) {
        let installed: Vec<_> = nvidia.libraries.iter().map(Version::to_string).collect();
        return fail(
            format!(
                "the NVIDIA driver that runs is {driver}, the libraries are of {}: they do not talk to \
                 each other",
                installed.join(", ")
            ),
            "reboot",
        );
    }
    pass(match wants.driver {
        Some(least) => format!("NVIDIA driver {driver}; {least} is enough"),
        None => format!("NVIDIA driver {driver}"),
    })
}

/// The newest major version of CUDA that a driver runs.
fn cuda_of(driver: Version) -> Option<u32> {
    let mut table = OLDEST_DRIVERS.iter();
    table
        .find(|(_, oldest)| driver >= *oldest)
        .map(|(cuda, _)| *cuda)
}

pub(crate) fn cuda(machine: &Machine, wants: &Wants) -> Outcome {
    let Some(want) = wants.cuda else {
        return pass("the bundle does not say which CUDA it needs");
    };
    let told = machine.nvidia.cuda.map(|cuda| cuda.major());
    let Some(driver) = machine.nvidia.driver else {
        return if wants.gpus == 0 {
            pass(NO_GPU)
        } else {
            Outcome::NotLooked
        };
    };
    // NVML tells the newest version that the driver knows; older ones run on it as well.
    if told
        .or_else(|| cuda_of(driver))
        .is_some_and(|have| have >= want.major())
    {
        return pass(format!(
            "driver {driver} runs CUDA {want}, with which the engines were built"
        ));
    }
    let mut table = OLDEST_DRIVERS.iter();
    match table.find(|(cuda, _)| *cuda == want.major()) {
        Some((_, oldest)) => fail(
            format!(
                "the engines were built with CUDA {want}, which needs driver {oldest}; {driver} is loaded"
            ),
            format!("install driver {oldest} or later from this site's mirror, then: reboot"),
        ),
        None => warn(
            format!(
                "the engines were built with CUDA {want}, and which driver that needs is not known here"
            ),
            format!("compare by hand with CUDA {want}: nvidia-smi | grep CUDA"),
        ),
    }
}

pub(crate) fn nodes(machine: &Machine, wants: &Wants) -> Outcome {
    let nvidia = &machine.nvidia;
    if wants.gpus == 0 {
        return pass(NO_GPU);
    }
    if nvidia.driver.is_none() {
        return Outcome::NotLooked;
    }
    let cards = nvidia
        .gpus
        .iter()
        .filter(|gpu| !gpu.excluded)
        .filter_map(|gpu| gpu.minor);
    let wanted = ["/dev/nvidiactl", "/dev/nvidia-uvm"].map(str::to_owned);
    let wanted = wanted
        .into_iter()
        .chain(cards.map(|minor| format!("/dev/nvidia{minor}")));
    let missing: Vec<_> = wanted
        .filter(|path| !nvidia.nodes.iter().any(|node| node.path == *path))
        .collect();
    let make = "nvidia-modprobe -u -c 0, and for all cards: nvidia-smi";
    if !missing.is_empty() {
        return fail(format!("missing: {}", missing.join(", ")), make);
    }
    let stale: Vec<_> = nvidia.nodes.iter().filter(|node| is_stale(node)).collect();
    if let Some(node) = stale.first() {
        return fail(
            format!("`{}` is not the device that the driver has now", node.path),
            format!("rm {} && nvidia-modprobe -u -c 0", node.path),
        );
    }
    pass(format!(
        "{}, of the driver that runs",
        count(nvidia.nodes.len(), "device node")
    ))
}

fn is_stale(node: &Node) -> bool {
    match (node.number, node.major) {
        (None, _) => true,
        (Some((major, _)), Some(now)) => major != now,
        (Some(_), None) => false,
    }
}

pub(crate) fn persistence(machine: &Machine, wants: &Wants) -> Outcome {
    if wants.gpus == 0 {
        return pass(NO_GPU);
    }
    if machine.nvidia.driver.is_none() {
        return Outcome::NotLooked;
    }
    if machine.nvidia.persistenced {
        return pass("nvidia-persistenced keeps the cards awake");
    }
    warn(
        "nvidia-persistenced does not run: idle cards are put to sleep, and waking eight takes many seconds",
        "systemctl enable --now nvidia-persistenced",
    )
}

pub(crate) fn cdi(machine: &Machine, wants: &Wants) -> Outcome {
    if wants.gpus == 0 || wants.runtime != Runtime::Podman {
        return pass("no container is given a GPU");
    }
    let make = "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml";
    let specs = &machine.nvidia.cdi;
    if specs.is_empty() {
        return fail("no CDI specification tells podman about the GPUs", make);
    }
    let other = |driver: &Option<Version>| driver.is_some() && *driver != machine.nvidia.driver;
    if let Some(spec) = specs.iter().find(|spec| other(&spec.driver)) {
        let of = spec
            .driver
            .map(|driver| driver.to_string())
            .unwrap_or_default();
        return fail(
            format!(
                "`{}` was made for driver {of}, which is not the one that runs",
                spec.path
            ),
            format!("nvidia-ctk cdi generate --output={}", spec.path),
        );
    }
    pass(format!("`{}` tells podman about the GPUs", specs[0].path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_runs_the_cuda_versions_of_nvidias_table() {
        for (driver, cuda) in [
            ("580.65.06", Some(13)),
            ("590.44.01", Some(13)),
            ("575.57.08", Some(12)),
            ("525.60.13", Some(12)),
            ("525.60.12", Some(11)),
            ("450.80.02", Some(11)),
            ("440.33", None),
        ] {
            assert_eq!(cuda_of(Version::parse(driver).unwrap()), cuda, "{driver}");
        }
    }

    #[test]
    fn the_table_is_in_order_newest_first() {
        assert!(OLDEST_DRIVERS.is_sorted_by(|a, b| a > b));
    }
}
