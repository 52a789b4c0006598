//! Bundles that earlier versions wrote are still read, and the present version writes the same bytes.

use camino::Utf8PathBuf;
use maas_bundle::{
    Expired, Floors, Media, Silent, Trust, TrustedRoot, sample::Sample, verify_contents,
    verify_metadata,
};
use maas_store::MediaFolder;
use maas_tests::{Attack, Verdict, repository};

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

/// What the host of an attack has accepted before, and when it meets the bundle.
#[derive(serde::Deserialize)]
struct Host {
    now: jiff::Timestamp,
    floors: Floors,
}

/// What a host says to the attack in `folder`, from real files.
fn verdict(folder: &Utf8PathBuf) -> Verdict {
    let root = std::fs::read(folder.join("trusted.root.json")).unwrap();
    let host = std::fs::read(folder.join("host.json")).unwrap();
    let host: Host = serde_json::from_slice(&host).unwrap();
    let folders = volumes(folder);
    let media: Vec<_> = folders.iter().map(|folder| folder as &dyn Media).collect();
    let root = TrustedRoot::from_store(&root).unwrap();
    let mut verdict = Verdict::of(&media, &root, &host.floors, host.now);
    for (number, volume) in (1..).zip(&folders) {
        for line in &mut verdict.lines {
            *line = line.replace(volume.label(), &format!("stick-{number}"));
        }
    }
    verdict
}

#[test]
fn every_attack_gets_its_verdict() {
    let bad = repository().join("bundle/golden/bad");
    let mut said = Vec::new();
    for attack in Attack::all() {
        let folder = bad.join(attack.name);
        assert!(
            folder.exists(),
            "{folder} is missing: cargo run -p maas-tests --example freeze_attacks -- bundle/golden/bad"
        );
    }
    let mut folders: Vec<_> = bad
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert!(folders.len() > 80);
    for folder in folders {
        let verdict = verdict(&folder);
        let frozen = std::fs::read_to_string(folder.join("exit.txt")).unwrap();
        assert_ne!(verdict.exit.code(), 0, "{folder} is accepted");
        assert_eq!(verdict.exit.code().to_string(), frozen.trim(), "{folder}");
        let name = folder.file_name().unwrap();
        said.push(format!("{name}: {}", verdict.text()));
    }
    insta::assert_snapshot!("attacks", said.join("\n"));
}

#[test]
fn an_attack_that_is_undone_is_accepted() {
    // The fixtures are refused for what they are about, and not because all samples are.
    let sample = Sample::new(7).unwrap();
    let media = sample.volumes();
    let verdict = Verdict::of(&media, &sample.root, &Floors::default(), sample.now);
    assert_eq!(verdict.exit.code(), 0, "{}", verdict.text());
}
