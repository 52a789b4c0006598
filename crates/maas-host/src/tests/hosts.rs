//! The hosts.

use super::fixture::Fixture;
use crate::{Runtime, Services, Version, Wants};

const CPU: &str = "processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8480C
flags\t\t: fpu sse4_2 aes avx2 avx512f avx512_vnni avx512_bf16 sha_ni amx_bf16 amx_tile

processor\t: 1
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8480C
flags\t\t: fpu sse4_2 aes avx2 avx512f avx512_vnni avx512_bf16 sha_ni amx_bf16 amx_tile
";

const MOUNTS: &str = "\
22 1 259:2 / / rw,relatime shared:1 - xfs /dev/nvme0n1p2 rw,attr2,inode64,noquota
23 22 0:5 / /dev rw,nosuid shared:2 - devtmpfs devtmpfs rw,size=4096k
24 23 0:24 / /dev/shm rw,nosuid,nodev shared:3 - tmpfs tmpfs rw,size=527949172k,inode64
25 22 0:21 / /proc rw,nosuid shared:4 - proc proc rw
26 22 0:26 / /sys/fs/cgroup rw,nosuid shared:5 - cgroup2 cgroup2 rw,nsdelegate
27 22 259:3 / /var rw,relatime shared:6 - xfs /dev/nvme1n1 rw,attr2,inode64,noquota
";

const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 500 1 0 100 0 0 10 0
   1: 0100007F:20FB 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 501 1 0 20 4 30 10 -1
";

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/sbin/nologin\n";

const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units     
Max open files            1024                 524288               files     
Max locked memory         8388608              8388608              bytes     
";

/// What two engines of 70 billion parameters want, or no engine at all.
fn wants(gpus: u32) -> Wants {
    let built = "2026-11-01T00:00:00Z".parse().unwrap();
    Wants {
        arch: "x86_64".to_owned(),
        memory: 64_000_000_000,
        bytes_free: 618_000_000_000,
        inodes_free: 9_214,
        ports: vec![8443],
        gpus,
        gpus_per_engine: gpus,
        gpu_memory: if gpus > 0 { 79_000_000_000 } else { 0 },
        shm: if gpus > 1 { 1 << 30 } else { 0 },
        cuda: (gpus > 0).then(|| Version::new(&[12, 8])),
        driver: (gpus > 0).then(|| Version::new(&[550, 54, 14])),
        cpu_features: vec!["avx2".to_owned()],
        ..Wants::least("/var/lib/maas-appliance", built)
    }
}

