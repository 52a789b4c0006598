//! The folder that is written: an OCI image layout (image specification 1.1), and beside it the list of
//! signatures.

use serde::Serialize;

use super::document::{Descriptor, Fetched, INDEX, Platform};
use crate::{FetchError, workspace::Workspace};

/// OCI: a name within a layout.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Signatures are no images. In `index.json` a reader that looks for the one image would find
/// several, so they stand in an index of their own.
const SIGNATURES: &str = "signatures.json";

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    media_type: &'static str,
    manifests: Vec<Descriptor>,
}

/// Where a blob lies below the folder.
pub(super) fn blob_path(descriptor: &Descriptor) -> String {
    format!("blobs/sha256/{}", descriptor.digest.hex())
}

/// Writes a document under the name of its digest.
pub(super) fn write_blob(workspace: &Workspace, document: &Fetched) -> Result<(), FetchError> {
    let place = workspace.folder().join(blob_path(&document.descriptor()));
    workspace.replace(&place, &document.bytes)
}

/// Writes what makes the folder a layout, `index.json` last: without it there is no image.
pub(super) fn write_index(
    workspace: &Workspace,
    name: &str,
    image: &Fetched,
    signatures: Vec<Descriptor>,
) -> Result<(), FetchError> {
    let mut descriptor = image.descriptor().with_annotation(REF_NAME, name);
    descriptor.platform = Some(Platform::linux_amd64());
    let version = br#"{"imageLayoutVersion":"1.0.0"}"#;
    let folder = workspace.folder();
    workspace.replace(&folder.join("oci-layout"), version)?;
    workspace.replace(&folder.join(SIGNATURES), &index(signatures))?;
    workspace.replace(&folder.join("index.json"), &index(vec![descriptor]))
}

fn index(manifests: Vec<Descriptor>) -> Vec<u8> {
    let index = Index {
        schema_version: 2,
        media_type: INDEX,
        manifests,
    };
    serde_json::to_vec_pretty(&index).expect("our own structures are always JSON")
}
