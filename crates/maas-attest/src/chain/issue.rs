//! Who issued a certificate.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1,
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1, ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1,
    ECDSA_P521_SHA512_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, VerificationAlgorithm,
};
use x509_parser::{
    certificate::X509Certificate,
    oid_registry::{self as oid, Oid},
    x509::SubjectPublicKeyInfo,
};

/// One row for each pair of signature algorithm and issuer's key. Nothing weaker than SHA-256 and
/// RSA-2048, and no RSASSA-PSS, whose parameters have been a source of confusion.
static PAIRS: [(Oid<'static>, Key, &'static dyn VerificationAlgorithm); 13] = {
    use Key::{Curve, Ed25519, Rsa};
    [
        (
            oid::OID_PKCS1_SHA256WITHRSA,
            Rsa,
            &RSA_PKCS1_2048_8192_SHA256,
        ),
        (
            oid::OID_PKCS1_SHA384WITHRSA,
            Rsa,
            &RSA_PKCS1_2048_8192_SHA384,
        ),
        (
            oid::OID_PKCS1_SHA512WITHRSA,
            Rsa,
            &RSA_PKCS1_2048_8192_SHA512,
        ),
        (
            oid::OID_SIG_ECDSA_WITH_SHA256,
            Curve(oid::OID_EC_P256),
            &ECDSA_P256_SHA256_ASN1,
        ),
        (
            oid::OID_SIG_ECDSA_WITH_SHA384,
            Curve(oid::OID_EC_P256),
            &ECDSA_P256_SHA384_ASN1,
        ),
        (
            oid::OID_SIG_ECDSA_WITH_SHA512,
            Curve(oid::OID_EC_P256),
            &ECDSA_P256_SHA512_ASN1,
        ),
        (
            oid::OID_SIG_ECDSA_WITH_SHA256,
            Curve(oid::OID_NIST_EC_P384),
            &ECDSA_P384_SHA256_ASN1,
        ),
        (
            oid::OID_SIG_ECDSA_WITH_SHA384,
            Curve(oid::OID_NIST_EC_P384),
            &ECDSA_P384_SHA384_ASN1,
        ),
        (
            oid::OID_SIG_ECDSA_WITH_SHA512,
            Curve(oid::OID_NIST_EC_P384),
            &ECDSA_P384_SHA512_ASN1,
        ),
        (
            oid::OID_SIG_ECDSA_WITH_SHA256,
            Curve(oid::OID_NIST_EC_P521),
            &ECDSA_P521_SHA256_ASN1,
        ),
        (
            oid::OID_SIG_ECDSA_WITH_SHA384,
            Curve(oid::OID_NIST_EC_P521),
            &ECDSA_P521_SHA384_ASN1,
        ),
        (
            oid::OID_SIG_ECDSA_WITH_SHA512,
            Curve(oid::OID_NIST_EC_P521),
            &ECDSA_P521_SHA512_ASN1,
        ),
        (oid::OID_SIG_ED25519, Ed25519, &ED25519),
    ]
};

#[derive(PartialEq)]
enum Key {
    Rsa,
    Curve(Oid<'static>),
    Ed25519,
}

/// Whether `issuer` signed `certificate`, under the name that `certificate` gives.
pub(super) fn issued(issuer: &X509Certificate<'_>, certificate: &X509Certificate<'_>) -> bool {
    // RFC 5280, 4.1.1.2: the algorithm stands there twice, once signed. Loose bits behind the
    // signature would give one certificate several texts.
    if issuer.subject().as_raw() != certificate.issuer().as_raw()
        || certificate.signature_algorithm != certificate.tbs_certificate.signature
        || certificate.signature_value.unused_bits != 0
    {
        return false;
    }
    let Some(key) = key(issuer.public_key()) else {
        return false;
    };
    let algorithm = &certificate.signature_algorithm.algorithm;
    let pair = PAIRS
        .iter()
        .find(|(signed, with, _)| signed == algorithm && *with == key);
    pair.is_some_and(|(_, _, verifier)| {
        verifier
            .verify_sig(
                &issuer.public_key().subject_public_key.data,
                certificate.tbs_certificate.as_ref(),
                &certificate.signature_value.data,
            )
            .is_ok()
    })
}

fn key(spki: &SubjectPublicKeyInfo<'_>) -> Option<Key> {
    let algorithm = &spki.algorithm;
    if algorithm.algorithm == oid::OID_PKCS1_RSAENCRYPTION {
        Some(Key::Rsa)
    } else if algorithm.algorithm == oid::OID_SIG_ED25519 {
        Some(Key::Ed25519)
    } else if algorithm.algorithm == oid::OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve = algorithm.parameters.as_ref()?.as_oid().ok()?;
        Some(Key::Curve(curve.to_owned()))
    } else {
        None
    }
}
