//! A folder with an image's layout, a place for its root file system, and canaries around it.

use std::{collections::BTreeMap, os::unix::fs::MetadataExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::Digest;
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::{ImageError, Policy, Unpacked, beneath::Resolve, unpack::unpack_by};

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

pub(super) fn digest(bytes: &[u8]) -> Digest {
    Digest::from_bytes(sha2::Sha256::digest(bytes).into())
}

/// A layer with everything that is said about it.
#[derive(Debug, Clone)]
pub(super) struct TestLayer {
    pub(super) blob: Vec<u8>,
    pub(super) kind: String,
    pub(super) diff_id: Digest,
    pub(super) urls: Vec<String>,
}

impl TestLayer {
    pub(super) fn plain(tar: Vec<u8>) -> Self {
        Self {
            diff_id: digest(&tar),
            blob: tar,
            kind: LAYER.to_owned(),
            urls: Vec::new(),
        }
    }

    pub(super) fn gzip(tar: &[u8]) -> Self {
        Self {
            blob: gzip(tar),
            kind: format!("{LAYER}+gzip"),
            ..Self::plain(tar.to_vec())
        }
    }

    pub(super) fn zstd(tar: &[u8]) -> Self {
        Self {
            blob: zstd::encode_all(tar, 3).unwrap(),
            kind: format!("{LAYER}+zstd"),
            ..Self::plain(tar.to_vec())
        }
    }
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What was found at a path: type and mode, owner, time, bytes or target.
pub(super) type Seen = (u32, u32, u32, i64, Vec<u8>);

pub(super) struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = Self { folder };
        fs_err::create_dir_all(site.path("images")).unwrap();
        fs_err::create_dir_all(site.path("layout/blobs/sha256")).unwrap();
        fs_err::create_dir_all(site.path("canary/folder")).unwrap();
        for name in ["canary/file", "canary/folder/file"] {
            fs_err::write(site.path(name), "untouched").unwrap();
        }
        site
    }

    pub(super) fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.folder.path()).unwrap().join(name)
    }

    pub(super) fn canary(&self) -> Utf8PathBuf {
        self.path("canary")
    }

    pub(super) fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = digest(bytes);
        fs_err::write(self.path("layout/blobs/sha256").join(digest.hex()), bytes).unwrap();
        digest
    }

    pub(super) fn descriptor(&self, kind: &str, bytes: &[u8]) -> Value {
        json!({"mediaType": kind, "digest": self.blob(bytes), "size": bytes.len()})
    }

    /// Config and manifest of an image with these layers.
    pub(super) fn documents(&self, layers: &[TestLayer]) -> (Value, Value) {
        let diff_ids: Vec<_> = layers.iter().map(|layer| layer.diff_id).collect();
        let config = json!({
            "architecture": "amd64", "os": "linux",
            "config": {"Entrypoint": ["/bin/engine"], "Cmd": null, "Env": ["A=b"], "User": "1000"},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let layers: Vec<_> = layers
            .iter()
            .map(|layer| {
                let mut descriptor = self.descriptor(&layer.kind, &layer.blob);
                if !layer.urls.is_empty() {
                    descriptor["urls"] = json!(layer.urls);
                }
                descriptor
            })
            .collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": self.descriptor(CONFIG, config.to_string().as_bytes()),
            "layers": layers,
        });
        (config, manifest)
    }

    /// Writes a layout with one manifest.
    pub(super) fn layout(&self, manifest: &Value) -> Digest {
        let text = manifest.to_string();
        let descriptor = self.descriptor(MANIFEST, text.as_bytes());
        self.index(&json!({"schemaVersion": 2, "manifests": [descriptor]}));
        digest(text.as_bytes())
    }

    pub(super) fn index(&self, index: &Value) {
        fs_err::write(self.path("layout/index.json"), index.to_string()).unwrap();
        let mark = r#"{"imageLayoutVersion": "1.0.0"}"#;
        fs_err::write(self.path("layout/oci-layout"), mark).unwrap();
    }

    pub(super) fn image(&self, layers: &[TestLayer]) -> Digest {
        let (_, manifest) = self.documents(layers);
        self.layout(&manifest)
    }

    pub(super) fn place(&self) -> Utf8PathBuf {
        self.path("images/one")
    }

    pub(super) fn unpack(
        &self,
        manifest: &Digest,
        policy: &Policy,
    ) -> Result<Unpacked, ImageError> {
        self.unpack_by(None, manifest, policy)
    }

    pub(super) fn unpack_by(
        &self,
        resolve: Option<Resolve>,
        manifest: &Digest,
        policy: &Policy,
    ) -> Result<Unpacked, ImageError> {
        let (layout, into) = (self.path("layout"), self.place());
        unpack_by(resolve, &layout, manifest, &into, policy, &mut |_| {})
    }

    /// Unpacks layers as plain archives.
    pub(super) fn lay(&self, layers: &[Vec<u8>], policy: &Policy) -> Result<Unpacked, ImageError> {
        let layers: Vec<_> = layers.iter().cloned().map(TestLayer::plain).collect();
        self.unpack(&self.image(&layers), policy)
    }

    pub(super) fn rootfs(&self) -> BTreeMap<String, Seen> {
        look(&self.place().join("rootfs"))
    }

    /// Everything but what is being unpacked.
    pub(super) fn surroundings(&self) -> BTreeMap<String, Seen> {
        let mut seen = look(&self.path(""));
        seen.retain(|path, _| !path.starts_with("images"));
        // A folder's time changes as something is made in it; `images` itself is not looked at.
        seen
    }

    pub(super) fn has_partial(&self) -> bool {
        fs_err::symlink_metadata(self.path("images/one.partial")).is_ok()
    }
}

/// All below a folder, itself included under `.`.
pub(super) fn look(folder: &Utf8Path) -> BTreeMap<String, Seen> {
    let mut seen = BTreeMap::new();
    let mut todo = vec![folder.to_owned().into_std_path_buf()];
    while let Some(path) = todo.pop() {
        let metadata = fs_err::symlink_metadata(&path).unwrap();
        let content = if metadata.is_symlink() {
            fs_err::read_link(&path)
                .unwrap()
                .into_os_string()
                .into_encoded_bytes()
        } else if metadata.is_file() {
            fs_err::read(&path).unwrap_or_default()
        } else {
            Vec::new()
        };
        if metadata.is_dir()
            && let Ok(entries) = fs_err::read_dir(&path)
        {
            todo.extend(entries.map(|entry| entry.unwrap().path()));
        }
        let name = path
            .strip_prefix(folder)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let name = if name.is_empty() {
            ".".to_owned()
        } else {
            name
        };
        let m = &metadata;
        seen.insert(name, (m.mode(), m.uid(), m.gid(), m.mtime(), content));
    }
    seen
}
