//! The root side: one question, one unit, one answer.

use std::{
    io::{self, Read as _},
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::{Digest, EngineId, GpuInventory, Layout};

use super::{
    LONGEST_LINE, Reply, Request, Verb,
    devices::{allowed, minor},
    systemctl::{property, systemctl},
};
use crate::{
    files,
    spec::{EngineFiles, EngineSpec},
};

/// How long what was killed may take to be gone; what is there then hangs in the kernel.
const UNKILLABLE: Duration = Duration::from_secs(30);

/// How long systemd may take to have a process for a unit that it starts.
const FORKED: Duration = Duration::from_secs(10);

/// Where drop-ins go that a reboot forgets.
const DROP_INS: &str = "/run/systemd/system";

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Reads one question from `input` and does it. `pause` waits for as long as it is told to.
pub fn answer(layout: &Layout, input: impl io::Read, pause: &dyn Fn(Duration)) -> Reply {
    match read(input).and_then(|request| act(layout, &request, pause)) {
        Ok(reply) => reply,
        Err(error) => Reply::Failed {
            detail: error.to_string(),
        },
    }
}

fn read(input: impl io::Read) -> io::Result<Request> {
    let mut line = Vec::new();
    let mut one = [0];
    // Byte by byte: the other side keeps its end open for the answer.
    let mut input = input.take(LONGEST_LINE);
    while input.read(&mut one)? == 1 && one != *b"\n" {
        line.extend(one);
    }
    Ok(serde_json::from_slice(&line)?)
}

fn act(layout: &Layout, request: &Request, pause: &dyn Fn(Duration)) -> io::Result<Reply> {
    let id = &request.id;
    match request.verb {
        Verb::Start => start(layout, id, pause),
        Verb::Stop => {
            for unit in units(id) {
                systemctl(&["stop", "--no-block", "--", &unit])?;
            }
            Ok(Reply::Told)
        }
        Verb::Kill => kill(id, pause),
    }
}

/// The units that an engine can be: in the host's root file system, or in one of its own.
fn units(id: &EngineId) -> [String; 2] {
    [
        format!("maas-engine@{id}.service"),
        format!("maas-engine-rootfs@{id}.service"),
    ]
}

fn start(layout: &Layout, id: &EngineId, pause: &dyn Fn(Duration)) -> io::Result<Reply> {
    let path = EngineFiles::new(layout, id).spec();
    let spec: Option<EngineSpec> = files::read(&path);
    let spec = spec
        .filter(|spec| spec.schema == EngineSpec::SCHEMA && spec.id == *id)
        .ok_or_else(|| io::Error::other(format!("`{path}` is no spec of this version")))?;
    let [host, rootfs] = units(id);
    let unit = match &spec.root {
        None => host,
        Some(root) => {
            set_root(&rootfs, &unpacked(layout, root)?)?;
            rootfs
        }
    };
    let devices = devices(layout, &spec)?;
    // A unit that failed keeps its state until somebody says that it was seen. Never loaded: nothing to say.
    systemctl(&["reset-failed", "--", &unit]).ok();
    // In memory only, and without a reload of all units. The empty one clears those of another start.
    let mut words = vec!["set-property", "--runtime", "--", &unit, "DeviceAllow="];
    words.extend(devices.iter().map(String::as_str));
    systemctl(&words)?;
    systemctl(&["start", "--no-block", "--", &unit])?;
    await_process(&unit, pause)
}

fn devices(layout: &Layout, spec: &EngineSpec) -> io::Result<Vec<String>> {
    let inventory: Option<GpuInventory> = files::read(&layout.gpu_inventory());
    let driver = layout.root().join("proc/driver/nvidia");
    match allowed(&spec.gpus, inventory.as_ref(), |bus| minor(&driver, bus)) {
        Ok(nodes) => Ok(nodes.iter().map(|n| format!("DeviceAllow={n}")).collect()),
        Err(uuid) => Err(io::Error::other(format!(
            "the driver does not say which device node is {uuid}"
        ))),
    }
}

fn await_process(unit: &str, pause: &dyn Fn(Duration)) -> io::Result<Reply> {
    let mut waited = Duration::ZERO;
    while waited < FORKED {
        match property(unit, "MainPID")?.parse() {
            Ok(0) | Err(_) => {}
            Ok(pid) => return Ok(Reply::Started { pid }),
        }
        if property(unit, "ActiveState")? == "failed" {
            break;
        }
        pause(PAUSE);
        waited += PAUSE;
    }
    let result = property(unit, "Result")?;
    Ok(Reply::Failed {
        detail: format!(
            "systemd did not start {unit} (result `{result}`); see: journalctl -u {unit}"
        ),
    })
}

/// A root that the installer has unpacked: `images/<64 hex digits>/rootfs` and nothing else.
fn unpacked(layout: &Layout, root: &Utf8Path) -> io::Result<Utf8PathBuf> {
    let below = root.strip_prefix(layout.images()).ok();
    let digest = below
        .and_then(|below| below.as_str().strip_suffix("/rootfs"))
        .and_then(|hex| Digest::from_hex(hex).ok());
    match digest {
        Some(digest) => Ok(layout.image_root(&digest)),
        None => Err(io::Error::other(format!(
            "`{root}` is no unpacked image of this appliance"
        ))),
    }
}

/// Says in a drop-in which root file system a unit has: a template cannot, and systemd follows no link to one.
/// A unit that is not loaded is read with it; one that still is needs a reload, which engines do not feel.
fn set_root(unit: &str, root: &Utf8Path) -> io::Result<()> {
    let folder = Utf8PathBuf::from(format!("{DROP_INS}/{unit}.d"));
    fs_err::create_dir_all(&folder)?;
    let text = format!("[Service]\nRootDirectory={root}\n");
    let path = folder.join("root.conf");
    if fs_err::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "read only when we ask for it, and gone after a reboot"
    )]
    std::fs::write(&path, text)?;
    if property(unit, "RootDirectory")? != root.as_str() {
        systemctl(&["daemon-reload"])?;
    }
    Ok(())
}

