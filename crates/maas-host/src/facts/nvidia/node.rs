//! Device nodes: `/dev/nvidia*`.

use rustix::fs::FileType;
use serde::Serialize;

use crate::tree::{Tree, word};

/// A device node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// `/dev/nvidia0`
    pub path: String,
    /// Its device number; `None` if it is no character device.
    pub number: Option<(u32, u32)>,
    /// The first half that the kernel gives out for its kind now, where it says so.
    pub major: Option<u32>,
    /// Its permission bits.
    pub mode: u32,
}

pub(super) fn nodes(tree: &Tree<'_>) -> Vec<Node> {
    let names = tree
        .names("/dev")
        .into_iter()
        .filter(|name| name.starts_with("nvidia"));
    let caps = tree.names("/dev/nvidia-caps").into_iter();
    let names = names
        .filter(|name| name != "nvidia-caps")
        .chain(caps.map(|name| format!("nvidia-caps/{name}")));
    let devices = tree.text("/proc/devices").unwrap_or_default();
    names
        .filter_map(|name| node(tree, &devices, &name))
        .collect()
}

fn node(tree: &Tree<'_>, devices: &str, name: &str) -> Option<Node> {
    let stat = tree.stat(format!("/dev/{name}"))?;
    let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
    let number = (
        rustix::fs::major(stat.st_rdev),
        rustix::fs::minor(stat.st_rdev),
    );
    Some(Node {
        path: word(&format!("/dev/{name}")),
        number: is_device.then_some(number),
        major: kinds(name).iter().find_map(|kind| major(devices, kind)),
        mode: stat.st_mode & 0o7777,
    })
}

/// What `/proc/devices` calls the kind of a node. Until driver 560 the first was `nvidia-frontend`.
fn kinds(name: &str) -> &'static [&'static str] {
    match name {
        "nvidia-uvm" | "nvidia-uvm-tools" => &["nvidia-uvm"],
        "nvidia-modeset" => &["nvidia-modeset", "nvidia", "nvidia-frontend"],
        name if name.starts_with("nvidia-caps/") => &["nvidia-caps"],
        name if name.starts_with("nvidia-nvswitch") => &["nvidia-nvswitch"],
        name if is_card(name) || name == "nvidiactl" => &["nvidia", "nvidia-frontend"],
        _ => &[],
    }
}

fn is_card(name: &str) -> bool {
    let number = name.strip_prefix("nvidia").unwrap_or_default();
    !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
}

/// `195 nvidia`
fn major(devices: &str, kind: &str) -> Option<u32> {
    // Block devices come after, with numbers of their own.
    let characters = devices.split("Block devices:").next()?;
    characters.lines().find_map(|line| {
        let (number, name) = line.trim().split_once(' ')?;
        (name.trim() == kind).then(|| number.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_the_number_of_each_kind() {
        let devices = "Character devices:\n  1 mem\n195 nvidia-frontend\n510 nvidia-uvm\n\nBlock devices:\n  8 nvidia\n";
        let of = |name| kinds(name).iter().find_map(|kind| major(devices, kind));
        assert_eq!(of("nvidia0"), Some(195));
        assert_eq!(of("nvidiactl"), Some(195));
        assert_eq!(of("nvidia-uvm-tools"), Some(510));
        assert_eq!(of("nvidia-caps/nvidia-cap1"), None);
        assert_eq!(of("nvidia-something"), None);
    }
}
