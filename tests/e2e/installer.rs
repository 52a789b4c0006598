//! What lies on the medium beside the data.

use maas_tests::repository;

#[test]
fn the_bootstrap_is_short_enough_to_be_read_before_it_is_run() {
    let script = std::fs::read_to_string(repository().join("installer/install.sh")).unwrap();
    assert!(script.lines().count() <= 80);
}

#[test]
fn every_manifest_of_the_catalogue_is_valid_and_named_like_its_file() {
    let mut seen = 0;
    for entry in repository()
        .join("models-manifest")
        .read_dir_utf8()
        .unwrap()
    {
        let path = entry.unwrap().path().to_owned();
        if path.extension() != Some("toml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let manifest: maas_types::ModelManifest =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(Some(manifest.name.as_str()), path.file_stem(), "{path}");
        seen += 1;
    }
    assert!(seen >= 3, "the catalogue is gone");
}
