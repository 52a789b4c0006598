//! Taking the seat away again: the files that `lay` has laid, what services have left in `/run`, and, when
//! that is asked for, everything the appliance knows.
//!
//! Threats: a link in the place of one of our folders leads the removal out of it; an interruption leaves
//! units without their binary. Defences: a folder is removed only if no name on the way to it is a link, and
//! links in it are removed and not followed; units stop before their files go, the target's file goes last of
//! theirs (while it is there, services may run), and the binary after all others. Every step may be repeated.

use camino::{Utf8Path, Utf8PathBuf};
use maas_store::{Disk, Lock, StoreError};
use maas_types::Layout;
use serde::Serialize;

use super::{Seat, SeatFile, command::run, files, services};
use crate::{InstallError, Trial};

/// Whether data goes too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// Configuration, keys, models, ledger and trust stay.
    Keep,
    /// All of it goes.
    Remove,
}

/// What goes, as far as it is there, and what stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Farewell {
    /// Files, in this order.
    pub files: Vec<Utf8PathBuf>,
    /// Folders with all that is in them.
    pub folders: Vec<Utf8PathBuf>,
    /// What stays.
    pub left: Vec<Left>,
}

/// Something that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// A path, or the name of a user.
    pub what: String,
    /// Why, in one sentence.
    pub why: String,
    /// What removes it.
    pub remove: String,
}

/// The target that starts everything.
const TARGET: &str = "maas.target";

/// Where drop-ins of engines are that a reboot forgets.
const RUNTIME_UNITS: &str = "/run/systemd/system";

/// Users that `systemd-sysusers` has made.
const USERS: [&str; 4] = ["maas", "maas-supervisor", "maas-gpu", "maas-engine"];

impl Farewell {
    /// Looks; changes nothing.
    pub fn of(layout: &Layout, seat: Seat, laid: &[SeatFile], data: Data) -> Self {
        let mut farewell = Self {
            files: Vec::new(),
            folders: Vec::new(),
            left: Vec::new(),
        };
        match seat {
            Seat::Host | Seat::Unsupervised => farewell.seat(laid),
            Seat::Folder => {}
        }
        farewell.folder(layout, layout.run());
        let config = layout.config();
        for folder in [layout.state(), files::folder(&config).to_owned()] {
            match data {
                Data::Remove => farewell.folder(layout, folder),
                Data::Keep if folder.is_dir() => farewell.left.push(Left {
                    what: folder.to_string(),
                    why: "data stays unless it is asked for".to_owned(),
                    remove: format!("rm -r {folder}"),
                }),
                Data::Keep => {}
            }
        }
        farewell
    }

    /// Whether there is nothing to remove.
    pub fn is_over(&self) -> bool {
        self.files.is_empty() && self.folders.is_empty()
    }

    fn seat(&mut self, laid: &[SeatFile]) {
        let target = |path: &&Utf8Path| path.file_name() == Some(TARGET);
        let paths = || laid.iter().map(|file| file.path.as_path());
        let files = paths()
            .filter(|path| !target(path))
            .chain(paths().filter(target))
            .chain([Utf8Path::new(services::RESTART), files::BINARY.into()]);
        let there = files.filter(|path| path.symlink_metadata().is_ok());
        self.files.extend(there.map(Utf8Path::to_owned));
        self.folders.extend(engine_drop_ins(RUNTIME_UNITS.into()));
        let users = USERS.iter().map(|user| Left {
            what: format!("user {user}"),
            why: "files that others keep may be theirs".to_owned(),
            remove: format!("userdel {user}"),
        });
        self.left.extend(users);
    }

    fn folder(&mut self, layout: &Layout, folder: Utf8PathBuf) {
        if folder.symlink_metadata().is_err() {
            return;
        }
        match link_on_the_way(layout.root(), &folder) {
            None => self.folders.push(folder),
            Some(link) => self.left.push(Left {
                what: folder.to_string(),
                why: format!("`{link}` is a link, and no link is followed"),
                remove: format!("rm -r {folder}/ && rm {link}"),
            }),
        }
    }
}

