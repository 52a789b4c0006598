//! What is found on each host, and what each single fault changes.

use maas_types::Exit;

use super::{fixture::Fixture, hosts};
use crate::{Latency, Level, Runtime, accept};

/// One fault on an otherwise good host, and what is said about it.
fn with(change: impl FnOnce(Fixture) -> Fixture) -> String {
    change(hosts::h100()).bad()
}

#[test]
fn a_good_host_passes_everything() {
    let host = hosts::h100();
    assert_eq!(host.bad(), "");
    insta::assert_snapshot!(host.all());
}

#[test]
fn a_dgx_without_fabric_manager_fails_once() {
    insta::assert_snapshot!(hosts::dgx_without_fabric_manager().bad());
    assert_eq!(
        hosts::dgx_without_fabric_manager()
            .process(77, "nv-fabricmanage")
            .bad(),
        ""
    );
}

#[test]
fn a_hardened_rhel_8() {
    insta::assert_snapshot!(hosts::rhel8().all());
}

#[test]
fn a_debian_12_virtual_machine_without_gpu_is_fit() {
    let host = hosts::debian12_vm();
    assert_eq!(host.bad(), "");
    insta::assert_snapshot!(host.all());
}

#[test]
fn a_container() {
    insta::assert_snapshot!("container", hosts::container().all());
    insta::assert_snapshot!("container_by_hand", hosts::container_by_hand().bad());
}

#[test]
fn cards_that_nouveau_holds() {
    insta::assert_snapshot!(hosts::nouveau().bad());
}

#[test]
fn drivers_that_do_not_fit() {
    let mut no_least = hosts::with_driver("470.256.02");
    no_least.wants.driver = None;
    let mut newer_cuda = hosts::with_driver("580.95.05");
    newer_cuda.wants.cuda = crate::Version::parse("14.0");
    let texts = [
        hosts::with_driver("470.256.02").bad(),
        no_least.bad(),
        hosts::with_driver("535.104.05").bad(),
        newer_cuda.bad(),
        hosts::h100()
            .without("/usr/lib64/lib")
            .file("/usr/lib64/libcuda.so.590.44.01", "")
            .bad(),
        hosts::h100().without("/proc/driver").bad(),
    ];
    insta::assert_snapshot!(texts.join("\n\n"));
}

#[test]
fn clocks_that_cannot_be() {
    let at = |now: &str| {
        with(|mut host| {
            host.now = now.parse().unwrap();
            host
        })
    };
    let texts = [
        at("1970-01-01T00:00:12Z"),
        at("2099-12-31T23:59:59Z"),
        at("2026-11-29T12:00:00Z"),
        with(|mut host| {
            host.now = "2026-09-01T00:00:00Z".parse().unwrap();
            host.wants.built = "2026-08-01T00:00:00Z".parse().unwrap();
            host
        }),
    ];
    insta::assert_snapshot!(texts.join("\n\n"));
}

/// The table of sockets with one more that listens on port 8443.
fn listening(host: Fixture, uid: u32) -> Fixture {
    let line = format!(
        "   2: 00000000:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000  {uid}        0 777 1 0 100 0 0 10 0\n"
    );
    let mut table = host.files["/proc/net/tcp"].clone();
    table.extend_from_slice(line.as_bytes());
    host.file("/proc/net/tcp", table)
}

