//! Damage of every kind, anywhere on a medium, is found; and what is read is what was signed.

use proptest::prelude::*;

use super::*;
use crate::{Content, MemoryMedia, Silent, locate, sample::Sample};

/// So small that the sample's files travel in parts as well.
const PART_BYTES: u64 = 100;

fn sample(volumes: u32) -> Sample {
    Sample::assemble(7, volumes, PART_BYTES, &Sample::inputs(), Sample::key).unwrap()
}

/// Everything that a host would check, as findings; none when all is good.
fn findings(sample: &Sample) -> Vec<String> {
    match sample.verified() {
        Err(error) => vec![error.to_string()],
        Ok(verified) => verify_contents(&verified, &sample.volumes(), &Silent)
            .problems
            .iter()
            .map(ToString::to_string)
            .collect(),
    }
}

fn report(sample: &Sample) -> Report {
    verify_contents(&sample.verified().unwrap(), &sample.volumes(), &Silent)
}

#[test]
fn an_untouched_bundle_is_good_on_one_volume_and_on_three() {
    for volumes in [1, 3] {
        let sample = sample(volumes);
        assert_eq!(findings(&sample), Vec::<String>::new());
        let report = report(&sample);
        assert_eq!(report.exit(), Exit::Done);
        assert!(report.bytes > 1000);
    }
}

#[test]
fn the_order_of_the_volumes_does_not_matter() {
    let mut sample = sample(3);
    sample.media.reverse();
    assert_eq!(findings(&sample), Vec::<String>::new());
}

#[test]
fn one_flipped_bit_anywhere_in_any_file_is_found() {
    let good = sample(2);
    let files: Vec<(usize, String, usize)> = good
        .media
        .iter()
        .enumerate()
        .flat_map(|(at, media)| {
            let paths = media.files.keys();
            paths.map(move |path| (at, path.clone(), media.bytes(path).map_or(0, <[u8]>::len)))
        })
        .collect();
    for (medium, path, length) in files {
        // Every byte of every file would take minutes: first, last, and some between.
        for position in [0, 1, length / 3, length / 2, length - 1] {
            let mut damaged = good.clone();
            damaged.media[medium].change(&path, |bytes| bytes[position] ^= 1);
            let found = findings(&damaged);
            assert!(!found.is_empty(), "byte {position} of {path}");
        }
    }
}

#[test]
fn a_changed_part_is_named_with_its_place_in_the_file() {
    let mut sample = sample(1);
    let verified = sample.verified().unwrap();
    let located = locate(&verified, &sample.volumes()).unwrap();
    let tokenizer = &verified.bill().models[0].oci_manifest;
    let blob = located
        .blobs()
        .iter()
        .find(|b| b.blob.digest == *tokenizer)
        .unwrap();
    let second = blob.objects[1].path.as_str().to_owned();
    sample.media[0].change(&second, |bytes| bytes[0] ^= 1);
    let report = report(&sample);
    let [problem] = report.problems.as_slice() else {
        panic!("{report:?}");
    };
    assert_eq!(problem.carries, "the manifest of model `tiny`");
    assert!(
        matches!(
            problem.fault,
            Fault::Digest {
                range: (100, 200),
                ..
            }
        ),
        "{problem}"
    );
    assert_eq!(report.exit(), Exit::Content);
}

#[test]
fn a_missing_volume_is_named_once() {
    let mut sample = sample(3);
    sample.media.remove(1);
    let report = report(&sample);
    let named: Vec<_> = report
        .problems
        .iter()
        .map(|p| (p.volume.as_str(), p.exit()))
        .collect();
    assert_eq!(named, [("sample-7 2 of 3", Exit::Medium)]);
    assert_eq!(report.exit(), Exit::Medium);
    let verified = sample.verified().unwrap();
    let located = locate(&verified, &sample.volumes()).unwrap();
    let asked = located.missing().iter().filter_map(|m| m.volume.as_deref());
    assert!(asked.eq(std::iter::repeat_n(
        "sample-7 2 of 3",
        located.missing().len()
    )));
    assert!(!located.missing().is_empty());
}

#[test]
fn what_is_cut_off_extended_deleted_or_no_file_is_named() {
    let blob = |sample: &Sample| {
        let paths = sample.media[0].files.keys();
        paths
            .clone()
            .find(|p| p.contains("/blobs/"))
            .cloned()
            .unwrap()
    };
    let found = |damage: &dyn Fn(&mut MemoryMedia, &str)| {
        let mut sample = sample(1);
        let path = blob(&sample);
        damage(&mut sample.media[0], &path);
        let problems = report(&sample).problems;
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems[0].fault.to_string()
    };
    let cut = found(&|media, path| media.change(path, |bytes| bytes.truncate(5)));
    assert!(cut.starts_with("is cut off: 5 of "), "{cut}");
    let long = found(&|media, path| media.change(path, |bytes| bytes.push(0)));
    assert!(long.starts_with("is too long: "), "{long}");
    let gone = found(&|media, path| drop(media.files.remove(path)));
    assert_eq!(gone, "is missing");
    let link = found(&|media, path| drop(media.files.insert(path.to_owned(), Content::Link)));
    assert_eq!(link, "is a symbolic link, not a file");
    let extra = found(&|media, _| {
        let path = "MAAS/sample-7/blobs/sha256/notes.txt".to_owned();
        media.files.insert(path, b"hello"[..].into());
    });
    assert_eq!(extra, "is a file that does not belong there");
}

