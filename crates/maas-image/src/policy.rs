//! What of an image is taken over, and how much of it.

use serde::{Deserialize, Serialize};

/// How an image is unpacked. The default is for an engine that a service manager confines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whose the files are.
    pub ownership: Ownership,
    /// What happens to device nodes. None is ever made.
    pub devices: Devices,
    /// What happens to setuid and setgid bits, and to `security.capability`, which does the same.
    pub set_ids: SetIds,
    /// What happens to extended attributes.
    pub xattrs: Xattrs,
    /// How much there may be.
    pub limits: Limits,
}

/// Whose unpacked files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ownership {
    /// The image's own numbers. Needs root.
    Keep,
    /// Whoever runs this.
    Own,
}

/// What happens to device nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Devices {
    /// The image is refused.
    Refuse,
    /// They are left out and counted. overlayfs's own whiteouts (character device 0:0) are refused all
    /// the same: they mean that something is to be hidden.
    Skip,
}

/// What happens to setuid and setgid bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetIds {
    /// They are left out and counted.
    Strip,
    /// They are set, and `security.capability` with them.
    Keep,
}

/// What happens to extended attributes of the `user` namespace. `trusted.*`, `system.*` (which ACLs are)
/// and `security.*` but for `security.capability` are never taken over: they belong to the host. Nor is
/// `user.overlay.*`, which overlayfs obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Xattrs {
    /// They are set where the file system has them.
    KeepUser,
    /// None is set.
    Drop,
}

/// How much there may be. What is exactly at a limit is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Layers.
    pub layers: u64,
    /// Entries of all layers, whiteouts included.
    pub entries: u64,
    /// Bytes of all files of all layers, holes included.
    pub bytes: u64,
    /// Bytes of one file, holes included.
    pub file_bytes: u64,
    /// Bytes of one layer when decompressed.
    pub layer_bytes: u64,
    /// Decompressed bytes for each compressed one; asked once a layer has more than
    /// [`Limits::ratio_from`].
    pub ratio: u64,
    /// Decompressed bytes that a layer may have at any ratio.
    pub ratio_from: u64,
    /// Bytes of a name with the folders that lead to it, and of a link's target.
    pub path_bytes: u64,
    /// Folders that lead to an entry, in the unpacked tree.
    pub depth: u64,
    /// Bytes of one extended header (PAX, GNU long name).
    pub extension_bytes: u64,
}

impl Policy {
    /// Real owners, for root.
    pub fn for_root() -> Self {
        Self {
            ownership: Ownership::Keep,
            ..Self::for_user()
        }
    }

    /// Everything belongs to whoever unpacks.
    pub fn for_user() -> Self {
        Self {
            ownership: Ownership::Own,
            devices: Devices::Refuse,
            set_ids: SetIds::Strip,
            xattrs: Xattrs::KeepUser,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            layers: 127, // overlayfs stops there, and so do engines
            entries: 2_000_000,
            bytes: 200_000_000_000,
            file_bytes: 64_000_000_000,
            layer_bytes: 200_000_000_000,
            ratio: 250, // gzip's best is 1032, of zeros alone; images have 2 to 5
            ratio_from: 1 << 28,
            path_bytes: 4095, // PATH_MAX without its NUL
            depth: 128,
            extension_bytes: 1 << 20, // as Go's archive/tar
        }
    }
}
