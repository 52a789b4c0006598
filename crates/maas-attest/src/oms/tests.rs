use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{Refusal, SigningKey, bundle, dsse::Envelope};

fn signing_key() -> SigningKey {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    SigningKey::from_pem(&pair.serialize_pem(), None).unwrap()
}

fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

fn file(path: &str, byte: u8) -> SignedFile<'_> {
    SignedFile {
        path,
        size: 10,
        sha256: digest(byte),
        parts: &[],
    }
}

fn shipped<'a>(files: &'a [SignedFile<'a>]) -> ShippedFiles<'a> {
    ShippedFiles {
        files,
        signature: None,
    }
}

fn by_key(
    signature: &[u8],
    key: &PublicKey,
    files: &[SignedFile<'_>],
) -> Result<ModelSignature, OmsError> {
    let trust = ModelTrust::Key(key.clone());
    verify(signature, &trust, &shipped(files), Timestamp::UNIX_EPOCH)
}

/// Signs any statement.
fn sealed(key: &SigningKey, payload: &Value) -> Vec<u8> {
    let envelope = Envelope::seal(payload.to_string().into(), |message| key.sign(message));
    bundle::write(&key.public().hint(), &envelope)
}

/// A good statement about `a` and `b/c`.
fn statement() -> Value {
    let root = crate::digest_of(&[[1; 32], [2; 32]].concat());
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "m", "digest": {"sha256": root.hex()}}],
        "predicateType": PREDICATE,
        "predicate": {
            "resources": [
                {"name": "a", "digest": digest(1).hex(), "algorithm": "sha256", "uri": "new"},
                {"name": "b/c", "digest": digest(2).hex(), "algorithm": "sha256"},
            ],
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": false},
            "later": 1,
        },
    })
}

/// The error for a well signed statement after a change, with its cause.
fn refused(change: impl FnOnce(&mut Value)) -> String {
    let key = signing_key();
    let mut payload = statement();
    change(&mut payload);
    let files = [file("a", 1), file("b/c", 2)];
    let error = by_key(&sealed(&key, &payload), key.public(), &files).unwrap_err();
    assert_eq!(error.exit(), maas_types::Exit::Untrusted, "{error}");
    let source = std::error::Error::source(&error);
    source.map_or_else(|| error.to_string(), ToString::to_string)
}

#[test]
fn what_is_signed_here_is_verified_here() {
    let key = signing_key();
    let files = [file("b/c", 2), file("a", 1), file("b.c", 3)];
    let signature = sign("m", &files, Method::Files, &key).unwrap();
    let good = by_key(&signature, key.public(), &files).unwrap();
    assert_eq!(
        (good.model(), good.method(), good.resources()),
        ("m", Method::Files, 3)
    );
    let hint = key.public().hint();
    assert_eq!(good.signer(), &ModelSigner::Key { hint });
    // Sorted by name: `a`, `b.c`, `b/c`.
    let root = crate::digest_of(&[[1; 32], [3; 32], [2; 32]].concat());
    assert_eq!(good.root(), &root);
}

