//! Layers of an image that is unpacked.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use maas_image::{Limits, Policy, unpack};
use maas_types::Digest;
use serde_json::{Value, json};

use crate::{archive, files, sha256};

/// Layers, at most three, with their checksums made right when the first byte is odd: the image is
/// unpacked or not there, nothing outside changes, and what is there is nothing but files, folders, links
/// and FIFOs without privileges, the same each time.
pub fn image_layer(data: &[u8]) {
    let Some((how, data)) = data.split_first() else {
        return;
    };
    let layers = files(data, 3)
        .into_iter()
        .map(<[u8]>::to_vec)
        .map(|mut layer| {
            if how % 2 == 1 {
                archive::repair(&mut layer);
            }
            layer
        });
    let layers: Vec<_> = layers.collect();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let folder = Utf8Path::from_path(folder.path()).expect("its name is text");
    let manifest = layout(&folder.join("layout"), &layers);
    fs::create_dir_all(folder.join("canary/folder")).expect("a folder can be made");
    fs::write(folder.join("canary/file"), "untouched").expect("a file can be written");
    fs::create_dir_all(folder.join("images")).expect("a folder can be made");
    let outside = |folder: &Utf8Path| {
        let mut seen = look(folder);
        seen.retain(|path, _| !path.starts_with("images"));
        seen
    };
    let before = outside(folder);
    let once = trees(folder, "images/once", &manifest);
    let again = trees(folder, "images/again", &manifest);
    assert_eq!(outside(folder), before, "something outside changed");
    assert_eq!(once, again, "not the same twice");
    for (path, (mode, _)) in once.iter().flatten() {
        assert_eq!(mode & 0o6000, 0, "{path} has privileges");
        let kinds = [0o100_000, 0o040_000, 0o120_000, 0o010_000];
        assert!(kinds.contains(&(mode & 0o170_000)), "{path} is a device");
    }
}

type Seen = BTreeMap<String, (u32, Vec<u8>)>;

fn trees(folder: &Utf8Path, into: &str, manifest: &Digest) -> Option<Seen> {
    let (layout, into) = (folder.join("layout"), folder.join(into));
    let policy = Policy {
        limits: Limits {
            entries: 200,
            bytes: 1 << 20,
            file_bytes: 1 << 20,
            layer_bytes: 1 << 20,
            depth: 20,
            extension_bytes: 1 << 16,
            ..Limits::default()
        },
        ..Policy::for_user()
    };
    let unpacked = unpack(&layout, manifest, &into, &policy, &mut |_| {});
    let partial = Utf8PathBuf::from(format!("{into}.partial"));
    assert!(!partial.exists(), "a partial folder stayed");
    let Ok(unpacked) = unpacked else {
        assert!(!into.exists(), "it failed and is there");
        return None;
    };
    let second = unpack(&layout, manifest, &into, &policy, &mut |_| {});
    let second = second.expect("what is there is found");
    assert!(second.was_there && second.record == unpacked.record);
    let seen = look(&unpacked.rootfs);
    Some(seen)
}

/// Everything below a folder that can be read: type and mode, bytes or target.
fn look(folder: &Utf8Path) -> Seen {
    let mut seen = Seen::new();
    let mut todo = vec![folder.as_std_path().to_owned()];
    while let Some(path) = todo.pop() {
        let metadata = fs::symlink_metadata(&path).expect("it is there");
        let content = if metadata.is_symlink() {
            let target = fs::read_link(&path).expect("a link can be read");
            target.into_os_string().into_encoded_bytes()
        } else if metadata.is_file() {
            fs::read(&path).unwrap_or_default()
        } else {
            Vec::new()
        };
        if metadata.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten();
            todo.extend(entries.map(|entry| entry.expect("an entry").path()));
        }
        let name = path.strip_prefix(folder).expect("it is below");
        seen.insert(format!("{}", name.display()), (metadata.mode(), content));
    }
    seen
}

/// A layout of an image with these layers as they are.
fn layout(folder: &Utf8Path, layers: &[Vec<u8>]) -> Digest {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("a folder can be made");
    let blob = |kind: &str, bytes: &[u8]| {
        let digest = sha256(bytes);
        let path = blobs.join(digest.trim_start_matches("sha256:"));
        fs::write(path, bytes).expect("a file can be written");
        json!({"mediaType": kind, "digest": digest, "size": bytes.len()})
    };
    let diff_ids: Vec<_> = layers.iter().map(|layer| sha256(layer)).collect();
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let layers = layers
        .iter()
        .map(|layer| blob("application/vnd.oci.image.layer.v1.tar", layer));
    let layers: Vec<Value> = layers.collect();
    let kind = "application/vnd.oci.image.config.v1+json";
    let config = blob(kind, config.to_string().as_bytes());
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers}).to_string();
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let index = json!({"schemaVersion": 2, "manifests": [blob(kind, manifest.as_bytes())]});
    fs::write(folder.join("index.json"), index.to_string()).expect("a file can be written");
    let mark = r#"{"imageLayoutVersion": "1.0.0"}"#;
    fs::write(folder.join("oci-layout"), mark).expect("a file can be written");
    sha256(manifest.as_bytes()).parse().expect("a digest")
}
