//! Releases that were imported and wait to be installed: what they need is in the store, and no generation
//! names it yet. They wait as long as people take.

use std::collections::BTreeSet;

use camino::Utf8Path;
use maas_types::{BillOfLading, Digest, Layout};

use crate::{StoreError, TrustDb, store::entries};

/// A release that waits.
#[derive(Debug, Clone)]
pub(super) struct Import {
    /// The name of its folder.
    pub(super) name: String,
    /// What it needs; `None` when its bill cannot be read.
    pub(super) blobs: Option<BTreeSet<Digest>>,
}

/// Those that may still be installed: neither installed before nor below the floor.
pub(super) fn waiting(layout: &Layout, db: Option<&TrustDb>) -> Result<Vec<Import>, StoreError> {
    let (installed, floor) = match db {
        Some(db) => {
            let rows = db.generations()?.into_iter();
            (
                rows.map(|row| row.bill_digest).collect(),
                db.floors()?.epoch,
            )
        }
        None => (BTreeSet::new(), 0),
    };
    let mut waiting = Vec::new();
    for folder in entries(&layout.arrivals())? {
        let name = folder.file_name().unwrap_or_default();
        if name.starts_with('.') || !folder.join("MAAS").is_dir() {
            continue;
        }
        let bill = read(&folder.join("MAAS").join(name).join("targets"))?;
        let over =
            |digest: &Digest, bill: &BillOfLading| installed.contains(digest) || bill.epoch < floor;
        match &bill {
            Some((digest, bill)) if over(digest, bill) => {}
            Some(_) | None => waiting.push(Import {
                name: name.to_owned(),
                blobs: bill.map(|(_, bill)| bill.blobs.iter().map(|b| b.digest).collect()),
            }),
        }
    }
    Ok(waiting)
}

/// The bill of lading in a folder of targets, and its digest, as its name says it. It was verified when it
/// came; before it is installed it is verified again.
fn read(targets: &Utf8Path) -> Result<Option<(Digest, BillOfLading)>, StoreError> {
    for path in entries(targets)? {
        let digest = path.file_name().and_then(|name| {
            let hex = name.strip_suffix(".bundle.json")?;
            Digest::from_hex(hex).ok()
        });
        let bill = fs_err::read(&path).ok();
        let bill = bill.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if let (Some(digest), Some(bill)) = (digest, bill) {
            return Ok(Some((digest, bill)));
        }
    }
    Ok(None)
}
