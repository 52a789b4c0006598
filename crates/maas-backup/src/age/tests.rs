use std::io::{Read as _, Write as _};

use proptest::prelude::*;

use super::*;
use crate::Damage;

/// Randomness that is the same in every run: a counter.
fn counter() -> impl FnMut(&mut [u8]) {
    let mut next = 0_u8;
    move |bytes| {
        for byte in bytes {
            next = next.wrapping_mul(5).wrapping_add(1);
            *byte = next;
        }
    }
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned()).unwrap()
}

fn sealed(plain: &[u8], seal_for: &Seal<'_>) -> Vec<u8> {
    let mut writer = seal(Vec::new(), seal_for, &mut counter()).unwrap();
    writer.write_all(plain).unwrap();
    writer.finish().unwrap()
}

fn opened(file: &[u8], with: &Open<'_>) -> Result<Vec<u8>, BackupError> {
    let mut plain = Vec::new();
    let mut reader = open(file, with)?;
    reader
        .read_to_end(&mut plain)
        .map_err(BackupError::reading)?;
    Ok(plain)
}

fn cheap() -> Work {
    Work::new(2).unwrap()
}

#[test]
fn a_passphrase_opens_what_it_sealed_and_another_says_so() {
    let right = passphrase("correct horse");
    let file = sealed(b"state", &Seal::Passphrase(&right, cheap()));
    assert_eq!(opened(&file, &Open::Passphrase(&right)).unwrap(), b"state");
    let error = opened(&file, &Open::Passphrase(&passphrase("battery"))).unwrap_err();
    insta::assert_snapshot!(error, @"the passphrase is wrong, or it is the passphrase of another backup; nothing was read");
}

#[test]
fn each_recipient_opens_it_and_nobody_else() {
    let mut random = counter();
    let keys: Vec<_> = (0..3).map(|_| Identity::generate(&mut random)).collect();
    let to = [keys[0].recipient(), keys[1].recipient()];
    let file = sealed(b"state", &Seal::Recipients(&to));
    for key in &keys[..2] {
        assert_eq!(opened(&file, &Open::Identity(key)).unwrap(), b"state");
    }
    let error = opened(&file, &Open::Identity(&keys[2])).unwrap_err();
    assert!(matches!(error, BackupError::NotARecipient), "{error}");
    let error = opened(&file, &Open::Passphrase(&passphrase("x"))).unwrap_err();
    assert!(matches!(error, BackupError::NeedsIdentity), "{error}");
    let error = seal(Vec::new(), &Seal::Recipients(&[]), &mut counter()).unwrap_err();
    assert!(matches!(error, BackupError::Recipients { count: 0 }));
}

#[test]
fn a_key_is_written_as_age_writes_it() {
    let identity = Identity::from_text(
        "AGE-SECRET-KEY-1QQPQYSQZQYSQZQYSQZQYSQZQYSQZQYSQZQYSQZQYSQZQYSQZQYSQWU7X23",
    );
    // A wrong checksum is refused, and the text is not repeated.
    assert!(!identity.unwrap_err().to_string().contains("QQPQY"));
    let identity = Identity::generate(&mut counter());
    let again = Identity::from_text(&identity.expose()).unwrap();
    assert_eq!(again.recipient(), identity.recipient());
    let text = identity.recipient().to_string();
    assert_eq!(text.parse::<Recipient>().unwrap(), identity.recipient());
    assert!(text.to_uppercase().parse::<Recipient>().is_err());
    assert_eq!(
        format!("{identity:?} {:?}", passphrase("x")),
        "Identity Passphrase"
    );
}

/// Sealed by the crate `age` 0.12.1, another implementation.
#[test]
fn what_another_implementation_sealed_is_opened() {
    let identity = Identity::from_text(include_str!("tests/identity.txt").trim()).unwrap();
    let plain = opened(
        include_bytes!("tests/recipient.age"),
        &Open::Identity(&identity),
    );
    assert_eq!(plain.unwrap(), vec![b'x'; 70_000]);
    let words = passphrase("frozen passphrase");
    let plain = opened(
        include_bytes!("tests/passphrase.age"),
        &Open::Passphrase(&words),
    );
    assert_eq!(plain.unwrap(), b"state of an appliance\n");
}

#[test]
fn the_work_of_a_passphrase_is_bounded_before_it_is_done() {
    let file = "age-encryption.org/v1\n-> scrypt 3d9y0G+8q1ffPQ0xJJatIQ 21\n\
        foZolxuhRSL7IG7oaR+456IzkHtvue7j4mUjh3DB6EI\n\
        --- yp4Z0lV1LEdkm1+uDCuPUV+9hIXbPKrBXKQ/f5Y03As\n";
    let error = opened(file.as_bytes(), &Open::Passphrase(&passphrase("x"))).unwrap_err();
    assert!(
        matches!(error, BackupError::Damaged(Damage::Work { log_n: 21 })),
        "{error}"
    );
}