/// Removes it. Engines that no systemd runs must have been stopped before. Answers with what is left.
///
/// With `lock` where there is a state folder, which nobody else may be writing to.
pub fn leave(
    disk: &Disk,
    lock: Option<&Lock>,
    seat: Seat,
    farewell: &Farewell,
) -> Result<Vec<Left>, InstallError> {
    let units = farewell
        .files
        .iter()
        .any(|path| path.file_name() == Some(TARGET));
    let systemd = seat == Seat::Host;
    if systemd && units {
        services::stop_services()?;
        run("systemctl", &["disable", "--quiet", TARGET])?;
    }
    if let Some(lock) = lock {
        // Whoever installs again is not judged by what went before.
        Trial::end(lock)?;
    }
    for path in &farewell.files {
        disk.remove_file(path)?;
        remove_own_folder(path);
    }
    if systemd {
        run("systemctl", &["daemon-reload"])?;
    }
    let mut left = farewell.left.clone();
    for folder in &farewell.folders {
        left.extend(remove(disk, folder)?);
    }
    Ok(left)
}

/// A drop-in's folder, which is ours alone, goes with its last file.
fn remove_own_folder(file: &Utf8Path) {
    let folder = files::folder(file);
    if folder.extension() == Some("d") && folder.as_str().contains("/maas-") {
        // With somebody else's drop-in in it, it stays.
        rustix::fs::rmdir(folder.as_str()).ok();
    }
}

fn remove(disk: &Disk, folder: &Utf8Path) -> Result<Option<Left>, InstallError> {
    let Err(error) = disk.remove_tree(folder) else {
        return Ok(None);
    };
    let emptied = || folder.read_dir_utf8().is_ok_and(|mut e| e.next().is_none());
    if error.source.kind() == std::io::ErrorKind::ResourceBusy && emptied() {
        return Ok(Some(Left {
            what: folder.to_string(),
            why: "it is a mount point; what was in it is gone".to_owned(),
            remove: format!("umount {folder} && rmdir {folder}"),
        }));
    }
    Err(StoreError::from(error).into())
}

fn engine_drop_ins(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let Ok(entries) = folder.read_dir_utf8() else {
        return Vec::new();
    };
    let ours = |path: &Utf8PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.starts_with("maas-engine") && path.extension() == Some("d") && !path.is_symlink()
    };
    let mut found: Vec<_> = entries
        .flatten()
        .map(camino::Utf8DirEntry::into_path)
        .filter(ours)
        .collect();
    found.sort();
    found
}

