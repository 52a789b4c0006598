use super::*;

const ENVELOPE: &str = r#"{"payload":"","payloadType":"x","signatures":[]}"#;

fn read(media_type: &str, material: &str, rest: &str) -> Result<Bundle, FormatError> {
    let text =
        format!(r#"{{"mediaType":"{media_type}","verificationMaterial":{material},{rest}}}"#);
    Bundle::read(text.as_bytes(), 1 << 10)
}

fn with_material(material: &str) -> Result<Bundle, FormatError> {
    read(
        MEDIA_TYPE,
        material,
        &format!(r#""dsseEnvelope":{ENVELOPE}"#),
    )
}

#[test]
fn the_signer_is_named_in_exactly_one_way() {
    let key = r#""publicKey":{"hint":"a"}"#;
    let chain = r#""x509CertificateChain":{"certificates":[{"rawBytes":"AA=="}]}"#;
    let single = r#""certificate":{"rawBytes":"AA=="}"#;
    assert!(matches!(
        with_material(&format!("{{{key}}}")).unwrap().material,
        Material::Key(KeyName {
            hint: Some(_),
            raw_bytes: None
        })
    ));
    assert!(matches!(
        with_material(&format!("{{{chain}}}")).unwrap().material,
        Material::Certificates(der) if der == [[0]]
    ));
    assert!(matches!(
        with_material(&format!("{{{single}}}")).unwrap().material,
        Material::Keyless
    ));
    for (two, found) in [
        (format!("{{{key},{chain}}}"), 2),
        (format!("{{{key},{single}}}"), 2),
        (format!("{{{key},{chain},{single}}}"), 3),
        ("{}".to_owned(), 0),
    ] {
        let error = with_material(&two).unwrap_err();
        assert_eq!(error, FormatError::Material { found }, "{two}");
    }
}

#[test]
fn an_absent_member_may_be_null_and_an_unknown_one_is_ignored() {
    // Protobuf's JSON mapping: null is the same as absent.
    let material = r#"{"publicKey":{"hint":"a"},"certificate":null,"tlogEntries":[{}],"new":1}"#;
    assert!(with_material(material).is_ok());
}

#[test]
fn other_content_is_refused() {
    let material = r#"{"publicKey":{}}"#;
    for rest in [
        r#""messageSignature":{}"#.to_owned(),
        format!(r#""messageSignature":{{}},"dsseEnvelope":{ENVELOPE}"#),
        r#""other":1"#.to_owned(),
    ] {
        let error = read(MEDIA_TYPE, material, &rest).unwrap_err();
        assert_eq!(error, FormatError::Content, "{rest}");
    }
}

#[test]
fn other_versions_are_refused() {
    let error = read(
        "application/vnd.dev.sigstore.bundle+json;version=0.2",
        r#"{"publicKey":{}}"#,
        &format!(r#""dsseEnvelope":{ENVELOPE}"#),
    )
    .unwrap_err();
    insta::assert_snapshot!(error, @"the bundle's media type is `application/vnd.dev.sigstore.bundle+json;version=0.2`, not `application/vnd.dev.sigstore.bundle.v0.3+json`");
}
