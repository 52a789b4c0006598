//! A site that is small, and has one of everything.

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use maas_store::{Disk, Holder, Lock};
use maas_types::{Digest, Layout};
use rusqlite::Connection;

use crate::{
    Access, Area, BackupError, Choice, Created, EntryName, Existing, Item, Making, Owner, Restored,
    Restoring, Source,
    age::{Identity, Open, Recipient, Seal},
};

pub(super) struct Site {
    pub(super) folder: Utf8PathBuf,
    pub(super) key: Identity,
    to: [Recipient; 1],
    areas: Vec<Area>,
    _keep: tempfile::TempDir,
}

pub(super) fn name(text: &str) -> EntryName {
    EntryName::new(text).unwrap()
}

pub(super) fn now() -> Timestamp {
    "2026-11-25T08:00:00Z".parse().unwrap()
}

/// Randomness that is the same in every run.
pub(super) fn random(bytes: &mut [u8]) {
    bytes.iter_mut().zip(7_u8..).for_each(|(b, n)| *b = n);
}

pub(super) fn item(text: &str, source: Source, access: Access, owner: Owner) -> Item {
    Item {
        name: name(text),
        source,
        access,
        owner,
    }
}

impl Site {
    pub(super) fn empty() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let folder = Utf8PathBuf::from_path_buf(keep.path().to_owned()).unwrap();
        let key = Identity::generate(&mut random);
        let to = [key.recipient()];
        let areas = areas(&folder);
        Self {
            folder,
            key,
            to,
            areas,
            _keep: keep,
        }
    }

    /// With settings, keys, two databases and receipts.
    pub(super) fn new() -> Self {
        let site = Self::empty();
        site.write("config/appliance.toml", b"[gateway]\n");
        site.write("config/tls/ca.key", b"secret key of the CA");
        site.write("config/tls/server.crt", b"certificate");
        site.write("state/receipts/1-1.json", b"{}");
        site.write("state/gateway/pepper", &[7; 32]);
        site.database("state/trust.db", 3);
        site.database("state/gateway/state.db", 50);
        site
    }

    pub(super) fn path(&self, name: &str) -> Utf8PathBuf {
        self.folder.join(name)
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
    }

    pub(super) fn database(&self, name: &str, rows: u32) {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        let database = Connection::open(path).unwrap();
        database.pragma_update(None, "user_version", 4).unwrap();
        database
            .execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT) STRICT")
            .unwrap();
        for n in 0..rows {
            let row = (n, format!("row {n}"));
            database
                .execute("INSERT INTO t VALUES (?1, ?2)", row)
                .unwrap();
        }
    }

    pub(super) fn items(&self) -> Vec<Item> {
        use Access::{Private, Public, Secret};
        use Owner::{Root, RootForService, Service};
        let file = |name: &str| Source::File(self.path(name));
        let database = |name: &str| Source::Database(self.path(name));
        let [toml, key, crt, receipt, pepper] = [
            "config/appliance.toml",
            "config/tls/ca.key",
            "config/tls/server.crt",
            "state/receipts/1-1.json",
            "state/gateway/pepper",
        ];
        let [trust, state] = ["state/trust.db", "state/gateway/state.db"];
        vec![
            item("state/gateway", Source::Folder, Private, Service),
            item(pepper, file(pepper), Secret, Service),
            item(state, database(state), Private, Service),
            item(trust, database(trust), Public, Root),
            item("state/receipts", Source::Folder, Public, Root),
            item(receipt, file(receipt), Public, Root),
            item(toml, file(toml), Private, RootForService),
            item("config/tls", Source::Folder, Public, Root),
            item(key, file(key), Secret, Root),
            item(crt, file(crt), Public, Root),
        ]
    }

    pub(super) fn create(&self, items: &[Item]) -> Result<(Vec<u8>, Created), BackupError> {
        let mut file = Vec::new();
        let what = Making {
            items,
            scratch: &self.folder,
            made_by: "maas-appliance 0.1.0",
            host: "gpu-1",
            now: now(),
        };
        let seal = Seal::Recipients(&self.to);
        let created = crate::create(&what, &seal, &mut file, &mut random)?;
        Ok((file, created))
    }

    pub(super) fn backup(&self) -> Vec<u8> {
        self.create(&self.items()).unwrap().0
    }

    pub(super) fn restore(&self, from: &Self, file: &[u8]) -> Result<Restored, BackupError> {
        let how = |_: &mut Restoring<'_>| {};
        self.restore_as(Disk::real(), &Open::Identity(&from.key), file, how)
    }

    pub(super) fn replace(&self, from: &Self, file: &[u8]) -> Result<Restored, BackupError> {
        let how = |how: &mut Restoring<'_>| how.existing = Existing::Replace;
        self.restore_as(Disk::real(), &Open::Identity(&from.key), file, how)
    }

    pub(super) fn restore_as<'a>(
        &'a self,
        disk: Disk,
        open: &Open<'_>,
        file: &[u8],
        change: impl FnOnce(&mut Restoring<'a>),
    ) -> Result<Restored, BackupError> {
        let mut how = Restoring {
            areas: &self.areas,
            choice: Choice::All,
            existing: Existing::Refuse,
            expect: None,
            ids: &|_| None,
            now: now(),
        };
        change(&mut how);
        crate::restore(&self.lock(disk), &how, file, open)
    }

    /// The lock of an appliance beside, so that the tree is what was restored and nothing else.
    pub(super) fn lock(&self, disk: Disk) -> Lock {
        let layout = Layout::new(self.path("lock"));
        let holder = Holder {
            pid: 1,
            command: "test".to_owned(),
            since: now(),
        };
        // Made on a disk that keeps its power: what is tested is the restore.
        fs_err::create_dir_all(layout.state()).unwrap();
        Lock::acquire_on(disk, &layout, &holder).unwrap()
    }

    /// Every file and folder of the areas: its mode and, of a file, what it holds.
    pub(super) fn tree(&self) -> BTreeMap<String, (u32, Option<Digest>)> {
        let mut tree = BTreeMap::new();
        for area in ["config", "state"] {
            walk(&self.folder, &self.path(area), &mut tree);
        }
        tree
    }

    /// What the rows of a database say.
    pub(super) fn rows(&self, name: &str) -> i64 {
        let database = Connection::open(self.path(name)).unwrap();
        let rows = database.query_row("SELECT count(*) FROM t", [], |row| row.get(0));
        rows.unwrap()
    }
}

/// Where a site is restored to.
fn areas(folder: &Utf8Path) -> Vec<Area> {
    let area = |name: &str, units: &[&str]| Area {
        name: name.to_owned(),
        folder: folder.join(name),
        units: units.iter().map(|unit| (*unit).to_owned()).collect(),
        access: Access::Private,
        owner: Owner::RootForService,
    };
    vec![
        area("state", &["trust.db", "gateway", "receipts"]),
        area("config", &["appliance.toml", "tls"]),
    ]
}

fn walk(top: &Utf8Path, path: &Utf8Path, tree: &mut BTreeMap<String, (u32, Option<Digest>)>) {
    let Ok(metadata) = path.symlink_metadata() else {
        return;
    };
    let mode = metadata.permissions().mode() & 0o7777;
    let digest = metadata
        .is_file()
        .then(|| crate::fingerprint::of(&fs_err::read(path).unwrap()));
    tree.insert(path.strip_prefix(top).unwrap().to_string(), (mode, digest));
    if metadata.is_dir() {
        for entry in path.read_dir_utf8().unwrap() {
            walk(top, entry.unwrap().path(), tree);
        }
    }
}