/// The first name between `root`, which may be a link, and `path`, itself included, that is one.
fn link_on_the_way(root: &Utf8Path, path: &Utf8Path) -> Option<Utf8PathBuf> {
    let mut way: Vec<_> = path
        .ancestors()
        .take_while(|above| *above != root)
        .collect();
    way.reverse();
    way.into_iter()
        .find(|above| above.is_symlink())
        .map(Utf8Path::to_owned)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use jiff::Timestamp;
    use maas_store::Holder;

    use super::*;

    struct House {
        _keep: tempfile::TempDir,
        root: Utf8PathBuf,
        layout: Layout,
    }

    /// An appliance below a folder, and a neighbour outside of it.
    fn house() -> House {
        let keep = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(keep.path()).unwrap().join("host");
        let layout = Layout::new(&root);
        for file in [
            layout.config(),
            layout.store().join("sha256/ab/abcd"),
            layout.trust_db(),
            layout.engines().join("tiny-0.json"),
            root.with_file_name("neighbour").join("file"),
        ] {
            fs_err::create_dir_all(file.parent().unwrap()).unwrap();
            fs_err::write(file, "x").unwrap();
        }
        House {
            _keep: keep,
            root,
            layout,
        }
    }

    fn goes(house: &House, data: Data) -> Vec<Left> {
        let farewell = Farewell::of(&house.layout, Seat::Folder, &[], data);
        leave(&Disk::real(), None, Seat::Folder, &farewell).unwrap()
    }

    #[test]
    fn data_stays_unless_it_is_asked_for_and_then_nothing_is_left() {
        let house = house();
        let left = goes(&house, Data::Keep);
        assert!(!house.layout.run().exists());
        assert!(house.layout.trust_db().exists() && house.layout.config().exists());
        let state = house.layout.state();
        assert_eq!(left[0].remove, format!("rm -r {state}"));
        assert_eq!(goes(&house, Data::Remove), []);
        assert!(!state.exists() && !house.layout.config().exists());
        let again = Farewell::of(&house.layout, Seat::Folder, &[], Data::Remove);
        assert!(again.is_over(), "{again:?}");
    }

    #[test]
    fn no_link_is_followed_out_of_the_appliance() {
        let house = house();
        let neighbour = house.root.with_file_name("neighbour");
        // In a folder of ours, and in the place of one.
        std::os::unix::fs::symlink(&neighbour, house.layout.store().join("link")).unwrap();
        fs_err::remove_dir_all(house.layout.run()).unwrap();
        std::os::unix::fs::symlink(&neighbour, house.layout.run()).unwrap();
        let left = goes(&house, Data::Remove);
        assert!(neighbour.join("file").exists());
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(left[0].what, house.layout.run());
        // On the way to one.
        let house = self::house();
        let neighbour = house.root.with_file_name("neighbour");
        fs_err::rename(house.root.join("var"), neighbour.join("var")).unwrap();
        std::os::unix::fs::symlink(neighbour.join("var"), house.root.join("var")).unwrap();
        goes(&house, Data::Remove);
        assert!(house.layout.trust_db().exists());
    }

    #[test]
    fn the_target_goes_after_the_other_units_and_the_binary_is_no_seat_of_a_folder() {
        let house = house();
        let laid: Vec<_> = [
            "a/maas.target",
            "a/maas-gateway.service",
            "maas-x.socket.d/l.conf",
        ]
        .map(|name| SeatFile {
            path: house.root.join(name),
            text: "x".to_owned(),
        })
        .into();
        for file in &laid {
            fs_err::create_dir_all(file.path.parent().unwrap()).unwrap();
            fs_err::write(&file.path, &file.text).unwrap();
        }
        let farewell = Farewell::of(&house.layout, Seat::Unsupervised, &laid, Data::Keep);
        let ours = farewell
            .files
            .iter()
            .filter(|path| path.starts_with(&house.root));
        let ours: Vec<_> = ours.map(|path| path.file_name().unwrap()).collect();
        assert_eq!(ours, ["maas-gateway.service", "l.conf", "maas.target"]);
        assert!(
            farewell
                .left
                .iter()
                .any(|left| left.remove == "userdel maas")
        );
        // Not `leave`: that would take this machine's own.
        for path in farewell
            .files
            .iter()
            .filter(|path| path.starts_with(&house.root))
        {
            Disk::real().remove_file(path).unwrap();
            remove_own_folder(path);
        }
        assert!(!house.root.join("maas-x.socket.d").exists());
        assert!(house.root.join("a").exists());
        let folder = Farewell::of(&house.layout, Seat::Folder, &laid, Data::Keep);
        assert_eq!(folder.files, [] as [Utf8PathBuf; 0]);
    }

    #[test]
    fn an_interrupted_removal_is_completed_by_the_next() {
        for stop_at in 0..6 {
            let house = house();
            let holder = Holder {
                pid: 1,
                command: "test".to_owned(),
                since: Timestamp::UNIX_EPOCH,
            };
            let lock = Lock::acquire(&house.layout, &holder).unwrap();
            let count = Arc::new(AtomicUsize::new(0));
            let disk = Disk::watched(move |_| {
                if count.fetch_add(1, Ordering::SeqCst) < stop_at {
                    Ok(())
                } else {
                    Err(std::io::Error::other("power cut"))
                }
            });
            let farewell = Farewell::of(&house.layout, Seat::Folder, &[], Data::Remove);
            leave(&disk, Some(&lock), Seat::Folder, &farewell).ok();
            drop(lock);
            assert_eq!(goes(&house, Data::Remove), []);
            assert!(!house.layout.state().exists() && !house.layout.run().exists());
        }
    }
}