#[test]
fn equal_arguments_sign_equal_payloads() {
    let key = signing_key();
    let files = [file("a", 1)];
    let payload = |files: &[SignedFile<'_>]| {
        let bytes = sign("m", files, Method::Files, &key).unwrap();
        let bundle = Bundle::read(&bytes, LARGEST).unwrap();
        bundle.envelope.signed().unwrap().payload.to_vec()
    };
    insta::assert_snapshot!(String::from_utf8(payload(&files)).unwrap(), @r#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"m","digest":{"sha256":"72cd6e8422c407fb6d098690f1130b7ded7ec2f7f5e1d30bd9d521f015363793"}}],"predicateType":"https://model_signing/signature/v1.0","predicate":{"resources":[{"name":"a","digest":"0101010101010101010101010101010101010101010101010101010101010101","algorithm":"sha256"}],"serialization":{"method":"files","hash_type":"sha256","allow_symlinks":false,"ignore_paths":[".git",".gitattributes",".github",".gitignore"]}}}"#);
    assert_eq!(payload(&files), payload(&files));
}

#[test]
fn a_statement_with_members_that_are_new_is_good() {
    let key = signing_key();
    let files = [file("a", 1), file("b/c", 2)];
    assert!(by_key(&sealed(&key, &statement()), key.public(), &files).is_ok());
}

#[test]
fn another_key_is_not_a_wrong_signature() {
    let (key, other) = (signing_key(), signing_key());
    let files = [file("a", 1)];
    let signature = sign("m", &files, Method::Files, &key).unwrap();
    let error = by_key(&signature, other.public(), &files).unwrap_err();
    assert!(matches!(error, OmsError::OtherKey { .. }), "{error}");
    assert_eq!(error.refusal(), Refusal::NotTrusted);

    // Under the trusted key's name, the same signature is a wrong one.
    let text = String::from_utf8(signature).unwrap();
    let renamed = text.replace(&key.public().hint(), &other.public().hint());
    let error = by_key(renamed.as_bytes(), other.public(), &files).unwrap_err();
    assert_eq!(error, OmsError::WrongSignature);
    assert_eq!(error.refusal(), Refusal::WrongSignature);
    assert_eq!(OmsError::NobodySigned.refusal(), Refusal::NobodySigned);
}

#[test]
fn a_bundle_without_a_hint_is_judged_by_its_signature() {
    let key = signing_key();
    let files = [file("a", 1)];
    let text = String::from_utf8(sign("m", &files, Method::Files, &key).unwrap()).unwrap();
    let hint = format!(r#""hint":"{}""#, key.public().hint());
    for nothing in ["", r#""hint":"""#, r#""hint":null"#] {
        let text = text.replace(&hint, nothing);
        assert!(
            by_key(text.as_bytes(), key.public(), &files).is_ok(),
            "{nothing}"
        );
        let other = by_key(text.as_bytes(), signing_key().public(), &files);
        assert_eq!(other, Err(OmsError::WrongSignature), "{nothing}");
    }
}

#[test]
fn an_ed25519_key_signs_no_models() {
    let key = signing_key();
    let signature = sign("m", &[file("a", 1)], Method::Files, &key).unwrap();
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let other = PublicKey::from_pem(&pair.public_key_pem()).unwrap();
    let error = by_key(&signature, &other, &[file("a", 1)]);
    assert_eq!(error, Err(OmsError::KeyAlgorithm));
}

#[test]
fn names_that_are_not_plain_paths_are_refused() {
    for name in ["../a", "/a", "a/../b", "", ".", "a//b", "a/"] {
        let text = refused(|s| s["predicate"]["resources"][0]["name"] = json!(name));
        assert!(
            text.contains("is not a path of a file in a model"),
            "{name}: {text}"
        );
    }
    let text = refused(|s| s["predicate"]["resources"][1]["name"] = json!("a"));
    insta::assert_snapshot!(text, @"`a` is signed twice");
}

#[test]
fn only_plain_files_by_sha256_are_read() {
    let serialization = |name: &'static str, value: Value| {
        refused(move |s| s["predicate"]["serialization"][name] = value)
    };
    insta::assert_snapshot!(serialization("allow_symlinks", json!(true)), @"it allows symbolic links, which are not supported: sign a folder of plain files");
    insta::assert_snapshot!(serialization("hash_type", json!("blake3")), @"it uses `blake3`, and only sha256 is supported");
    insta::assert_snapshot!(serialization("method", json!("chunks")), @"it has files as `chunks`, and only `files` and `shards` are supported");
    insta::assert_snapshot!(serialization("method", json!("shards")), @"it has shards and does not say of what size");
    insta::assert_snapshot!(serialization("shard_size", json!(1_000_000_000)), @"it gives a shard size and has whole files");
    insta::assert_snapshot!(serialization("follow", json!("links")), @"the predicate is not the JSON it should be: unknown field `follow`, expected one of `method`, `hash_type`, `shard_size`, `allow_symlinks`, `ignore_paths` at line 1 column 335");
    insta::assert_snapshot!(serialization("ignore_paths", json!(["*.py"])), @"`*.py` among the ignored paths is not a plain path: it is a pattern");
    insta::assert_snapshot!(serialization("ignore_paths", json!(["../x"])), @"`../x` among the ignored paths is not a plain path: it climbs out of the model");
    insta::assert_snapshot!(refused(|s| s["predicate"]["resources"][0]["algorithm"] = json!("blake3")), @"it uses `blake3`, and only sha256 is supported");
    insta::assert_snapshot!(refused(|s| s["predicate"]["resources"][0]["digest"] = json!("AB")), @"`a` has no SHA-256 digest of 64 lower-case hex digits");
}

#[test]
fn shards_are_read_as_the_specification_and_as_the_reference_write_them() {
    let key = signing_key();
    let files = [file("a", 1), file("b/c", 2)];
    for size in [json!(SHARD_BYTES), json!(1e9)] {
        for algorithm in ["sha256", "sha256-sharded-1000000000"] {
            let mut payload = statement();
            let predicate = &mut payload["predicate"];
            predicate["serialization"]["method"] = json!("shards");
            predicate["serialization"]["shard_size"] = size.clone();
            for (resource, name) in [(0, "a:0:10"), (1, "b/c:0:10")] {
                predicate["resources"][resource]["name"] = json!(name);
                predicate["resources"][resource]["algorithm"] = json!(algorithm);
            }
            let good = by_key(&sealed(&key, &payload), key.public(), &files).unwrap();
            assert_eq!(good.method(), Method::Shards);
        }
    }
    let signature = sign("m", &files, Method::Shards, &key).unwrap();
    assert!(by_key(&signature, key.public(), &files).is_ok());
}

#[test]
fn a_size_is_a_whole_number_and_a_shard_has_a_range() {
    for size in [
        json!(1e9 + 0.5),
        json!(-1),
        json!("1000000000"),
        json!(1e300),
        json!(null),
    ] {
        refused(|s| {
            s["predicate"]["serialization"]["method"] = json!("shards");
            s["predicate"]["serialization"]["shard_size"] = size.clone();
        });
    }
    let text = refused(|s| {
        s["predicate"]["serialization"]["method"] = json!("shards");
        s["predicate"]["serialization"]["shard_size"] = json!(1e9);
    });
    insta::assert_snapshot!(text, @"`a` is not a path of a file in a model: it does not end in `:start:end`");
    let sharded = json!("sha256-sharded-1000000000");
    let text = refused(|s| s["predicate"]["resources"][0]["algorithm"] = sharded.clone());
    insta::assert_snapshot!(text, @"it uses `sha256-sharded-1000000000`, and only sha256 is supported");
}

#[test]
fn shards_of_another_size_are_refused() {
    let text = refused(|s| {
        s["predicate"]["serialization"]["method"] = json!("shards");
        s["predicate"]["serialization"]["shard_size"] = json!(1_048_576);
    });
    insta::assert_snapshot!(text, @"it has shards of 1048576 bytes, and only shards of 1000000000 bytes are supported");
}

#[test]
fn statements_about_something_else_are_refused() {
    insta::assert_snapshot!(refused(|s| s["predicateType"] = json!("https://slsa.dev/provenance/v1")), @"it is a statement of type `https://slsa.dev/provenance/v1`, not of `https://model_signing/signature/v1.0`");
    insta::assert_snapshot!(refused(|s| s["predicateType"] = json!(OLD_PREDICATE)), @"the model was signed with model-signing 0.2, whose format is not supported: sign it again with version 1.0 or later");
    insta::assert_snapshot!(refused(|s| s["subject"] = json!([])), @"the statement must have exactly one subject, and it has 0");
    insta::assert_snapshot!(refused(|s| s["subject"][0]["name"] = json!("")), @"its subject has no name");
    insta::assert_snapshot!(refused(|s| s["predicate"] = Value::Null), @"the predicate is not the JSON it should be: invalid type: null, expected struct Predicate at line 1 column 4");
    insta::assert_snapshot!(refused(|s| s["predicate"]["resources"] = json!([])), @"its root digest is sha256:f818afd37a6dc3bc92fb44731011277006db4efa6e9023cd7468c02335d22a4d, and its resources have sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    let swapped = refused(|s| {
        let resources = s["predicate"]["resources"].as_array_mut().unwrap();
        resources.swap(0, 1);
    });
    assert!(
        swapped.starts_with("its root digest is sha256:"),
        "{swapped}"
    );
}

