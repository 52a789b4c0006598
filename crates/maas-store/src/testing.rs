//! A host with generations of a few bytes, for the tests of this crate.

use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use maas_bundle::digest_of;
use maas_types::{
    BillOfLading, Blob, Digest, FORMAT, GenerationId, GenerationRecord, Image, Layout, Requirements,
};

use crate::{Disk, Generation, Holder, InstalledRow, Lock, Store, TrustDb};

pub(crate) struct Host {
    _keep: tempfile::TempDir,
    pub(crate) layout: Layout,
}

pub(crate) fn holder() -> Holder {
    Holder {
        pid: 1,
        command: "test".to_owned(),
        since: Timestamp::UNIX_EPOCH,
    }
}

pub(crate) fn id(text: &str) -> GenerationId {
    text.parse().unwrap()
}

impl Host {
    pub(crate) fn new() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let layout = Layout::new(Utf8Path::from_path(keep.path()).unwrap());
        Self {
            _keep: keep,
            layout,
        }
    }

    pub(crate) fn lock(&self) -> Lock {
        self.lock_on(Disk::real())
    }

    pub(crate) fn lock_on(&self, disk: Disk) -> Lock {
        Lock::acquire_on(disk, &self.layout, &holder()).unwrap()
    }

    pub(crate) fn db(&self) -> TrustDb {
        TrustDb::read(&self.layout).unwrap().unwrap()
    }

    pub(crate) fn store(&self) -> Store {
        Store::new(&self.layout)
    }

    /// Puts a blob into the store.
    pub(crate) fn blob(&self, content: &str) -> Digest {
        let digest = digest_of(content.as_bytes());
        let (path, lock) = (self.store().path(&digest), self.lock());
        if !path.exists() {
            write(&path, content);
            let mode = std::fs::Permissions::from_mode(0o444);
            fs_err::set_permissions(&path, mode).unwrap();
        }
        let db = TrustDb::open(&lock).unwrap();
        db.blob_is_stored(&lock, &digest, content.len() as u64)
            .unwrap();
        digest
    }

    /// Installs a generation whose one image, `engine`, has these blobs; the first is the manifest, and the
    /// binary.
    pub(crate) fn install(&self, name: &str, contents: &[&str]) -> Generation {
        let digests: Vec<_> = contents.iter().map(|content| self.blob(content)).collect();
        let folder = self.layout.generation(&id(name));
        let record = record(name, &digests, contents);
        write(
            &folder.join("generation.json"),
            &serde_json::to_string(&record).unwrap(),
        );
        let generation = Generation::open(&self.layout, &id(name)).unwrap();
        for (path, digest) in generation.links() {
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::hard_link(self.store().path(&digest), path).unwrap();
        }
        let lock = self.lock();
        let row = InstalledRow {
            id: id(name),
            bundle: record.bundle,
            bill_digest: record.bill_digest,
            installed: Timestamp::UNIX_EPOCH,
        };
        let db = TrustDb::open(&lock).unwrap();
        db.add_generation(&lock, &row).unwrap();
        generation.switch(&lock, &db).unwrap();
        generation
    }
}

pub(crate) fn write(path: &Utf8Path, text: &str) {
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, text).unwrap();
}

/// What a folder tree holds, by name; of files the content.
pub(crate) fn tree(folder: &Utf8Path) -> Vec<(Utf8PathBuf, String)> {
    let mut found = Vec::new();
    for path in crate::store::entries(folder).unwrap() {
        if path.is_dir() && !path.is_symlink() {
            found.extend(tree(&path));
        } else {
            let text = fs_err::read_to_string(&path).unwrap_or_default();
            found.push((path, text));
        }
    }
    found
}

fn record(name: &str, digests: &[Digest], contents: &[&str]) -> GenerationRecord {
    let mut blobs: Vec<_> = digests
        .iter()
        .zip(contents)
        .map(|(digest, content)| Blob {
            digest: *digest,
            size: content.len() as u64,
            parts: Vec::new(),
        })
        .collect();
    blobs.sort_by_key(|blob| blob.digest);
    blobs.dedup();
    let image = Image {
        name: "engine".parse().unwrap(),
        reference: "example.org/engine:1".to_owned(),
        manifest: digests[0],
        manifest_size: contents[0].len() as u64,
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        blobs: digests.to_vec(),
        signatures: None,
    };
    GenerationRecord {
        schema: GenerationRecord::SCHEMA.to_owned(),
        id: id(name),
        bundle: format!("test-{name}").parse().unwrap(),
        bill_digest: digest_of(name.as_bytes()),
        installed: Timestamp::UNIX_EPOCH,
        bill: BillOfLading {
            format: FORMAT.to_owned(),
            critical: Vec::new(),
            product: "maas-appliance".to_owned(),
            bundle: format!("test-{name}").parse().unwrap(),
            epoch: id(name).epoch,
            version: "1".to_owned(),
            created: Timestamp::UNIX_EPOCH,
            requires: Requirements {
                arch: "x86_64".to_owned(),
                os: "linux".to_owned(),
            },
            blobs,
            models: Vec::new(),
            images: vec![image],
            binary: digests[0],
            medium_files: Vec::new(),
            documents: Vec::new(),
        },
    }
}
