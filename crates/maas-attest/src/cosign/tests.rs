use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    FormatError, PublicKey, Refusal, SigningKey, bundle, digest_of, dsse::Envelope, octets::Octets,
};

const IMAGE: [u8; 32] = [7; 32];

fn signing_key() -> SigningKey {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    SigningKey::from_pem(&pair.serialize_pem(), None).unwrap()
}

fn image() -> WantedImage<'static> {
    WantedImage {
        manifest: Digest::from_bytes(IMAGE),
        index: None,
        reference: None,
    }
}

fn payload(image: Digest) -> Value {
    json!({
        "critical": {
            "identity": {"docker-reference": "registry.example.com/vllm"},
            "image": {"docker-manifest-digest": image.to_string()},
            "type": "cosign container image signature",
        },
        "optional": {"creator": "test"},
    })
}

/// A signature manifest with a layer for each payload, and the payloads.
fn manifest(layers: &[(&SigningKey, Value)]) -> (Value, Vec<Vec<u8>>) {
    let blobs: Vec<_> = layers
        .iter()
        .map(|(_, p)| p.to_string().into_bytes())
        .collect();
    let layers: Vec<_> = layers
        .iter()
        .zip(&blobs)
        .map(|((key, _), blob)| {
            json!({
                "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
                "digest": digest_of(blob).to_string(),
                "size": blob.len(),
                "annotations": {
                    "dev.cosignproject.cosign/signature": String::from(Octets(key.sign(blob))),
                    "dev.sigstore.cosign/certificate": "not looked at",
                },
            })
        })
        .collect();
    (json!({"schemaVersion": 2, "layers": layers}), blobs)
}

fn simple(
    (manifest, blobs): &(Value, Vec<Vec<u8>>),
    key: &SigningKey,
    image: &WantedImage<'_>,
) -> Result<ImageSignature, CosignError> {
    let find = |wanted: &Digest| {
        blobs
            .iter()
            .find(|blob| digest_of(blob) == *wanted)
            .cloned()
    };
    verify_simple(manifest.to_string().as_bytes(), &find, key.public(), image)
}

fn signed(payload: Value) -> Result<ImageSignature, CosignError> {
    let key = signing_key();
    simple(&manifest(&[(&key, payload)]), &key, &image())
}

fn statement(image: &str) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": image}}],
        "predicateType": "https://sigstore.dev/cosign/sign/v1",
        "predicate": {},
    })
}

fn sealed(key: &SigningKey, statement: &Value) -> Vec<u8> {
    let envelope = Envelope::seal(statement.to_string().into(), |message| key.sign(message));
    let hint = Octets(digest_of(&key.public().to_der()).as_bytes().to_vec());
    bundle::write(&String::from(hint), &envelope)
}

#[test]
fn a_signature_of_the_image_or_of_its_index_is_good() {
    let key = signing_key();
    let index = Digest::from_bytes([8; 32]);
    let of_index = manifest(&[(&key, payload(index))]);
    let wanted = WantedImage {
        index: Some(index),
        ..image()
    };
    assert_eq!(simple(&of_index, &key, &wanted).unwrap().digest(), &index);
    let error = simple(&of_index, &key, &image()).unwrap_err();
    assert!(matches!(error, CosignError::OtherImage { .. }), "{error}");
    assert_eq!(error.refusal(), Refusal::OtherContent);

    let good = signed(payload(image().manifest)).unwrap();
    assert_eq!(good.layout(), Layout::Simple);
    assert_eq!(good.reference(), Some("registry.example.com/vllm"));
}

#[test]
fn nobody_another_key_and_another_name_are_three_things() {
    let (key, other) = (signing_key(), signing_key());
    let nobody = simple(&manifest(&[]), &key, &image()).unwrap_err();
    assert_eq!(nobody.refusal(), Refusal::NobodySigned);

    let by_other = manifest(&[(&other, payload(image().manifest))]);
    let error = simple(&by_other, &key, &image()).unwrap_err();
    assert_eq!(error, CosignError::OtherKey { found: 1 });
    assert_eq!(error.refusal(), Refusal::NotTrusted);

    let by_key = manifest(&[(&key, payload(image().manifest))]);
    let named = |name| WantedImage {
        reference: Some(name),
        ..image()
    };
    assert!(simple(&by_key, &key, &named("registry.example.com/vllm")).is_ok());
    let error = simple(&by_key, &key, &named("registry.example.com/other")).unwrap_err();
    insta::assert_snapshot!(error, @"the image was signed as `registry.example.com/vllm`, and `registry.example.com/other` is wanted");
}

