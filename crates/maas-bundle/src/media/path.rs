//! Names on a medium, built from our own constants, from checked bundle ids and from our own hex.
//!
//! Threat: a name from the medium or from metadata that climbs out (`../`), is absolute, or that a
//! file system reads differently. Defence: there is no way to make a [`MediaPath`] from free text.

use std::fmt;

use maas_types::{BundleId, Digest};

/// The folder at a volume's root that holds bundles.
pub(crate) const BUNDLES: &str = "MAAS";

/// A relative path on a volume, `/` between components, ASCII, no `.` or `..` (FORMAT.md 2.2).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MediaPath(String);

/// A file beside `MAAS/` at the root of every volume (FORMAT.md 2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MediumName {
    /// `install.sh`, the bootstrap script.
    InstallSh,
    /// `maas-appliance`, the binary.
    Appliance,
    /// `README.txt`, a page for the operator.
    Readme,
}

impl MediumName {
    /// Every name, in the order of a bill of lading.
    pub const ALL: [Self; 3] = [Self::InstallSh, Self::Appliance, Self::Readme];

    /// The file name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InstallSh => "install.sh",
            Self::Appliance => "maas-appliance",
            Self::Readme => "README.txt",
        }
    }

    /// The name with this spelling.
    pub fn from_name(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }
}

impl MediaPath {
    /// The root of the volume, for listing: the empty path.
    pub fn volume_root() -> Self {
        Self(String::new())
    }

    /// `MAAS`, for listing.
    pub fn bundles() -> Self {
        Self(BUNDLES.to_owned())
    }

    /// A file at the root of the volume.
    pub fn medium_file(name: MediumName) -> Self {
        Self(name.as_str().to_owned())
    }

    /// `MAAS/<bundle>`
    pub fn bundle(bundle: &BundleId) -> Self {
        Self(format!("{BUNDLES}/{bundle}"))
    }

    /// `MAAS/<bundle>/metadata`, for listing.
    pub fn metadata(bundle: &BundleId) -> Self {
        Self::below(bundle, "metadata")
    }

    /// `MAAS/<bundle>/metadata/N.root.json`
    pub fn root(bundle: &BundleId, version: u64) -> Self {
        Self::below(bundle, &format!("metadata/{version}.root.json"))
    }

    /// `MAAS/<bundle>/metadata/S.snapshot.json`
    pub fn snapshot(bundle: &BundleId, version: u64) -> Self {
        Self::below(bundle, &format!("metadata/{version}.snapshot.json"))
    }

    /// `MAAS/<bundle>/metadata/T.targets.json`
    pub fn targets(bundle: &BundleId, version: u64) -> Self {
        Self::below(bundle, &format!("metadata/{version}.targets.json"))
    }

    /// `MAAS/<bundle>/metadata/timestamp.json`
    pub fn timestamp(bundle: &BundleId) -> Self {
        Self::below(bundle, "metadata/timestamp.json")
    }

    /// `MAAS/<bundle>/targets`, for listing.
    pub fn target_files(bundle: &BundleId) -> Self {
        Self::below(bundle, "targets")
    }

    /// `MAAS/<bundle>/targets/<sha256>.bundle.json`
    pub fn bill(bundle: &BundleId, digest: &Digest) -> Self {
        Self::below(bundle, &format!("targets/{}.bundle.json", digest.hex()))
    }

    /// `MAAS/<bundle>/blobs`, for listing.
    pub fn blobs_parent(bundle: &BundleId) -> Self {
        Self::below(bundle, "blobs")
    }

    /// `MAAS/<bundle>/blobs/sha256`, for listing.
    pub fn blobs(bundle: &BundleId) -> Self {
        Self::below(bundle, "blobs/sha256")
    }

    /// `MAAS/<bundle>/blobs/sha256/<hex>`
    pub fn blob(bundle: &BundleId, digest: &Digest) -> Self {
        Self::below(bundle, &format!("blobs/sha256/{}", digest.hex()))
    }

    /// `MAAS/<bundle>/parts`, for listing.
    pub fn parts_parent(bundle: &BundleId) -> Self {
        Self::below(bundle, "parts")
    }

    /// `MAAS/<bundle>/parts/sha256`, for listing.
    pub fn parts(bundle: &BundleId) -> Self {
        Self::below(bundle, "parts/sha256")
    }

    /// `MAAS/<bundle>/parts/sha256/<hex>`
    pub fn part(bundle: &BundleId, digest: &Digest) -> Self {
        Self::below(bundle, &format!("parts/sha256/{}", digest.hex()))
    }

    /// `MAAS/<bundle>/oci-layout`
    pub fn oci_layout(bundle: &BundleId) -> Self {
        Self::below(bundle, "oci-layout")
    }

    /// `MAAS/<bundle>/index.json`
    pub fn oci_index(bundle: &BundleId) -> Self {
        Self::below(bundle, "index.json")
    }

    /// `MAAS/<bundle>/volume.json`
    pub fn volume(bundle: &BundleId) -> Self {
        Self::below(bundle, "volume.json")
    }

    /// `MAAS/<bundle>/SHA256SUMS`
    pub fn sums(bundle: &BundleId) -> Self {
        Self::below(bundle, "SHA256SUMS")
    }

    /// The text; empty for the volume's root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components, first to last; none for the volume's root.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// The last component; empty for the volume's root.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Whether the file should be executable where the file system can say so: the bootstrap script
    /// and the binary at the root of a volume.
    pub fn is_executable(&self) -> bool {
        matches!(self.0.as_str(), "install.sh" | "maas-appliance")
    }

    fn below(bundle: &BundleId, rest: &str) -> Self {
        Self(format!("{BUNDLES}/{bundle}/{rest}"))
    }
}

impl fmt::Display for MediaPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

impl fmt::Debug for MediaPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
