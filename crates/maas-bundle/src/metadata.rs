//! A bundle's metadata as a whole: read from one volume, signed, merged, written back.
//!
//! Threats on reading: endless files, thousands of roots, names of the medium's own. Defences: caps
//! before the first byte, and only names that we computed are opened.

use jiff::{SignedDuration, Timestamp as Instant};
use maas_types::BundleId;

use crate::{
    EntryKind, Handover, Media, MediaError, MediaPath, RoleStatus, RootFile, SignError, Signer,
    Sink, TrustError,
    read::read_capped,
    tuf::{
        FileLength, MetaFile, Payload, Reading, Root, Signed, Snapshot, Targets, Timestamp,
        whole_seconds,
    },
};

/// Releases are for a year and a bit: whoever updates yearly is not locked out by a late month
/// (FORMAT.md 4.5).
const RELEASE_LIFETIME: SignedDuration = SignedDuration::from_hours(400 * 24);

/// Root, timestamp and snapshot are some kilobytes even with a hundred keys (FORMAT.md 4.2).
pub(crate) const SMALL_METADATA: u64 = 1 << 20;

/// `targets.json` has one target; room for the format to grow (FORMAT.md 4.2).
pub(crate) const TARGETS_METADATA: u64 = 10 << 20;

/// TUF 5.3.3: "Y may be 2^10".
const MOST_ROOTS: usize = 1 << 10;

/// A metadata file as it lies on a medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataFile {
    /// Its name.
    pub path: MediaPath,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The metadata of one bundle, well formed and believed by nobody yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    bundle: BundleId,
    /// The chain of roots, oldest first, never empty, versions without a gap.
    pub(crate) roots: Vec<RootFile>,
    pub(crate) timestamp: Signed<Timestamp>,
    pub(crate) snapshot: Signed<Snapshot>,
    pub(crate) targets: Signed<Targets>,
}

impl Metadata {
    /// Fresh metadata for a bundle, signed by nobody.
    pub(crate) fn new(
        bundle: BundleId,
        roots: Vec<RootFile>,
        epoch: u64,
        bill: FileLength,
        now: Instant,
    ) -> Self {
        let expires = whole_seconds(now)
            .saturating_add(RELEASE_LIFETIME)
            .unwrap_or(Instant::MAX);
        Self {
            bundle,
            roots,
            timestamp: Signed::new(Timestamp::new(epoch, expires)),
            snapshot: Signed::new(Snapshot::new(epoch, expires)),
            targets: Signed::new(Targets::new(epoch, expires, bill)),
        }
    }

    /// Reads the metadata of a bundle from one volume. Checks its form, and no signature.
    pub fn read(media: &dyn Media, bundle: &BundleId) -> Result<Self, TrustError> {
        let mut roots = Vec::new();
        for version in root_versions(media, bundle)? {
            let path = MediaPath::root(bundle, version);
            let bytes = read_capped(media, &path, SMALL_METADATA)?;
            let root = RootFile::parse_named(path.as_str(), &bytes)?;
            if root.version() != version {
                return Err(TrustError::RootChain {
                    reason: format!("`{path}` says version {}", root.version()),
                });
            }
            roots.push(root);
        }
        let timestamp: Signed<Timestamp> =
            read_signed(media, &MediaPath::timestamp(bundle), SMALL_METADATA)?;
        let version = named(timestamp.signed.snapshot());
        let snapshot: Signed<Snapshot> =
            read_signed(media, &MediaPath::snapshot(bundle, version), SMALL_METADATA)?;
        let version = named(snapshot.signed.targets());
        let targets = read_signed(
            media,
            &MediaPath::targets(bundle, version),
            TARGETS_METADATA,
        )?;
        Ok(Self {
            bundle: bundle.clone(),
            roots,
            timestamp,
            snapshot,
            targets,
        })
    }

    /// The bundle that this is about.
    pub fn bundle(&self) -> &BundleId {
        &self.bundle
    }

    /// The newest root of the chain.
    pub fn newest_root(&self) -> &RootFile {
        self.roots.last().expect("a chain of roots is never empty")
    }

    /// Every file, as it lies on a medium. Roots first, `timestamp.json` last: a reader that finds
    /// the timestamp finds the rest.
    pub fn files(&self) -> Vec<MetadataFile> {
        let bundle = &self.bundle;
        let file = |path, bytes| MetadataFile { path, bytes };
        let mut files: Vec<_> = self
            .roots
            .iter()
            .map(|root| file(MediaPath::root(bundle, root.version()), root.bytes()))
            .collect();
        files.push(file(self.targets_path(), self.targets.render()));
        files.push(file(self.snapshot_path(), self.snapshot.render()));
        files.push(file(self.timestamp_path(), self.timestamp.render()));
        files
    }

    /// Writes every file, in place of what is there.
    pub fn write(&self, sink: &mut dyn Sink) -> Result<(), MediaError> {
        self.files()
            .iter()
            .try_for_each(|file| sink.replace(&file.path, &file.bytes))
    }

