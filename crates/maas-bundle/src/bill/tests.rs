//! Every rule of FORMAT.md 3, broken once.

use maas_types::{PART_BYTES, Part};

use super::*;
use crate::sample::Sample;

/// Breaks a rule.
type Change<'a> = &'a dyn Fn(&mut BillOfLading);

fn good() -> BillOfLading {
    Sample::new(7).unwrap().verified().unwrap().bill().clone()
}

/// What a change of the good bill is refused with.
fn refused(change: impl FnOnce(&mut BillOfLading)) -> (Exit, String) {
    let mut bill = good();
    change(&mut bill);
    let error = parse(&json::pretty(&bill), PART_BYTES).unwrap_err();
    (error.exit(), error.to_string())
}

#[test]
fn the_good_one_is_read_back_as_it_is() {
    let bill = good();
    assert_eq!(parse(&json::pretty(&bill), PART_BYTES).unwrap(), bill);
}

#[test]
fn what_is_not_for_us_is_refused_by_name() {
    let cases: [(Change<'_>, Exit, &str); 6] = [
        (
            &|b| b.format = "maas-appliance/bundle/v2".to_owned(),
            Exit::HostCheck,
            "bundle/v2",
        ),
        (
            &|b| b.critical = vec!["teleport".to_owned()],
            Exit::HostCheck,
            "teleport",
        ),
        (
            &|b| b.requires.arch = "riscv64".to_owned(),
            Exit::HostCheck,
            "riscv64",
        ),
        (
            &|b| b.requires.os = "plan9".to_owned(),
            Exit::HostCheck,
            "plan9",
        ),
        (&|b| b.product = "other".to_owned(), Exit::Content, "other"),
        (&|b| b.epoch = 0, Exit::Content, "epoch 0 is not possible"),
    ];
    for (change, exit, want) in cases {
        let (found, text) = refused(change);
        assert_eq!(found, exit, "{text}");
        assert!(text.contains(want), "want {want}: {text}");
    }
}

#[test]
fn a_newer_format_is_refused_by_name_whatever_its_shape() {
    let error = parse(
        br#"{"format":"maas-appliance/bundle/v9","x":[1]}"#,
        PART_BYTES,
    );
    assert!(matches!(error, Err(BillError::Format { .. })), "{error:?}");
    for nonsense in [&b""[..], b"[]", b"{}", b"{\"format\":1}", b"\xff"] {
        let error = parse(nonsense, PART_BYTES);
        assert!(
            matches!(error, Err(BillError::Malformed { .. })),
            "{error:?}"
        );
    }
}

#[test]
fn blobs_stand_once_in_their_order_and_belong_to_something() {
    let cases: [(Change<'_>, &str); 5] = [
        (
            &|b| b.blobs.swap(0, 1),
            "is not in its place or stands there twice",
        ),
        (
            &|b| b.blobs[1] = b.blobs[0].clone(),
            "is not in its place or stands there twice",
        ),
        (&|b| b.blobs[0].size = (1 << 60) + 1, "bigger than 2^60"),
        (&|b| drop(b.blobs.pop()), "which is not listed"),
        (&|b| b.models[0].files.truncate(1), "belongs to nothing"),
    ];
    for (change, want) in cases {
        let (exit, text) = refused(change);
        assert_eq!(exit, Exit::Content, "{text}");
        assert!(text.contains(want), "want {want}: {text}");
    }
}

#[test]
fn parts_add_up_to_their_blob_and_all_but_the_last_are_full() {
    let part = |size| Part {
        digest: good().blobs[0].digest,
        size,
    };
    let with = |size: u64, sizes: &[u64]| {
        let sizes = sizes.to_vec();
        refused(move |bill| {
            bill.blobs[0].size = size;
            bill.blobs[0].parts = sizes.iter().map(|size| part(*size)).collect();
        })
        .1
    };
    let full = PART_BYTES;
    for (size, parts, want) in [
        (5, &[5][..], "too small to travel in parts"),
        (full + 5, &[full], "lack 5 bytes"),
        (full + 5, &[], "lack 1000000005 bytes"),
        (full + 5, &[5, full], "a part of blob"),
        (full + 5, &[full, 4], "a part of blob"),
        (full + 5, &[full, 5, 0], "a part of blob"),
    ] {
        let text = with(size, parts);
        assert!(text.contains(want), "{parts:?}: {text}");
    }
}

#[test]
fn a_models_files_can_lie_side_by_side_on_any_file_system() {
    let cases: [(Change<'_>, &str); 4] = [
        (&|b| b.models[0].files.swap(0, 1), "are not sorted"),
        (
            &|b| b.models[0].files[1].path = "Config.json".parse().unwrap(),
            "are one file on some file systems",
        ),
        (
            &|b| b.models[0].files[1].path = "config.json/x".parse().unwrap(),
            "is a file, and the folder of",
        ),
        (
            &|b| b.models[0].files[0].path = "a.json".parse().unwrap(),
            "has no config.json",
        ),
    ];
    for (change, want) in cases {
        let (_, text) = refused(change);
        assert!(text.contains(want), "want {want}: {text}");
    }
    let (_, text) = refused(|bill| bill.models.push(bill.models[0].clone()));
    assert!(text.contains("two models are called `tiny`"), "{text}");
}

#[test]
fn an_image_is_what_its_manifest_says() {
    let cases: [(Change<'_>, &str); 5] = [
        (
            &|b| b.images[0].media_type = "text/html".to_owned(),
            "another media type",
        ),
        (&|b| b.images[0].manifest_size += 1, "has another size"),
        (
            &|b| b.images[0].reference = "a\u{1b}[2J".to_owned(),
            "is not plain text",
        ),
        (
            &|b| {
                let manifest = b.images[0].manifest;
                b.images[0].blobs.retain(|blob| *blob != manifest);
            },
            "does not list its own manifest",
        ),
        (
            &|b| b.images[0].blobs.reverse(),
            "are not sorted and unique",
        ),
    ];
    for (change, want) in cases {
        let (_, text) = refused(change);
        assert!(text.contains(want), "want {want}: {text}");
    }
}

#[test]
fn beside_maas_lie_known_files_and_the_program_that_the_release_runs() {
    let cases: [(Change<'_>, &str); 4] = [
        (
            &|b| b.medium_files[0].name = "autorun.inf".to_owned(),
            "may lie beside MAAS",
        ),
        (&|b| b.medium_files.reverse(), "are not sorted and unique"),
        (
            &|b| b.medium_files.clear(),
            "is not the one that the release runs",
        ),
        (&|b| b.medium_files[0].size = 1 << 60, "bigger than 2^60"),
    ];
    for (change, want) in cases {
        let (_, text) = refused(change);
        assert!(text.contains(want), "want {want}: {text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(at: proptest::sample::Index, byte: u8, cut: proptest::sample::Index) {
        let mut bytes = json::pretty(&good());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        drop(parse(&bytes, PART_BYTES));
        bytes.truncate(cut.index(bytes.len()));
        drop(parse(&bytes, PART_BYTES));
    }
}