#[test]
fn ports_that_somebody_has() {
    let passwd = "root:x:0:0::/root:/bin/bash\nweb:x:1002:1002::/:/bin/sh\n";
    let texts = [
        listening(hosts::h100(), 0)
            .process(4242, "nginx")
            .link("/proc/4242/fd/7", "socket:[777]")
            .bad(),
        listening(hosts::h100(), 1002)
            .file("/etc/passwd", passwd)
            .bad(),
        listening(hosts::h100(), 1003).bad(),
        hosts::h100().without("/proc/net/tcp").bad(),
    ];
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn our_own_gateway_may_have_its_port() {
    let ours = listening(hosts::h100(), 991);
    let as_root = ours
        .clone()
        .process(4242, "maas-appliance")
        .link("/proc/4242/fd/7", "socket:[777]");
    assert_eq!(as_root.bad(), "");
    let as_anybody = ours.file(
        "/etc/passwd",
        "maas:x:991:991::/var/lib/maas-appliance:/sbin/nologin\n",
    );
    assert_eq!(as_anybody.bad(), "");
}

#[test]
fn a_full_disk_ends_with_its_own_exit_code_and_is_never_accepted() {
    let mut host = hosts::h100();
    host.beyond.free_bytes = 600_000_000_000;
    host.beyond.free_inodes = Some(12);
    insta::assert_snapshot!(host.bad());
    let findings = host.findings();
    let failed: Vec<_> = findings.iter().filter(|f| f.level == Level::Fail).collect();
    assert!(failed.iter().all(|finding| finding.exit() == Exit::NoSpace) && failed.len() == 2);
    assert!(accept(findings.clone(), &[("D-DISK-SPACE", "it will do")]).is_err());
}

#[test]
fn file_systems_that_hold_no_store() {
    let on = |kind: &str, options: &str| {
        with(|mut host| {
            host.wants.runtime = Runtime::Rootfs;
            let line = format!("28 27 0:77 / /var/lib {options} - {kind} somewhere rw\n");
            let mut mounts = host.files["/proc/self/mountinfo"].clone();
            mounts.extend_from_slice(line.as_bytes());
            host.file("/proc/self/mountinfo", mounts)
        })
    };
    let texts = [
        on("nfs4", "rw"),
        on("vfat", "rw"),
        on("overlay", "rw"),
        on("tmpfs", "rw"),
        on("somefs", "rw"),
        on("ext4", "ro"),
        on("ext4", "rw,noexec"),
        on("ext4", "rw,nobarrier"),
        on("ext4", "rw,sync"),
    ];
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn a_state_folder_behind_a_link_lies_where_the_link_leads() {
    let host = hosts::h100()
        .without("/var/lib")
        .link("/var/lib", "../data")
        .file("/data/.keep", "");
    let mounts = String::from_utf8(host.files["/proc/self/mountinfo"].clone()).unwrap();
    let mounts = format!("{mounts}28 22 259:9 / /data rw - vfat /dev/sdb1 rw\n");
    let disk = host.file("/proc/self/mountinfo", mounts).machine().disk;
    assert_eq!(
        (disk.folder.as_str(), disk.mount.unwrap().kind.as_str()),
        ("/data", "vfat")
    );
}

#[test]
fn disks_that_are_slow() {
    let taking = |p99_us| {
        with(|mut host| {
            host.beyond.latency = Some(Latency {
                writes: 100,
                p50_us: 900,
                p99_us,
            });
            host
        })
    };
    let texts = [
        taking(50_000),
        taking(50_001),
        taking(1_000_001),
        with(|host| host.file("/sys/dev/block/259:3/queue/rotational", "1\n")),
        with(|host| {
            host.file("/sys/dev/block/259:3/queue/rotational", "1\n")
                .replace("/proc/cpuinfo", "fpu", "fpu hypervisor")
        }),
    ];
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn single_faults_of_the_system() {
    let texts = [
        with(|host| host.file("/proc/sys/kernel/osrelease", "3.10.0-1160.el7.x86_64\n")),
        with(|host| host.file("/proc/sys/kernel/osrelease", "mine\n")),
        with(|host| host.file("/proc/sys/kernel/arch", "aarch64\n")),
        with(|host| {
            host.without("/usr/lib/systemd")
                .file("/usr/lib/systemd/libsystemd-shared-219.so", "")
        }),
        with(|host| host.file("/lib64/libc.so.6", "GNU C Library version 2.17")),
        with(|host| host.without("/lib64").file("/lib/ld-musl-x86_64.so.1", "")),
        with(|host| host.without("/lib64")),
        with(|host| host.file("/sys/fs/cgroup/cgroup.controllers", "cpu pids\n")),
        with(|host| host.replace("/proc/cpuinfo", "avx2", "sse3")),
        with(|host| host.file("/proc/meminfo", "MemTotal: 32000000 kB\n")),
        with(|host| {
            host.file(
                "/proc/meminfo",
                "MemTotal: 99000000 kB\nHugetlb: 64000000 kB\n",
            )
        }),
        with(|host| host.file("/proc/sys/vm/overcommit_memory", "2\n")),
        with(|host| host.file("/etc/selinux/config", "SELINUX=enforcing\n")),
    ];
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn single_faults_of_the_gpus() {
    let bus = "/proc/driver/nvidia/gpus/0000:19:00.0/information";
    let texts = [
        with(|host| host.replace(bus, "GPU Excluded:\t No", "GPU Excluded:\t Yes")),
        with(|host| host.replace(bus, "H100 80GB HBM3", "A100-SXM4-40GB")),
        with(|host| host.replace(bus, "H100 80GB HBM3", "H200")),
        with(|host| host.without("/dev/nvidia-uvm")),
        with(|host| host.node("nvidia-uvm", 509, 0)),
        with(|host| host.without("/proc/900")),
        with(|host| host.file("/proc/driver/nvidia/capabilities/gpu0/mig/gi1/access", "")),
        with(|host| {
            host.file(
                "/sys/bus/pci/devices/0000:19:00.0/iommu_group/type",
                "DMA-FQ\n",
            )
        }),
        with(|mut host| {
            host.wants.runtime = Runtime::Podman;
            host
        }),
        with(|mut host| {
            host.wants.gpus = 4;
            host
        }),
    ];
    insta::assert_snapshot!(texts.join("\n\n"));
}

#[test]
fn old_installations_are_told_and_not_touched() {
    let host = hosts::h100()
        .file(
            "/etc/systemd/system/ollama.service",
            "[Service]\nExecStart=/usr/local/bin/ollama serve\n",
        )
        .file(
            "/etc/systemd/system/maas-gateway.service",
            "[Service]\nExecStart=/opt/maas/gateway.py\n",
        )
        .file(
            "/usr/lib/systemd/system/maas-supervisor.service",
            "[Service]\nExecStart=/usr/local/bin/maas-appliance supervisor\n",
        )
        .file("/usr/local/bin/ollama", "")
        .file("/etc/passwd", "maas:x:991:991::/home/maas:/bin/bash\n")
        .process(55, "ollama");
    insta::assert_snapshot!(host.bad());
}

#[test]
fn text_of_others_cannot_take_over_the_terminal() {
    let host = listening(hosts::h100(), 0)
        .process(4242, "\x1b]0;owned\x07")
        .link("/proc/4242/fd/7", "socket:[777]");
    assert!(host.bad().chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn nvml_knows_better_than_names() {
    let host = hosts::h100();
    let mut machine = host.machine();
    let mut inventory: maas_types::GpuInventory = serde_json::from_value(serde_json::json!({
        "schema": "maas-appliance/gpus/v1", "written": "2026-11-22T12:00:00Z", "answered": null,
        "nvml": {"state": "answering"}, "driver": "580.95.05", "cuda": "13.0", "gpus": [{
            "index": 0, "uuid": "GPU-00000000-0000-0000-0000-000000000000", "name": "x",
            "pci_bus_id": "00000000:19:00.0", "memory_total": 10_000_000_000_u64, "memory_used": 0,
            "utilization_percent": null, "temperature_celsius": null, "power_milliwatts": null,
            "ecc": null, "processes": [], "xids": [], "unreadable": []
        }]
    }))
    .unwrap();
    machine.add_inventory(&inventory);
    assert_eq!(machine.nvidia.gpus[0].memory(), Some(10_000_000_000));
    assert_eq!(machine.nvidia.gpus[1].memory(), Some(80_000_000_000));
    assert_eq!(machine.nvidia.cuda, crate::Version::parse("13.0"));
    inventory.gpus[0].pci_bus_id = "é".to_owned();
    machine.add_inventory(&inventory);
}