#[test]
fn one_good_signature_among_others_is_enough() {
    let (key, other) = (signing_key(), signing_key());
    let elsewhere = Digest::from_bytes([9; 32]);
    let many = manifest(&[
        (&other, json!("not even a payload")),
        (&key, payload(elsewhere)),
        (&key, payload(image().manifest)),
    ]);
    assert!(simple(&many, &key, &image()).is_ok());
    assert_eq!(
        simple(&many, &signing_key(), &image()),
        Err(CosignError::OtherKey { found: 3 })
    );
}

#[test]
fn a_signed_payload_must_have_every_member_and_no_critical_one_more() {
    let change = |pointer: &str, value: Option<Value>| {
        let mut payload = payload(image().manifest);
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = payload
            .pointer_mut(parent)
            .unwrap()
            .as_object_mut()
            .unwrap();
        match value {
            Some(value) => parent.insert(name.to_owned(), value),
            None => parent.remove(name),
        };
        signed(payload)
    };
    for pointer in [
        "/critical",
        "/critical/identity",
        "/critical/identity/docker-reference",
        "/critical/image",
        "/critical/image/docker-manifest-digest",
        "/critical/type",
    ] {
        let error = change(pointer, None).unwrap_err();
        assert!(
            matches!(error, CosignError::Format(_)),
            "{pointer}: {error}"
        );
        assert_eq!(error.refusal(), Refusal::NotUnderstood);
    }
    for pointer in [
        "/critical/new",
        "/critical/identity/new",
        "/critical/image/new",
        "/new",
    ] {
        assert!(change(pointer, Some(json!(1))).is_err(), "{pointer}");
    }
    for digest in ["", "sha256:", "sha256:../x", "sha512:00", &"ab".repeat(32)] {
        let pointer = "/critical/image/docker-manifest-digest";
        assert!(change(pointer, Some(json!(digest))).is_err(), "{digest}");
    }
    let kind = change("/critical/type", Some(json!("atomic container signature")));
    insta::assert_snapshot!(
        std::error::Error::source(&kind.unwrap_err()).unwrap(), @"the payload's type is `atomic container signature`, not `cosign container image signature`"
    );
    assert!(change("/optional", None).is_ok());
    assert!(change("/optional", Some(Value::Null)).is_ok());
    assert!(change("/optional", Some(json!("text"))).is_err());
}

#[test]
fn a_signed_payload_that_is_not_json_is_an_error_and_not_skipped() {
    let key = signing_key();
    let broken = manifest(&[(&key, json!("text")), (&key, payload(image().manifest))]);
    let error = simple(&broken, &key, &image()).unwrap_err();
    assert!(matches!(error, CosignError::Format(_)), "{error}");
}

#[test]
fn a_payload_must_be_there_and_have_its_digest_and_size() {
    let key = signing_key();
    let good = manifest(&[(&key, payload(image().manifest))]);
    let with = |find: &dyn Fn(&Digest) -> Option<Vec<u8>>, manifest: &Value| {
        verify_simple(
            manifest.to_string().as_bytes(),
            find,
            key.public(),
            &image(),
        )
        .unwrap_err()
    };
    let missing = with(&|_| None, &good.0);
    assert!(matches!(missing, CosignError::NoPayload { .. }));
    let other = with(&|_| Some(b"{}".to_vec()), &good.0);
    assert!(matches!(other, CosignError::OtherPayload { .. }));
    let mut longer = good.0.clone();
    longer["layers"][0]["size"] = json!(good.1[0].len() + 1);
    let longer = with(&|_| Some(good.1[0].clone()), &longer);
    assert!(matches!(longer, CosignError::OtherPayload { .. }));
    let mut huge = good.0.clone();
    huge["layers"][0]["size"] = json!(u64::MAX);
    let huge = with(&|_| panic!("it is not asked for"), &huge);
    assert!(matches!(
        huge,
        CosignError::Format(FormatError::TooBig { .. })
    ));
}

#[test]
fn a_layer_without_a_readable_signature_is_an_error() {
    let key = signing_key();
    for annotations in [
        json!({}),
        json!({"dev.cosignproject.cosign/signature": "not base64!"}),
    ] {
        let mut broken = manifest(&[(&key, payload(image().manifest))]);
        broken.0["layers"][0]["annotations"] = annotations;
        let error = simple(&broken, &key, &image()).unwrap_err();
        assert_eq!(error.refusal(), Refusal::NotUnderstood, "{error}");
    }
    let mut old = manifest(&[(&key, payload(image().manifest))]);
    old.0["schemaVersion"] = json!(1);
    assert!(simple(&old, &key, &image()).is_err());
}

#[test]
fn a_bundle_about_the_image_is_good() {
    let key = signing_key();
    let bundle = sealed(&key, &statement(&image().manifest.hex()));
    let good = verify_bundle(&bundle, key.public(), &image()).unwrap();
    assert_eq!((good.layout(), good.reference()), (Layout::Bundle, None));
    let named = WantedImage {
        reference: Some("registry.example.com/vllm"),
        ..image()
    };
    let error = verify_bundle(&bundle, key.public(), &named).unwrap_err();
    assert!(matches!(error, CosignError::OtherReference { .. }));
}

