//! `inventory`: what this host has, so that the connected side sends only what it has not.

use std::collections::BTreeSet;

use camino::Utf8Path;
use maas_store::{Generation, Presence, Store, TrustDb};
use maas_types::{Blob, BundleId, ByteSize, Digest, Exit, Layout};
use serde::{Deserialize, Serialize};

use crate::{
    cli::InventoryArgs,
    error::{CommandError, CommandResult},
    output::{self, Format},
};

/// `inventory --json` and the file of `--export`. It holds names of releases and digests, and nothing of
/// the site's own: whoever carries it out may read it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inventory {
    schema: String,
    /// The release that serves.
    current: Option<BundleId>,
    /// The rollback floor.
    epoch_floor: u64,
    /// Every blob that lies whole and verified in the store.
    blobs: Vec<Held>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    digest: Digest,
    size: u64,
}

const SCHEMA: &str = "maas-appliance/inventory/v1";

/// An inventory names each of at most 100,000 blobs in about 120 bytes.
const LARGEST: u64 = 32 << 20;

/// Shows or exports what is here.
pub(super) fn run(args: &InventoryArgs, layout: &Layout) -> CommandResult {
    let inventory = look(layout)?;
    if let Some(path) = &args.export {
        let mut text = serde_json::to_string_pretty(&inventory)
            .map_err(|error| CommandError::new(Exit::Bug, error))?;
        text.push('\n');
        fs_err::write(path, text)?;
        output::words(&format!(
            "{} blobs in {path}. Carry it to the connected side: maas-appliance bundle copy DIR --have FILE --to STICK",
            inventory.blobs.len()
        ));
        return Ok(Exit::Done);
    }
    match args.json.format() {
        Format::Json => output::json(&inventory)?,
        Format::Text => output::data(&text(&inventory)),
    }
    Ok(Exit::Done)
}

/// The digests in an inventory, or none where none is named.
pub(super) fn have(path: Option<&Utf8Path>) -> Result<BTreeSet<Digest>, CommandError> {
    let Some(path) = path else {
        return Ok(BTreeSet::new());
    };
    let wrong = |reason: String| {
        CommandError::usage(format!("{path} is not an inventory: {reason}"))
            .hint("on the host: maas-appliance inventory --export FILE")
    };
    let size = fs_err::metadata(path)?.len();
    if size > LARGEST {
        return Err(wrong(format!("it has {size} bytes")));
    }
    let bytes = fs_err::read(path)?;
    let inventory: Inventory =
        serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    if inventory.schema != SCHEMA {
        return Err(wrong(format!("its schema is `{}`", inventory.schema)));
    }
    Ok(inventory.blobs.iter().map(|held| held.digest).collect())
}

fn look(layout: &Layout) -> Result<Inventory, CommandError> {
    let db = TrustDb::read(layout)?;
    let epoch_floor = match &db {
        Some(db) => db.floors()?.epoch,
        None => 0,
    };
    let current = Generation::current(layout)?;
    Ok(Inventory {
        schema: SCHEMA.to_owned(),
        current: current.map(|generation| generation.bundle().clone()),
        epoch_floor,
        blobs: held(layout, db.as_ref())?,
    })
}

/// Every blob whose file lies in the store and that the journal knows as verified.
fn held(layout: &Layout, db: Option<&TrustDb>) -> Result<Vec<Held>, CommandError> {
    let store = Store::new(layout);
    let folder = layout.store().join("sha256");
    let mut held = Vec::new();
    if !folder.exists() {
        return Ok(held);
    }
    for prefix in folder.read_dir_utf8()? {
        let prefix = prefix?.into_path();
        if !prefix.is_dir() {
            continue;
        }
        for entry in prefix.read_dir_utf8()? {
            let entry = entry?;
            let Ok(digest) = Digest::from_hex(entry.file_name()) else {
                continue;
            };
            let blob = Blob {
                digest,
                size: entry.metadata()?.len(),
                parts: Vec::new(),
            };
            if store.presence(db, &blob)? == Presence::Stored {
                held.push(Held {
                    digest,
                    size: blob.size,
                });
            }
        }
    }
    held.sort_by_key(|held| held.digest);
    Ok(held)
}

fn text(inventory: &Inventory) -> String {
    let bytes = inventory.blobs.iter().map(|held| held.size).sum();
    let current = match &inventory.current {
        Some(bundle) => bundle.to_string(),
        None => "none".to_owned(),
    };
    format!(
        "release  {current}\nepoch    nothing older than {}\nblobs    {}, {}\n",
        inventory.epoch_floor,
        inventory.blobs.len(),
        ByteSize(bytes)
    )
}
