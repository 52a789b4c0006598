//! The disk of the state folder.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::mount::{Mount, mount_of, mounts};
use crate::tree::Tree;

/// The file system that the state folder lies on or will lie on.
#[derive(Debug, Clone, Serialize)]
pub struct Disk {
    /// The state folder, or the nearest folder above it that is there.
    pub folder: Utf8PathBuf,
    /// What is mounted there; `None` if that cannot be seen.
    pub mount: Option<Mount>,
    /// What that kind of file system can do, as far as its name tells.
    pub abilities: Vec<Ability>,
    /// Bytes that an ordinary user may still write.
    pub free_bytes: Option<u64>,
    /// All bytes.
    pub total_bytes: Option<u64>,
    /// Inodes that an ordinary user may still use; `None` also where they are made as needed.
    pub free_inodes: Option<u64>,
    /// Whether the medium turns; `None` for what is not one disk.
    pub rotational: Option<bool>,
}

/// What a kind of file system can do. Some of it also takes a feature that is chosen when the file
/// system is made, so this is what is likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ability {
    /// Hard links, modes and owners: what a generation is made of.
    HardLinks,
    /// Files without a name, `O_TMPFILE`.
    UnnamedFiles,
    /// Copies that share blocks.
    Reflinks,
    /// Files that the kernel checks as it reads, fs-verity.
    Verity,
}

impl Ability {
    /// Of a kind of file system, as `/proc/self/mountinfo` spells it.
    pub(crate) fn of(kind: &str) -> &'static [Self] {
        match kind {
            "ext4" | "f2fs" => &[Self::HardLinks, Self::UnnamedFiles, Self::Verity],
            "xfs" | "bcachefs" | "zfs" => &[Self::HardLinks, Self::UnnamedFiles, Self::Reflinks],
            "btrfs" => &[
                Self::HardLinks,
                Self::UnnamedFiles,
                Self::Reflinks,
                Self::Verity,
            ],
            "ext2" | "ext3" | "tmpfs" => &[Self::HardLinks, Self::UnnamedFiles],
            "overlay" | "nfs" | "nfs4" | "ceph" | "virtiofs" | "9p" | "jfs" | "lustre" => {
                &[Self::HardLinks]
            }
            _ => &[],
        }
    }
}

impl Disk {
    pub(crate) fn look(tree: &Tree<'_>, state: &Utf8Path) -> Self {
        let folder = nearest_folder(tree, state);
        let mounts = mounts(tree);
        let mount = mount_of(&mounts, &folder).cloned();
        let room = rustix::fs::statvfs(tree.path(&folder).as_str()).ok();
        Self {
            abilities: mount
                .as_ref()
                .map(|mount| Ability::of(&mount.kind).to_vec())
                .unwrap_or_default(),
            free_bytes: room
                .as_ref()
                .map(|room| room.f_bavail.saturating_mul(room.f_frsize)),
            total_bytes: room
                .as_ref()
                .map(|room| room.f_blocks.saturating_mul(room.f_frsize)),
            // btrfs and others say 0 of 0: they make inodes as they need them.
            free_inodes: room
                .filter(|room| room.f_files > 0)
                .map(|room| room.f_favail),
            rotational: mount.as_ref().and_then(|mount| rotational(tree, mount)),
            mount,
            folder,
        }
    }
}

/// The folder itself, or the nearest one above it that is there.
fn nearest_folder(tree: &Tree<'_>, path: &Utf8Path) -> Utf8PathBuf {
    let mut folders = path
        .ancestors()
        .filter(|folder| !folder.as_str().is_empty());
    let folder = folders.find(|folder| tree.path(folder).is_dir());
    let folder = folder.unwrap_or("/".into());
    tree.real(folder).unwrap_or_else(|| folder.to_owned())
}

/// A partition has no queue of its own; the disk above it has.
fn rotational(tree: &Tree<'_>, mount: &Mount) -> Option<bool> {
    let (major, minor) = mount.device.split_once(':')?;
    let (major, minor) = (major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?);
    let device = format!("/sys/dev/block/{major}:{minor}");
    let flag = ["queue", "../queue"]
        .iter()
        .find_map(|queue| tree.word(format!("{device}/{queue}/rotational")));
    flag.map(|flag| flag == "1")
}
