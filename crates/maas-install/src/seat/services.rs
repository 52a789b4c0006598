//! The services of a seat: what belongs to whom, and when which is started anew.

use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use maas_store::{Disk, atomic};
use maas_types::Layout;
use rustix::fs::{Gid, Uid};
use serde::{Deserialize, Serialize};

use super::{Change, Laid, command::run};
use crate::InstallError;

/// Present while services run that are older than their files: they are started anew after the next
/// switch. In `/run`, because after a reboot all of them are new.
pub(super) const RESTART: &str = "/run/maas-appliance-restart";

/// What may be started anew at any time: engines are none of them.
const SERVICES: [&str; 3] = [
    "maas-gpu-agent.service",
    "maas-supervisor.service",
    "maas-gateway.service",
];

/// What was done to the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Started {
    /// They were started, or ran already and are as they should be.
    Started,
    /// They were started anew. Engines went on.
    Anew,
}

/// Notes that what runs is older than what lies there.
pub(super) fn note_restart(disk: &Disk, laid: &[Laid]) -> Result<(), InstallError> {
    let changed = |laid: &&Laid| laid.change != Change::Keep;
    let socket = laid
        .iter()
        .filter(changed)
        .any(|l| l.path.as_str().contains("gateway.socket"));
    if !laid.iter().any(|laid| laid.change != Change::Keep) {
        return Ok(());
    }
    let text: &[u8] = if socket { b"socket\n" } else { b"services\n" };
    Ok(atomic::replace_on(
        disk,
        RESTART.into(),
        text,
        atomic::Access::Private,
    )?)
}

/// Starts what does not run, and starts anew what runs and is older than its files. May be repeated.
pub fn services() -> Result<Started, InstallError> {
    let noted = fs_err::read_to_string(RESTART).ok();
    if let Some(noted) = &noted {
        if noted.contains("socket") {
            // A socket cannot change while its service holds it.
            run(
                "systemctl",
                &["stop", "maas-gateway.service", "maas-gateway.socket"],
            )?;
        }
        let words = [&["try-restart", "--"], &SERVICES[..]].concat();
        run("systemctl", &words)?;
    }
    run("systemctl", &["start", "maas.target"])?;
    // The target wants them and does not wait for them: what does not come up shall be said here.
    let words = [&["start", "--", "maas-gateway.socket"], &SERVICES[..]].concat();
    run("systemctl", &words)?;
    // Does nothing unless something is on trial.
    run("systemctl", &["start", "--no-block", "maas-trial.service"])?;
    if noted.is_some() {
        fs_err::remove_file(RESTART).map_err(|source| InstallError::Fact {
            what: "that the services are new".to_owned(),
            source,
        })?;
        return Ok(Started::Anew);
    }
    Ok(Started::Started)
}

/// All that may run, in the order in which it is stopped.
const UNITS: [&str; 10] = [
    "maas.target",
    "maas-trial.service",
    "maas-scrub.timer",
    "maas-scrub.service",
    "maas-gateway.socket",
    "maas-gateway.service",
    "maas-supervisor.service",
    "maas-launcher.socket",
    "maas-gpu-agent.service",
    "maas-engines.slice",
];

/// Stops services, sockets and engines. Units that an older release does not have are passed over.
pub fn stop_services() -> Result<(), InstallError> {
    let mut words = vec!["stop", "--"];
    for unit in UNITS {
        let state = run(
            "systemctl",
            &["show", "--property=LoadState", "--value", "--", unit],
        )?;
        if state.trim() == "loaded" {
            words.push(unit);
        }
    }
    if words.len() > 2 {
        run("systemctl", &words)?;
    }
    Ok(())
}

/// Stops them where they were laid out; answers whether they were.
pub fn stop_services_if_any(layout: &Layout) -> Result<bool, InstallError> {
    let here = super::Seat::of(layout) == super::Seat::Host && super::files::laid_out();
    if here {
        stop_services()?;
    }
    Ok(here)
}

/// Gives the gateway what root has made for it: its folder with the pepper, and the server's key to read.
/// A file that a restore has left with root is given back too.
pub(super) fn give_to_their_users(layout: &Layout) -> Result<(), InstallError> {
    let (user, group) = ids(&layout.gateway())?;
    let mut folders = vec![layout.gateway()];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder)? {
            if path.is_dir() && !path.is_symlink() {
                folders.push(path.clone());
            }
            give(&path, Some(user), Some(group))?;
        }
    }
    let key = layout.tls().join("server.key");
    if key.is_file() {
        give(&key, None, Some(group))?;
        let mode = rustix::fs::Mode::from_raw_mode(0o640);
        rustix::fs::chmod(key.as_str(), mode).map_err(|errno| failed(&key, errno))?;
    }
    Ok(())
}

/// Whose the gateway's folder is: systemd-tmpfiles has just said so.
fn ids(folder: &Utf8Path) -> Result<(Uid, Gid), InstallError> {
    let meta = fs_err::metadata(folder).map_err(|source| InstallError::Fact {
        what: format!("whose `{folder}` is"),
        source,
    })?;
    Ok((Uid::from_raw(meta.uid()), Gid::from_raw(meta.gid())))
}

fn entries(folder: &Utf8Path) -> Result<Vec<Utf8PathBuf>, InstallError> {
    let read = || -> std::io::Result<Vec<Utf8PathBuf>> {
        folder
            .read_dir_utf8()?
            .map(|entry| Ok(entry?.into_path()))
            .collect()
    };
    read().map_err(|source| InstallError::Fact {
        what: format!("what `{folder}` holds"),
        source,
    })
}

fn give(path: &Utf8Path, user: Option<Uid>, group: Option<Gid>) -> Result<(), InstallError> {
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::chownat(rustix::fs::CWD, path.as_str(), user, group, flags)
        .map_err(|errno| failed(path, errno))
}

fn failed(path: &Utf8Path, errno: rustix::io::Errno) -> InstallError {
    InstallError::Fact {
        what: format!("that `{path}` belongs to its user"),
        source: errno.into(),
    }
}
