//! D-DISK-FS, D-DISK-LASTING, D-DISK-OPTIONS, D-DISK-SPACE, D-DISK-INODES, D-DISK-MEDIUM, D-LATENCY.

use maas_types::ByteSize;

use super::{Outcome, fail, pass, warn};
use crate::{Ability, Machine, Runtime, Wants};

/// File systems of other machines. SQLite's locks and a forced write are not what they say there.
const OF_OTHERS: [&str; 13] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "9p",
    "virtiofs",
    "ceph",
    "fuse.ceph",
    "glusterfs",
    "fuse.glusterfs",
    "fuse.sshfs",
    "lustre",
    "beegfs",
];

/// File systems that lack hard links or modes, or are never written to.
const WITHOUT_LINKS: [&str; 11] = [
    "vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk", "iso9660", "udf", "squashfs", "erofs",
    "hfsplus",
];

const ELSEWHERE: &str = "put the state folder on a local disk with ext4, XFS or btrfs";

pub(crate) fn file_system(machine: &Machine, _: &Wants) -> Outcome {
    let disk = &machine.disk;
    let folder = &disk.folder;
    let Some(mount) = &disk.mount else {
        return warn(
            format!("which file system `{folder}` lies on cannot be seen"),
            format!("it must have hard links and modes; look: findmnt -T {folder}"),
        );
    };
    let kind = mount.kind.as_str();
    if WITHOUT_LINKS.contains(&kind) {
        return fail(
            format!("`{folder}` lies on {kind}, which has no hard links, no modes or no writing"),
            ELSEWHERE,
        );
    }
    if OF_OTHERS.contains(&kind) || disk.abilities.contains(&Ability::HardLinks) {
        return pass(format!(
            "`{folder}` lies on {kind}, which has hard links and modes"
        ));
    }
    warn(
        format!("`{folder}` lies on {kind}, which has not been tried"),
        ELSEWHERE,
    )
}

pub(crate) fn lasting(machine: &Machine, _: &Wants) -> Outcome {
    let disk = &machine.disk;
    let folder = &disk.folder;
    let Some(mount) = &disk.mount else {
        return Outcome::NotLooked;
    };
    let kind = mount.kind.as_str();
    if OF_OTHERS.contains(&kind) {
        return fail(
            format!(
                "`{folder}` lies on {kind}, a file system of another machine: its locks and forced \
                 writes cannot be relied on"
            ),
            ELSEWHERE,
        );
    }
    match kind {
        "tmpfs" | "ramfs" => warn(
            format!("`{folder}` lies in memory ({kind}): everything is gone after the next start"),
            ELSEWHERE,
        ),
        "overlay" => warn(
            format!("`{folder}` lies in the layers of a container: everything is gone with it"),
            "mount a volume there",
        ),
        _ => pass(format!(
            "what is written to `{folder}` stays on this machine"
        )),
    }
}

pub(crate) fn options(machine: &Machine, wants: &Wants) -> Outcome {
    let disk = &machine.disk;
    let Some(mount) = &disk.mount else {
        return pass(format!(
            "the options of the mount below `{}` cannot be seen",
            disk.folder
        ));
    };
    let point = &mount.point;
    let remount =
        |option| format!("mount -o remount,{option} {point}, and change it in /etc/fstab");
    if mount.has("ro") {
        return fail(
            format!("`{point}` is mounted for reading only"),
            remount("rw"),
        );
    }
    if mount.has("noexec") && wants.runtime == Runtime::Rootfs {
        return fail(
            format!("`{point}` is mounted noexec, and engines are started from there"),
            remount("exec"),
        );
    }
    let unsafe_options = ["nobarrier", "barrier=0", "data=writeback"];
    if let Some(option) = unsafe_options.iter().find(|option| mount.has(option)) {
        return warn(
            format!("`{point}` is mounted with {option}: a power cut may damage what was written"),
            format!("remove {option} of {point} from /etc/fstab, then: reboot"),
        );
    }
    if mount.has("sync") {
        return warn(
            format!("`{point}` is mounted with sync, which makes copying many times slower"),
            remount("async"),
        );
    }
    pass(format!("`{point}` is mounted as it should be"))
}

pub(crate) fn space(machine: &Machine, wants: &Wants) -> Outcome {
    let (disk, need) = (&machine.disk, wants.bytes_free);
    let folder = &disk.folder;
    let Some(free) = disk.free_bytes else {
        return warn(
            format!("how much is free on `{folder}` cannot be read"),
            format!("compare by hand with {}: df {folder}", ByteSize(need)),
        );
    };
    let text = format!(
        "{} must be free on `{folder}`, {} are",
        ByteSize(need),
        ByteSize(free)
    );
    if free >= need {
        return pass(text);
    }
    let short = ByteSize(need - free);
    fail(
        text,
        format!("free {short}, or put the state folder on a bigger disk"),
    )
}

pub(crate) fn inodes(machine: &Machine, wants: &Wants) -> Outcome {
    let (disk, need) = (&machine.disk, wants.inodes_free);
    let folder = &disk.folder;
    match disk.free_inodes {
        None => pass(format!("`{folder}` makes inodes as it needs them")),
        Some(free) if free >= need => pass(format!(
            "{need} inodes must be free on `{folder}`, {free} are"
        )),
        Some(free) => fail(
            format!("{need} inodes must be free on `{folder}`, {free} are"),
            "remove small files there, or make the file system with more inodes",
        ),
    }
}

pub(crate) fn medium(machine: &Machine, _: &Wants) -> Outcome {
    let folder = &machine.disk.folder;
    match machine.disk.rotational {
        Some(false) => pass(format!("`{folder}` lies on a disk without moving parts")),
        // Virtual disks say so by default, whatever lies below them.
        Some(true) if machine.cpu.is_virtual => pass(format!(
            "`{folder}` lies on a virtual disk, which says that it turns; D-LATENCY shows how fast it is"
        )),
        Some(true) => warn(
            format!(
                "`{folder}` lies on a turning disk: loading a model of 100 GB takes ten minutes"
            ),
            "put the state folder on an NVMe or SSD disk",
        ),
        None => pass(format!(
            "what kind of disk `{folder}` lies on cannot be told"
        )),
    }
}

/// Above it the ledger's commits, one for a batch of requests, begin to queue.
const SLOW_US: u64 = 50_000;

/// Above it an install of 500 parts waits minutes for syncs alone, and the ledger cannot keep up.
const STUCK_US: u64 = 1_000_000;

pub(crate) fn latency(machine: &Machine, _: &Wants) -> Outcome {
    let Some(latency) = machine.latency else {
        return Outcome::NotLooked;
    };
    let folder = &machine.disk.folder;
    let (p50, p99) = (milliseconds(latency.p50_us), milliseconds(latency.p99_us));
    let text = format!(
        "a forced write of 4 KiB to `{folder}` takes {p50} ms, one in a hundred {p99} ms or more"
    );
    let fix = "put the state folder on an NVMe or SSD disk, or give this virtual machine's disk a \
               write-back cache with a battery";
    if latency.p99_us <= SLOW_US {
        pass(text)
    } else if latency.p99_us <= STUCK_US {
        warn(text, fix)
    } else {
        fail(text, fix)
    }
}

fn milliseconds(micros: u64) -> String {
    format!("{}.{}", micros / 1_000, micros % 1_000 / 100)
}
