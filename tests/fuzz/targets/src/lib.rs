//! What the fuzzer runs: one function for each parser of hostile input, and what must hold whatever
//! the input is. A broken promise is a panic.
//!
//! `tests/fuzz/` gives each function to libFuzzer (`tests/scripts/fuzz.sh`); `tests/corpus/` gives it
//! every input that was kept, in an ordinary test. Where a promise needs a second opinion, it is this
//! crate's own and simple: [`json`] reads JSON, [`archive`] writes tar.
//!
//! | module | targets |
//! |---|---|
//! | [`metadata`] | roots, the files of foreign repositories and of bundles |
//! | [`bill`] | bills of lading that are signed and wrong |
//! | [`medium`] | volumes with damage |
//! | [`model`] | headers of weights, settings |
//! | [`image`] | archives of container images |
//! | [`layer`] | layers of an image that is unpacked |
//! | [`backup`] | sealed backups, and archives sealed by somebody hostile |
//! | [`text`] | keys, recipes, manifests, fingerprints |
//! | [`sbom`] | bills of materials, layers, model cards |

pub mod archive;
pub mod backup;
pub mod bill;
pub mod image;
pub mod json;
pub mod layer;
pub mod medium;
pub mod metadata;
pub mod model;
pub mod sbom;
pub mod text;

use std::sync::LazyLock;

use maas_bundle::sample::Sample;

/// The name of a target, which is also its folder in the corpus, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 21] = [
    ("backup_file", backup::backup_file),
    ("bill", bill::bill),
    ("bill_edits", bill::bill_edits),
    ("bundle_metadata", metadata::bundle_metadata),
    ("fingerprint", text::fingerprint),
    ("foreign_metadata", metadata::foreign_metadata),
    ("image_archive", image::image_archive),
    ("image_layer", layer::image_layer),
    ("image_scan", sbom::image_scan),
    ("keys", text::keys),
    ("medium", medium::medium),
    ("model_card", sbom::model_card),
    ("model_manifest", text::model_manifest),
    ("model_settings", model::model_settings),
    ("recipe", text::recipe),
    ("root", metadata::root),
    ("safetensors", model::safetensors),
    ("sbom_summary", sbom::sbom_summary),
    ("shard_index", model::shard_index),
    ("signed_metadata", metadata::signed_metadata),
    ("volume_json", medium::volume_json),
];

/// Stands between the files of an input that is several.
pub const SEPARATOR: &[u8] = b"\n%%\n";

/// The bundle that is damaged, forged and lied about. Built once: signing costs more than parsing.
pub(crate) static SAMPLE: LazyLock<Sample> =
    LazyLock::new(|| Sample::new(7).expect("a sample can be built"));

/// The files of an input, at most `most`; the last takes what is left.
pub fn files(data: &[u8], most: usize) -> Vec<&[u8]> {
    let mut files = Vec::new();
    let mut rest = data;
    while files.len() + 1 < most {
        let Some(at) = rest.windows(SEPARATOR.len()).position(|w| w == SEPARATOR) else {
            break;
        };
        files.push(&rest[..at]);
        rest = &rest[at + SEPARATOR.len()..];
    }
    files.push(rest);
    files
}

/// SHA-256 as this crate computes it: `sha256:<hex>`.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    format!("sha256:{}", hex::encode(sha2::Sha256::digest(bytes)))
}
