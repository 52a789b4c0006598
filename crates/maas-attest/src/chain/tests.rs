use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, SanType,
};

use super::*;

const WHO: &str = "models@example.com";
const NOW: i64 = 1_800_000_000;

/// A certificate with its key, as an issuer has them.
struct Made {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Made {
    fn der(&self) -> Vec<u8> {
        self.certificate.der().to_vec()
    }
}

fn parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = rcgen::date_time_ymd(2026, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2028, 1, 1);
    parameters
}

fn authority(name: &str) -> CertificateParams {
    let mut parameters = parameters(name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters
}

fn signer() -> CertificateParams {
    let mut parameters = parameters("Model Release");
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    parameters.subject_alt_names = vec![SanType::Rfc822Name(WHO.try_into().unwrap())];
    parameters
}

fn make(parameters: CertificateParams, by: Option<&Made>) -> Made {
    let key = KeyPair::generate().unwrap();
    let certificate = match by {
        Some(by) => parameters.signed_by(&key, &by.issuer),
        None => parameters.self_signed(&key),
    };
    Made {
        certificate: certificate.unwrap(),
        issuer: Issuer::new(parameters, key),
    }
}

fn checked(chain: &[&Made], roots: &[&Made]) -> Result<Signer, ChainError> {
    at(chain, roots, WHO, NOW)
}

fn at(chain: &[&Made], roots: &[&Made], who: &str, now: i64) -> Result<Signer, ChainError> {
    let der = |list: &[&Made]| list.iter().map(|made| made.der()).collect::<Vec<_>>();
    let now = Timestamp::from_second(now).unwrap();
    check(&der(chain), &der(roots), who, now)
}

/// Why a signer with these parameters is refused under a plain root.
fn why(change: impl FnOnce(&mut CertificateParams)) -> ChainError {
    let root = make(authority("root"), None);
    let mut parameters = signer();
    change(&mut parameters);
    checked(&[&make(parameters, Some(&root))], &[&root]).unwrap_err()
}

/// Why a chain with this authority in between is refused.
fn why_between(change: impl FnOnce(&mut CertificateParams)) -> ChainError {
    let root = make(authority("root"), None);
    let mut parameters = authority("between");
    change(&mut parameters);
    let between = make(parameters, Some(&root));
    let leaf = make(signer(), Some(&between));
    checked(&[&leaf, &between], &[&root]).unwrap_err()
}

fn unfit(error: &ChainError) -> &'static str {
    let ChainError::Unfit { why, .. } = error else {
        panic!("{error}");
    };
    why
}

#[test]
fn a_signer_two_authorities_below_a_root_is_trusted_in_any_order() {
    let root = make(authority("root"), None);
    let upper = make(authority("upper"), Some(&root));
    let lower = make(authority("lower"), Some(&upper));
    let leaf = make(signer(), Some(&lower));
    let good = checked(&[&leaf, &lower, &upper], &[&root]).unwrap();
    assert_eq!(good.subject, "CN=Model Release");
    assert!(checked(&[&leaf, &upper, &lower], &[&root]).is_ok());
    // "Verifiers SHOULD handle [...] superfluous [...] certificates by either ignoring them".
    assert!(checked(&[&leaf, &lower, &upper, &root], &[&root]).is_ok());
    assert!(checked(&[&leaf], &[&lower]).is_ok());
}

#[test]
fn a_root_that_only_the_signature_brings_is_not_trusted() {
    let root = make(authority("root"), None);
    let leaf = make(signer(), Some(&root));
    let other = make(authority("root"), None);
    let error = checked(&[&leaf, &root], &[&other]).unwrap_err();
    insta::assert_snapshot!(error, @"the certificate of `CN=root` was issued by `CN=root`, which is not trusted here");
    assert!(checked(&[&leaf, &root], &[]).is_err());
    assert_eq!(error.refusal(), crate::Refusal::NotTrusted);
}

#[test]
fn a_signer_who_is_trusted_as_a_root_is_still_not_an_authority() {
    let alone = make(signer(), None);
    let error = checked(&[&alone], &[&alone]).unwrap_err();
    assert_eq!(unfit(&error), "it issued a certificate and is no authority");
}

#[test]
fn a_missing_authority_in_between_breaks_the_chain() {
    let root = make(authority("root"), None);
    let between = make(authority("between"), Some(&root));
    let leaf = make(signer(), Some(&between));
    let error = checked(&[&leaf], &[&root]).unwrap_err();
    insta::assert_snapshot!(error, @"the certificate of `CN=Model Release` was issued by `CN=between`, which is not trusted here");
}

#[test]
fn both_uses_are_needed() {
    let none = why(|p| p.extended_key_usages.clear());
    assert_eq!(unfit(&none), "its extended key usage is not code signing");
    let other = why(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    assert_eq!(unfit(&other), "its extended key usage is not code signing");
    let any = why(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]);
    assert_eq!(unfit(&any), "its extended key usage is not code signing");
    let none = why(|p| p.key_usages.clear());
    assert_eq!(unfit(&none), "its key usage is not digital signature");
    let other = why(|p| p.key_usages = vec![KeyUsagePurpose::KeyAgreement]);
    assert_eq!(unfit(&other), "its key usage is not digital signature");
}

