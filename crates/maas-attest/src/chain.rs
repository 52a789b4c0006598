//! Certificates: from the one that signed a model to an authority that the site trusts.
//!
//! Threats: a certificate of a trusted authority that is not for signing code, or for somebody else,
//! or past; a certificate that plays authority without being one; an authority that may only speak
//! for some names; chains that cost hours. Defences: only the authorities that the caller names count,
//! no system store; every certificate on the way must be valid now, and every issuer must be allowed
//! to issue; constraints that are not understood are refused, not skipped; at most [`LONGEST`]
//! certificates are looked at. Sources: RFC 5280, 4.2 and 6.1; OMS v1.0, 8.2.
//!
//! The signer's certificate may say that it is an authority too: those of the reference
//! implementation's own tests do. That rules out webpki's path building, which refuses them.

use jiff::Timestamp;
use x509_parser::{
    certificate::X509Certificate,
    extensions::{ExtendedKeyUsage, KeyUsage, ParsedExtension},
    oid_registry::{self as oid, Oid},
    prelude::FromDer,
};

pub use error::ChainError;

use crate::PublicKey;

mod error;
mod identity;
mod issue;

/// The signer, up to six authorities in between, and a root that should not have come along.
const LONGEST: usize = 8;

/// Extensions that are looked at here, or that cannot make a certificate mean less.
const UNDERSTOOD: [Oid<'static>; 6] = [
    oid::OID_X509_EXT_BASIC_CONSTRAINTS,
    oid::OID_X509_EXT_KEY_USAGE,
    oid::OID_X509_EXT_EXTENDED_KEY_USAGE,
    oid::OID_X509_EXT_SUBJECT_ALT_NAME,
    oid::OID_X509_EXT_SUBJECT_KEY_IDENTIFIER,
    oid::OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER,
];

/// What a good chain says.
#[derive(Debug)]
pub(crate) struct Signer {
    pub(crate) key: PublicKey,
    /// The subject's distinguished name, for people.
    pub(crate) subject: String,
}

/// Checks that the first certificate may sign code, is `identity`'s, and descends from one of `roots`.
pub(crate) fn check(
    certificates: &[Vec<u8>],
    roots: &[Vec<u8>],
    identity: &str,
    now: Timestamp,
) -> Result<Signer, ChainError> {
    if certificates.is_empty() || certificates.len() > LONGEST {
        return Err(ChainError::Length {
            found: certificates.len(),
        });
    }
    let chain = certificates
        .iter()
        .map(|der| parse(der, "in the signature"))
        .collect::<Result<Vec<_>, _>>()?;
    let roots = roots
        .iter()
        .map(|der| parse(der, "of a trusted root"))
        .collect::<Result<Vec<_>, _>>()?;
    let (leaf, others) = chain.split_first().expect("it is not empty");
    for_signing(leaf)?;
    valid(leaf, now)?;
    climb(leaf, others, &roots, now)?;
    identity::check(leaf, identity)?;
    let key = PublicKey::from_der(leaf.public_key().raw).map_err(|source| ChainError::Key {
        subject: subject(leaf),
        source,
    })?;
    Ok(Signer {
        key,
        subject: subject(leaf),
    })
}

fn parse<'a>(der: &'a [u8], place: &'static str) -> Result<X509Certificate<'a>, ChainError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) | Err(_) => Err(ChainError::Unreadable { place }),
    }
}

/// Walks from issuer to issuer until one is a root. Each certificate is used once, so it ends.
fn climb<'a>(
    leaf: &'a X509Certificate<'a>,
    others: &'a [X509Certificate<'a>],
    roots: &'a [X509Certificate<'a>],
    now: Timestamp,
) -> Result<(), ChainError> {
    let mut unused: Vec<_> = others.iter().collect();
    let mut current = leaf;
    for between in 0.. {
        if let Some(root) = roots.iter().find(|root| issue::issued(root, current)) {
            valid(root, now)?;
            return may_issue(root, between);
        }
        let Some(next) = unused
            .iter()
            .position(|candidate| issue::issued(candidate, current))
        else {
            break;
        };
        current = unused.swap_remove(next);
        valid(current, now)?;
        may_issue(current, between)?;
    }
    Err(ChainError::Issuer {
        subject: subject(current),
        issuer: name(current.issuer()),
    })
}

