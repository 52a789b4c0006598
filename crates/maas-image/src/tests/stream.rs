//! The stream for Docker and containerd.

use std::{collections::BTreeMap, io::Read as _};

use serde_json::Value;

use super::{
    site::{Site, TestLayer, digest},
    tar::Tar,
};
use crate::{ImageError, archive, image_ids};

const NAME: &str = "docker.io/x/engine:1";

fn files(stream: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = ::tar::Archive::new(stream);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        (name, content)
    });
    entries.collect()
}

#[test]
fn the_stream_is_a_layout_and_a_docker_archive_with_the_layers_as_they_are() {
    let site = Site::new();
    let tar = Tar::new().file("a", b"1").end();
    let layers = [
        TestLayer::gzip(&tar),
        TestLayer::zstd(&tar),
        TestLayer::gzip(&tar),
    ];
    let manifest = site.image(&layers);
    let mut stream = Vec::new();
    archive(&site.path("layout"), &manifest, NAME, &mut stream).unwrap();
    let mut again = Vec::new();
    archive(&site.path("layout"), &manifest, NAME, &mut again).unwrap();
    assert_eq!(stream, again);

    let list = files(&stream);
    let files: BTreeMap<_, _> = list.iter().cloned().collect();
    assert_eq!(files.len(), list.len(), "a name stands there twice");
    let json = |name: &str| serde_json::from_slice::<Value>(&files[name]).unwrap();
    assert_eq!(json("oci-layout")["imageLayoutVersion"], "1.0.0");
    let index = &json("index.json")["manifests"][0];
    assert_eq!(index["digest"], manifest.to_string());
    assert_eq!(index["annotations"]["io.containerd.image.name"], NAME);
    let docker = &json("manifest.json")[0];
    assert_eq!(docker["RepoTags"][0], NAME);
    let ids = image_ids(&site.path("layout"), &manifest).unwrap();
    assert_eq!(
        docker["Config"],
        format!("blobs/sha256/{}", ids.config.hex())
    );
    let named: Vec<_> = docker["Layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();
    assert_eq!(named.len(), 3);
    for (name, layer) in named.iter().zip(&layers) {
        assert_eq!(files[name.trim_matches('"')], layer.blob);
    }
    for (name, content) in &files {
        if let Some(hex) = name.strip_prefix("blobs/sha256/") {
            assert_eq!(digest(content).hex(), hex);
        }
    }
}

#[test]
fn a_damaged_blob_ends_the_stream_before_its_end() {
    let site = Site::new();
    let layer = TestLayer::plain(Tar::new().file("a", b"1").end());
    let manifest = site.image(std::slice::from_ref(&layer));
    let path = site
        .path("layout/blobs/sha256")
        .join(digest(&layer.blob).hex());
    fs_err::write(path, vec![0; layer.blob.len()]).unwrap();
    let mut stream = Vec::new();
    let error = archive(&site.path("layout"), &manifest, NAME, &mut stream).unwrap_err();
    assert!(matches!(error, ImageError::Damaged { .. }), "{error}");
    // The layer is the last blob, and its zeros are all that came of it.
    let before_the_end = stream.len() - layer.blob.len();
    let header = &stream[before_the_end - 512..before_the_end];
    assert!(header.starts_with(b"blobs/sha256/"));
}
