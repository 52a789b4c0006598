//! `/proc/self/mountinfo`: which file system a folder lies on.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use crate::tree::{Tree, word};

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mount {
    /// Device number, `259:2`.
    pub device: String,
    /// Where it is mounted.
    pub point: Utf8PathBuf,
    /// Its kind: `ext4`.
    pub kind: String,
    /// What is mounted: `/dev/nvme0n1p2`.
    pub source: String,
    /// Options of the mount and of the file system.
    pub options: Vec<String>,
}

/// Every mount, in the order in which they were made.
pub(crate) fn mounts(tree: &Tree<'_>) -> Vec<Mount> {
    let text = tree.text("/proc/self/mountinfo").unwrap_or_default();
    text.lines().filter_map(mount).collect()
}

/// A line such as `36 35 98:0 / /mnt rw,noatime shared:1 - ext4 /dev/root rw,errors=continue`
/// (`proc_pid_mountinfo(5)`).
fn mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ');
    let mut after = after.split(' ');
    let device = word(before.nth(2)?);
    let point = unescape(before.nth(1)?);
    let of_mount = before.next()?;
    let (kind, source) = (word(after.next()?), word(&unescape(after.next()?)));
    let of_file_system = after.next().unwrap_or_default();
    let options = of_mount.split(',').chain(of_file_system.split(','));
    let mut options: Vec<_> = options.filter(|o| !o.is_empty()).map(word).collect();
    options.dedup();
    Some(Mount {
        device,
        point: point.into(),
        kind,
        source,
        options,
    })
}

/// Space, tab, newline and backslash are written as `\040` and so on.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..3).filter(|_| *first == b'\\');
        let octal = escaped.and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            bytes.push(byte);
            rest = &after[3..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The mount that a path lies on: the deepest, and of those the latest, which hides the others.
pub(crate) fn mount_of<'a>(mounts: &'a [Mount], path: &Utf8Path) -> Option<&'a Mount> {
    let above = mounts.iter().filter(|mount| path.starts_with(&mount.point));
    above.max_by_key(|mount| mount.point.components().count())
}

impl Mount {
    /// Whether it has an option, such as `ro`.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|has| has == option)
    }

    /// The value of an option such as `size=65536k`.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        let mut options = self.options.iter();
        options.find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_with_and_without_optional_fields() {
        for line in [
            "36 35 98:0 / /mnt\\040x rw,noatime shared:1 master:2 - ext4 /dev/root rw,errors=continue",
            "36 35 98:0 / /mnt\\040x rw,noatime - ext4 /dev/root rw,errors=continue",
        ] {
            let mount = mount(line).unwrap();
            assert_eq!(
                (mount.device.as_str(), mount.point.as_str()),
                ("98:0", "/mnt x")
            );
            assert_eq!(
                (mount.kind.as_str(), mount.source.as_str()),
                ("ext4", "/dev/root")
            );
            assert!(mount.has("noatime") && !mount.has("ro"));
            assert_eq!(mount.option("errors"), Some("continue"));
        }
    }

    #[test]
    fn odd_lines_are_left_out() {
        for line in [
            "",
            " - ",
            "1 2 3:4 / ",
            "1 2 3:4 / /x - ext4",
            "- - - - - - - - -",
        ] {
            assert_eq!(mount(line), None, "{line}");
        }
        assert_eq!(unescape("a\\04"), "a\\04");
        assert_eq!(unescape("a\\999"), "a\\999");
    }

    #[test]
    fn the_deepest_mount_counts_and_of_equals_the_latest() {
        let made = |point: &str, kind: &str| {
            mount(&format!("1 1 0:1 / {point} rw - {kind} x rw")).unwrap()
        };
        let mounts = [
            made("/", "ext4"),
            made("/var", "xfs"),
            made("/var", "btrfs"),
            made("/v", "nfs"),
        ];
        let kind = |path: &str| mount_of(&mounts, path.into()).map(|mount| mount.kind.as_str());
        assert_eq!(kind("/var/lib/maas-appliance"), Some("btrfs"));
        assert_eq!(kind("/variable"), Some("ext4"));
        assert_eq!(kind("relative"), None);
    }
}
