//! Building a generation beside the others, under a name that is none, and renaming it when it is
//! complete and on the disk.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use maas_bundle::{Bundle, Verified};
use maas_types::{BillOfLading, Digest, GenerationId, GenerationRecord, Image};
use serde_json::json;

use super::{Generation, mend, record};
use crate::{
    InstalledRow, Lock, Store, StoreError, TrustDb, atomic,
    disk::{Disk, parent_of},
};

impl Generation {
    /// Assembles the generation of a bundle whose blobs are all in the store, and notes it. One that
    /// is here already and complete is taken as it is.
    pub fn assemble(
        lock: &Lock,
        db: &TrustDb,
        bundle: &Verified<Bundle>,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        mend::all(lock, db)?;
        let generation = match Self::of_bill(lock, bundle.bill_digest())? {
            Some(generation) => generation,
            None => build(lock, db, bundle, now)?,
        };
        db.add_generation(
            lock,
            &InstalledRow {
                id: generation.id(),
                bundle: generation.bundle().clone(),
                bill_digest: generation.record().bill_digest,
                installed: generation.record().installed,
            },
        )?;
        Store::new(lock.layout()).forget_wanted(lock.disk())?;
        Ok(generation)
    }

    /// The newest complete generation with this bill of lading.
    fn of_bill(lock: &Lock, bill: &Digest) -> Result<Option<Self>, StoreError> {
        let mut all = Self::list(lock.layout())?.whole;
        all.retain(|generation| {
            generation.record().bill_digest == *bill && generation.check().is_ok()
        });
        Ok(all.pop())
    }
}

fn build(
    lock: &Lock,
    db: &TrustDb,
    bundle: &Verified<Bundle>,
    now: Timestamp,
) -> Result<Generation, StoreError> {
    let layout = lock.layout();
    let id = next_id(lock, db, bundle.bill().epoch)?;
    let folder = layout.generations().join(format!(".new-{id}"));
    lock.disk().remove_tree(&folder)?;
    let record = GenerationRecord {
        schema: GenerationRecord::SCHEMA.to_owned(),
        id,
        bundle: bundle.bill().bundle.clone(),
        bill_digest: *bundle.bill_digest(),
        installed: now,
        bill: bundle.bill().clone(),
    };
    let mut assembly = Assembly {
        disk: lock.disk(),
        folders: BTreeSet::new(),
    };
    assembly.fill(&folder, &Store::new(layout), &record)?;
    lock.disk().rename(&folder, &layout.generation(&id))?;
    Generation::open(layout, &id)
}

/// The next serial of an epoch, counting what is there and what was ever noted.
fn next_id(lock: &Lock, db: &TrustDb, epoch: u64) -> Result<GenerationId, StoreError> {
    let noted = db.generations()?.into_iter().map(|row| row.id);
    let serial = record::ids(lock.layout())?
        .into_iter()
        .chain(noted)
        .filter(|id| id.epoch == epoch)
        .map(|id| id.serial)
        .max()
        .unwrap_or(0);
    Ok(GenerationId {
        epoch,
        serial: serial.saturating_add(1),
    })
}

/// A generation's folder while it is filled.
struct Assembly<'a> {
    disk: &'a Disk,
    /// Folders that got entries, to be forced to the disk before the rename.
    folders: BTreeSet<Utf8PathBuf>,
}

impl Assembly<'_> {
    fn fill(
        &mut self,
        folder: &Utf8Path,
        store: &Store,
        record: &GenerationRecord,
    ) -> Result<(), StoreError> {
        for (path, digest) in links(&record.bill) {
            self.link(&store.path(&digest), &folder.join(path))?;
        }
        for image in &record.bill.images {
            let layout = folder.join("images").join(image.name.as_str());
            self.write(
                &layout.join("oci-layout"),
                &json!({"imageLayoutVersion": "1.0.0"}),
            )?;
            self.write(&layout.join("index.json"), &index(image))?;
        }
        let record =
            serde_json::to_value(record).map_err(|error| StoreError::GenerationDamaged {
                path: folder.to_owned(),
                detail: error.to_string(),
            })?;
        self.write(&folder.join("generation.json"), &record)?;
        for folder in &self.folders {
            self.disk.sync_folder(folder)?;
        }
        Ok(())
    }

    fn link(&mut self, existing: &Utf8Path, new: &Utf8Path) -> Result<(), StoreError> {
        self.enter(parent_of(new))?;
        Ok(self.disk.link(existing, new)?)
    }

    fn write(&mut self, path: &Utf8Path, value: &serde_json::Value) -> Result<(), StoreError> {
        self.enter(parent_of(path))?;
        let mut text = format!("{value:#}");
        text.push('\n');
        Ok(atomic::write_new(self.disk, path, text.as_bytes(), 0o444)?)
    }

    fn enter(&mut self, folder: &Utf8Path) -> Result<(), StoreError> {
        if self.folders.insert(folder.to_owned()) {
            self.disk.make_folder(folder)?;
        }
        Ok(())
    }
}

/// Every hard link of a generation: its name in the folder, and the blob behind it.
pub(super) fn links(bill: &BillOfLading) -> Vec<(Utf8PathBuf, Digest)> {
    let models = bill.models.iter().flat_map(|model| {
        let folder = Utf8Path::new("models").join(model.manifest.name.as_str());
        model
            .files
            .iter()
            .map(move |file| (folder.join(file.path.as_str()), file.blob))
    });
    let images = bill.images.iter().flat_map(|image| {
        let folder = Utf8Path::new("images")
            .join(image.name.as_str())
            .join("blobs/sha256");
        // An image may use one layer twice; a folder has each name once.
        let blobs: BTreeSet<_> = image
            .blobs
            .iter()
            .chain([&image.manifest])
            .copied()
            .collect();
        blobs
            .into_iter()
            .map(move |blob| (folder.join(blob.hex()), blob))
    });
    let binary = (Utf8PathBuf::from("bin/maas-appliance"), bill.binary);
    models.chain(images).chain([binary]).collect()
}

/// The index of an OCI layout with one image (image-spec 1.1, image-layout.md).
fn index(image: &Image) -> serde_json::Value {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{
            "mediaType": image.media_type,
            "digest": image.manifest.to_string(),
            "size": image.manifest_size,
            "annotations": { "org.opencontainers.image.ref.name": image.reference },
        }],
    })
}

/// Names and lengths of a generation's files, against its bill of lading.
pub(super) fn check(generation: &Generation) -> Result<(), StoreError> {
    let bill = &generation.record().bill;
    for (path, digest) in links(bill) {
        let path = generation.folder().join(path);
        let expected = bill.blob(&digest).map(|blob| blob.size);
        let found = crate::store::file_length(&path);
        if found.is_none() || found != expected {
            return Err(StoreError::GenerationDamaged {
                detail: match (expected, found) {
                    (None, _) => format!("{digest} is not in the bill of lading"),
                    (Some(_), None) => "it is missing or not a file".to_owned(),
                    (Some(want), Some(have)) => format!("it has {have} bytes, want {want}"),
                },
                path,
            });
        }
    }
    Ok(())
}