#[test]
fn what_oms_never_signs_is_not_signed_here() {
    let key = signing_key();
    for path in [".gitattributes", ".git/config"] {
        let error = sign("m", &[file(path, 1)], Method::Files, &key).unwrap_err();
        assert!(
            matches!(error, OmsError::Content(ContentError::LeftOut { .. })),
            "{error}"
        );
    }
    assert!(sign("m", &[file("sub/.gitignore", 1)], Method::Files, &key).is_ok());
    for (model, path) in [("", "a"), ("m", "../a"), ("m", "")] {
        assert!(sign(model, &[file(path, 1)], Method::Files, &key).is_err());
    }
    assert_eq!(
        sign("m", &[], Method::Files, &key).unwrap_err(),
        ManifestError::Empty.into()
    );
}

#[test]
fn a_signature_that_is_too_large_is_not_parsed() {
    let error = by_key(&vec![b' '; LARGEST + 1], signing_key().public(), &[]);
    let too_big = matches!(
        error,
        Err(OmsError::Format(crate::FormatError::TooBig { .. }))
    );
    assert!(too_big);
}

proptest! {
    /// Any change of one byte of the file gives an error, or changes nothing that is signed.
    #[test]
    fn a_changed_file_never_says_something_else(position: prop::sample::Index, flip in 1..=255_u8) {
        let key = signing_key();
        let files = [file("a", 1), file("b/c", 2)];
        let mut bytes = sign("m", &files, Method::Files, &key).unwrap();
        let good = by_key(&bytes, key.public(), &files).unwrap();
        let position = position.index(bytes.len());
        bytes[position] ^= flip;
        if let Ok(same) = by_key(&bytes, key.public(), &files) {
            prop_assert_eq!(same, good);
        }
    }

    /// Any change of one byte of the payload or of the signature makes the signature wrong.
    #[test]
    fn a_changed_payload_or_signature_is_wrong(
        position: prop::sample::Index,
        flip in 1..=255_u8,
        in_payload: bool,
    ) {
        let key = signing_key();
        let files = [file("a", 1)];
        let bytes = sign("m", &files, Method::Files, &key).unwrap();
        let mut bundle: Value = serde_json::from_slice(&bytes).unwrap();
        let place = if in_payload { "/dsseEnvelope/payload" } else { "/dsseEnvelope/signatures/0/sig" };
        let text = bundle.pointer_mut(place).unwrap();
        let mut octets = crate::octets::Octets::try_from(text.as_str().unwrap().to_owned()).unwrap();
        let position = position.index(octets.0.len());
        octets.0[position] ^= flip;
        *text = Value::String(octets.into());
        prop_assert_eq!(
            by_key(bundle.to_string().as_bytes(), key.public(), &files),
            Err(OmsError::WrongSignature)
        );
    }

    #[test]
    fn noise_is_an_error_and_never_a_panic(bytes: Vec<u8>) {
        prop_assert!(by_key(&bytes, signing_key().public(), &[]).is_err());
    }
}
