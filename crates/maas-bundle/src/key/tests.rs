use super::*;
use zeroize::Zeroizing;

/// Odd bytes make Ed25519 keys, even ones P-256 keys.
fn key(byte: u8) -> PrivateKey {
    let algorithm = if byte % 2 == 1 {
        Algorithm::Ed25519
    } else {
        Algorithm::EcdsaP256
    };
    PrivateKey::generate(algorithm, Zeroizing::new([byte; 32]))
}

#[test]
fn a_sealed_key_opens_with_its_passphrase_and_says_what_is_wrong_otherwise() {
    for byte in [1, 2] {
        let pem = key(byte).to_pem("correct horse", &[7; 32]).unwrap();
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        let opened = PrivateKey::open(&pem, Some("correct horse")).unwrap();
        assert_eq!(opened.public(), key(byte).public());
        let wrong = PrivateKey::open(&pem, Some("battery staple")).unwrap_err();
        assert_eq!(wrong, KeyError::WrongPassphrase);
        assert_eq!(
            PrivateKey::open(&pem, None).unwrap_err(),
            KeyError::NeedsPassphrase
        );
    }
    assert_eq!(key(1).to_pem("", &[7; 32]), Err(KeyError::EmptyPassphrase));
}

#[test]
fn a_plain_key_needs_no_passphrase() {
    for byte in [3, 4] {
        let pem = key(byte).unsafe_to_plain_pem();
        let opened = PrivateKey::open(&pem, None).unwrap();
        assert_eq!(opened.public(), key(byte).public());
    }
}

#[test]
fn the_halves_are_not_taken_for_each_other() {
    for byte in [5, 6] {
        let public = key(byte).public().to_pem();
        assert_eq!(PublicKey::from_pem(&public), Ok(*key(byte).public()));
        assert_eq!(
            PrivateKey::open(&public, None).unwrap_err(),
            KeyError::IsPublic
        );
        let private = key(byte).unsafe_to_plain_pem();
        assert_eq!(PublicKey::from_pem(&private), Err(KeyError::IsPrivate));
    }
}

#[test]
fn what_is_no_key_is_refused_as_that() {
    for text in [
        "",
        "hello",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ] {
        assert!(
            matches!(PublicKey::from_pem(text), Err(KeyError::NotAKey { .. })),
            "{text}"
        );
    }
    let text = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert!(matches!(
        PrivateKey::open(text, Some("x")),
        Err(KeyError::NotAKey { .. })
    ));
}

/// RFC 8032, 7.1, test 2: ties the seed, the public key and the signature to somebody else's.
#[test]
fn the_signature_is_that_of_rfc_8032() {
    let mut seed = [0; 32];
    hex::decode_to_slice(
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        &mut seed,
    )
    .unwrap();
    let key = PrivateKey::generate(Algorithm::Ed25519, Zeroizing::new(seed));
    assert_eq!(
        hex::encode(key.public().octets()),
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    );
    let signature = key.sign(&[0x72]);
    assert_eq!(
        hex::encode(&signature),
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    );
    assert!(key.public().verify(&[0x72], &signature));
    assert!(!key.public().verify(&[0x73], &signature));
}

#[test]
fn debug_shows_the_id_and_nothing_secret() {
    let key = key(4);
    let shown = format!("{key:?}");
    assert_eq!(shown, format!("PrivateKey({})", key.public().id().short()));
}

