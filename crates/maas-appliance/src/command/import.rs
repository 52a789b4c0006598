//! `import` and `approve`: a release is verified, stored and looked at by people, and activated later.
//!
//! What import leaves in `arrivals/<bundle>` is a delta of the release over what the store has: metadata,
//! signatures and the small files. `install --staged` verifies it as it verifies any medium.

use std::collections::BTreeSet;

use maas_audit::{Act, Action};
use maas_bundle::{Consignment, Silent, Sink, Spread};
use maas_install::{Approvals, Facts, Plan};
use maas_store::{DiskError, Generation, Lock, MediaFolder, SinkFolder, StoreError, TrustDb};
use maas_types::{BundleId, ByteSize, Digest, Exit, Layout};
use serde::Serialize;

use super::{
    arrival::{self, Looked, passed},
    evidence,
    install::{as_media, bundle_id, holder, open_media, tell_findings, verify_for_install},
    lookup::published,
    person,
    progress::Shown,
};
use crate::{
    cli::{ApproveArgs, ImportArgs, InstallArgs},
    clock,
    error::{CommandError, CommandResult},
    output::{self, Format},
};

/// `maas-appliance/import/v1`
#[derive(Debug, Serialize)]
struct Imported<'a> {
    schema: &'static str,
    bundle: &'a BundleId,
    version: &'a str,
    epoch: u64,
    bill_digest: Digest,
    bytes_read: u64,
    approvals: &'a Approvals,
    needed: u32,
}

/// Verifies and stores a release. Nothing that serves is touched.
pub(super) fn import(args: &ImportArgs, layout: &Layout) -> CommandResult {
    let folders = open_media(&args.media)?;
    let media = as_media(&folders);
    let db = TrustDb::read(layout)?;
    let wanted = bundle_id(args.bundle.as_deref())?;
    let bundle = verify_for_install(wanted.as_ref(), None, db.as_ref(), &media)?;
    let gpus = published(&layout.gpu_inventory())?;
    let config = super::config(layout)?;
    let facts = Facts::gather(
        layout,
        db.as_ref(),
        &bundle,
        &media,
        gpus,
        config.policy.clone(),
    )?;
    drop(db);
    let plan = Plan::new(facts, &bundle);
    let told = plan
        .findings
        .iter()
        .filter(|finding| finding.id != "P-APPROVAL");
    tell_findings(told);
    plan.ready_to_store()?;
    if args.dry_run {
        let bytes = ByteSize(plan.needs.bytes_to_read);
        output::data(&format!(
            "Would store {} blobs, {bytes}, of {} and activate nothing. Nothing was changed.\n",
            plan.needs.blobs, plan.bundle
        ));
        return Ok(Exit::Done);
    }
    let lock = Lock::acquire(layout, &holder("import"))?;
    let shown = Shown::default();
    let (stored, _) = maas_install::take_volume(&plan, &lock, &media, &mut |event| match event {
        maas_store::Progress::Planned { to_read, .. } => shown.begin("copy + hash", to_read),
        maas_store::Progress::Read(bytes) => shown.add(bytes),
        maas_store::Progress::Rehashed(_) | maas_store::Progress::Stored(_) => {}
    })?;
    shown.end();
    stage(layout, &lock, &folders, &bundle)?;
    let bill = bundle.bill();
    let mut approvals = Approvals::read(layout, &bill.bundle, bundle.bill_digest())?;
    approvals.give(person::at_the_keyboard(), clock::now());
    approvals.write(&lock)?;
    arrived(layout, args, &bundle)?;
    let imported = Imported {
        schema: "maas-appliance/import/v1",
        bundle: &bill.bundle,
        version: &bill.version,
        epoch: bill.epoch,
        bill_digest: *bundle.bill_digest(),
        bytes_read: stored.bytes_read,
        approvals: &approvals,
        needed: config.policy.approvals,
    };
    match args.json.format() {
        Format::Json => output::json(&imported)?,
        Format::Text => output::data(&words(&imported)),
    }
    Ok(Exit::Done)
}

