use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

fn file<'a>(path: &'a str, size: u64, parts: &'a [(Digest, u64)]) -> SignedFile<'a> {
    SignedFile {
        path,
        size,
        sha256: digest(1),
        parts,
    }
}

fn manifest(method: Method, files: &[SignedFile<'_>], ignored: &[&str]) -> Manifest {
    Manifest {
        model: "m".to_owned(),
        root: digest(0),
        method,
        resources: resources(files.iter(), method).unwrap(),
        ignored: ignored.iter().map(|&rule| rule.to_owned()).collect(),
    }
}

fn compared(
    signed: &[SignedFile<'_>],
    ignored: &[&str],
    files: &[SignedFile<'_>],
    signature: Option<&str>,
) -> Result<(), ContentError> {
    same(
        &manifest(Method::Files, signed, ignored),
        &ShippedFiles { files, signature },
    )
}

#[test]
fn a_file_is_cut_into_shards_of_the_one_size() {
    let parts = [
        (digest(2), SHARD_BYTES),
        (digest(3), SHARD_BYTES),
        (digest(4), 500_000_000),
    ];
    let big = file("w.bin", 2_500_000_000, &parts);
    let names: Vec<_> = shards(&big)
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    // The example of OMS 6.3.2.
    assert_eq!(
        names,
        [
            "w.bin:0:1000000000",
            "w.bin:1000000000:2000000000",
            "w.bin:2000000000:2500000000"
        ]
    );
    assert_eq!(
        shards(&file("a", SHARD_BYTES, &[])).unwrap(),
        [("a:0:1000000000".to_owned(), digest(1))]
    );
    assert_eq!(shards(&file("a", 0, &[])).unwrap(), []);
}

#[test]
fn parts_that_do_not_make_up_their_file_are_refused() {
    let full = (digest(2), SHARD_BYTES);
    let rest = (digest(3), 5);
    for parts in [
        &[][..],
        &[full],
        &[rest, full],
        &[full, full],
        &[full, rest, rest],
        &[full, (digest(3), 4)],
        &[full, rest, (digest(4), 0)],
    ] {
        let error = shards(&file("w", SHARD_BYTES + 5, parts));
        assert!(
            matches!(error, Err(ContentError::Parts { .. })),
            "{parts:?}"
        );
    }
    assert!(shards(&file("w", SHARD_BYTES + 5, &[full, rest])).is_ok());
}

#[test]
fn the_signature_file_is_the_only_one_that_is_not_compared() {
    let signed = [file("a", 1, &[])];
    let files = [file("a", 1, &[]), file("model.sig", 9, &[])];
    assert_eq!(
        compared(&signed, &["model.sig"], &files, Some("model.sig")),
        Ok(())
    );
    assert_eq!(compared(&signed, &[], &files, Some("model.sig")), Ok(()));
    assert_eq!(
        compared(&signed, &[], &files, None),
        Err(ContentError::NotSigned {
            name: "model.sig".to_owned()
        })
    );
}

#[test]
fn an_ignored_path_covers_only_what_is_not_shipped() {
    let signed = [file("a", 1, &[])];
    assert_eq!(compared(&signed, &["cache", "b"], &signed, None), Ok(()));
    for (rule, path) in [("cache", "cache/x"), ("b", "b"), ("a", "a")] {
        let files = [file("a", 1, &[]), file(path, 1, &[])];
        let left_out = ContentError::LeftOut {
            path: path.to_owned(),
            rule: rule.to_owned(),
        };
        let files = if path == "a" { &files[..1] } else { &files };
        assert_eq!(compared(&signed, &[rule], files, None), Err(left_out));
    }
    assert!(!covers("cache", "cached"));
    assert!(!covers("cache", "sub/cache"));
}

#[test]
fn a_path_that_is_shipped_twice_is_refused() {
    let files = [file("a", 1, &[]), file("a", 1, &[])];
    let twice = ContentError::Twice {
        path: "a".to_owned(),
    };
    assert_eq!(compared(&files[..1], &[], &files, None), Err(twice));
    // An empty file has no shards, and is there twice all the same.
    let empty = [file("a", 0, &[]), file("a", 0, &[])];
    assert!(resources(empty.iter(), Method::Shards).is_err());
}

proptest! {
    #[test]
    fn only_the_same_set_of_names_is_good(
        signed in prop::collection::btree_set("[a-c]{1,2}", 1..5),
        found in prop::collection::btree_set("[a-c]{1,2}", 0..5),
    ) {
        let files = |names: &BTreeSet<String>| -> Vec<_> {
            names.iter().cloned().collect()
        };
        let (left, right) = (files(&signed), files(&found));
        let left: Vec<_> = left.iter().map(|path| file(path, 1, &[])).collect();
        let right: Vec<_> = right.iter().map(|path| file(path, 1, &[])).collect();
        let result = compared(&left, &[], &right, None);
        prop_assert_eq!(result.is_ok(), signed == found);
        match result {
            Err(ContentError::Missing { name }) => prop_assert!(!found.contains(&name)),
            Err(ContentError::NotSigned { name }) => prop_assert!(!signed.contains(&name)),
            other => prop_assert_eq!(other, Ok(())),
        }
    }

    #[test]
    fn any_other_digest_is_found(size in 1..=SHARD_BYTES, shards: bool) {
        let method = if shards { Method::Shards } else { Method::Files };
        let signed = [file("a", size, &[])];
        let found = [SignedFile { sha256: digest(9), ..signed[0] }];
        let shipped = ShippedFiles { files: &found, signature: None };
        let error = same(&manifest(method, &signed, &[]), &shipped);
        let differs = matches!(error, Err(ContentError::Differs { .. }));
        prop_assert!(differs);
    }
}
