//! A client of TUF repositories that others write, over the same [`Workflow`] that judges bundles.
//!
//! It is how the workflow is held to the suites of others (`tests/scripts/tuf-conformance.sh`, the
//! repositories of tough and of python-tuf). A host never uses it: a bundle is read by stricter rules.
//! The caller reads and persists; delegations are not followed.

use jiff::Timestamp as Instant;

use super::{
    MetaFile, Reading, RootFile, Signed, Snapshot, TargetFile, Targets, Timestamp, TrustedRoot,
    Workflow,
};
use crate::{Expired, Floors, TrustError};

/// An update of one repository's metadata.
#[derive(Debug)]
pub struct Client {
    workflow: Workflow<'static>,
    timestamp: Option<Signed<Timestamp>>,
    /// What the trusted snapshot listed before this update (TUF 5.5.5).
    before: Option<Signed<Snapshot>>,
    snapshot: Option<Signed<Snapshot>>,
    targets: Option<Signed<Targets>>,
}

/// What a timestamp was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// Newer: it is trusted now, and to be persisted.
    New,
    /// The version that is trusted already, so it is left aside.
    Known,
}

impl Client {
    /// Starts from a root that is trusted.
    pub fn start(root: &[u8], now: Instant) -> Result<Self, TrustError> {
        let root = RootFile::read("root.json", root, Reading::Specification)?;
        let root = TrustedRoot::own_threshold("root.json", root)?;
        let workflow = Workflow::start(root, Floors::default(), now, &Expired::Refuse);
        Ok(Self {
            workflow,
            timestamp: None,
            before: None,
            snapshot: None,
            targets: None,
        })
    }

    /// The version of the root that is trusted.
    pub fn root_version(&self) -> u64 {
        self.workflow.root.version()
    }

    /// Whether the names of snapshot, targets and target files carry their version or hash (TUF 7).
    pub fn is_consistent(&self) -> bool {
        self.workflow.root.root().is_consistent()
    }

    /// Takes the next root (TUF 5.3).
    pub fn next_root(&mut self, bytes: &[u8]) -> Result<(), TrustError> {
        let next = RootFile::read("root.json", bytes, Reading::Specification)?;
        self.workflow.next_root("root.json", next)
    }

    /// There is no further root.
    pub fn end_of_roots(&mut self) -> Result<(), TrustError> {
        self.workflow.end_of_roots("root.json")
    }

    /// What was trusted at an earlier time: floors for what comes. Call it after the last root: files
    /// that its keys have not signed were trusted under keys that are gone (TUF 5.3.11).
    pub fn trusted_before(&mut self, timestamp: &[u8], snapshot: Option<&[u8]>) {
        let root = self.workflow.root.root();
        let parse = Signed::<Timestamp>::parse("timestamp.json", timestamp, Reading::Specification);
        let Some(timestamp) = parse
            .ok()
            .filter(|file| file.verify("timestamp.json", root).is_ok())
        else {
            return;
        };
        let floors = &mut self.workflow.floors;
        floors.timestamp = timestamp.signed.version;
        floors.snapshot = timestamp.signed.snapshot().map_or(0, MetaFile::version);
        self.timestamp = Some(timestamp);
        self.before = snapshot
            .and_then(|bytes| {
                Signed::<Snapshot>::parse("snapshot.json", bytes, Reading::Specification).ok()
            })
            .filter(|file| file.verify("snapshot.json", root).is_ok());
        let targets = self.before.as_ref().and_then(|file| file.signed.targets());
        floors.targets = targets.map_or(0, MetaFile::version);
    }

    /// Takes a timestamp (TUF 5.4).
    pub fn timestamp(&mut self, bytes: &[u8]) -> Result<Renewal, TrustError> {
        let file = "timestamp.json";
        let timestamp = Signed::<Timestamp>::parse(file, bytes, Reading::Specification)?;
        let known = self.timestamp.as_ref().map(|known| known.signed.version);
        if known == Some(timestamp.signed.version) {
            timestamp.verify(file, self.workflow.root.root())?;
            return Ok(Renewal::Known);
        }
        self.workflow.timestamp(file, &timestamp)?;
        self.workflow.timestamp_expiry(file, &timestamp)?;
        self.timestamp = Some(timestamp);
        Ok(Renewal::New)
    }

    /// There is no newer timestamp: the trusted one must not have expired. Answers the snapshot that it
    /// names.
    pub fn wanted_snapshot(&mut self) -> Result<MetaFile, TrustError> {
        let timestamp = self.timestamp.as_ref().ok_or_else(out_of_turn)?;
        self.workflow
            .timestamp_expiry("timestamp.json", timestamp)?;
        let wanted = timestamp.signed.snapshot().ok_or_else(out_of_turn)?;
        Ok(wanted.clone())
    }

    /// Takes the snapshot that was wanted (TUF 5.5).
    pub fn snapshot(&mut self, bytes: &[u8]) -> Result<(), TrustError> {
        let file = "snapshot.json";
        let wanted = self.wanted_snapshot()?;
        expect(file, &wanted, bytes)?;
        let snapshot = Signed::<Snapshot>::parse(file, bytes, Reading::Specification)?;
        self.workflow.snapshot(file, &snapshot, &wanted)?;
        self.refuse_lost_targets(&snapshot)?;
        self.snapshot = Some(snapshot);
        Ok(())
    }

    /// "5.5.5. … any targets metadata file listed in the trusted snapshot metadata file, if any, MUST
    /// continue to be listed in the new snapshot metadata file", and with no smaller version.
    fn refuse_lost_targets(&self, new: &Signed<Snapshot>) -> Result<(), TrustError> {
        let before = self.before.iter().flat_map(|file| &file.signed.meta);
        for (file, old) in before {
            let found = new.signed.meta.get(file).map_or(0, MetaFile::version);
            if found < old.version {
                return Err(TrustError::Replayed {
                    file: crate::json::plain(file),
                    found,
                    floor: old.version,
                });
            }
        }
        Ok(())
    }

    /// The targets that the snapshot names.
    pub fn wanted_targets(&self) -> Result<MetaFile, TrustError> {
        let snapshot = self.snapshot.as_ref().ok_or_else(out_of_turn)?;
        snapshot.signed.targets().cloned().ok_or_else(out_of_turn)
    }

    /// Takes the targets that were wanted (TUF 5.6).
    pub fn targets(&mut self, bytes: &[u8]) -> Result<(), TrustError> {
        let file = "targets.json";
        let wanted = self.wanted_targets()?;
        expect(file, &wanted, bytes)?;
        let targets = Signed::<Targets>::parse(file, bytes, Reading::Specification)?;
        self.workflow.targets(file, &targets, &wanted)?;
        self.targets = Some(targets);
        Ok(())
    }

    /// A target file by its path, when the targets are trusted and name it.
    pub fn target(&self, path: &str) -> Option<&TargetFile> {
        self.targets.as_ref()?.signed.target(path)
    }
}

fn expect(file: &str, wanted: &MetaFile, bytes: &[u8]) -> Result<(), TrustError> {
    if wanted.fits(bytes) {
        return Ok(());
    }
    Err(TrustError::Malformed {
        file: file.to_owned(),
        reason: "its length or a hash is not the one that was named".to_owned(),
    })
}

fn out_of_turn() -> TrustError {
    TrustError::Malformed {
        file: "timestamp.json".to_owned(),
        reason: "the files are asked for out of turn".to_owned(),
    }
}
