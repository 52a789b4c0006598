//! Layouts whose documents lie.

use serde_json::json;

use super::{
    site::{MANIFEST, Site, TestLayer, digest},
    tar::Tar,
};
use crate::{ErrorKind, ImageError, Policy};

fn layers() -> Vec<TestLayer> {
    vec![TestLayer::plain(Tar::new().file("a", b"1").end())]
}

/// Changes the manifest, and says what becomes of it.
fn manifest(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let site = Site::new();
    let (_, mut manifest) = site.documents(&layers());
    change(&mut manifest);
    refused(&site, &site.layout(&manifest))
}

fn config(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let site = Site::new();
    let (mut config, mut manifest) = site.documents(&layers());
    change(&mut config);
    let kind = manifest["config"]["mediaType"].as_str().unwrap().to_owned();
    manifest["config"] = site.descriptor(&kind, config.to_string().as_bytes());
    refused(&site, &site.layout(&manifest))
}

fn refused(site: &Site, manifest: &maas_types::Digest) -> String {
    let error = site.unpack(manifest, &Policy::for_user()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Content, "{error}");
    assert!(!site.place().exists() && !site.has_partial());
    if let ImageError::Document { what, detail, .. } = &error {
        return format!("{what}: {detail}");
    }
    error.to_string()
}

#[test]
fn a_manifest_that_is_an_index_as_well_is_refused() {
    let found = manifest(|manifest| manifest["manifests"] = json!([]));
    assert_eq!(
        found,
        "manifest: it is not a manifest of schema 2, or an index as well"
    );
}

#[test]
fn a_manifest_of_another_type_than_announced_is_refused() {
    let found = manifest(|manifest| {
        manifest["mediaType"] = "application/vnd.docker.distribution.manifest.v2+json".into();
    });
    assert!(found.starts_with("manifest: its media type is"), "{found}");
    let found = manifest(|manifest| manifest["config"]["mediaType"] = "text/plain".into());
    assert_eq!(found, "manifest: its config is `text/plain`, no image's");
    let found = manifest(|manifest| manifest["schemaVersion"] = 1.into());
    assert!(
        found.starts_with("manifest: it is not a manifest"),
        "{found}"
    );
}

#[test]
fn a_config_must_promise_as_many_layers_as_there_are() {
    let found = config(|config| config["rootfs"]["diff_ids"] = json!([]));
    assert_eq!(found, "config: it promises 0 layers, the manifest has 1");
    let found = config(|config| config["os"] = "windows".into());
    assert_eq!(found, "config: it is not of a Linux image made of layers");
    let found = config(|config| config["rootfs"]["diff_ids"] = json!(["sha256:../../x"]));
    assert!(
        found.starts_with("config: `sha256:../../x` is not a digest"),
        "{found}"
    );
}

#[test]
fn an_index_that_leads_elsewhere_is_not_followed() {
    let site = Site::new();
    let wanted = site.image(&layers());
    let (_, other) = site.documents(&[]);
    site.layout(&other);
    let error = site.unpack(&wanted, &Policy::for_user()).unwrap_err();
    assert!(matches!(error, ImageError::NotListed { manifest, .. } if manifest == wanted));
    for index in [
        json!({"schemaVersion": 2, "manifests": [], "layers": []}),
        json!({"schemaVersion": 2, "mediaType": MANIFEST, "manifests": []}),
        json!({"schemaVersion": 1, "manifests": []}),
        json!([]),
    ] {
        site.index(&index);
        let found = refused(&site, &wanted);
        assert!(found.starts_with("index: "), "{found}");
    }
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    let site = Site::new();
    let wanted = site.image(&layers());
    let index = site.path("layout/index.json");
    fs_err::write(
        index,
        r#"{"schemaVersion": 2, "manifests": [], "manifests": []}"#,
    )
    .unwrap();
    let found = refused(&site, &wanted);
    assert!(found.contains("`manifests` stands there twice"), "{found}");
}

#[test]
fn blobs_that_are_damaged_cut_long_or_links_are_refused() {
    let damage = |act: &dyn Fn(&camino::Utf8Path)| {
        let site = Site::new();
        let layers = layers();
        let wanted = site.image(&layers);
        let name = digest(&layers[0].blob).hex();
        act(&site.path("layout/blobs/sha256").join(name));
        let error = site.unpack(&wanted, &Policy::for_user()).unwrap_err();
        assert!(!site.place().exists() && !site.has_partial());
        error
    };
    let error = damage(&|path| {
        let mut bytes = fs_err::read(path).unwrap();
        bytes[512] ^= 1;
        fs_err::write(path, bytes).unwrap();
    });
    assert!(matches!(error, ImageError::Damaged { .. }), "{error}");
    let error = damage(&|path| fs_err::write(path, "short").unwrap());
    assert!(
        matches!(error, ImageError::Length { found: 5, .. }),
        "{error}"
    );
    let error = damage(&|path| {
        fs_err::rename(path, path.with_extension("x")).unwrap();
        std::os::unix::fs::symlink(path.with_extension("x"), path).unwrap();
    });
    assert!(matches!(error, ImageError::Io { .. }), "{error}");
    let error = damage(&|path| fs_err::remove_file(path).unwrap());
    assert!(matches!(error, ImageError::Io { .. }), "{error}");
}

#[test]
fn a_layout_of_another_version_is_refused() {
    let site = Site::new();
    let wanted = site.image(&layers());
    fs_err::write(
        site.path("layout/oci-layout"),
        r#"{"imageLayoutVersion": "2.0"}"#,
    )
    .unwrap();
    assert_eq!(refused(&site, &wanted), "layout mark: its version is 2.0");
}
