//! `backup create | verify | restore`.

use std::os::unix::fs::MetadataExt as _;

use camino::Utf8Path;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use maas_backup::{
    Access, Area, BackupError, Choice, EntryName, Existing, Item, Kind, Making, Manifest, Owner,
    Restoring, Source,
    age::{Open, Passphrase, Seal, Work},
};
use maas_install::Seat;
use maas_store::Lock;
use maas_types::{ByteSize, Exit, Layout};
use serde_json::json;

use super::{
    install::holder,
    passphrase::{self, Purpose},
};
use crate::{
    cli::{BackupCommand, PassphraseArgs, RestoreArgs},
    clock,
    error::{CommandError, CommandResult},
    output::{self, Format},
};

/// Dispatches.
pub(super) fn run(command: &BackupCommand, layout: &Layout) -> CommandResult {
    match command {
        BackupCommand::Create {
            file,
            passphrase,
            json,
        } => create(layout, file, passphrase, json.format()),
        BackupCommand::Verify {
            file,
            passphrase,
            json,
        } => verify(layout, file, passphrase, json.format()),
        BackupCommand::Restore(args) => restore(layout, args),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: BackupError) -> CommandError {
    CommandError::new(error.exit(), crate::error::chain(&error))
}

fn asked(
    args: &PassphraseArgs,
    file: &Utf8Path,
    purpose: Purpose,
) -> Result<Passphrase, CommandError> {
    let text = passphrase::read(args, file, purpose)?;
    Passphrase::new(text.to_string()).ok_or_else(|| CommandError::usage("the passphrase is empty"))
}

fn create(
    layout: &Layout,
    file: &Utf8Path,
    args: &PassphraseArgs,
    format: Format,
) -> CommandResult {
    let passphrase = asked(args, file, Purpose::Seal)?;
    let items = items(layout)?;
    if items.is_empty() {
        let error = CommandError::new(Exit::NotFound, "nothing is installed here");
        return Err(error.hint("maas-appliance install --media DIR"));
    }
    // Nothing is installed or rolled back meanwhile: files of one moment belong together.
    let lock = Lock::acquire(layout, &holder("backup create"))?;
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let making = Making {
        items: &items,
        scratch: &layout.state(),
        made_by: concat!("maas-appliance ", env!("CARGO_PKG_VERSION")),
        host: &host,
        now: clock::now(),
    };
    let mut random =
        |bytes: &mut [u8]| getrandom::fill(bytes).expect("the system has random bytes");
    let mut out = fs_err::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    let seal = Seal::Passphrase(&passphrase, Work::STANDARD);
    let created = maas_backup::create(&making, &seal, &mut out, &mut random);
    let created = match created {
        Ok(created) => created,
        Err(error) => {
            // Half a backup is none.
            fs_err::remove_file(file).ok();
            return Err(failed(error));
        }
    };
    out.sync_all()?;
    drop(lock);
    match format {
        Format::Json => output::json(&json!({
            "schema": "maas-appliance/backup-create/v1",
            "file": file,
            "bytes": created.bytes,
            "digest": created.digest,
            "entries": created.manifest.entries.len(),
        }))?,
        Format::Text => output::data(&format!(
            "{} files, {}, sealed in {file}.\nDigest {}\nNext: maas-appliance backup verify {file}; then keep it \
             elsewhere, and the passphrase apart from it.\n",
            created.manifest.entries.len(),
            ByteSize(created.bytes),
            created.digest
        )),
    }
    Ok(Exit::Done)
}

fn verify(
    layout: &Layout,
    file: &Utf8Path,
    args: &PassphraseArgs,
    format: Format,
) -> CommandResult {
    let passphrase = asked(args, file, Purpose::Open)?;
    let scratch = super::machine::nearest(&layout.state()).to_owned();
    let read = fs_err::File::open(file)?;
    let verified = maas_backup::verify(read, &Open::Passphrase(&passphrase), &scratch);
    let verified = verified.map_err(failed)?;
    match format {
        Format::Json => output::json(&json!({
            "schema": "maas-appliance/backup-verify/v1",
            "file": file,
            "bytes": verified.bytes,
            "digest": verified.digest,
            "manifest": verified.manifest,
        }))?,
        Format::Text => output::data(&whole(&verified.manifest)),
    }
    Ok(Exit::Done)
}

fn whole(manifest: &Manifest) -> String {
    let databases = manifest
        .entries
        .iter()
        .filter(|entry| entry.kind == Kind::Database);
    format!(
        "Whole: {} files, {}, of {} at {}; {} databases are sound.\n",
        manifest.entries.len(),
        ByteSize(manifest.bytes()),
        manifest.host,
        manifest.made_at,
        databases.count()
    )
}

fn restore(layout: &Layout, args: &RestoreArgs) -> CommandResult {
    let passphrase = asked(&args.passphrase, &args.file, Purpose::Open)?;
    let lock = Lock::acquire(layout, &holder("backup restore"))?;
    // A gateway that runs would write into what is moved aside.
    let served = maas_install::stop_services_if_any(layout)?;
    let ids = ids(layout);
    let how = Restoring {
        areas: &areas(layout),
        choice: Choice::All,
        existing: if args.replace {
            Existing::Replace
        } else {
            Existing::Refuse
        },
        expect: None,
        ids: &|owner| ids.of(owner),
        now: clock::now(),
    };
    let read = fs_err::File::open(&args.file)?;
    let restored = maas_backup::restore(&lock, &how, read, &Open::Passphrase(&passphrase));
    let restored = restored.map_err(failed)?;
    let units: Vec<_> = restored.units.iter().map(EntryName::as_str).collect();
    output::data(&format!("Restored: {}\n", units.join(", ")));
    for folder in &restored.kept_aside {
        output::words(&format!(
            "What was here lies in {folder}; it holds secrets: remove it when all is well."
        ));
    }
    if served {
        maas_install::services()?;
    }
    output::words("Weights and images come from the medium: maas-appliance install --media DIR");
    Ok(Exit::Done)
}

/// Which folders a backup is made of, and what of them.
fn areas(layout: &Layout) -> Vec<Area> {
    let units = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let config = layout.config();
    vec![
        Area {
            name: "state".to_owned(),
            folder: layout.state(),
            units: units(&[
                "trust.db",
                "audit.db",
                "audit.checkpoint",
                "accepted.json",
                "receipts",
                "gateway",
            ]),
            access: Access::Public,
            owner: Owner::Root,
        },
        Area {
            name: "config".to_owned(),
            folder: config.parent().unwrap_or(Utf8Path::new("/")).to_owned(),
            units: units(&["appliance.toml", "host.key", "tls"]),
            access: Access::Public,
            owner: Owner::Root,
        },
    ]
}

/// Every file of those folders that is there.
fn items(layout: &Layout) -> Result<Vec<Item>, CommandError> {
    let mut items = Vec::new();
    for area in areas(layout) {
        for unit in &area.units {
            add(
                &mut items,
                &area.folder.join(unit),
                &format!("{}/{unit}", area.name),
            )?;
        }
    }
    Ok(items)
}

fn add(items: &mut Vec<Item>, path: &Utf8Path, name: &str) -> Result<(), CommandError> {
    // What SQLite keeps beside a database is in the copy; a lock is nothing to keep.
    let passing = ["-wal", "-shm", ".lock"]
        .iter()
        .any(|end| name.ends_with(end));
    let Ok(meta) = path.symlink_metadata() else {
        return Ok(());
    };
    if passing || meta.is_symlink() {
        return Ok(());
    }
    let entry =
        EntryName::new(name).map_err(|error| CommandError::new(Exit::Failed, error.to_string()))?;
    let source = if meta.is_dir() {
        Source::Folder
    } else if path.extension() == Some("db") {
        Source::Database(path.to_owned())
    } else {
        Source::File(path.to_owned())
    };
    items.push(Item {
        name: entry,
        source,
        access: access(meta.mode()),
        owner: owner(name),
    });
    if meta.is_dir() {
        for below in path.read_dir_utf8()? {
            let below = below?;
            add(
                items,
                below.path(),
                &format!("{name}/{}", below.file_name()),
            )?;
        }
    }
    Ok(())
}

fn access(mode: u32) -> Access {
    match (mode & 0o070, mode & 0o007) {
        (0, 0) => Access::Secret,
        (_, 0) => Access::Private,
        (_, _) => Access::Public,
    }
}

fn owner(name: &str) -> Owner {
    match name {
        "config/tls" | "config/tls/server.key" => Owner::RootForService,
        name if name.starts_with("state/gateway") => Owner::Service,
        _ => Owner::Root,
    }
}

/// Users and groups of this host, as `install` has made them; none where files are whoever's restores.
struct HostIds {
    service: Option<(u32, u32)>,
}

impl HostIds {
    fn of(&self, owner: Owner) -> Option<(u32, u32)> {
        let (user, group) = self.service?;
        Some(match owner {
            Owner::Root => (0, 0),
            Owner::RootForService => (0, group),
            Owner::Service => (user, group),
        })
    }
}

fn ids(layout: &Layout) -> HostIds {
    let here = Seat::of(layout) != Seat::Folder && rustix::process::geteuid().is_root();
    let passwd = fs_err::read_to_string("/etc/passwd").unwrap_or_default();
    let line = passwd.lines().find(|line| line.starts_with("maas:"));
    let numbers = line.and_then(|line| {
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    HostIds {
        service: numbers.filter(|_| here),
    }
}