/// The record of the arrival, and its entry in the audit chain.
fn arrived(
    layout: &Layout,
    args: &ImportArgs,
    bundle: &maas_bundle::Bundle,
) -> Result<(), CommandError> {
    let bill = bundle.bill();
    let db = TrustDb::read(layout)?;
    let root = super::install::trusted(db.as_ref())?;
    let root = bundle.new_roots().last().unwrap_or(&root.root);
    let key = evidence::host_key(layout)?;
    let bytes = bill.total_bytes();
    let looked = Looked {
        checks: vec![
            passed(
                "signature",
                format!("signed as root version {} asks for", root.version()),
            ),
            passed(
                "freshness",
                format!(
                    "epoch {} is not below the floor, and nothing has expired",
                    bill.epoch
                ),
            ),
            passed(
                "contents",
                format!(
                    "{} blobs, each with its digest; nothing missing, nothing extra",
                    bill.blobs.len()
                ),
            ),
        ],
        files: bill.blobs.len() as u64,
        bytes,
    };
    let host = key.public().origin().clone();
    let arrival = arrival::record(host, &args.media, bundle, root, looked);
    evidence::write_arrival(
        &evidence::arrival_folder(layout, &bill.bundle),
        &arrival,
        &key,
    )?;
    let act = Act::new(Action::BUNDLE_IMPORTED, bill.bundle.as_str())
        .detail("bill", bundle.bill_digest())
        .detail("epoch", bill.epoch);
    evidence::note(layout, act)
}

fn words(imported: &Imported<'_>) -> String {
    let Imported {
        bundle,
        approvals,
        needed,
        ..
    } = imported;
    let next = if (approvals.given.len() as u64) < u64::from(*needed) {
        format!("a second person types  maas-appliance approve {bundle}")
    } else {
        format!("maas-appliance install --staged {bundle}")
    };
    format!(
        "Imported {bundle} (version {}, epoch {}): verified, stored, not active.\n\
         Fingerprint  {}\nAgreed by    {}\nNext:        {next}\n",
        imported.version,
        imported.epoch,
        groups(&imported.bill_digest),
        approvals.names(),
    )
}

/// The first 64 bits in groups, for reading aloud.
fn groups(digest: &Digest) -> String {
    let hex = digest.hex();
    let group = |n: usize| hex.get(4 * n..4 * n + 4).unwrap_or_default().to_uppercase();
    [0, 1, 2, 3].map(group).join(" ")
}

/// Keeps what `install --staged` verifies again. Complete or not there.
fn stage(
    layout: &Layout,
    lock: &Lock,
    folders: &[MediaFolder],
    bundle: &maas_bundle::Bundle,
) -> Result<(), CommandError> {
    let bill = bundle.bill();
    let final_folder = layout.arrivals().join(bill.bundle.as_str());
    let partial = layout.arrivals().join(format!(".{}.partial", bill.bundle));
    let failed = |error: DiskError| CommandError::from(StoreError::from(error));
    lock.disk().remove_tree(&partial).map_err(failed)?;
    lock.disk()
        .make_folder(&layout.arrivals())
        .map_err(failed)?;
    let have: BTreeSet<Digest> = bill.blobs.iter().map(|blob| blob.digest).collect();
    let consignment = Consignment {
        bundle: Some(&bill.bundle),
        spread: &Spread::Evenly,
        have: &have,
        progress: &Silent,
    };
    let mut sink = SinkFolder::create(&partial)?;
    maas_bundle::copy(
        &as_media(folders),
        &mut [&mut sink as &mut dyn Sink],
        &consignment,
    )?;
    lock.disk().remove_tree(&final_folder).map_err(failed)?;
    lock.disk().rename(&partial, &final_folder).map_err(failed)
}

