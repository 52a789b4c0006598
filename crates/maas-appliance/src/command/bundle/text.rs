//! Bundles as people read about them.

use std::fmt::Write as _;

use maas_bundle::{Built, Bundle, Difference, Inspection, Media, Metadata, RoleStatus, Verified};
use maas_types::ByteSize;

use super::verify::Found;

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

/// Who has signed what, in full.
pub(super) fn signers(inspection: &Inspection) -> String {
    let root = &inspection.root;
    let mut text = format!(
        "root {} of fingerprint {}\n     {}\n",
        root.version, root.fingerprint, root.words
    );
    for role in inspection.handover.iter().chain(&inspection.roles) {
        let _ = writeln!(
            text,
            "\n{} {}: {} needed",
            role.role, role.version, role.need
        );
        for (word, keys) in [
            ("signed", &role.signed),
            ("could sign", &role.could),
            ("WRONG", &role.wrong),
        ] {
            for key in keys {
                let _ = writeln!(text, "  {word:10}  {key}");
            }
        }
    }
    for maker in &inspection.makers {
        let _ = writeln!(text, "\n{} must be signed by {}", maker.of, maker.by);
    }
    text.push_str("\nThis is what the medium says of itself. `bundle verify` checks it.\n");
    text
}

/// What changes from one bundle to another.
pub(super) fn difference(difference: &Difference) -> String {
    let side = |side: &maas_bundle::Side| {
        format!(
            "{} (version {}, epoch {})",
            side.bundle, side.version, side.epoch
        )
    };
    let mut text = format!(
        "from  {}\nto    {}\n",
        side(&difference.from),
        side(&difference.to)
    );
    for change in &difference.changes {
        let _ = writeln!(text, "  {:8} {}", change.how.as_str(), change.what);
    }
    let _ = writeln!(
        text,
        "{} are new, {} are in both. Nothing here is verified.",
        ByteSize(difference.new_bytes),
        ByteSize(difference.common_bytes)
    );
    text
}

/// How a verification went.
pub(super) fn verification(
    bundle: &Verified<Bundle>,
    media: &[&dyn Media],
    found: &Found,
) -> String {
    let report = &found.report;
    let bill = bundle.bill();
    let signers = bundle.signers().iter().map(|(_, keys)| keys.len()).min();
    let volumes: Vec<_> = media.iter().map(|volume| volume.label()).collect();
    let mut text = format!(
        "PASS signature  {} trusted keys signed {} (version {}, epoch {})\n\
         PASS freshness  not older than what this host has accepted, not expired\n",
        signers.unwrap_or(0),
        bill.bundle,
        bill.version,
        bill.epoch,
    );
    for note in &report.notes {
        let _ = writeln!(text, "note            {note}");
    }
    for problem in &report.problems {
        let _ = writeln!(text, "FAIL contents   {problem}");
    }
    let (files, bytes) = (report.files, ByteSize(report.bytes));
    let word = if report.is_good() { "PASS" } else { "FAIL" };
    let extent = if found.content_read {
        format!("{files} files, {bytes} read")
    } else {
        format!("names, lengths and {files} small files; no content was read")
    };
    let _ = writeln!(
        text,
        "{word} contents   {extent} on {}, {} problem(s)",
        volumes.join(" and "),
        report.problems.len(),
    );
    delta(&mut text, found);
    for endorsement in &found.endorsements {
        let _ = writeln!(
            text,
            "PASS maker      {} is signed by {}",
            endorsement.of, endorsement.by
        );
    }
    if let Some((refused, _)) = &found.refused {
        let _ = writeln!(text, "FAIL inside     {refused}");
    }
    text
}

fn delta(text: &mut String, found: &Found) {
    let left_out = found.report.left_out.len();
    if left_out == 0 {
        return;
    }
    let lacking = found.lacking.len();
    let _ = if lacking == 0 {
        writeln!(
            text,
            "PASS delta      {left_out} blob(s) are left out, and all of them are here"
        )
    } else {
        writeln!(
            text,
            "FAIL delta      {left_out} blob(s) are left out, and {lacking} of them are not here"
        )
    };
}
