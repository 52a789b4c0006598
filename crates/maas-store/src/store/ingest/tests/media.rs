//! Media that lie or fail.

use super::*;

/// The whole bundle with one byte of one file changed, for every file and three places in it.
fn each_change() -> Vec<(usize, String, usize)> {
    let whole = bundle();
    let files = whole
        .volumes
        .iter()
        .enumerate()
        .flat_map(|(volume, media)| media.files.keys().map(move |name| (volume, name.clone())));
    let changes = files.flat_map(|(volume, name)| {
        let length = whole.volumes[volume].bytes(&name).unwrap().len();
        let places = match length {
            0 => Vec::new(),
            _ => vec![0, length / 2, length - 1],
        };
        places.into_iter().map(move |at| (volume, name.clone(), at))
    });
    changes.collect()
}

#[test]
fn a_changed_byte_in_any_file_is_found_and_only_what_is_right_stays() {
    for (volume, name, at) in each_change() {
        let (host, mut bundle) = (host(), bundle());
        bundle.volumes[volume].change(&name, |bytes| bytes[at] ^= 0x80);
        let error = bundle.ingest(&host, Disk::real()).unwrap_err();
        let StoreError::Content(mismatch) = &error else {
            panic!("{error:?}");
        };
        assert_eq!(error.exit(), Exit::Content);
        assert_eq!(mismatch.file, name);
        assert_eq!(mismatch.volume, format!("stick-{}", volume + 1));
        assert!(host.store().values().all(|right| *right));
        assert!(!host.store().contains_key(&mismatch.blob.hex()));
        let db = TrustDb::read(&host.layout).unwrap().unwrap();
        let noted = db.staged_parts(&mismatch.blob).unwrap();
        match mismatch.part {
            Some(part) => assert!(!noted.contains_key(&(part - 1))),
            None => assert!(noted.is_empty()),
        }
        if noted.is_empty() {
            let staged = host.layout.staging().join(mismatch.blob.hex());
            assert!(!staged.exists(), "wrong bytes must not eat space");
        }
        // A good copy of that volume is all it takes, and what was right is not read again.
        let here = bytes_here(&host, &bundle);
        bundle.volumes[volume].change(&name, |bytes| bytes[at] ^= 0x80);
        let second = bundle.ingest(&host, Disk::real()).unwrap();
        assert_eq!(second.bytes_read, bundle.bytes() - here);
        assert_eq!(host.store().len(), 5);
    }
}

#[test]
fn parts_that_are_right_and_do_not_make_the_blob_are_a_fault_of_the_bundle() {
    let (host, mut bundle) = (host(), bundle());
    let at = bundle
        .blobs
        .iter()
        .position(|(blob, _)| !blob.parts.is_empty());
    let blob = &mut bundle.blobs[at.unwrap()].0;
    blob.digest = digest_of(b"something else");
    let digest = blob.digest;
    let error = bundle.ingest(&host, Disk::real()).unwrap_err();
    assert_eq!(error.exit(), Exit::Content);
    insta::assert_snapshot!(error, @"volume `all`: `the 3 parts of sha256:f41f3fa625ff120ddca7ef456bf66371ecea23c129f4e4c32367101edb516cf8` does not have the signed content (expected sha256:f41f3fa625ff120ddca7ef456bf66371ecea23c129f4e4c32367101edb516cf8, found sha256:cc7e58a3729de52faec2899f8ecbe9f3f86d0dd1323690fe6e149f82ed2015b3)");
    assert!(!host.store().contains_key(&digest.hex()));
    assert!(!host.layout.staging().join(digest.hex()).exists());
    assert!(host.staged_parts(bundle.big()).is_empty());
}

#[test]
fn a_file_that_is_longer_or_shorter_than_signed_is_found() {
    for change in [
        |bytes: &mut Vec<u8>| bytes.push(0),
        |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1),
    ] {
        let (host, mut bundle) = (host(), bundle());
        let name = bundle.part(1);
        bundle.volumes[1].change(&name, change);
        let error = bundle.ingest(&host, Disk::real()).unwrap_err();
        assert_eq!(error.exit(), Exit::Content, "{error}");
        assert!(
            error.to_string().contains("part 2, from byte 5000"),
            "{error}"
        );
    }
}

#[test]
fn a_mismatch_names_volume_file_part_offset_and_both_digests() {
    let (host, mut bundle) = (host(), bundle());
    let name = bundle.part(1);
    bundle.volumes[1].change(&name, |bytes| bytes[9] ^= 1);
    let error = bundle.ingest(&host, Disk::real()).unwrap_err();
    insta::assert_snapshot!(error, @"volume `stick-2`: `MAAS/acme-1/parts/sha256/75fe0c8d6e63f9d8afa7a10fcc45f05dc6dcbcf05d5f6143f01be1f476d1dc1e` (part 2, from byte 5000 of sha256:cc7e58a3729de52faec2899f8ecbe9f3f86d0dd1323690fe6e149f82ed2015b3) does not have the signed content (expected sha256:75fe0c8d6e63f9d8afa7a10fcc45f05dc6dcbcf05d5f6143f01be1f476d1dc1e, found sha256:0e8920ef4f34be210ddc407805956236ea4b2cd42a64dcbb81e513653d1fc025)");
}

#[test]
fn a_reading_that_fails_twice_is_repeated_and_then_right() {
    let (host, bundle) = (host(), bundle());
    let media = bundle.flaky(|v| Flaky::failing(v, 2));
    let done = bundle
        .ingest_from(&host, Disk::real(), &dynamic(&media))
        .unwrap();
    assert_eq!(done.retries, 4);
    assert!(host.store().values().all(|right| *right));
}

#[test]
fn a_medium_that_goes_on_failing_is_named_with_file_and_offset_and_staged_parts_stay() {
    let (host, bundle) = (host(), bundle());
    let media = bundle.flaky(|v| Flaky {
        bad_file: Some(bundle.part(1)),
        ..Flaky::failing(v, usize::MAX)
    });
    let error = bundle
        .ingest_from(&host, Disk::real(), &dynamic(&media))
        .unwrap_err();
    assert_eq!(error.exit(), Exit::Medium);
    insta::assert_snapshot!(error, @"volume `stick-2`: `MAAS/acme-1/parts/sha256/75fe0c8d6e63f9d8afa7a10fcc45f05dc6dcbcf05d5f6143f01be1f476d1dc1e` (part 2) cannot be read at byte 2500 (tried 3 times: a failing stick, reader or memory)");
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "input/output error of the test");
    let here = bytes_here(&host, &bundle);
    assert!(!host.staged_parts(bundle.big()).contains(&1));
    let second = bundle.ingest(&host, Disk::real()).unwrap();
    assert_eq!(second.bytes_read, bundle.bytes() - here);
}

#[test]
fn a_medium_that_answers_differently_each_time_is_a_failing_one() {
    let (host, bundle) = (host(), bundle());
    let media = bundle.flaky(|v| Flaky {
        noise: true,
        ..Flaky::counting(v)
    });
    let error = bundle
        .ingest_from(&host, Disk::real(), &dynamic(&media))
        .unwrap_err();
    let StoreError::Medium(fault) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(fault.kind, crate::FaultKind::Changing);
    assert!(host.store().values().all(|right| *right));
}
