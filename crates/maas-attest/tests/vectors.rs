//! The test vectors of the specification and of the reference implementation, each with its verdict.

use camino::Utf8PathBuf;
use maas_attest::{
    PublicKey, Refusal,
    cosign::{self, CosignError, Layout, WantedImage},
    oms::{self, ModelSignature, ModelTrust, OmsError, ShippedFiles, SignedFile},
};
use maas_types::Digest;
use sha2::Digest as _;

/// A day on which the vectors' certificates are valid: 2026-08-21.
const NOW: i64 = 1_787_270_400;

fn vector(name: &str) -> Utf8PathBuf {
    let folder = Utf8PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    folder.join(name)
}

fn key() -> ModelTrust {
    let pem = fs_err::read_to_string(vector("model-transparency/keys/signing-key-pub.pem"));
    ModelTrust::Key(PublicKey::from_pem(&pem.expect("a vector")).expect("a vector"))
}

fn certificate() -> ModelTrust {
    let pem = fs_err::read(vector("model-transparency/keys/ca-cert.pem")).expect("a vector");
    let (_, root) = x509_parser::pem::parse_x509_pem(&pem).expect("a vector");
    ModelTrust::Certificate {
        roots: vec![root.contents],
        identity: "intermediate-ca".to_owned(),
    }
}

/// Verifies a signature over these files of its folder.
fn verdict(
    signature: &str,
    trust: &ModelTrust,
    names: &[&str],
) -> Result<ModelSignature, OmsError> {
    let signature = vector(signature);
    let read = |name: &&str| {
        let bytes = fs_err::read(signature.with_file_name(name)).expect("a vector");
        let sha256 = Digest::from_bytes(sha2::Sha256::digest(&bytes).into());
        (bytes.len() as u64, sha256)
    };
    let digests: Vec<_> = names.iter().map(read).collect();
    let files: Vec<_> = names
        .iter()
        .zip(digests)
        .map(|(path, (size, sha256))| SignedFile {
            path,
            size,
            sha256,
            parts: &[],
        })
        .collect();
    let shipped = ShippedFiles {
        files: &files,
        signature: Some("model.sig"),
    };
    let now = jiff::Timestamp::from_second(NOW).expect("a vector");
    oms::verify(
        &fs_err::read(&signature).expect("a vector"),
        trust,
        &shipped,
        now,
    )
}

