//! A container image of one layer with one file, as an OCI layout folder.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

use crate::{
    MemoryMedia, digest_of, json,
    oci::{self, Descriptor, Index, Manifest},
};

/// Adds the layout below `folder` of the inputs.
pub(super) fn add_layout(inputs: MemoryMedia, folder: &str) -> MemoryMedia {
    let tar = layer();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&tar).expect("memory can be written");
    let packed = gzip.finish().expect("memory can be written");
    let config = format!(
        "{{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{{}},\"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[\"{}\"]}}}}",
        digest_of(&tar)
    );
    let descriptor = |media_type, bytes: &[u8]| {
        Descriptor::new(media_type, digest_of(bytes), bytes.len() as u64)
    };
    let manifest = json::pretty(&Manifest::new(
        descriptor(oci::CONFIG, config.as_bytes()),
        vec![descriptor(
            "application/vnd.oci.image.layer.v1.tar+gzip",
            &packed,
        )],
    ));
    let index = Index::new(vec![
        descriptor(oci::MANIFEST, &manifest)
            .with_platform()
            .with_name("example.org/engine:1"),
    ]);
    let blob = |bytes: &[u8]| format!("{folder}/blobs/sha256/{}", digest_of(bytes).hex());
    inputs
        .with(
            &format!("{folder}/oci-layout"),
            &b"{\"imageLayoutVersion\": \"1.0.0\"}"[..],
        )
        .with(&format!("{folder}/index.json"), json::pretty(&index))
        .with(&blob(&packed), packed.as_slice())
        .with(&blob(config.as_bytes()), config.as_bytes())
        .with(&blob(&manifest), manifest.as_slice())
}

/// `etc/motd`, in a tar archive.
fn layer() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    let text = b"A sample layer.\n";
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    archive
        .append_data(&mut header, "etc/motd", &text[..])
        .expect("memory can be written");
    archive.into_inner().expect("memory can be written")
}