/// `approve`: another person agrees.
pub(super) fn approve(args: &ApproveArgs, layout: &Layout) -> CommandResult {
    let id: BundleId = args
        .bundle
        .parse()
        .map_err(|error: maas_types::NameError| CommandError::usage(error.to_string()))?;
    let folder = layout.arrivals().join(id.as_str());
    if !folder.is_dir() {
        let error = CommandError::new(Exit::NotFound, format!("`{id}` was not imported"));
        return Err(error.hint("maas-appliance import --media DIR"));
    }
    let folders = open_media(&[&folder])?;
    let media = as_media(&folders);
    let db = TrustDb::read(layout)?;
    // Signatures and freshness may have changed since it came in: keys are replaced, floors rise.
    let bundle = verify_for_install(Some(&id), None, db.as_ref(), &media)?;
    drop(db);
    let digest = bundle.bill_digest();
    if let Some(typed) = &args.fingerprint {
        compare(typed, digest)?;
    }
    let config = super::config(layout)?;
    let lock = Lock::acquire(layout, &holder("approve"))?;
    let mut approvals = Approvals::read(layout, &id, digest)?;
    let person = person::at_the_keyboard();
    if !approvals.give(person.clone(), clock::now()) {
        let text = format!(
            "{} has agreed already, and two must be two people",
            person.name
        );
        let error = CommandError::new(Exit::NotAllowed, text);
        return Err(error.hint("somebody else logs in and types the same command"));
    }
    approvals.write(&lock)?;
    let act = Act::new(Action::BUNDLE_APPROVED, id.as_str()).detail("bill", digest);
    evidence::note(layout, act)?;
    match args.json.format() {
        Format::Json => output::json(&approvals)?,
        Format::Text => output::data(&format!(
            "{} agrees to {id} ({}). Agreed by {}; this site wants {}.\n",
            person.name,
            groups(digest),
            approvals.names(),
            config.policy.approvals
        )),
    }
    if approvals.given.len() as u64 >= u64::from(config.policy.approvals) {
        output::words(&format!(
            "Next: maas-appliance {} --staged {id}",
            verb(layout)?
        ));
    }
    Ok(Exit::Done)
}

fn verb(layout: &Layout) -> Result<&'static str, CommandError> {
    Ok(match Generation::current_id(layout)? {
        Some(_) => "upgrade",
        None => "install",
    })
}

/// Eight hex digits are what two people compare by voice; fewer are no comparison.
fn compare(typed: &str, digest: &Digest) -> Result<(), CommandError> {
    let typed: String = typed
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .flat_map(char::to_lowercase)
        .collect();
    if typed.len() < 8 {
        return Err(CommandError::usage(
            "give at least eight hex digits of the fingerprint",
        ));
    }
    if digest.hex().starts_with(&typed) {
        return Ok(());
    }
    let error = CommandError::new(
        Exit::Content,
        format!(
            "this is not the release that you were told of: its fingerprint is {}",
            groups(digest)
        ),
    );
    Err(error.hint("do not approve it; ask the sender to read his fingerprint again"))
}

/// The folder of a release that was imported, as a medium.
pub(super) fn staged(args: &InstallArgs, layout: &Layout) -> Option<camino::Utf8PathBuf> {
    let id = args.staged.as_deref()?;
    // A name that is none is told by `bundle_id`, and never becomes a path.
    let id: BundleId = id.parse().ok()?;
    Some(layout.arrivals().join(id.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_compared_as_it_is_read_aloud() {
        let digest = Digest::from_hex(&"ab".repeat(32)).unwrap();
        for good in ["abababab", "ABAB abab", "abab-abab-ABAB"] {
            compare(good, &digest).unwrap();
        }
        for bad in ["ababab", "ababababac", "xyxyxyxy", ""] {
            assert!(compare(bad, &digest).is_err(), "{bad}");
        }
    }
}
