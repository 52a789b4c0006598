//! What remains of what people did: entries in the host's audit chain, and the record of an arrival.
//!
//! The chain of root's commands is `audit.db`, the gateway's own comes with it; each has one writer. After each
//! entry a checkpoint that the host has signed is laid beside it, so that a chain that was cut is found.

use camino::{Utf8Path, Utf8PathBuf};
use maas_audit::{Act, Actor, AuditLog, HostKey, Origin};
use maas_store::atomic;
use maas_types::{Exit, Layout};

use super::person;
use crate::{clock, error::CommandError};

/// Writes down an act, by whoever sits at the keyboard. An installation that cannot be written down is done
/// all the same, and says so: the release serves, and the receipt is there.
pub(super) fn note(layout: &Layout, act: Act) -> Result<(), CommandError> {
    let failed = |error: maas_audit::AuditError| {
        CommandError::new(
            error.exit(),
            format!("the audit log was not written: {error}"),
        )
        .hint("what was done is done; its receipt is in /var/lib/maas-appliance/receipts")
    };
    let person = person::at_the_keyboard();
    let actor = Actor::Operator {
        uid: person.uid,
        login: person.name,
    };
    let key = host_key(layout)?;
    let mut log = AuditLog::open(&layout.audit_db()).map_err(failed)?;
    log.append(clock::now(), &actor, act).map_err(failed)?;
    let checkpoint = log.checkpoint(clock::now(), &key).map_err(failed)?;
    let path = layout.audit_checkpoint();
    atomic::replace(&path, checkpoint.to_string().as_bytes())
        .map_err(|error| maas_store::StoreError::from(error).into())
}

/// The key by which this host signs what it says of itself; made the first time.
pub(super) fn host_key(layout: &Layout) -> Result<HostKey, CommandError> {
    let mut seed = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut())
        .map_err(|error| CommandError::new(Exit::Failed, format!("no random bytes: {error}")))?;
    let path = layout.host_key();
    if let Some(folder) = path.parent() {
        fs_err::create_dir_all(folder)?;
    }
    HostKey::load_or_create(&path, origin()?, &seed)
        .map_err(|error| CommandError::new(error.exit(), error.to_string()))
}

/// What this host calls itself in what it signs.
fn origin() -> Result<Origin, CommandError> {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    name.parse()
        .or_else(|_| "maas-appliance".parse())
        .map_err(|error| CommandError::new(Exit::Bug, format!("{error}")))
}

/// The folder of an arrival's record.
pub(super) fn arrival_folder(layout: &Layout, bundle: &maas_types::BundleId) -> Utf8PathBuf {
    layout.arrivals().join(format!("{bundle}.arrival"))
}

/// Writes `arrival.json`, the page to sign, and the statement that the host has signed.
pub(super) fn write_arrival(
    folder: &Utf8Path,
    arrival: &maas_audit::arrival::Arrival,
    key: &HostKey,
) -> Result<(), CommandError> {
    fs_err::create_dir_all(folder)?;
    let page = maas_audit::arrival::page(arrival);
    let statement = maas_audit::arrival::seal_vsa(arrival, key);
    let public = key.public().to_pem();
    let files: [(&str, &[u8]); 4] = [
        ("arrival.json", &arrival.to_json()),
        ("arrival.vsa.json", &statement),
        ("arrival.txt", page.as_bytes()),
        ("host-key.pem", public.as_bytes()),
    ];
    for (name, bytes) in files {
        atomic::replace(&folder.join(name), bytes)
            .map_err(|error| CommandError::from(maas_store::StoreError::from(error)))?;
    }
    Ok(())
}
