use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P521_SHA256_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    },
};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData};

use super::*;

/// The key of the reference implementation's tests: P-384, with `certtool`'s text before the block.
const P384: &str = include_str!("../../tests/vectors/model-transparency/keys/signing-key-pub.pem");

#[test]
fn a_hint_is_the_hash_of_the_pem_text_whatever_the_file_looked_like() {
    let key = PublicKey::from_pem(P384).unwrap();
    assert_eq!(key.algorithm(), Algorithm::P384);
    // From the bundle `v1.1.0-elliptic-key/model.sig`.
    let hint = "e8450dec4eb99dae995da9af1bc2cc9f76ed669ee2e744f57abba763df3e3f8e";
    assert_eq!(key.hint(), hint);
    let dos = P384.replace('\n', "\r\n");
    assert_eq!(PublicKey::from_pem(&dos).unwrap().hint(), hint);
}

#[test]
fn every_supported_algorithm_survives_its_pem_file() {
    for (pair, algorithm) in [
        (&PKCS_ECDSA_P256_SHA256, Algorithm::P256),
        (&PKCS_ECDSA_P384_SHA384, Algorithm::P384),
        (&rcgen::PKCS_ECDSA_P521_SHA512, Algorithm::P521),
        (&PKCS_ED25519, Algorithm::Ed25519),
    ] {
        let pair = rcgen::KeyPair::generate_for(pair).unwrap();
        let key = PublicKey::from_pem(&pair.public_key_pem()).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert_eq!(key.to_der(), pair.subject_public_key_info());
        assert_eq!(PublicKey::from_pem(&key.to_pem()), Ok(key));
    }
}

#[test]
fn other_files_are_refused_by_name() {
    let pair = rcgen::KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    assert_eq!(
        PublicKey::from_pem(&pair.serialize_pem()),
        Err(KeyError::IsPrivate)
    );
    assert_eq!(
        SigningKey::from_pem(P384, None).unwrap_err(),
        KeyError::IsPublic
    );
    let p384 = rcgen::KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    assert_eq!(
        SigningKey::from_pem(&p384.serialize_pem(), None).unwrap_err(),
        KeyError::NotForSigning
    );
    for text in [
        "",
        "no key",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ] {
        assert_eq!(PublicKey::from_pem(text), Err(NOT_PUBLIC), "{text}");
        assert!(SigningKey::from_pem(text, None).is_err(), "{text}");
    }
}

#[test]
fn another_algorithm_and_another_curve_are_named() {
    let spki = |oid: &str, parameter: Option<&str>| {
        let parameter = parameter.map(|oid| ObjectIdentifier::new(oid).unwrap());
        SubjectPublicKeyInfoRef {
            algorithm: AlgorithmIdentifierRef {
                oid: ObjectIdentifier::new(oid).unwrap(),
                parameters: parameter.as_ref().map(Into::into),
            },
            subject_public_key: BitStringRef::from_bytes(&[4; 65]).unwrap(),
        }
        .to_der()
        .unwrap()
    };
    let rsa = PublicKey::from_der(&spki("1.2.840.113549.1.1.1", None)).unwrap_err();
    insta::assert_snapshot!(rsa, @"this key is for algorithm 1.2.840.113549.1.1.1; only ECDSA on P-256, P-384 or P-521 and Ed25519 are supported");
    let secp256k1 = PublicKey::from_der(&spki("1.2.840.10045.2.1", Some("1.3.132.0.10")));
    insta::assert_snapshot!(secp256k1.unwrap_err(), @"this key is for algorithm 1.3.132.0.10; only ECDSA on P-256, P-384 or P-521 and Ed25519 are supported");
    // Not a point of the curve, and a length that is another curve's.
    for curve in ["1.2.840.10045.3.1.7", "1.3.132.0.34"] {
        let key = PublicKey::from_der(&spki("1.2.840.10045.2.1", Some(curve)));
        assert_eq!(key, Err(NOT_PUBLIC), "{curve}");
    }
}

#[test]
fn the_hash_function_is_the_callers_choice_and_not_the_signatures() {
    let random = SystemRandom::new();
    for (signing, of_the_curve) in [
        (&ECDSA_P521_SHA512_ASN1_SIGNING, true),
        (&ECDSA_P521_SHA256_ASN1_SIGNING, false),
    ] {
        let pair = EcdsaKeyPair::generate(signing).unwrap();
        let key = PublicKey {
            algorithm: Algorithm::P521,
            raw: pair.public_key().as_ref().to_vec(),
        };
        let signature = pair.sign(&random, b"text").unwrap();
        let good = |hashing| key.verify(b"text", signature.as_ref(), hashing);
        assert_eq!(good(Hashing::OfTheCurve), of_the_curve);
        assert!(good(Hashing::OfTheCurveOrSha256));
    }
}

#[test]
fn a_protected_key_opens_with_its_passphrase_only() {
    let pair = rcgen::KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let pem = &protected(&pair.serialize_der(), "sesame");
    assert_eq!(
        SigningKey::from_pem(pem, None).unwrap_err(),
        KeyError::NeedsPassphrase
    );
    assert_eq!(
        SigningKey::from_pem(pem, Some("open")).unwrap_err(),
        KeyError::WrongPassphrase
    );
    let key = SigningKey::from_pem(pem, Some("sesame")).unwrap();
    assert_eq!(key.public().algorithm(), Algorithm::P256);
    // The private half is nowhere in what is printed.
    assert_eq!(
        format!("{key:?}"),
        format!("SigningKey({})", key.public().hint())
    );
}

/// As `openssl pkcs8 -topk8` writes it.
fn protected(der: &[u8], passphrase: &str) -> String {
    let key = pkcs8::PrivateKeyInfoRef::from_der(der).unwrap();
    let parameters =
        pkcs8::pkcs5::pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(2048, &[1; 16], [2; 16])
            .unwrap();
    let sealed = key.encrypt_with_params(parameters, passphrase).unwrap();
    let pem = sealed.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF);
    pem.unwrap().to_string()
}
