//! Bundles as people read about them.

use std::fmt::Write as _;

use maas_bundle::{Built, Bundle, Inspection, Media, Metadata, Report, RoleStatus, Verified};
use maas_types::ByteSize;

/// What was built.
pub(super) fn built(built: &Built) -> String {
    let bill = &built.bill;
    format!(
        "Built {} (version {}, epoch {}): {} model(s), {} image(s), {} blobs, {}.",
        bill.bundle,
        bill.version,
        bill.epoch,
        bill.models.len(),
        bill.images.len(),
        bill.blobs.len(),
        ByteSize(bill.total_bytes()),
    )
}

/// How far a bundle is signed.
pub(super) fn progress(metadata: &Metadata) -> String {
    let handover = metadata.handover().map(|handover| handover.old);
    signatures(&metadata.status(), handover.as_ref())
}

/// How far one file is signed, and by whom.
pub(in crate::command) fn signed(role: &RoleStatus) -> String {
    let signed: Vec<_> = role
        .signed
        .iter()
        .map(maas_bundle::SignerId::short)
        .collect();
    let who = if signed.is_empty() {
        "nobody".to_owned()
    } else {
        signed.join(", ")
    };
    let wrong = if role.wrong.is_empty() {
        ""
    } else {
        "  WRONG SIGNATURES"
    };
    // More than are needed is no fraction.
    let (count, need) = (signed.len() as u64, u64::from(role.need));
    let count = if count > need {
        format!("{count} signatures ({need} needed)")
    } else {
        format!("{count} of {need} signatures")
    };
    format!("{count}, by {who}{wrong}")
}

/// One line for each role, or one line when all roles stand the same; before them, what the keys of
/// the root before the newest one say to it.
fn signatures(roles: &[RoleStatus], handover: Option<&RoleStatus>) -> String {
    if let Some(old) = handover {
        let (old, own) = (signed(old), signatures(roles, None));
        return format!("old keys     {old}\n{own}");
    }
    let lines: Vec<_> = roles.iter().map(signed).collect();
    if lines.iter().all(|other| Some(other) == lines.first()) {
        return format!(
            "signatures   {}",
            lines.first().map_or("none", String::as_str)
        );
    }
    let named = roles
        .iter()
        .zip(&lines)
        .map(|(role, line)| format!("{:12} {line}", role.role.as_str()));
    named.collect::<Vec<_>>().join("\n")
}

/// What the medium says of itself.
pub(super) fn inspection(inspection: &Inspection) -> String {
    let day = |instant: jiff::Timestamp| instant.strftime("%Y-%m-%d").to_string();
    let mut text = format!(
        "bundle       {} (version {}, epoch {})\nbuilt        {}, expires {}\nbill         {}\n\
         content      {} blobs, {}\n",
        inspection.bundle,
        inspection.version,
        inspection.epoch,
        day(inspection.created),
        day(inspection.expires),
        inspection.bill,
        inspection.blobs,
        ByteSize(inspection.bytes),
    );
    for model in &inspection.models {
        let _ = writeln!(
            text,
            "model        {}  {}  {} files, {}  licence {}",
            model.name,
            model.title,
            model.files,
            ByteSize(model.bytes),
            model.licence
        );
    }
    for image in &inspection.images {
        let _ = writeln!(
            text,
            "image        {}  {}  {}",
            image.name,
            image.reference,
            ByteSize(image.bytes)
        );
    }
    let root = &inspection.root;
    let _ = writeln!(
        text,
        "root         version {}, expires {}",
        root.version,
        day(root.expires)
    );
    let _ = writeln!(
        text,
        "fingerprint  {}\n             {}",
        root.fingerprint, root.words
    );
    let _ = writeln!(
        text,
        "{}",
        signatures(&inspection.roles, inspection.handover.as_ref())
    );
    text.push_str("This is what the medium says of itself. `bundle verify` checks it.\n");
    text
}

/// How a verification went.
pub(super) fn verification(
    bundle: &Verified<Bundle>,
    media: &[&dyn Media],
    report: &Report,
) -> String {
    let bill = bundle.bill();
    let signers = bundle
        .signers()
        .iter()
        .map(|(_, keys)| keys.len())
        .min()
        .unwrap_or(0);
    let volumes: Vec<_> = media.iter().map(|volume| volume.label()).collect();
    let mut text = format!(
        "PASS signature  {signers} trusted keys signed {} (version {}, epoch {})\n\
         PASS freshness  not older than what this host has accepted, not expired\n",
        bill.bundle, bill.version, bill.epoch,
    );
    for note in &report.notes {
        let _ = writeln!(text, "note            {note}");
    }
    for problem in &report.problems {
        let _ = writeln!(text, "FAIL contents   {problem}");
    }
    let (files, bytes) = (report.files, ByteSize(report.bytes));
    let word = if report.is_good() { "PASS" } else { "FAIL" };
    let _ = writeln!(
        text,
        "{word} contents   {files} files, {bytes} read on {}, {} problem(s)",
        volumes.join(" and "),
        report.problems.len(),
    );
    text
}
