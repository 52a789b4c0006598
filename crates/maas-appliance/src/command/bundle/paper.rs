//! The paper that travels with a stick: what is on it, and what to compare before anything is believed.

use std::fmt::Write as _;

use maas_bundle::{Copied, Inspection};
use maas_types::ByteSize;

/// A page for one volume.
pub(super) fn label(inspection: &Inspection, volume: &Copied) -> String {
    let day = |instant: jiff::Timestamp| instant.strftime("%Y-%m-%d").to_string();
    let signers: std::collections::BTreeSet<_> = inspection
        .roles
        .iter()
        .flat_map(|role| &role.signed)
        .map(maas_bundle::SignerId::short)
        .collect();
    let signers: Vec<_> = signers.into_iter().collect();
    let mut page = format!(
        "\n{:=^78}\n\n  {}\n\n  bundle       {} (version {}, epoch {})\n  built        {}, expires {}\n",
        " maas-appliance release ",
        volume.label,
        inspection.bundle,
        inspection.version,
        inspection.epoch,
        day(inspection.created),
        day(inspection.expires),
    );
    let _ = write!(
        page,
        "  this stick   {} files, {}\n  signed by    {}\n  bill         {}\n",
        volume.objects,
        ByteSize(volume.bytes),
        if signers.is_empty() {
            "nobody yet".to_owned()
        } else {
            signers.join(", ")
        },
        inspection.bill,
    );
    let root = &inspection.root;
    let _ = write!(
        page,
        "\n  Before the program on the stick is started, compare it with this line:\n  \
         sha256sum maas-appliance\n  {}\n\n  Before root {} is trusted, compare it with this, \
         read out by the sender:\n  {}\n  {}\n\n  Then: sudo ./maas-appliance bundle verify STICK…   \
         and   sudo ./maas-appliance install --media STICK …\n\n{:=^78}\n",
        inspection.binary.hex(),
        root.version,
        root.fingerprint,
        root.words,
        "",
    );
    page
}