fn valid(certificate: &X509Certificate<'_>, now: Timestamp) -> Result<(), ChainError> {
    let validity = certificate.validity();
    let from = validity.not_before.timestamp();
    let until = validity.not_after.timestamp();
    if (from..=until).contains(&now.as_second()) {
        return Ok(());
    }
    Err(ChainError::Validity {
        subject: subject(certificate),
        from: Timestamp::from_second(from).unwrap_or(Timestamp::MAX),
        until: Timestamp::from_second(until).unwrap_or(Timestamp::MAX),
        now,
    })
}

/// RFC 5280, 4.2.1.3 and 4.2.1.12: the signer's certificate.
fn for_signing(certificate: &X509Certificate<'_>) -> Result<(), ChainError> {
    let unfit = |why| ChainError::Unfit {
        subject: subject(certificate),
        why,
    };
    understood(certificate)?;
    if !usage(certificate).is_some_and(KeyUsage::digital_signature) {
        return Err(unfit("its key usage is not digital signature"));
    }
    if !extended(certificate).is_some_and(|usage| usage.code_signing) {
        return Err(unfit("its extended key usage is not code signing"));
    }
    Ok(())
}

/// RFC 5280, 6.1.4 (k) to (n): an issuer with `between` authorities below it.
fn may_issue(certificate: &X509Certificate<'_>, between: u32) -> Result<(), ChainError> {
    let unfit = |why| ChainError::Unfit {
        subject: subject(certificate),
        why,
    };
    understood(certificate)?;
    let constraints = certificate.basic_constraints().ok().flatten();
    let Some(constraints) = constraints.map(|found| found.value).filter(|c| c.ca) else {
        return Err(unfit("it issued a certificate and is no authority"));
    };
    if constraints
        .path_len_constraint
        .is_some_and(|most| between > most)
    {
        return Err(unfit("it allows fewer authorities below it"));
    }
    if !usage(certificate).is_some_and(KeyUsage::key_cert_sign) {
        return Err(unfit("its key usage is not certificate signing"));
    }
    // An authority that is limited to other uses cannot be the source of this one.
    if extended(certificate).is_some_and(|usage| !usage.code_signing && !usage.any) {
        return Err(unfit("it may not issue certificates for code signing"));
    }
    Ok(())
}

/// Refuses critical extensions that nobody here looks at, constraints on names of any kind, and
/// extensions that are there twice or cannot be read.
fn understood(certificate: &X509Certificate<'_>) -> Result<(), ChainError> {
    let unfit = |why| ChainError::Unfit {
        subject: subject(certificate),
        why,
    };
    if certificate.extensions_map().is_err() {
        return Err(unfit("an extension is there twice"));
    }
    for extension in certificate.extensions() {
        if extension.oid == oid::OID_X509_EXT_NAME_CONSTRAINTS {
            return Err(unfit("it has name constraints, which are not supported"));
        }
        let known = UNDERSTOOD.contains(&extension.oid);
        if extension.critical && !known {
            return Err(unfit("it has a critical extension that is not supported"));
        }
        let unread = matches!(
            extension.parsed_extension(),
            ParsedExtension::ParseError { .. } | ParsedExtension::Unparsed
        );
        if known && unread {
            return Err(unfit("an extension is damaged"));
        }
    }
    Ok(())
}

fn usage<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a KeyUsage> {
    certificate
        .key_usage()
        .ok()
        .flatten()
        .map(|found| found.value)
}

fn extended<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a ExtendedKeyUsage<'a>> {
    let found = certificate.extended_key_usage().ok().flatten();
    found.map(|found| found.value)
}

fn subject(certificate: &X509Certificate<'_>) -> String {
    name(certificate.subject())
}

fn name(name: &x509_parser::x509::X509Name<'_>) -> String {
    crate::json::plain(&name.to_string())
}

#[cfg(test)]
mod tests;
