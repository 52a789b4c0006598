//! The files of the seat. What is in `systemd/` of the source is in the binary.

use std::io::Read as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::Change;
use crate::InstallError;

/// Where people and units find the program.
pub(super) const BINARY: &str = "/usr/local/bin/maas-appliance";

/// Users and groups.
pub(super) const SYSUSERS: &str = "/etc/sysusers.d/maas-appliance.conf";

/// Folders.
pub(super) const TMPFILES: &str = "/etc/tmpfiles.d/maas-appliance.conf";

/// For units of software that no package manager brought (systemd.unit(5)).
const UNITS: &str = "/usr/local/lib/systemd/system";

macro_rules! units {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../../systemd/", $name)))),*]
    };
}

/// Every unit by name.
const UNIT_TEXTS: &[(&str, &str)] = &units![
    "maas.target",
    "maas-engines.slice",
    "maas-gateway.socket",
    "maas-gateway.service",
    "maas-supervisor.service",
    "maas-launcher.socket",
    "maas-launcher@.service",
    "maas-gpu-agent.service",
    "maas-trial.service",
    "maas-scrub.service",
    "maas-scrub.timer",
    "maas-engine@.service",
    "maas-engine-rootfs@.service",
];

/// A file of the seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatFile {
    /// Where it goes; absolute.
    pub path: Utf8PathBuf,
    /// What it says.
    pub text: String,
}

impl SeatFile {
    /// Units, users and folders, and what else the program brings: manual pages, completions, the address
    /// that systemd shall hold for the gateway.
    pub fn all(others: Vec<Self>) -> Vec<Self> {
        let units = UNIT_TEXTS.iter().map(|(name, text)| Self {
            path: Utf8Path::new(UNITS).join(name),
            text: (*text).to_owned(),
        });
        let sysusers = include_str!("../../../../systemd/sysusers.d/maas-appliance.conf");
        let tmpfiles = include_str!("../../../../systemd/tmpfiles.d/maas-appliance.conf");
        let confs = [(SYSUSERS, sysusers), (TMPFILES, tmpfiles)].map(|(path, text)| Self {
            path: path.into(),
            text: text.to_owned(),
        });
        confs.into_iter().chain(units).chain(others).collect()
    }

    /// The drop-in by which systemd holds `address` for the gateway.
    pub fn listen(address: std::net::SocketAddr) -> Self {
        Self {
            path: "/etc/systemd/system/maas-gateway.socket.d/listen.conf".into(),
            text: format!(
                "# Written by `maas-appliance install` from [gateway] in appliance.toml.\n\
                 [Socket]\nListenStream=\nListenStream={address}\n"
            ),
        }
    }

    pub(super) fn change(&self) -> Result<Change, InstallError> {
        match fs_err::read(&self.path) {
            Ok(bytes) if bytes == self.text.as_bytes() => Ok(Change::Keep),
            Ok(_) => Ok(Change::Replace),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Change::Create),
            Err(source) => Err(InstallError::Fact {
                what: format!("what `{}` says", self.path),
                source,
            }),
        }
    }
}

/// Whether the units lie on this host.
pub(super) fn laid_out() -> bool {
    Utf8Path::new(UNITS).join("maas.target").is_file()
}

/// The folder of an absolute path.
pub(super) fn folder(path: &Utf8Path) -> &Utf8Path {
    path.parent().unwrap_or(Utf8Path::new("/"))
}

/// Whether two files say the same.
pub(super) fn same(one: &Utf8Path, other: &Utf8Path) -> Result<bool, InstallError> {
    let open = |path: &Utf8Path| {
        fs_err::File::open(path).map_err(|source| InstallError::Fact {
            what: format!("what `{path}` says"),
            source,
        })
    };
    let (mut one, mut other) = (open(one)?, open(other)?);
    let length = |file: &fs_err::File| file.metadata().map(|meta| meta.len()).ok();
    if length(&one) != length(&other) {
        return Ok(false);
    }
    let mut buffers = [vec![0; 1 << 20], vec![0; 1 << 20]];
    loop {
        let [ours, theirs] = &mut buffers;
        let failed = |source| InstallError::Fact {
            what: "whether two binaries are the same".to_owned(),
            source,
        };
        let read = one.read(ours).map_err(failed)?;
        if read == 0 {
            return Ok(true);
        }
        match other.read_exact(&mut theirs[..read]) {
            Ok(()) if ours[..read] == theirs[..read] => {}
            Ok(()) | Err(_) => return Ok(false),
        }
    }
}