#[test]
fn a_header_without_end_is_given_up_at_16_kib() {
    let endless = b"age-encryption.org/v1\n-> x ".iter().copied();
    let endless: Vec<u8> = endless.chain(std::iter::repeat_n(b'a', 1 << 20)).collect();
    let mut rest = endless.as_slice();
    let error = open(&mut rest, &Open::Passphrase(&passphrase("x"))).unwrap_err();
    assert!(
        matches!(error, BackupError::Damaged(Damage::Header(_))),
        "{error}"
    );
    assert!(endless.len() - rest.len() <= (16 << 10) + 1);
}

/// A key pair costs microseconds, a passphrase not much more: the whole file is tried bit by bit.
#[test]
fn every_single_bit_flip_is_refused() {
    let key = Identity::generate(&mut counter());
    let words = passphrase("x");
    for (seal_for, with) in [
        (Seal::Recipients(&[key.recipient()]), Open::Identity(&key)),
        (
            Seal::Passphrase(&words, Work::new(1).unwrap()),
            Open::Passphrase(&words),
        ),
    ] {
        let file = sealed(b"state", &seal_for);
        for bit in 0..file.len() * 8 {
            let mut file = file.clone();
            file[bit / 8] ^= 1 << (bit % 8);
            // One digit more is another amount of work, all of it within the bound.
            assert!(opened(&file, &with).is_err(), "bit {bit}");
        }
        for length in 0..file.len() {
            assert!(opened(&file[..length], &with).is_err(), "cut to {length}");
        }
    }
}

#[test]
fn chunks_swapped_repeated_dropped_or_added_are_refused() {
    let key = Identity::generate(&mut counter());
    let plain: Vec<u8> = (0..4_u32 * 65_536)
        .map(|n| (n >> 8).to_le_bytes()[0])
        .collect();
    let file = sealed(&plain, &Seal::Recipients(&[key.recipient()]));
    let chunks = file.len() - 4 * (65_536 + 16);
    let (header, chunks) = file.split_at(chunks);
    let chunks: Vec<&[u8]> = chunks.chunks(65_536 + 16).collect();
    let whole = |order: &[usize]| {
        let parts: Vec<&[u8]> = order.iter().map(|n| chunks[*n]).collect();
        opened(&[header, &parts.concat()].concat(), &Open::Identity(&key))
    };
    assert_eq!(whole(&[0, 1, 2, 3]).unwrap(), plain);
    for order in [
        &[][..],
        &[1, 0, 2, 3],
        &[0, 1, 3],
        &[0, 1, 2],
        &[0, 1],
        &[0, 1, 1, 2, 3],
        &[0, 1, 2, 3, 3],
        &[3],
    ] {
        let error = whole(order).unwrap_err();
        assert!(
            matches!(error, BackupError::Damaged(Damage::Chunk { .. })),
            "{order:?}: {error}"
        );
    }
    let longer = [&file[..], b"x"].concat();
    assert!(opened(&longer, &Open::Identity(&key)).is_err());
}

#[test]
fn damage_is_never_an_end() {
    let key = Identity::generate(&mut counter());
    let mut file = sealed(b"state", &Seal::Recipients(&[key.recipient()]));
    *file.last_mut().unwrap() ^= 1;
    let mut reader = open(&file[..], &Open::Identity(&key)).unwrap();
    for _ in 0..3 {
        reader.read(&mut [0; 8]).unwrap_err();
    }
}

#[test]
fn a_source_that_fails_is_not_taken_for_damage() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the stick is gone"))
        }
    }
    let key = Identity::generate(&mut counter());
    let file = sealed(&vec![0; 100_000], &Seal::Recipients(&[key.recipient()]));
    for length in [10, 300, 70_000] {
        let source = file[..length].chain(Failing);
        let read = open(source, &Open::Identity(&key)).and_then(|mut reader| {
            let read = reader.read_to_end(&mut Vec::new());
            read.map_err(BackupError::reading)
        });
        let error = read.unwrap_err();
        assert!(
            matches!(&error, BackupError::Read(why) if why.to_string().contains("stick")),
            "{error}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_sealed_is_opened(length in prop_oneof![0..300_usize, 65_530..65_545_usize, 131_070..131_075_usize], step in 1..70_000_usize) {
        let key = Identity::generate(&mut counter());
        let plain: Vec<u8> = (0..length).map(|n| n.to_le_bytes()[0]).collect();
        let to = [key.recipient()];
        let mut writer = seal(Vec::new(), &Seal::Recipients(&to), &mut counter()).unwrap();
        for piece in plain.chunks(step) {
            writer.write_all(piece).unwrap();
        }
        let file = writer.finish().unwrap();
        prop_assert_eq!(opened(&file, &Open::Identity(&key)).unwrap(), plain);
    }
}