#[test]
fn a_bundle_by_another_key_is_not_a_wrong_signature() {
    let (key, other) = (signing_key(), signing_key());
    let bundle = sealed(&key, &statement(&image().manifest.hex()));
    let error = verify_bundle(&bundle, other.public(), &image()).unwrap_err();
    assert_eq!(error, CosignError::OtherKey { found: 1 });
    // The hint is not signed: a wrong one does not make a good signature bad.
    let text = String::from_utf8(bundle).unwrap();
    let hint = String::from(Octets(
        digest_of(&key.public().to_der()).as_bytes().to_vec(),
    ));
    let unnamed = text.replace(&hint, "");
    assert!(verify_bundle(unnamed.as_bytes(), key.public(), &image()).is_ok());
    assert_eq!(
        verify_bundle(unnamed.as_bytes(), other.public(), &image()),
        Err(CosignError::WrongSignature)
    );
}

#[test]
fn a_bundle_about_something_else_is_refused() {
    let key = signing_key();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut statement = statement(&image().manifest.hex());
        change(&mut statement);
        verify_bundle(&sealed(&key, &statement), key.public(), &image()).unwrap_err()
    };
    let slsa = refused(&|s| s["predicateType"] = json!("https://slsa.dev/provenance/v1"));
    insta::assert_snapshot!(slsa, @"it is a statement of type `https://slsa.dev/provenance/v1`, not of `https://sigstore.dev/cosign/sign/v1`");
    let other = refused(&|s| s["subject"][0]["digest"]["sha256"] = json!("00".repeat(32)));
    assert!(matches!(other, CosignError::OtherImage { .. }));
    let second = refused(&|s| {
        let subject = s["subject"][0].clone();
        s["subject"].as_array_mut().unwrap().push(subject);
    });
    assert!(matches!(
        second,
        CosignError::Format(FormatError::Subjects { found: 2 })
    ));
    for subject in [
        json!(null),
        json!([null]),
        json!([{}]),
        json!([{"digest": {}}]),
    ] {
        let error = refused(&|s| s["subject"] = subject.clone());
        assert_eq!(error.refusal(), Refusal::NotUnderstood, "{error}");
    }
}

proptest! {
    #[test]
    fn a_changed_signature_is_never_good(position: prop::sample::Index, flip in 1..=255_u8) {
        let key = signing_key();
        let mut good = manifest(&[(&key, payload(image().manifest))]);
        let text = &mut good.0["layers"][0]["annotations"]["dev.cosignproject.cosign/signature"];
        let mut signature = Octets::try_from(text.as_str().unwrap().to_owned()).unwrap();
        let position = position.index(signature.0.len());
        signature.0[position] ^= flip;
        *text = Value::String(signature.into());
        prop_assert_eq!(simple(&good, &key, &image()), Err(CosignError::OtherKey { found: 1 }));
    }

    #[test]
    fn a_changed_payload_is_never_good(position: prop::sample::Index, flip in 1..=255_u8) {
        let key = signing_key();
        let good = manifest(&[(&key, payload(image().manifest))]);
        let mut changed = good.1[0].clone();
        let position = position.index(changed.len());
        changed[position] ^= flip;
        // As a store would have it that does not check, and as a manifest that was changed too.
        let find = |_: &Digest| Some(changed.clone());
        let error = verify_simple(good.0.to_string().as_bytes(), &find, key.public(), &image());
        let other = matches!(error, Err(CosignError::OtherPayload { .. }));
        prop_assert!(other);
        let mut moved = good.0;
        moved["layers"][0]["digest"] = json!(digest_of(&changed).to_string());
        let error = verify_simple(moved.to_string().as_bytes(), &find, key.public(), &image());
        prop_assert_eq!(error, Err(CosignError::OtherKey { found: 1 }));
    }

    #[test]
    fn a_changed_bundle_never_says_something_else(position: prop::sample::Index, flip in 1..=255_u8) {
        let key = signing_key();
        let mut bytes = sealed(&key, &statement(&image().manifest.hex()));
        let good = verify_bundle(&bytes, key.public(), &image()).unwrap();
        let position = position.index(bytes.len());
        bytes[position] ^= flip;
        if let Ok(same) = verify_bundle(&bytes, key.public(), &image()) {
            prop_assert_eq!(same, good);
        }
    }

    #[test]
    fn noise_is_an_error_and_never_a_panic(bytes: Vec<u8>) {
        let key: PublicKey = signing_key().public().clone();
        prop_assert!(verify_bundle(&bytes, &key, &image()).is_err());
        prop_assert!(verify_simple(&bytes, &|_| None, &key, &image()).is_err());
    }
}
