//! The bill of a container image, from its layers.
//!
//! Threats: layers come from outside and may hold anything: archives that are none, names with `..`,
//! files of gigabytes under the name of a small one, a million packages, names of a megabyte.
//! Defences: nothing is unpacked; an archive's headers are read by [`archive`], which refuses what
//! does not add up and bounds what it keeps; a name with `..` is passed over; of a file only as much
//! is read as its kind may have; and whatever is left out is counted and said in the bill.
//!
//! Layers lie on each other as OCI's image specification says ("Image Layer Filesystem Changeset"):
//! a whiteout or an opaque whiteout hides what lower layers have, a file takes the place of what was
//! there before, and only what is left at the end is listed.

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use jiff::Timestamp;
use maas_types::Digest;

use self::{
    archive::{Archive, Entry, EntryKind},
    found::{Found, Placed},
    listing::Listing,
    tree::Tree,
    wanted::Wanted,
};
use crate::{bom::Bom, subject::Subject};

mod archive;
mod databases;
mod found;
mod language;
mod listing;
mod path;
mod stanza;
mod tree;
mod wanted;

/// Packages of one image. Images of engines have about a thousand, all of Debian some 65,000; with
/// names and paths cut to length this many take less than 200 MB.
const MOST_PACKAGES: usize = 100_000;

/// What is known about an image beside its layers.
#[derive(Debug, Clone, Copy)]
pub struct ImageFacts<'a> {
    /// What the recipe calls it.
    pub name: &'a str,
    /// Where it came from; for people.
    pub reference: &'a str,
    /// SHA-256 of its manifest.
    pub manifest: Digest,
}

/// A layer that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The reader failed, or ended too soon.
    #[error("layer {layer} cannot be read")]
    Read {
        /// The layer.
        layer: Digest,
        /// What the reader said.
        #[source]
        source: io::Error,
    },
    /// It is not a tar archive.
    #[error("layer {layer} is not a tar archive: {reason}")]
    Malformed {
        /// The layer.
        layer: Digest,
        /// What is wrong, in words of ours.
        reason: &'static str,
    },
}

/// What was passed over.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Gaps {
    /// Files longer than their kind may be.
    too_long: u64,
    /// Files that are not what their name says.
    unreadable: u64,
    /// Packages beyond [`MOST_PACKAGES`].
    too_many: u64,
}

/// An image under inspection: layers in, a bill out.
#[derive(Debug, Default)]
pub struct ImageScan {
    lower: Tree,
    gaps: Gaps,
}

impl ImageScan {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lays the next layer, an uncompressed tar archive named by `digest`, on those before. The reader
    /// is read to its end, so that one which hashes has then seen every byte. After an error the scan
    /// is worth nothing.
    pub fn layer(&mut self, digest: Digest, reader: impl Read) -> Result<(), ScanError> {
        let mut archive = Archive::new(reader);
        let named = |error: archive::ArchiveError| error.of(digest);
        let mut upper = Tree::default();
        while let Some(entry) = archive.next().map_err(named)? {
            let Some(path) = path::normal(&entry.path) else {
                continue;
            };
            if let Some(hidden) = path::whiteout(&path) {
                self.lower.hide(&hidden);
                continue;
            }
            let before = self.lower.lay(&path, entry.kind);
            upper.lay(&path, entry.kind);
            let Some(wanted) = Wanted::of(&path) else {
                continue;
            };
            let found = match entry.kind {
                EntryKind::File => self.read(wanted, digest, &mut archive).map_err(named)?,
                EntryKind::HardLink => self.linked(&entry, &upper),
                EntryKind::Folder | EntryKind::Other => None,
            };
            if let Some(mut found) = found {
                if let Some(before) = before {
                    found.keep_places(&before);
                }
                self.keep(&mut upper, path, found);
            }
        }
        archive.drain().map_err(named)?;
        self.lower.cover(upper);
        Ok(())
    }

    /// The bill of what is left.
    pub fn finish(self, facts: ImageFacts<'_>, created: Timestamp) -> Bom {
        let subject = Subject::Image(facts.manifest);
        let listing = Listing::new(&self.lower);
        let component = listing.subject(facts.name, facts.reference, subject);
        let completeness = listing.completeness(self.gaps);
        Bom::new(subject, created, component, &completeness).with_components(listing.components())
    }

    fn read<R: Read>(
        &mut self,
        wanted: Wanted,
        layer: Digest,
        archive: &mut Archive<R>,
    ) -> Result<Option<Found>, archive::ArchiveError> {
        let bytes = archive.contents(wanted.limit())?;
        if archive.is_cut() && !wanted.is_readable_in_part() {
            self.gaps.too_long += 1;
            return Ok(None);
        }
        let found = wanted.parse(&String::from_utf8_lossy(&bytes), layer);
        if found.is_none() {
            self.gaps.unreadable += 1;
        }
        Ok(found)
    }

    /// What a hard link points at: something of its own layer or of a lower one.
    fn linked(&mut self, entry: &Entry, upper: &Tree) -> Option<Found> {
        let target = path::normal(&entry.link)?;
        let found = upper.get(&target).or_else(|| self.lower.get(&target));
        if found.is_none() {
            self.gaps.unreadable += 1;
        }
        found.cloned()
    }

    fn keep(&mut self, upper: &mut Tree, path: String, mut found: Found) {
        let room = MOST_PACKAGES.saturating_sub(self.lower.packages() + upper.packages());
        self.gaps.too_many += found.cut(room);
        upper.insert(path, found);
    }
}

/// Packages by what makes two of them the same.
type ByPackage<'a> = BTreeMap<&'a found::Package, Vec<(&'a str, &'a Placed)>>;

#[cfg(test)]
mod tests;
