//! `trust add`, `list` and `show`: the first trust, which no medium can give.

use jiff::Timestamp;
use maas_bundle::{Fingerprint, TrustedRoot};
use maas_store::{Lock, StoredRoot, TrustDb};
use serde::Serialize;

use crate::InstallError;

/// A trusted root, for people and for `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RootLine {
    /// Its version.
    pub version: u64,
    /// What the site calls it.
    pub name: String,
    /// What two people compare, in hex.
    pub fingerprint: Fingerprint,
    /// The same in words, for the telephone.
    pub words: String,
    /// When it was added.
    pub added: Timestamp,
    /// Whether this is the one that signatures are held against.
    pub newest: bool,
}

/// Trusts a root if it has the fingerprint that a person has compared with the sender. A root with
/// another fingerprint is an error that shows both, and nothing is stored.
pub fn add(
    lock: &Lock,
    db: &TrustDb,
    root: &[u8],
    expected: &Fingerprint,
    name: &str,
    now: Timestamp,
) -> Result<RootLine, InstallError> {
    let root = TrustedRoot::pin(root, expected)?;
    let (version, fingerprint) = (root.version(), root.fingerprint());
    let stored = StoredRoot {
        root,
        name: name.to_owned(),
        added: now,
    };
    db.add_roots(lock, &[stored], None)?;
    Ok(RootLine {
        version,
        name: name.to_owned(),
        words: fingerprint.words(),
        fingerprint,
        added: now,
        newest: db
            .newest_root()?
            .is_some_and(|newest| newest.root.version() == version),
    })
}

/// Trusts a root instead of all that were trusted, if it has the fingerprint that a person has compared:
/// the way out when fewer keys are left than must sign a next root. It is a first trust once more, and as
/// good as that comparison. Floors stay as far as the keys behind them do.
pub fn replace(
    lock: &Lock,
    db: &TrustDb,
    root: &[u8],
    expected: &Fingerprint,
    name: &str,
    now: Timestamp,
) -> Result<(), InstallError> {
    let stored = StoredRoot {
        root: TrustedRoot::pin(root, expected)?,
        name: name.to_owned(),
        added: now,
    };
    Ok(db.replace_roots(lock, &stored)?)
}

/// Every trusted root, oldest first.
pub fn list(db: &TrustDb) -> Result<Vec<RootLine>, InstallError> {
    let roots = db.roots()?;
    let newest = roots.last().map(|root| root.root.version());
    Ok(roots
        .iter()
        .map(|stored| RootLine {
            version: stored.root.version(),
            name: stored.name.clone(),
            fingerprint: stored.root.fingerprint(),
            words: stored.root.fingerprint().words(),
            added: stored.added,
            newest: newest == Some(stored.root.version()),
        })
        .collect())
}

/// One trusted root with its bytes; the newest when no version is given. `None` when there is none.
pub fn show(db: &TrustDb, version: Option<u64>) -> Result<Option<StoredRoot>, InstallError> {
    let Some(version) = version else {
        return Ok(db.newest_root()?);
    };
    Ok(db
        .roots()?
        .into_iter()
        .find(|stored| stored.root.version() == version))
}
