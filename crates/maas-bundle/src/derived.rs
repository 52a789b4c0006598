//! Files for people and for other tools, each a pure function of the bill and of what lies on the
//! volume (FORMAT.md 2.5). Nothing here is signed and nothing is believed: verification makes them
//! again and compares bytes.

use maas_types::{BillOfLading, Digest};
use serde::Serialize;

use crate::{
    MediaPath, json,
    oci::{self, Descriptor},
    volume::{Assignment, ObjectName, VolumeRecord},
};

/// A derived file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Derived {
    pub(crate) path: MediaPath,
    pub(crate) bytes: Vec<u8>,
}

/// The derived files that are the same on every volume.
pub(crate) fn common(bill: &BillOfLading) -> Vec<Derived> {
    vec![
        Derived {
            path: MediaPath::oci_layout(&bill.bundle),
            bytes: oci_layout(),
        },
        Derived {
            path: MediaPath::oci_index(&bill.bundle),
            bytes: oci_index(bill),
        },
    ]
}

/// All derived files of one volume (1 for the first).
pub(crate) fn files(
    bill: &BillOfLading,
    bill_digest: &Digest,
    assignment: &Assignment,
    volume: usize,
) -> Vec<Derived> {
    let mut files = common(bill);
    files.push(sums(bill, bill_digest, assignment.share(volume)));
    let record = VolumeRecord::new(&bill.bundle, bill_digest, assignment, volume);
    files.push(Derived {
        path: MediaPath::volume(&bill.bundle),
        bytes: record.render(),
    });
    files
}

/// `SHA256SUMS`, for `sha256sum -c` in the bundle's folder: every file of the volume but itself,
/// `volume.json` and the metadata, which changes when somebody signs.
pub(crate) fn sums(bill: &BillOfLading, bill_digest: &Digest, here: &[ObjectName]) -> Derived {
    let bundle = &bill.bundle;
    let folder = MediaPath::bundle(bundle);
    let relative = |path: MediaPath| {
        let inside = path
            .as_str()
            .strip_prefix(folder.as_str())
            .and_then(|rest| rest.strip_prefix('/'));
        inside.map_or_else(|| format!("../../{path}"), str::to_owned)
    };
    let mut lines: Vec<(String, Digest)> = common(bill)
        .into_iter()
        .map(|file| (relative(file.path), crate::digest_of(&file.bytes)))
        .collect();
    lines.push((relative(MediaPath::bill(bundle, bill_digest)), *bill_digest));
    lines.extend(here.iter().map(|o| (relative(o.path(bundle)), o.digest)));
    lines.extend(
        bill.medium_files
            .iter()
            .map(|file| (format!("../../{}", file.name), file.digest)),
    );
    lines.sort();
    let text: Vec<_> = lines
        .iter()
        .map(|(name, digest)| format!("{}  {name}\n", digest.hex()))
        .collect();
    Derived {
        path: MediaPath::sums(bundle),
        bytes: text.concat().into_bytes(),
    }
}

/// `oci-layout` of the OCI image layout 1.0.
fn oci_layout() -> Vec<u8> {
    #[derive(Serialize)]
    struct Layout {
        #[serde(rename = "imageLayoutVersion")]
        version: &'static str,
    }
    json::pretty(&Layout { version: "1.0.0" })
}

/// `index.json`: images by name, models as `model/<name>`.
fn oci_index(bill: &BillOfLading) -> Vec<u8> {
    let images = bill.images.iter().map(|image| {
        Descriptor::new(&image.media_type, image.manifest, image.manifest_size)
            .with_platform()
            .with_name(image.name.as_str())
    });
    let models = bill.models.iter().map(|model| {
        let size = bill.blob(&model.oci_manifest).map_or(0, |blob| blob.size);
        Descriptor::new(oci::MANIFEST, model.oci_manifest, size)
            .with_artifact_type(oci::MODEL_ARTIFACT)
            .with_name(&format!("model/{}", model.manifest.name))
    });
    json::pretty(&oci::Index::new(images.chain(models).collect()))
}