#[test]
fn validity_is_a_question_of_now_for_every_certificate() {
    let root = make(authority("root"), None);
    let leaf = make(signer(), Some(&root));
    let at = |now| at(&[&leaf], &[&root], WHO, now);
    let (first, last) = (1_767_225_600, 1_830_297_600);
    for inside in [first, last] {
        assert!(at(inside).is_ok(), "{inside}");
    }
    let error = at(last + 1).unwrap_err();
    insta::assert_snapshot!(error, @"the certificate of `CN=Model Release` is valid from 2026-01-01T00:00:00Z until 2028-01-01T00:00:00Z, and it is 2028-01-01T00:00:01Z");
    assert!(at(first - 1).is_err());
    let past = why_between(|p| p.not_after = rcgen::date_time_ymd(2026, 6, 1));
    assert!(matches!(past, ChainError::Validity { .. }));
}

#[test]
fn a_root_that_is_past_is_past() {
    let mut parameters = authority("root");
    parameters.not_after = rcgen::date_time_ymd(2026, 6, 1);
    let root = make(parameters, None);
    let leaf = make(signer(), Some(&root));
    let error = checked(&[&leaf], &[&root]).unwrap_err();
    assert!(matches!(error, ChainError::Validity { subject, .. } if subject == "CN=root"));
}

#[test]
fn only_an_authority_issues() {
    let plain = why_between(|p| p.is_ca = IsCa::NoCa);
    assert_eq!(unfit(&plain), "it issued a certificate and is no authority");
    let mute = why_between(|p| p.key_usages = vec![KeyUsagePurpose::DigitalSignature]);
    assert_eq!(unfit(&mute), "its key usage is not certificate signing");
    let servers =
        why_between(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    assert_eq!(
        unfit(&servers),
        "it may not issue certificates for code signing"
    );
}

#[test]
fn a_root_counts_the_authorities_below_it() {
    let mut parameters = authority("root");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let root = make(parameters, None);
    let between = make(authority("between"), Some(&root));
    let leaf = make(signer(), Some(&between));
    let error = checked(&[&leaf, &between], &[&root]).unwrap_err();
    assert_eq!(unfit(&error), "it allows fewer authorities below it");
    let direct = make(signer(), Some(&root));
    assert!(checked(&[&direct], &[&root]).is_ok());
}

#[test]
fn constraints_that_are_not_understood_are_not_skipped() {
    let names = why_between(|p| {
        p.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::Rfc822Name("example.com".to_owned())],
            excluded_subtrees: vec![],
        });
    });
    assert_eq!(
        unfit(&names),
        "it has name constraints, which are not supported"
    );
    let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    unknown.set_criticality(true);
    let critical = why(|p| p.custom_extensions = vec![unknown.clone()]);
    assert_eq!(
        unfit(&critical),
        "it has a critical extension that is not supported"
    );
    unknown.set_criticality(false);
    let root = make(authority("root"), None);
    let mut parameters = signer();
    parameters.custom_extensions = vec![unknown];
    assert!(checked(&[&make(parameters, Some(&root))], &[&root]).is_ok());
}

#[test]
fn an_identity_is_compared_byte_for_byte() {
    let root = make(authority("root"), None);
    let mut parameters = signer();
    parameters.subject_alt_names = vec![
        SanType::Rfc822Name(WHO.try_into().unwrap()),
        SanType::DnsName("*.models.example.com".try_into().unwrap()),
        SanType::URI("https://example.com/models".try_into().unwrap()),
        SanType::IpAddress([10, 0, 0, 1].into()),
    ];
    let leaf = make(parameters, Some(&root));
    let is = |who| at(&[&leaf], &[&root], who, NOW);
    for who in [WHO, "*.models.example.com", "https://example.com/models"] {
        assert!(is(who).is_ok(), "{who}");
    }
    for who in [
        "",
        "a.models.example.com",
        "MODELS@example.com",
        "models@example.com ",
        "https://example.com/models/",
        "10.0.0.1",
        "CN=Model Release",
        "Model Release",
        "Model",
    ] {
        assert!(matches!(is(who), Err(ChainError::Identity { .. })), "{who}");
    }
    insta::assert_snapshot!(is("x").unwrap_err(), @"the signer is `models@example.com` or `*.models.example.com` or `https://example.com/models`, not `x`");
}

#[test]
fn a_common_name_counts_only_where_there_is_no_other() {
    let root = make(authority("root"), None);
    let mut parameters = signer();
    parameters.subject_alt_names.clear();
    let leaf = make(parameters, Some(&root));
    assert!(at(&[&leaf], &[&root], "Model Release", NOW).is_ok());
}

#[test]
fn too_many_certificates_and_none_are_refused() {
    let root = make(authority("root"), None);
    let leaf = make(signer(), Some(&root));
    assert_eq!(
        checked(&[], &[&root]).unwrap_err(),
        ChainError::Length { found: 0 }
    );
    assert_eq!(
        checked(&[&leaf; 9], &[&root]).unwrap_err(),
        ChainError::Length { found: 9 }
    );
}

#[test]
fn a_changed_certificate_is_nobodys() {
    let root = make(authority("root"), None);
    let leaf = make(signer(), Some(&root)).der();
    let now = Timestamp::from_second(NOW).unwrap();
    let check = |der| check(&[der], &[root.der()], WHO, now);
    let good = check(leaf.clone()).unwrap();
    // The tag of the object identifier behind the signed part, which the parser does not look at and
    // nobody signs: such a certificate is another text of the same one.
    let signed = parse(&leaf, "").unwrap().tbs_certificate.as_ref().len();
    let unsigned_tag = 4 + signed + 2;
    for position in 0..leaf.len() {
        let mut changed = leaf.clone();
        changed[position] ^= 1;
        match check(changed) {
            Err(_) => {}
            Ok(same) => {
                assert_eq!(position, unsigned_tag);
                assert_eq!(
                    (same.key, same.subject),
                    (good.key.clone(), good.subject.clone())
                );
            }
        }
    }
    assert!(check([leaf, vec![0]].concat()).is_err());
}