/// FIPS 186-5 by RFC 6979, A.2.5 (P-256, SHA-256, message "sample"): somebody else's scalar, point and
/// signature, the latter as DER.
#[test]
fn the_point_and_the_signature_are_those_of_rfc_6979() {
    let hex = |text: &str| hex::decode(text).unwrap();
    let mut scalar = [0; 32];
    scalar.copy_from_slice(&hex(
        "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
    ));
    let key = PrivateKey::generate(Algorithm::EcdsaP256, Zeroizing::new(scalar));
    assert_eq!(
        hex::encode(key.public().octets()),
        "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
    );
    let known = hex(
        "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    );
    assert!(key.public().verify(b"sample", &known));
    let own = key.sign(b"sample");
    assert!(key.public().verify(b"sample", &own));
    assert!(!key.public().verify(b"simple", &own));
}

/// The order of P-256 is the smallest number that is no scalar.
#[test]
fn a_seed_that_is_no_scalar_is_hashed_until_it_is_one() {
    let mut order = [0; 32];
    hex::decode_to_slice(
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        &mut order,
    )
    .unwrap();
    let key = |seed| PrivateKey::generate(Algorithm::EcdsaP256, Zeroizing::new(seed));
    let hashed = key(*digest_of(&order).as_bytes());
    assert_eq!(key(order).public(), hashed.public());
}

#[test]
fn a_key_on_another_curve_or_of_another_kind_is_named() {
    // `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 | openssl pkey -pubout`
    let p384 = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEv3f5dyWERS1G/x98spwknMrSy91249n7
2b3myPZ7qg+1DQTTBnd2eZ3ykEJ1RanrN+MGDPIW3GKT40Kn7A4H2aQXDYdkx65w
R+VyA9dSHVNel+kPtucPBFZKqtrBEZj6
-----END PUBLIC KEY-----
";
    assert_eq!(
        PublicKey::from_pem(p384),
        Err(KeyError::Algorithm {
            oid: "1.3.132.0.34".to_owned()
        })
    );
}

#[test]
fn type_and_scheme_of_a_key_are_one_thing() {
    let mut object = serde_json::to_value(KeyObject::from(key(2).public())).unwrap();
    let read = |object: &serde_json::Value| {
        serde_json::from_value::<KeyObject>(object.clone())
            .unwrap()
            .key()
    };
    assert_eq!(read(&object), Ok(ListedKey::Ours(*key(2).public())));
    object["keytype"] = "ed25519".into();
    assert!(read(&object).is_err());
    object["scheme"] = "ed25519".into();
    assert!(read(&object).is_err());
    // The type's old name reads, and is still not how a bundle writes it.
    object["keytype"] = "ecdsa-sha2-nistp256".into();
    object["scheme"] = "ecdsa-sha2-nistp256".into();
    let old: KeyObject = serde_json::from_value(object).unwrap();
    assert!(!old.is_ours(&old.key().unwrap()));
}

#[test]
fn one_p256_key_has_one_form() {
    let PublicKey::EcdsaP256(point) = *key(2).public() else {
        panic!("an even byte makes a P-256 key")
    };
    assert!(PublicKey::p256(point).is_some());
    // Hybrid (X9.62): another first byte, the same point, and the library would verify with it.
    for first in [6, 7] {
        let mut hybrid = point;
        hybrid[0] = first;
        assert_eq!(PublicKey::p256(hybrid), None);
        let pem = PublicKey::EcdsaP256(hybrid).to_pem();
        assert!(PublicKey::from_pem(&pem).is_err(), "{pem}");
    }
    assert_eq!(PublicKey::p256([0; P256_POINT]), None);
    let mut off_the_curve = point;
    off_the_curve[64] ^= 1;
    assert_eq!(PublicKey::p256(off_the_curve), None);
}

#[test]
fn a_key_that_everybody_can_sign_for_is_none() {
    // With the identity for a key, R = identity and S = 0 are a signature of anything.
    let identity = little_endian(1, 0, 0);
    let mut forged = [0; 64];
    forged[0] = 1;
    assert!(PublicKey::Ed25519(identity).verify(b"anything", &forged));
    for y in SMALL_ORDER {
        for sign in [0, 0x80] {
            let mut raw = y;
            raw[31] |= sign;
            assert_eq!(PublicKey::ed25519(raw), None);
            let pem = PublicKey::Ed25519(raw).to_pem();
            assert!(PublicKey::from_pem(&pem).is_err(), "{pem}");
        }
    }
    let PublicKey::Ed25519(raw) = *key(1).public() else {
        panic!("an odd byte makes an Ed25519 key")
    };
    assert!(PublicKey::ed25519(raw).is_some());
}
