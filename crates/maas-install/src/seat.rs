//! The seat of the appliance on a host that it has to itself: the binary on the path, its units, users and
//! folders, its manual. Each binary carries its own, so a release brings them and a rollback brings the old
//! ones back: whoever changes the release runs `host-setup` of that release's binary.
//!
//! Every step looks first and may be repeated. A file is replaced by rename, so an interruption leaves some
//! files of the old release and some of the new one, each of them whole, and the next run completes them.

mod command;
mod files;
mod remove;
mod services;

use camino::{Utf8Path, Utf8PathBuf};
use maas_store::{Disk, atomic};
use maas_types::Layout;
use serde::{Deserialize, Serialize};

pub(crate) use self::command::run as run_command;
pub use self::{
    files::SeatFile,
    remove::{Data, Farewell, Left, leave},
    services::{Started, services, stop_services, stop_services_if_any},
};
use crate::InstallError;

/// Where an appliance is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seat {
    /// The host itself, whose services systemd runs.
    Host,
    /// The host itself, without systemd: somebody else starts the services.
    Unsupervised,
    /// Everything below `--root DIR`: nothing outside it is touched.
    Folder,
}

impl Seat {
    /// Looks.
    pub fn of(layout: &Layout) -> Self {
        if layout.root() != "/" {
            Self::Folder
        // What sd_booted(3) looks at.
        } else if Utf8Path::new("/run/systemd/system").is_dir() {
            Self::Host
        } else {
            Self::Unsupervised
        }
    }
}

/// What becomes of one file of the seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is not there.
    Create,
    /// It is there and says something else.
    Replace,
    /// It is as it should be.
    Keep,
}

/// One file of the seat and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Laid {
    /// Where.
    pub path: Utf8PathBuf,
    /// What.
    pub change: Change,
}

/// What would be done, without doing it. `binary` is what `/usr/local/bin/maas-appliance` will be.
pub fn survey(files: &[SeatFile], binary: &Utf8Path) -> Result<Vec<Laid>, InstallError> {
    let mut laid = vec![Laid {
        path: files::BINARY.into(),
        change: binary_change(binary)?,
    }];
    for file in files {
        laid.push(Laid {
            path: file.path.clone(),
            change: file.change()?,
        });
    }
    Ok(laid)
}

/// Lays out binary, units, users and folders, and has systemd read them.
pub fn lay(
    disk: &Disk,
    layout: &Layout,
    files: &[SeatFile],
    binary: &Utf8Path,
) -> Result<Vec<Laid>, InstallError> {
    let laid = survey(files, binary)?;
    for (file, laid) in files.iter().zip(&laid[1..]) {
        if laid.change != Change::Keep {
            disk.make_folder(files::folder(&file.path))?;
            let access = atomic::Access::Public;
            atomic::replace_on(disk, &file.path, file.text.as_bytes(), access)?;
        }
    }
    run_command("systemd-sysusers", &[files::SYSUSERS])?;
    run_command("systemd-tmpfiles", &["--create", files::TMPFILES])?;
    services::give_to_their_users(layout)?;
    // Last: whoever finds the new binary finds all that it needs.
    if laid[0].change != Change::Keep {
        disk.make_folder(files::folder(files::BINARY.into()))?;
        atomic::copy_on(disk, binary, files::BINARY.into(), 0o755)?;
    }
    services::note_restart(disk, &laid)?;
    run_command("systemctl", &["daemon-reload"])?;
    run_command("systemctl", &["enable", "--quiet", "maas.target"])?;
    Ok(laid)
}

/// The verb by which a release lays itself out: `maas-appliance host-setup --json`.
const LAY_VERB: [&str; 2] = ["host-setup", "--json"];

/// Has the binary of a release lay out its own seat: it alone knows what belongs to it.
pub(crate) fn lay_by(binary: &Utf8Path) -> Result<Vec<Laid>, InstallError> {
    let said = run_command(binary.as_str(), &LAY_VERB)?;
    let laid: Setup = serde_json::from_str(&said).map_err(|error| InstallError::HostCommand {
        command: format!("{binary} host-setup"),
        detail: format!("its answer is not understood: {error}"),
    })?;
    Ok(laid.laid)
}

/// What `host-setup --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// `maas-appliance/host-setup/v1`
    pub schema: String,
    /// Every file of the seat.
    pub laid: Vec<Laid>,
}

impl Setup {
    /// The value of [`Setup::schema`].
    pub const SCHEMA: &'static str = "maas-appliance/host-setup/v1";
}

fn binary_change(binary: &Utf8Path) -> Result<Change, InstallError> {
    let here = Utf8Path::new(files::BINARY);
    match here.symlink_metadata() {
        Err(_) => Ok(Change::Create),
        Ok(found) if found.is_file() && files::same(here, binary)? => Ok(Change::Keep),
        Ok(_) => Ok(Change::Replace),
    }
}
