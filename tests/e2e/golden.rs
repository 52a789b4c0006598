//! Bundles that earlier versions wrote are still read, and the present version writes the same bytes.

use camino::Utf8PathBuf;
use maas_bundle::{
    Expired, Floors, Media, Silent, Trust, TrustedRoot, sample::Sample, verify_contents,
    verify_metadata,
};
use maas_store::MediaFolder;
use maas_tests::repository;

fn golden_bundles() -> Vec<Utf8PathBuf> {
    let folder = repository().join("bundle/golden/good");
    let entries = folder.read_dir_utf8().unwrap();
    entries.map(|entry| entry.unwrap().into_path()).collect()
}

/// The volumes of a golden bundle, by name.
fn volumes(bundle: &Utf8PathBuf) -> Vec<MediaFolder> {
    let mut folders: Vec<_> = bundle
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
        .iter()
        .map(|folder| MediaFolder::open(folder).unwrap())
        .collect()
}

#[test]
fn every_golden_bundle_is_still_accepted() {
    let bundles = golden_bundles();
    assert!(!bundles.is_empty());
    for bundle in bundles {
        let root = std::fs::read(bundle.join("trusted.root.json")).unwrap();
        let root = TrustedRoot::from_store(&root).unwrap();
        let folders = volumes(&bundle);
        let media: Vec<_> = folders.iter().map(|folder| folder as &dyn Media).collect();
        let trust = Trust {
            root: &root,
            floors: &Floors::default(),
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
            expired: &Expired::Refuse,
        };
        let verified = verify_metadata(&media, None, &trust)
            .unwrap_or_else(|error| panic!("{bundle}: {error}"));
        let report = verify_contents(&verified, &media, &Silent);
        assert!(report.is_good(), "{bundle}: {:?}", report.problems);
    }
}

#[test]
fn what_is_written_today_is_what_was_written_before() {
    let frozen = repository().join("bundle/golden/good/two-volumes");
    let sample = Sample::on_volumes(7, 2).unwrap();
    for media in &sample.media {
        for path in media.files.keys() {
            let before = std::fs::read(frozen.join(media.label()).join(path)).unwrap_or_default();
            assert!(
                media.bytes(path) == Some(&before[..]),
                "{path} differs: the format has changed, which needs a new golden bundle \
                 (tests/examples/freeze_golden.rs) and a word in bundle/FORMAT.md"
            );
        }
    }
}