fn kill(id: &EngineId, pause: &dyn Fn(Duration)) -> io::Result<Reply> {
    for unit in units(id) {
        // Not loaded: nothing is there to be killed.
        systemctl(&["kill", "--signal=SIGKILL", "--", &unit]).ok();
    }
    let mut waited = Duration::ZERO;
    loop {
        let mut pids = Vec::new();
        for unit in units(id) {
            pids.extend(processes(&unit)?);
        }
        if pids.is_empty() || waited >= UNKILLABLE {
            return Ok(Reply::Left { pids });
        }
        pause(PAUSE);
        waited += PAUSE;
    }
}

/// Every process in the control group of a unit.
fn processes(unit: &str) -> io::Result<Vec<u32>> {
    let group = property(unit, "ControlGroup")?;
    if group.is_empty() {
        return Ok(Vec::new());
    }
    // Version 2, the part of the hybrid that systemd keeps, and version 1.
    let places = ["", "/unified", "/systemd"].map(|place| format!("/sys/fs/cgroup{place}{group}"));
    let mut pids = Vec::new();
    for place in places {
        if let Ok(text) = fs_err::read_to_string(format!("{place}/cgroup.procs")) {
            pids.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
        }
    }
    pids.sort_unstable();
    pids.dedup();
    Ok(pids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &[u8]) -> String {
        match answer(&Layout::new("/nowhere"), line, &|_| ()) {
            Reply::Failed { detail } => detail,
            other @ (Reply::Started { .. } | Reply::Told | Reply::Left { .. }) => {
                panic!("{other:?}")
            }
        }
    }

    #[test]
    fn what_is_no_engine_becomes_no_unit() {
        for id in ["../../sshd", "a@b", "a b", "", "x;reboot", "-x", "a/b"] {
            let line = serde_json::json!({"verb": "start", "id": id}).to_string();
            assert!(refused(line.as_bytes()).contains("engine id"), "{id}");
        }
        let line = b"{\"verb\":\"reboot\",\"id\":\"a-0\"}\n";
        assert!(refused(line).contains("unknown variant"));
        assert!(refused(&[b'x'; 10_000]).contains("expected value"));
    }

    #[test]
    fn only_an_unpacked_image_becomes_a_root() {
        let layout = Layout::new("/");
        let hex = "ab".repeat(32);
        let good = layout.images().join(&hex).join("rootfs");
        assert_eq!(unpacked(&layout, &good).unwrap(), good);
        for bad in [
            "/".to_owned(),
            "/etc".to_owned(),
            format!("{}/../../../etc/{hex}/rootfs", layout.images()),
            format!("{}/{hex}/rootfs/..", layout.images()),
            format!("{}/{}/rootfs", layout.images(), &hex[1..]),
        ] {
            unpacked(&layout, bad.as_str().into()).unwrap_err();
        }
    }
}
