//! An image as one tar stream, without a copy on the disk: what `docker load` and `ctr images import`
//! read from their standard input.
//!
//! The stream is an OCI layout and a `docker save` archive at once, as `docker save` itself has written
//! since version 25: `manifest.json` names the same blobs as `index.json`. Layers go as they are, so the
//! image keeps its digests.

use std::{
    collections::BTreeSet,
    io::{self, Read, Write},
};

use camino::Utf8Path;
use maas_types::Digest;
use serde_json::{Value, json};
use tar::{EntryType, Header};

use crate::{
    blob,
    document::{INDEX, Image},
    error::ImageError,
    policy::Limits,
};

const BLOCK: usize = 512;
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The full name, which containerd asks for first.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// The two numbers by which engines know an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageIds {
    /// The manifest's digest: containerd's, and Docker's with the containerd store.
    pub manifest: Digest,
    /// The config's digest: podman's and Docker's "image ID".
    pub config: Digest,
}

/// The numbers by which engines will know an image of a layout.
pub fn image_ids(layout: &Utf8Path, manifest: &Digest) -> Result<ImageIds, ImageError> {
    let image = Image::open(layout, manifest, &Limits::default())?;
    Ok(ImageIds {
        manifest: *manifest,
        config: image.config.digest,
    })
}

/// Writes an image of a layout as one tar stream. `name` is what engines are to call it, with a tag
/// (`docker.io/vllm/vllm-openai:v0.32.0`; see [`crate::engine::tagged`]). Every blob is hashed on its way:
/// after an error the receiver may hold part of an image, and has not been told the archive's end.
pub fn archive(
    layout: &Utf8Path,
    manifest: &Digest,
    name: &str,
    mut out: impl Write,
) -> Result<(), ImageError> {
    let image = Image::open(layout, manifest, &Limits::default())?;
    let sent = |error| ImageError::io("send", name, error);
    file(
        &mut out,
        "oci-layout",
        &json!({"imageLayoutVersion": "1.0.0"}),
    )
    .map_err(sent)?;
    file(&mut out, "index.json", &index(&image, name)).map_err(sent)?;
    file(&mut out, "manifest.json", &docker_manifest(&image, name)).map_err(sent)?;
    let documents = [&image.manifest, &image.config].map(|d| (d.digest, d.size));
    let layers = image.layers.iter().map(|layer| (layer.digest, layer.size));
    let mut sent_before = BTreeSet::new();
    for (digest, size) in documents.into_iter().chain(layers) {
        // An image may use one layer twice.
        if sent_before.insert(digest) {
            send(&mut out, layout, &digest, size, name)?;
        }
    }
    out.write_all(&[0; 2 * BLOCK])
        .and_then(|()| out.flush())
        .map_err(sent)
}

fn index(image: &Image, name: &str) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [{
            "mediaType": image.manifest.media_type,
            "digest": image.manifest.digest,
            "size": image.manifest.size,
            "annotations": { CONTAINERD_NAME: name, REF_NAME: name },
        }],
    })
}

fn docker_manifest(image: &Image, name: &str) -> Value {
    let layers = image.layers.iter().map(|layer| blob_name(&layer.digest));
    json!([{
        "Config": blob_name(&image.config.digest),
        "RepoTags": [name],
        "Layers": layers.collect::<Vec<_>>(),
    }])
}

fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn file(out: &mut impl Write, name: &str, value: &Value) -> io::Result<()> {
    let text = value.to_string();
    entry(out, name, text.len() as u64, &mut text.as_bytes())
}

fn send(
    out: &mut impl Write,
    layout: &Utf8Path,
    digest: &Digest,
    size: u64,
    name: &str,
) -> Result<(), ImageError> {
    let mut blob = blob::open(layout, digest, size)?;
    entry(out, &blob_name(digest), size, &mut blob)
        .map_err(|error| ImageError::io("send", name, error))?;
    blob::is(layout, digest, &blob)
}

/// One file. Not with the `tar` crate's builder: it writes the archive's end when it is dropped, after an
/// error too, and the receiver would take half an image for a whole one.
fn entry(out: &mut impl Write, name: &str, size: u64, content: &mut dyn Read) -> io::Result<()> {
    out.write_all(header(name, size)?.as_bytes())?;
    let sent = io::copy(&mut content.take(size), out)?;
    if sent < size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let padding = usize::try_from(size.wrapping_neg() % BLOCK as u64).unwrap_or(0);
    out.write_all(&[0; BLOCK][..padding])
}

/// The same on every host and at every time.
fn header(name: &str, size: u64) -> io::Result<Header> {
    let mut header = Header::new_gnu();
    header.set_path(name)?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(size);
    header.set_mode(0o444);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    Ok(header)
}
