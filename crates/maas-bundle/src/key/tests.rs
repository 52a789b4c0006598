use super::*;
use zeroize::Zeroizing;

fn key(byte: u8) -> PrivateKey {
    PrivateKey::generate(Zeroizing::new([byte; 32]))
}

#[test]
fn a_sealed_key_opens_with_its_passphrase_and_says_what_is_wrong_otherwise() {
    let pem = key(1).to_pem("correct horse", &[7; 32]).unwrap();
    assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    let opened = PrivateKey::open(&pem, Some("correct horse")).unwrap();
    assert_eq!(opened.public(), key(1).public());
    let wrong = PrivateKey::open(&pem, Some("battery staple")).unwrap_err();
    assert_eq!(wrong, KeyError::WrongPassphrase);
    assert_eq!(
        PrivateKey::open(&pem, None).unwrap_err(),
        KeyError::NeedsPassphrase
    );
    assert_eq!(key(1).to_pem("", &[7; 32]), Err(KeyError::EmptyPassphrase));
}

#[test]
fn a_plain_key_needs_no_passphrase() {
    let pem = key(2).unsafe_to_plain_pem();
    assert_eq!(
        PrivateKey::open(&pem, None).unwrap().public(),
        key(2).public()
    );
}

#[test]
fn the_halves_are_not_taken_for_each_other() {
    let public = key(3).public().to_pem();
    assert_eq!(PublicKey::from_pem(&public), Ok(*key(3).public()));
    assert_eq!(
        PrivateKey::open(&public, None).unwrap_err(),
        KeyError::IsPublic
    );
    let private = key(3).unsafe_to_plain_pem();
    assert_eq!(PublicKey::from_pem(&private), Err(KeyError::IsPrivate));
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
    let key = PrivateKey::generate(Zeroizing::new(seed));
    let PublicKey::Ed25519(public) = key.public();
    assert_eq!(
        hex::encode(public),
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
