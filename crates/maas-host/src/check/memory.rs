//! D-MEMORY, D-SHM, D-LIMITS, D-OVERCOMMIT.

use maas_types::ByteSize;

use super::{Outcome, fail, pass, warn};
use crate::{Machine, Services, Wants};

pub(crate) fn memory(machine: &Machine, wants: &Wants) -> Outcome {
    let memory = &machine.memory;
    let Some(total) = memory.total else {
        return warn(
            "how much memory there is cannot be read",
            format!("compare by hand with {}: free", ByteSize(wants.memory)),
        );
    };
    let usable = total.saturating_sub(memory.huge_pages);
    let need = ByteSize(wants.memory);
    let mut text = format!(
        "the engines need {need} of memory, {} are here",
        ByteSize(usable)
    );
    if memory.huge_pages > 0 {
        text = format!(
            "{text} beside {} set aside as huge pages",
            ByteSize(memory.huge_pages)
        );
    }
    if usable >= wants.memory {
        return pass(text);
    }
    let fix = if total >= wants.memory {
        "give the huge pages back: sysctl vm.nr_hugepages=0, and remove it from /etc/sysctl.d"
    } else {
        "start fewer or smaller models ([[model]] in appliance.toml), or add memory"
    };
    fail(text, fix)
}

/// Engines that use several GPUs talk through shared memory; where it is short they die with SIGBUS
/// in the middle of an answer.
pub(crate) fn shm(machine: &Machine, wants: &Wants) -> Outcome {
    let need = ByteSize(wants.shm);
    match machine.memory.shm {
        _ if wants.shm == 0 => pass("the engines share no memory"),
        Some(size) if size >= wants.shm => pass(format!(
            "/dev/shm holds {}, the engines need {need}",
            ByteSize(size)
        )),
        None => fail(
            format!("nothing is mounted on /dev/shm, and the engines need {need}"),
            format!("mount -t tmpfs -o size={} tmpfs /dev/shm", wants.shm),
        ),
        Some(size) => fail(
            format!("/dev/shm holds {}, the engines need {need}", ByteSize(size)),
            match machine.system.container {
                Some(_) => format!("start the container with --shm-size={}", wants.shm),
                None => format!("mount -o remount,size={} /dev/shm", wants.shm),
            },
        ),
    }
}

/// What the gateway opens with a thousand clients and as many streams.
const OPEN_FILES: u64 = 65_536;

pub(crate) fn limits(machine: &Machine, wants: &Wants) -> Outcome {
    if wants.services == Services::Systemd {
        return pass("the units set their own limits of open files and locked memory");
    }
    let few = |limit: Option<u64>, least: u64| limit.is_some_and(|limit| limit < least);
    let mut lacks = Vec::new();
    if few(machine.limits.open_files, OPEN_FILES) {
        lacks.push(format!("open files (want {OPEN_FILES})"));
    }
    if wants.gpus > 0 && few(machine.limits.locked_bytes, u64::MAX) {
        lacks.push("locked memory (want unlimited)".to_owned());
    }
    if lacks.is_empty() {
        return pass("this shell's limits of open files and locked memory are enough");
    }
    warn(
        format!("this shell's limits are low: {}", lacks.join(", ")),
        format!("ulimit -n {OPEN_FILES}; ulimit -l unlimited"),
    )
}

pub(crate) fn overcommit(machine: &Machine, wants: &Wants) -> Outcome {
    match machine.memory.overcommit {
        Some(2) if wants.gpus > 0 => warn(
            "vm.overcommit_memory is 2: CUDA reserves far more addresses than it uses, and engines may \
             fail to start",
            "sysctl vm.overcommit_memory=0, and remove it from /etc/sysctl.d",
        ),
        Some(2) => warn(
            "vm.overcommit_memory is 2: an engine that forks may fail although memory is free",
            "sysctl vm.overcommit_memory=0, and remove it from /etc/sysctl.d",
        ),
        Some(_) => pass("memory may be promised beyond what is there, as CUDA needs"),
        None => {
            pass("how memory is promised cannot be read; every distribution's default is right")
        }
    }
}