    /// Adds this key's signature wherever the newest root lists it and it is not there yet, the root
    /// itself included. Answers the files that were signed; none means: had signed before.
    pub fn sign(&mut self, key: &dyn Signer) -> Result<Vec<MediaPath>, SignError> {
        let id = key.public().id();
        let newest = self.newest_root().root().clone();
        let previous = self.previous_root().cloned();
        let mut files = Vec::new();
        let mut listed = self.all_listed();
        if !listed.contains(&id) {
            listed.sort();
            listed.dedup();
            return Err(SignError::NotListed { key: id, listed });
        }
        let root_path = MediaPath::root(&self.bundle, newest.version);
        let root = self
            .roots
            .last_mut()
            .expect("a chain of roots is never empty");
        match root.sign(key, previous.as_ref()) {
            Ok(true) => files.push(root_path),
            // A key that signs releases only is not listed for the root: that is no error here.
            Ok(false) | Err(SignError::NotListed { .. }) => {}
            Err(error) => return Err(error),
        }
        let roots = [&newest];
        if self.targets.sign(key, &roots)? {
            files.push(self.targets_path());
        }
        if self.snapshot.sign(key, &roots)? {
            files.push(self.snapshot_path());
        }
        if self.timestamp.sign(key, &roots)? {
            files.push(self.timestamp_path());
        }
        Ok(files)
    }

    /// What a signer elsewhere signs (a token, a security module): names, and the bytes of each.
    pub fn to_be_signed(&self) -> Vec<(String, Vec<u8>)> {
        vec![
            self.newest_root().to_be_signed(),
            self.targets.to_be_signed(),
            self.snapshot.to_be_signed(),
            self.timestamp.to_be_signed(),
        ]
    }

    /// Takes over the signatures of another copy of the same bundle's metadata. The order of merges
    /// does not matter, and merging twice changes nothing. Answers how many were new.
    pub fn merge(&mut self, other: &Self) -> Result<usize, SignError> {
        let not_the_same = |path: MediaPath| SignError::NotTheSame {
            file: path.as_str().to_owned(),
        };
        if self.bundle != other.bundle || self.roots.len() != other.roots.len() {
            return Err(not_the_same(MediaPath::metadata(&self.bundle)));
        }
        let mut added = 0;
        let newest = self.newest_root().root().clone();
        let roots = [&newest];
        let path = self.targets_path();
        added += self.targets.merge(path.as_str(), &other.targets, &roots)?;
        let path = self.snapshot_path();
        added += self
            .snapshot
            .merge(path.as_str(), &other.snapshot, &roots)?;
        let path = self.timestamp_path();
        added += self
            .timestamp
            .merge(path.as_str(), &other.timestamp, &roots)?;
        for at in 0..self.roots.len() {
            let previous = at.checked_sub(1).map(|before| self.roots[before].clone());
            added += self.roots[at].merge(&other.roots[at], previous.as_ref())?;
        }
        Ok(added)
    }

    /// How far each role's file is signed, by the keys of the bundle's own newest root. That says
    /// nothing about whether a host trusts that root.
    pub fn status(&self) -> Vec<RoleStatus> {
        let newest = self.newest_root();
        let root: &Root = newest.root();
        let own = match self.handover() {
            Some(handover) => handover.new,
            None => newest.status(),
        };
        vec![
            own,
            self.timestamp.status(root),
            self.snapshot.status(root),
            self.targets.status(root),
        ]
    }

    /// How far the newest root is signed as the one after the root before it; `None` for root 1.
    pub fn handover(&self) -> Option<Handover> {
        self.previous_root()
            .map(|previous| self.newest_root().handover(previous))
    }

    pub(crate) fn timestamp_path(&self) -> MediaPath {
        MediaPath::timestamp(&self.bundle)
    }

    pub(crate) fn snapshot_path(&self) -> MediaPath {
        MediaPath::snapshot(&self.bundle, named(self.timestamp.signed.snapshot()))
    }

    pub(crate) fn targets_path(&self) -> MediaPath {
        MediaPath::targets(&self.bundle, named(self.snapshot.signed.targets()))
    }

    fn previous_root(&self) -> Option<&RootFile> {
        self.roots.iter().rev().nth(1)
    }

    fn all_listed(&self) -> Vec<crate::SignerId> {
        let roots = self.roots.iter().rev().take(2);
        roots.flat_map(RootFile::keys).map(|key| key.id()).collect()
    }
}

/// The version of a file that a parsed bundle's file names.
fn named(file: Option<&MetaFile>) -> u64 {
    file.expect("a bundle's file that names nothing is malformed")
        .version
}

fn read_signed<T: Payload>(
    media: &dyn Media,
    path: &MediaPath,
    limit: u64,
) -> Result<Signed<T>, TrustError> {
    let bytes = read_capped(media, path, limit)?;
    Signed::parse(path.as_str(), &bytes, Reading::Bundle)
}

/// The versions of the roots on a volume, without a gap. The names are only counted: what is opened
/// is built from the number.
pub(crate) fn root_versions(media: &dyn Media, bundle: &BundleId) -> Result<Vec<u64>, TrustError> {
    let mut versions: Vec<u64> = media
        .list(&MediaPath::metadata(bundle))?
        .iter()
        .filter(|entry| matches!(entry.kind, EntryKind::File { .. }))
        .filter_map(|entry| {
            let version = entry.name.strip_suffix(".root.json")?.parse().ok()?;
            (format!("{version}.root.json") == entry.name).then_some(version)
        })
        .collect();
    versions.sort_unstable();
    let (Some(first), count) = (versions.first(), versions.len()) else {
        return Err(MediaError::Missing {
            volume: media.label().to_owned(),
            path: MediaPath::root(bundle, 1),
        }
        .into());
    };
    if count > MOST_ROOTS {
        return Err(TrustError::RootChain {
            reason: format!("there are {count} roots, more than {MOST_ROOTS}"),
        });
    }
    match (*first..)
        .zip(&versions)
        .find(|(want, found)| want != *found)
    {
        None => Ok(versions),
        Some((want, _)) => Err(TrustError::RootChain {
            reason: format!("version {want} is missing on `{}`", media.label()),
        }),
    }
}
