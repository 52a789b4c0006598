use std::str::FromStr as _;

use jiff::Timestamp as Instant;
use proptest::prelude::*;

use super::*;
use crate::{Detached, PrivateKey, PublicKey, TrustError, sample::Sample};

fn now() -> Instant {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn keys<const N: usize>(bytes: [u8; N]) -> [PublicKey; N] {
    bytes.map(|byte| *Sample::key(byte).public())
}

fn root(signers: &[u8]) -> RootFile {
    let mut root = RootFile::init(&keys([1, 2, 3]), 2, now()).unwrap();
    for byte in signers {
        root.sign(&Sample::key(*byte), None).unwrap();
    }
    root
}

#[test]
fn a_root_that_nobody_could_sign_is_not_made() {
    let init = |keys: &[PublicKey], threshold| RootFile::init(keys, threshold, now()).unwrap_err();
    assert_eq!(
        init(&keys([1, 2, 1]), 2),
        RootError::DuplicateKey {
            key: keys([1])[0].id()
        }
    );
    for threshold in [0, 3] {
        let error = init(&keys([1, 2]), threshold);
        assert_eq!(error, RootError::Threshold { threshold, keys: 2 });
    }
    assert_eq!(
        init(&[], 1),
        RootError::Threshold {
            threshold: 1,
            keys: 0
        }
    );
}

#[test]
fn the_fingerprint_stays_when_signatures_come_and_changes_with_every_key() {
    let unsigned = root(&[]).fingerprint();
    assert_eq!(root(&[1, 2]).fingerprint(), unsigned);
    let other = RootFile::init(&keys([1, 2, 4]), 2, now()).unwrap();
    assert_ne!(other.fingerprint(), unsigned);
    let other = RootFile::init(&keys([1, 2, 3]), 3, now()).unwrap();
    assert_ne!(other.fingerprint(), unsigned);
}

#[test]
fn a_fingerprint_is_read_however_people_write_it() {
    let print = root(&[]).fingerprint();
    let text = print.to_string();
    let hex = text.replace(' ', "");
    for written in [
        text.clone(),
        hex.clone(),
        hex.to_uppercase(),
        format!("sha256:{hex}\n"),
        text.replace(' ', ":"),
        text.replace(' ', "-"),
    ] {
        assert_eq!(Fingerprint::from_str(&written), Ok(print), "{written}");
    }
    for wrong in [
        "",
        "abc",
        &hex[1..],
        &format!("{hex}0"),
        &hex.replace(&hex[..1], "x"),
    ] {
        assert_eq!(
            Fingerprint::from_str(wrong),
            Err(FingerprintError),
            "{wrong}"
        );
    }
    assert_eq!(print.words().split(' ').count(), 8);
}

#[test]
fn a_host_pins_what_was_compared_and_enough_have_signed() {
    let good = root(&[1, 2]);
    TrustedRoot::pin(&good.bytes(), &good.fingerprint()).unwrap();
    let refused = |root: &RootFile, print: &Fingerprint| TrustedRoot::pin(&root.bytes(), print);
    let other = Fingerprint::from_str(&"ab".repeat(32)).unwrap();
    assert!(matches!(
        refused(&good, &other),
        Err(TrustError::Fingerprint { .. })
    ));
    let one = root(&[1]);
    assert!(matches!(
        refused(&one, &one.fingerprint()),
        Err(TrustError::Threshold { .. })
    ));
    let none = root(&[]);
    assert!(matches!(
        refused(&none, &none.fingerprint()),
        Err(TrustError::Unsigned { .. })
    ));
}

#[test]
fn a_stranger_cannot_sign_and_signing_twice_changes_nothing() {
    let mut root = root(&[1]);
    assert!(!root.sign(&Sample::key(1), None).unwrap());
    let before = root.bytes();
    let error = root.sign(&Sample::key(9), None).unwrap_err();
    assert!(matches!(error, SignError::NotListed { .. }));
    assert_eq!(root.bytes(), before);
}

#[test]
fn a_handover_needs_both_lists_and_a_signature_may_count_in_both() {
    let old = root(&[1, 2]);
    let mut new = old.rotate(&keys([2, 4, 5]), 2, now()).unwrap();
    let counts = |new: &RootFile| {
        let Handover { old, new } = new.handover(&root(&[1, 2]));
        assert!(old.wrong.is_empty() && new.wrong.is_empty());
        (old.signed.len(), new.signed.len())
    };
    assert_eq!(counts(&new), (0, 0));
    new.sign(&Sample::key(2), Some(&old)).unwrap();
    assert_eq!(counts(&new), (1, 1));
    new.sign(&Sample::key(1), Some(&old)).unwrap();
    assert_eq!(counts(&new), (2, 1));
    assert!(!new.handover(&old).is_complete());
    new.sign(&Sample::key(5), Some(&old)).unwrap();
    assert_eq!(counts(&new), (2, 2));
    assert!(new.handover(&old).is_complete());
    // A key of the past alone says nothing to the new root's own list.
    let stranger = new.sign(&Sample::key(9), Some(&old));
    assert!(matches!(stranger, Err(SignError::NotListed { .. })));
}

#[test]
fn a_file_with_one_signer_twice_or_signers_out_of_order_is_refused() {
    let text = String::from_utf8(root(&[1, 2]).bytes()).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let parse = |value: &serde_json::Value| RootFile::parse(&crate::json::pretty(value));
    value["signatures"].as_array_mut().unwrap().reverse();
    assert!(matches!(parse(&value), Err(TrustError::Malformed { .. })));
    let first = value["signatures"][0].clone();
    value["signatures"][1] = first;
    assert!(matches!(
        parse(&value),
        Err(TrustError::DuplicateSigner { .. })
    ));
}

#[test]
fn a_threshold_that_one_key_meets_by_standing_there_twice_is_refused() {
    // CVE-2020-6174: the same key under two ids, or the same id twice in a role.
    let text = String::from_utf8(root(&[1, 2]).bytes()).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let ids = &mut value["signed"]["roles"]["root"]["keyids"];
    ids[1] = ids[0].clone();
    let error = RootFile::parse(&crate::json::pretty(&value)).unwrap_err();
    assert!(
        error.to_string().contains("not sorted and unique"),
        "{error}"
    );
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let keys = value["signed"]["keys"].as_object_mut().unwrap();
    let (first, second) = {
        let mut names = keys.keys().cloned();
        (names.next().unwrap(), names.next().unwrap())
    };
    let key = keys[&first].clone();
    keys.insert(second, key);
    let error = RootFile::parse(&crate::json::pretty(&value)).unwrap_err();
    assert!(error.to_string().contains("has another id"), "{error}");
}

#[test]
fn any_changed_byte_of_a_signed_root_is_refused() {
    let good = root(&[1, 2]);
    let bytes = good.bytes();
    let mut changed = bytes.clone();
    for at in 0..bytes.len() {
        changed[at] ^= 1;
        let pinned = TrustedRoot::pin(&changed, &good.fingerprint());
        assert!(pinned.is_err(), "byte {at}");
        changed[at] = bytes[at];
    }
}

proptest! {
    /// Copies signed on different machines, merged in any order and more than once.
    #[test]
    fn merging_signatures_gives_one_file_whatever_the_order(
        order in Just([1_u8, 2, 3]).prop_shuffle(),
        twice in 0..3_usize,
    ) {
        let mut merged = root(&[]);
        for byte in order.into_iter().chain([order[twice]]) {
            merged.merge(&root(&[byte]), None).unwrap();
        }
        prop_assert_eq!(merged.bytes(), root(&[1, 2, 3]).bytes());
    }
}

#[test]
fn a_key_that_stays_in_its_token_signs_through_files() {
    let token = PrivateKey::generate(crate::Algorithm::EcdsaP256, [9; 32].into());
    let publics = [*token.public(), *Sample::key(1).public()];
    let mut root = RootFile::init(&publics, 2, now()).unwrap();
    let (name, message) = root.to_be_signed();
    assert_eq!(name, "root-1");
    let signature = token.sign(&message);
    let brought = Detached::new(*token.public(), [(message.clone(), signature)]);
    assert!(root.sign(&brought, None).unwrap());
    assert!(!root.sign(&brought, None).unwrap());
    assert_eq!(root.status().signed, [token.public().id()]);
    // A signature of something else, or none, is not put into the file.
    let mut fresh = RootFile::init(&publics, 2, now()).unwrap();
    let wrong = Detached::new(*token.public(), [(message, token.sign(b"something else"))]);
    for signer in [wrong, Detached::new(*token.public(), [])] {
        let error = fresh.sign(&signer, None).unwrap_err();
        assert!(matches!(error, SignError::Signer { .. }), "{error}");
        assert!(fresh.status().signed.is_empty());
    }
}

#[test]
fn an_ecdsa_key_that_has_signed_changes_nothing_when_it_signs_again() {
    let key = PrivateKey::generate(crate::Algorithm::EcdsaP256, [9; 32].into());
    let mut root = RootFile::init(&[*key.public()], 1, now()).unwrap();
    assert!(root.sign(&key, None).unwrap());
    let before = root.bytes();
    assert!(!root.sign(&key, None).unwrap());
    assert_eq!(root.bytes(), before);
}