#[test]
fn what_other_systems_leave_behind_is_noted_and_autorun_is_not() {
    let mut sample = sample(1);
    for path in [
        "System Volume Information/x",
        ".Trashes/1",
        "._install.sh",
        ".DS_Store",
        "MAAS/._sample-7",
    ] {
        sample.media[0]
            .files
            .insert(path.to_owned(), b"x"[..].into());
    }
    let clean = report(&sample);
    assert!(clean.is_good(), "{:?}", clean.problems);
    assert_eq!(clean.notes.len(), 5);
    sample.media[0]
        .files
        .insert("autorun.inf".to_owned(), b"x"[..].into());
    assert_eq!(report(&sample).exit(), Exit::Content);
}

#[test]
fn another_bundle_on_the_same_volume_is_its_own_business() {
    let mut sample = sample(1);
    let verified = sample.verified().unwrap();
    sample.media[0]
        .files
        .insert("MAAS/other-bundle/x".to_owned(), b"x"[..].into());
    let report = verify_contents(&verified, &sample.volumes(), &Silent);
    assert!(report.is_good(), "{:?}", report.problems);
}

#[test]
fn an_object_on_two_volumes_is_refused() {
    let mut sample = sample(2);
    let (path, content) = sample.media[0]
        .files
        .iter()
        .find(|(path, _)| path.contains("/parts/"))
        .map(|(path, content)| (path.clone(), content.clone()))
        .unwrap();
    sample.media[1].files.insert(path, content);
    let faults = report(&sample).problems;
    assert!(
        faults
            .iter()
            .any(|p| matches!(p.fault, Fault::Duplicate { .. })),
        "{faults:?}"
    );
}

#[derive(Debug, Clone)]
enum Damage {
    Flip { bit: u8, at: prop::sample::Index },
    Truncate { at: prop::sample::Index },
    Extend(u8),
    Delete,
    Swap { with: prop::sample::Index },
    OtherBundles,
    Extra(String),
    Replace(Content),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (0_u8..8, any::<prop::sample::Index>()).prop_map(|(bit, at)| Damage::Flip { bit, at }),
        2 => any::<prop::sample::Index>().prop_map(|at| Damage::Truncate { at }),
        1 => any::<u8>().prop_map(Damage::Extend),
        1 => Just(Damage::Delete),
        2 => any::<prop::sample::Index>().prop_map(|with| Damage::Swap { with }),
        1 => Just(Damage::OtherBundles),
        1 => "[a-z0-9.]{1,12}".prop_map(Damage::Extra),
        1 => prop_oneof![Just(Content::Link), Just(Content::Special), Just(Content::Zeros(1 << 40))].prop_map(Damage::Replace),
    ]
}

/// Damages one file of a volume. Whether anything is different now.
fn inflict(media: &mut MemoryMedia, path: &str, damage: &Damage, other: &MemoryMedia) -> bool {
    let before = media.clone();
    match damage {
        Damage::Flip { bit, at } => media.change(path, |bytes| {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }),
        Damage::Truncate { at } => {
            media.change(path, |bytes| bytes.truncate(at.index(bytes.len())));
        }
        Damage::Extend(byte) => media.change(path, |bytes| bytes.push(*byte)),
        Damage::Delete => drop(media.files.remove(path)),
        Damage::Swap { with } => {
            let paths: Vec<_> = media.files.keys().cloned().collect();
            let with = with.get(&paths).clone();
            let (a, b) = (media.files[path].clone(), media.files[&with].clone());
            media.files.insert(path.to_owned(), b);
            media.files.insert(with, a);
        }
        Damage::OtherBundles => {
            if let Some(content) = other.files.get(&path.replace("sample-7", "sample-8")) {
                media.files.insert(path.to_owned(), content.clone());
            }
        }
        Damage::Extra(name) => {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let extra = format!("{folder}/{name}")
                .trim_start_matches('/')
                .to_owned();
            media.files.entry(extra).or_insert_with(|| b"x"[..].into());
        }
        Damage::Replace(content) => drop(media.files.insert(path.to_owned(), content.clone())),
    }
    *media != before
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn random_damage_is_always_found(
        damage in damage(),
        volume in any::<prop::sample::Index>(),
        file in any::<prop::sample::Index>(),
    ) {
        let mut sample = sample(2);
        let other = Sample::assemble(8, 2, PART_BYTES, &Sample::inputs().with("tiny/note.txt", &b"another"[..]), Sample::key).unwrap();
        let volume = volume.index(2);
        let paths: Vec<_> = sample.media[volume].files.keys().cloned().collect();
        let path = file.get(&paths);
        let changed = inflict(&mut sample.media[volume], path, &damage, &other.media[volume]);
        prop_assert_eq!(findings(&sample).is_empty(), !changed, "{:?} of {}", damage, path);
    }
}
