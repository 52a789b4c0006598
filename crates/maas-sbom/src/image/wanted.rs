//! Which files of an image are read, and how much of them.

use maas_types::Digest;

use super::{
    databases::{self, Unsaid},
    found::{Found, Package, Placed},
    language,
};

/// A package database. Debian's with every package of the archive installed would have some 70 MB;
/// that of an engine's image has 1.
const LARGEST_DATABASE: u64 = 64 << 20;

/// One package's metadata. Its fields stand first, and only they are read, so that a longer file, with
/// a manual in it, is read up to here.
const LARGEST_METADATA: u64 = 1 << 20;

/// A file of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    OsRelease,
    Dpkg,
    /// One package, in an image built without dpkg; its being there is its state.
    DpkgOne,
    Apk,
    Rpm,
    Python,
    Node,
}

impl Wanted {
    pub(super) fn of(path: &str) -> Option<Self> {
        match path {
            "etc/os-release" | "usr/lib/os-release" => return Some(Self::OsRelease),
            "var/lib/dpkg/status" => return Some(Self::Dpkg),
            // The second is Alpine's since /lib became a link.
            "lib/apk/db/installed" | "usr/lib/apk/db/installed" => return Some(Self::Apk),
            "var/lib/rpm/rpmdb.sqlite"
            | "var/lib/rpm/Packages.db"
            | "var/lib/rpm/Packages"
            | "usr/lib/sysimage/rpm/rpmdb.sqlite"
            | "usr/lib/sysimage/rpm/Packages.db"
            | "usr/share/rpm/rpmdb.sqlite" => return Some(Self::Rpm),
            _ => {}
        }
        let (folder, name) = path.rsplit_once('/')?;
        if folder == "var/lib/dpkg/status.d" {
            return (!name.ends_with(".md5sums")).then_some(Self::DpkgOne);
        }
        let is_metadata = match name {
            "METADATA" => folder.ends_with(".dist-info"),
            "PKG-INFO" => folder.ends_with(".egg-info"),
            "package.json" => return is_node_package(folder).then_some(Self::Node),
            // distutils wrote a file where setuptools writes a folder.
            _ => name.ends_with(".egg-info"),
        };
        is_metadata.then_some(Self::Python)
    }

    /// How many bytes are read.
    pub(super) const fn limit(self) -> u64 {
        match self {
            Self::Dpkg | Self::Apk => LARGEST_DATABASE,
            Self::OsRelease | Self::DpkgOne | Self::Python | Self::Node => LARGEST_METADATA,
            Self::Rpm => 0,
        }
    }

    /// Whether the first [`limit`](Self::limit) bytes are worth something alone.
    pub(super) const fn is_readable_in_part(self) -> bool {
        match self {
            Self::Python | Self::Rpm => true,
            Self::OsRelease | Self::Dpkg | Self::DpkgOne | Self::Apk | Self::Node => false,
        }
    }

    /// `None` for a file that is not what its name says.
    pub(super) fn parse(self, text: &str, layer: Digest) -> Option<Found> {
        let packages: Vec<Package> = match self {
            Self::OsRelease => return databases::os_release(text).map(Found::System),
            Self::Rpm => return Some(Found::RpmDatabase),
            Self::Dpkg => databases::dpkg(text, Unsaid::NotInstalled),
            Self::DpkgOne => databases::dpkg(text, Unsaid::Installed),
            Self::Apk => databases::apk(text),
            Self::Python => vec![language::python(text)?],
            Self::Node => vec![language::node(text)?],
        };
        let place = |package| Placed { package, layer };
        Some(Found::Packages(packages.into_iter().map(place).collect()))
    }
}

/// `node_modules/<name>` or `node_modules/@<scope>/<name>`, at the end of a path. Deeper
/// `package.json`s are parts of a package.
fn is_node_package(folder: &str) -> bool {
    let mut above = folder.rsplit('/').skip(1);
    match above.next() {
        Some("node_modules") => true,
        Some(scope) if scope.starts_with('@') => above.next() == Some("node_modules"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_files_are_known_by_their_place() {
        let python = Some(Wanted::Python);
        for (path, wanted) in [
            ("var/lib/dpkg/status", Some(Wanted::Dpkg)),
            ("var/lib/dpkg/status-old", None),
            ("var/lib/dpkg/status.d/base-files", Some(Wanted::DpkgOne)),
            ("var/lib/dpkg/status.d/base-files.md5sums", None),
            (
                "opt/venv/lib/python3.12/site-packages/x-1.dist-info/METADATA",
                python,
            ),
            ("x-1.dist-info/RECORD", None),
            ("usr/lib/python3/dist-packages/x-1.egg-info", python),
            (
                "usr/lib/python3/dist-packages/x-1.egg-info/PKG-INFO",
                python,
            ),
            ("METADATA", None),
            ("app/node_modules/x/package.json", Some(Wanted::Node)),
            ("app/node_modules/@s/x/package.json", Some(Wanted::Node)),
            ("app/node_modules/x/lib/package.json", None),
            ("app/package.json", None),
            ("node_modules/package.json", None),
        ] {
            assert_eq!(Wanted::of(path), wanted, "{path}");
        }
    }
}