/// An error as people read it, with everything that caused it.
fn said(error: &OmsError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[test]
fn signatures_of_the_reference_implementation_are_good() {
    for (folder, trust, names) in [
        (
            "v0.3.1-certificate",
            certificate(),
            &["signme-1", "signme-2"][..],
        ),
        (
            "v1.0.0-certificate",
            certificate(),
            &["signme-1", "signme-2"],
        ),
        (
            "v1.0.1-certificate",
            certificate(),
            &["signme-1", "signme-2"],
        ),
        ("v1.0.1-elliptic-key", key(), &["signme-1", "signme-2"]),
        (
            "v1.1.0-certificate",
            certificate(),
            &["signme-1", "signme-2"],
        ),
        (
            "v1.1.0-elliptic-key",
            key(),
            &["signme-1", "signme-2", "model.sig"],
        ),
    ] {
        let signature = format!("model-transparency/{folder}/model.sig");
        let good = verdict(&signature, &trust, names).unwrap_or_else(|e| panic!("{folder}: {e}"));
        assert_eq!(good.model(), folder);
        assert_eq!(good.resources(), 2);
    }
}

#[test]
fn a_single_file_signed_without_its_name_is_refused() {
    // Before 1.0.1 the only resource of a model of one file was called `.`, so the name that it is
    // shipped under was not signed (OMS 6.1.2, 5 wants the file's name).
    for folder in ["v0.3.1-elliptic-key", "v1.0.0-elliptic-key"] {
        let signature = format!("model-transparency/{folder}/model.sig");
        let error = verdict(&signature, &key(), &["signme-1"]).unwrap_err();
        assert_eq!(
            said(&error),
            "the model's signed manifest is refused: `.` is not a path of a file in a model: `.` \
             names no file (model-signing before 1.0.1 signed a single file so)"
        );
    }
}

#[test]
fn a_file_that_the_signer_ignored_is_refused() {
    for (folder, trust) in [
        ("v1.0.1-certificate", certificate()),
        ("v1.0.1-elliptic-key", key()),
    ] {
        let signature = format!("model-transparency/{folder}/model.sig");
        let names = ["ignore-me", "signme-1", "signme-2"];
        assert_eq!(
            said(&verdict(&signature, &trust, &names).unwrap_err()),
            "the shipped model is not the one that was signed: `ignore-me` is shipped and was not \
             signed"
        );
    }
    for (folder, trust) in [
        ("v1.1.0-certificate", certificate()),
        ("v1.1.0-elliptic-key", key()),
    ] {
        let signature = format!("model-transparency/{folder}/model.sig");
        let names = ["ignore-me", "signme-1", "signme-2"];
        assert_eq!(
            said(&verdict(&signature, &trust, &names).unwrap_err()),
            "the shipped model is not the one that was signed: `ignore-me` is shipped, and the \
             signer left out `ignore-me`"
        );
    }
}

#[test]
fn the_format_of_version_0_2_is_refused_by_name() {
    let signature = "model-transparency/v0.2.0-certificate/model.sig";
    let error = verdict(signature, &certificate(), &["signme-1", "signme-2"]).unwrap_err();
    assert_eq!(error, OmsError::OldVersion);
    assert_eq!(
        said(&error),
        "the model was signed with model-signing 0.2, whose format is not supported: sign it again \
         with version 1.0 or later"
    );
}

#[test]
fn keyless_signatures_are_refused_by_name() {
    for name in [
        "model-transparency/v0.3.1-sigstore/model.sig",
        "model-transparency/v1.0.0-sigstore/model.sig",
        "model-transparency/v1.0.1-sigstore/model.sig",
        "model-transparency/v1.1.0-sigstore/model.sig",
        "model-signing-spec/valid/sigstore.bundle.json",
        // "Must require" a log entry (OMS 11.1), and is not a certificate chain either.
        "model-signing-spec/invalid/missing-tlog-entries.bundle.json",
    ] {
        for trust in [key(), certificate()] {
            assert_eq!(verdict(name, &trust, &[]), Err(OmsError::Keyless), "{name}");
        }
    }
}

#[test]
fn valid_bundles_of_the_specification_are_read_to_the_last_check() {
    // Their files are not published: that one is missing is the last thing that is found out.
    for (name, trust) in [("certificate", certificate()), ("key", key())] {
        let name = format!("model-signing-spec/valid/{name}.bundle.json");
        let error = verdict(&name, &trust, &[]).unwrap_err();
        assert_eq!(error.refusal(), Refusal::OtherContent, "{error}");
        assert_eq!(
            said(&error),
            "the shipped model is not the one that was signed: `signme-1` was signed and is not \
             shipped"
        );
    }
}

#[test]
fn invalid_bundles_of_the_specification_are_refused() {
    let of = |name: &str| {
        let error = verdict(
            &format!("model-signing-spec/{name}.bundle.json"),
            &key(),
            &[],
        );
        said(&error.unwrap_err())
    };
    insta::assert_snapshot!(of("invalid/empty"), @"the model's signature cannot be read: the Sigstore bundle is not the JSON it should be: EOF while parsing a value at line 1 column 0");
    insta::assert_snapshot!(of("invalid/missing-envelope"), @"the model's signature cannot be read: the bundle must hold a DSSE envelope and no other content");
    insta::assert_snapshot!(of("invalid/missing-verification-material"), @"the model's signature cannot be read: the Sigstore bundle is not the JSON it should be: missing field `verificationMaterial` at line 13 column 1");
    // The payload was exchanged under a signature of another one.
    insta::assert_snapshot!(of("invalid-payload/wrong-predicate"), @"the model's signature is wrong: it or what it signs was changed");
}

#[test]
fn a_signature_by_certificate_is_not_one_by_key_and_the_other_way_round() {
    let by_certificate = "model-transparency/v1.1.0-certificate/model.sig";
    let by_key = "model-transparency/v1.1.0-elliptic-key/model.sig";
    let names = ["signme-1", "signme-2"];
    for (name, trust) in [(by_certificate, key()), (by_key, certificate())] {
        let error = verdict(name, &trust, &names).unwrap_err();
        assert!(matches!(error, OmsError::OtherMethod { .. }), "{error}");
        assert_eq!(error.refusal(), Refusal::NotTrusted);
    }
}

#[test]
fn a_good_signature_over_other_files_says_which() {
    // Both folders have a `signme-1`, and they differ in a final newline.
    let by_key = "model-transparency/v1.1.0-elliptic-key/model.sig";
    let copy = fs_err::read(vector("model-transparency/v1.1.0-certificate/signme-1")).unwrap();
    let digest = Digest::from_bytes(sha2::Sha256::digest(&copy).into());
    let second = fs_err::read(vector("model-transparency/v1.1.0-certificate/signme-2")).unwrap();
    let other = Digest::from_bytes(sha2::Sha256::digest(&second).into());
    let file = |path, sha256| SignedFile {
        path,
        size: 8,
        sha256,
        parts: &[],
    };
    let files = [file("signme-1", digest), file("signme-2", other)];
    let shipped = ShippedFiles {
        files: &files,
        signature: None,
    };
    let now = jiff::Timestamp::from_second(NOW).unwrap();
    let error = oms::verify(
        &fs_err::read(vector(by_key)).unwrap(),
        &key(),
        &shipped,
        now,
    );
    insta::assert_snapshot!(said(&error.unwrap_err()), @"the shipped model is not the one that was signed: `signme-1` is sha256:f6310066c7320497ea554260c32c43660bff648cb2a61194832cc086077085e1, and sha256:bc9a717db6064a32cbe9eae6fc40651dd6d36ef1757183f590eff2b1765d7ebc was signed");
}

#[test]
fn images_signed_with_openssl_are_good_in_both_layouts() {
    let folder = vector("cosign");
    let read = |name: &str| fs_err::read(folder.join(name)).unwrap();
    let digest = |bytes: &[u8]| Digest::from_bytes(sha2::Sha256::digest(bytes).into());
    let wanted = WantedImage {
        manifest: digest(&read("image.json")),
        index: None,
        reference: None,
    };
    let names = ["p256", "p384-sha256", "p384-sha384", "ed25519"];
    let key = |name: &str| {
        let pem = String::from_utf8(read(&format!("{name}.pem"))).unwrap();
        PublicKey::from_pem(&pem).unwrap()
    };
    let payloads = |_: &Digest| Some(read("payload.json"));
    for name in names {
        let manifest = read(&format!("{name}.manifest.json"));
        let bundle = read(&format!("{name}.bundle.json"));
        let good = cosign::verify_simple(&manifest, &payloads, &key(name), &wanted);
        assert_eq!(good.unwrap().layout(), Layout::Simple, "{name}");
        let good = cosign::verify_bundle(&bundle, &key(name), &wanted);
        assert_eq!(good.unwrap().layout(), Layout::Bundle, "{name}");
        for other in names.iter().filter(|other| **other != name) {
            let wrong = CosignError::OtherKey { found: 1 };
            let by_other = cosign::verify_simple(&manifest, &payloads, &key(other), &wanted);
            assert_eq!(by_other, Err(wrong.clone()), "{name} by {other}");
            let by_other = cosign::verify_bundle(&bundle, &key(other), &wanted);
            assert_eq!(by_other, Err(wrong), "{name} by {other}");
        }
    }
}

#[test]
fn cosigns_own_keyless_attestation_is_refused_by_name() {
    let bundle = fs_err::read(vector("cosign/oci-attestation.sigstore.json")).unwrap();
    let ModelTrust::Key(key) = key() else {
        panic!("a key");
    };
    let wanted = WantedImage {
        manifest: Digest::from_bytes([0; 32]),
        index: None,
        reference: None,
    };
    let error = cosign::verify_bundle(&bundle, &key, &wanted);
    assert_eq!(error, Err(CosignError::Keyless));
}