/// A server without anything special: systemd, one disk, no GPU.
fn server(wants: Wants) -> Fixture {
    Fixture::new(wants)
        .file("/proc/sys/kernel/osrelease", "5.14.0-427.13.1.el9_4.x86_64\n")
        .file("/proc/sys/kernel/arch", "x86_64\n")
        .file("/proc/sys/kernel/random/boot_id", "6f2c6f0e-9a55-4a2e-9e3f-0f2f1d3c1c11\n")
        .file("/proc/uptime", "1051234.12 99999.00\n")
        .file("/proc/1/comm", "systemd\n")
        .file("/proc/cpuinfo", CPU)
        .file("/proc/meminfo", "MemTotal:  1055898344 kB\nMemAvailable: 1040000000 kB\nSwapTotal: 0 kB\nHugetlb: 0 kB\n")
        .file("/proc/self/mountinfo", MOUNTS)
        .file("/proc/self/limits", LIMITS)
        .file("/proc/net/tcp", TCP)
        .file("/proc/net/route", "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n")
        .file("/proc/sys/vm/overcommit_memory", "0\n")
        .file("/proc/sys/crypto/fips_enabled", "0\n")
        .file("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids\n")
        .file("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n")
        .file("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n")
        .file("/sys/devices/system/node/node0/cpulist", "0\n")
        .file("/sys/devices/system/node/node1/cpulist", "1\n")
        .file("/sys/class/dmi/id/sys_vendor", "Supermicro\n")
        .file("/sys/class/dmi/id/product_name", "SYS-421GE-TNRT\n")
        .file("/sys/class/rtc/rtc0/since_epoch", "1795348800\n")
        .file("/sys/dev/block/259:3/queue/rotational", "0\n")
        .file("/run/systemd/system/.keep", "")
        .file("/usr/lib/systemd/libsystemd-shared-252.so", "")
        .file("/lib64/libc.so.6", b"\x7fELF GNU C Library (GNU libc) stable release version 2.34.\n".to_vec())
        .file("/etc/os-release", "NAME=\"Red Hat Enterprise Linux\"\nID=\"rhel\"\nPRETTY_NAME=\"Red Hat Enterprise Linux 9.4 (Plow)\"\n")
        .file("/etc/passwd", PASSWD)
        .file("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
        .file("/var/lib/.keep", "")
}

/// The driver and `count` H100 cards.
fn with_gpus(mut host: Fixture, count: u32, driver: &str) -> Fixture {
    host = host
        .file("/proc/driver/nvidia/version", format!("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {driver}  Release Build  (dvs-builder@U22)  Tue Sep 23 09:55:41 UTC 2025\nGCC version:  gcc version 11.4.1\n"))
        .file("/proc/devices", "Character devices:\n195 nvidia\n195 nvidiactl\n508 nvidia-caps\n510 nvidia-uvm\n\nBlock devices:\n259 blkext\n")
        .file(&format!("/usr/lib64/libcuda.so.{driver}"), "")
        .file(&format!("/usr/lib64/libnvidia-ml.so.{driver}"), "")
        .link("/usr/lib64/libcuda.so.1", "libcuda.so.580.95.05")
        .node("nvidiactl", 195, 255)
        .node("nvidia-uvm", 510, 0)
        .node("nvidia-uvm-tools", 510, 1)
        .node("nvidia-caps/nvidia-cap1", 508, 1)
        .process(900, "nvidia-persiste");
    for gpu in 0..count {
        let bus = format!("0000:{:02x}:00.0", 0x19 + gpu * 0x22);
        host = card(host, &bus, "nvidia")
            .node(&format!("nvidia{gpu}"), 195, gpu)
            .file(
                &format!("/proc/driver/nvidia/gpus/{bus}/information"),
                format!("Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 312\nGPU UUID: \t GPU-{gpu:08}-0000-0000-0000-000000000000\nBus Type: \t PCIe\nBus Location: \t {bus}\nDevice Minor: \t {gpu}\nGPU Excluded:\t No\n"),
            );
    }
    host
}

fn card(host: Fixture, bus: &str, driver: &str) -> Fixture {
    let device = format!("/sys/bus/pci/devices/{bus}");
    host.file(&format!("{device}/vendor"), "0x10de\n")
        .file(&format!("{device}/device"), "0x2330\n")
        .file(&format!("{device}/class"), "0x030200\n")
        .link(
            &format!("{device}/driver"),
            &format!("../../../../bus/pci/drivers/{driver}"),
        )
}

/// As it should be.
pub(super) fn h100() -> Fixture {
    with_gpus(server(wants(2)), 2, "580.95.05")
}

/// Eight cards behind four `NVSwitch` chips that nobody has set up.
pub(super) fn dgx_without_fabric_manager() -> Fixture {
    let mut host = with_gpus(server(wants(8)), 8, "580.95.05")
        .file("/sys/class/dmi/id/sys_vendor", "NVIDIA\n")
        .file("/sys/class/dmi/id/product_name", "DGXH100\n");
    for switch in 0..4 {
        let device = format!("/sys/bus/pci/devices/0000:0{}:00.0", switch + 5);
        host = host
            .file(&format!("{device}/vendor"), "0x10de\n")
            .file(&format!("{device}/class"), "0x068000\n");
    }
    host
}

/// The oldest that is supported, as banks run it: podman, `SELinux`, a firewall, FIPS.
pub(super) fn rhel8() -> Fixture {
    let mut host = with_gpus(server(wants(1)), 1, "550.54.15");
    host.wants.runtime = Runtime::Podman;
    host.without("/sys/fs/cgroup")
        .without("/usr/lib/systemd")
        .without("/proc/sys/kernel/arch")
        .file("/proc/sys/kernel/osrelease", "4.18.0-553.el8_10.x86_64\n")
        .file("/usr/lib/systemd/libsystemd-shared-239.so", "")
        .link("/lib64/libc.so.6", "libc-2.28.so")
        .file("/etc/os-release", "ID=\"rhel\"\nID_LIKE=\"fedora\"\nPRETTY_NAME=\"Red Hat Enterprise Linux 8.10 (Ootpa)\"\n")
        .replace("/proc/self/mountinfo", "/sys/fs/cgroup rw,nosuid shared:5 - cgroup2 cgroup2", "/sys/fs/cgroup/memory rw,nosuid shared:5 - cgroup cgroup")
        .file("/proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t9\t12\t1\nmemory\t4\t120\t1\ndebug\t0\t1\t0\n")
        .file("/sys/fs/selinux/enforce", "1")
        .file("/etc/selinux/config", "# comment\nSELINUX=enforcing\nSELINUXTYPE=targeted\n")
        .file("/proc/sys/crypto/fips_enabled", "1\n")
        .link("/etc/systemd/system/multi-user.target.wants/firewalld.service", "/usr/lib/systemd/system/firewalld.service")
        .file("/etc/firewalld/zones/public.xml", "<zone>\n  <service name=\"https\"/>\n  <port port=\"9000\" protocol=\"udp\"/>\n</zone>\n")
        .file("/usr/bin/podman", "")
        .file("/etc/cdi/nvidia.yaml", "kind: nvidia.com/gpu\n- hostPath: /usr/lib64/libcuda.so.535.104.05\n")
        .process(700, "chronyd")
}

/// A small virtual machine, for a simulated engine.
pub(super) fn debian12_vm() -> Fixture {
    let mut host = server(wants(0));
    host.wants.memory = 4_000_000_000;
    host.wants.bytes_free = 2_000_000_000;
    host.beyond.free_bytes = 30_000_000_000;
    host.without("/lib64")
        .without("/usr/lib/systemd")
        .without("/sys/class/rtc")
        .file("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n")
        .file(
            "/proc/cpuinfo",
            "processor\t: 0\nmodel name\t: QEMU Virtual CPU\nflags\t: fpu aes avx2 hypervisor\n",
        )
        .file("/proc/meminfo", "MemTotal:  8145000 kB\n")
        .file(
            "/usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so",
            "",
        )
        .file(
            "/lib/x86_64-linux-gnu/libc.so.6",
            "GNU C Library (Debian GLIBC 2.36-9+deb12u4) stable release version 2.36.\n",
        )
        .file(
            "/etc/os-release",
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n",
        )
        .file("/sys/class/dmi/id/sys_vendor", "QEMU\n")
        .file(
            "/sys/class/dmi/id/product_name",
            "Standard PC (Q35 + ICH9, 2009)\n",
        )
        .file("/sys/module/apparmor/parameters/enabled", "Y\n")
        .file("/sys/dev/block/254:1/../queue.keep", "")
        .replace(
            "/proc/self/mountinfo",
            "27 22 259:3 / /var rw,relatime shared:6 - xfs /dev/nvme1n1 rw,attr2,inode64,noquota",
            "27 22 254:1 / /var rw - ext4 /dev/vda1 rw,errors=remount-ro",
        )
        .process(300, "systemd-timesyn")
}

/// A container that was given nothing.
pub(super) fn container() -> Fixture {
    let mut host = server(wants(2));
    host.wants.state = "/srv/maas/var/lib/maas-appliance".into();
    host.without("/run/systemd")
        .file("/proc/1/comm", "bash\n")
        .file("/run/.containerenv", "")
        .file("/proc/self/mountinfo", "1 0 0:50 / / rw - overlay overlay rw,lowerdir=/a\n2 1 0:51 / /dev/shm rw - tmpfs shm rw,size=64000k\n3 1 0:52 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n")
}

/// The same, started by hand below a folder of its own.
pub(super) fn container_by_hand() -> Fixture {
    let mut host = container();
    host.wants.services = Services::Direct;
    host
}

/// A fresh installation whose cards are still Linux' own.
pub(super) fn nouveau() -> Fixture {
    let host = card(server(wants(1)), "0000:19:00.0", "nouveau");
    host.file("/sys/module/nouveau/refcnt", "4\n")
}

/// With a driver of another age.
pub(super) fn with_driver(driver: &str) -> Fixture {
    with_gpus(server(wants(1)), 1, driver)
}
