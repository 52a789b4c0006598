//! The certificate authority.

use std::{io, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::{Timestamp, ToSpan as _};
use maas_bundle::digest_of;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use x509_parser::pem::Pem;

use super::{IdentityError, Site};

/// Ten years: handing a CA out to every client again is the dearest act in an air-gapped site, and
/// hardware is replaced sooner.
const YEARS: i64 = 10;

/// A day back: a client whose clock is behind must not see a certificate from the future.
pub(super) const BACKDATED_HOURS: i64 = 24;

/// The CA certificate.
#[derive(Debug)]
pub(super) struct Authority {
    path: Utf8PathBuf,
    pem: String,
    der: Vec<u8>,
    expires: Timestamp,
}

impl Authority {
    /// A new CA and its key, PEM.
    pub(super) fn make(site: &Site, now: Timestamp) -> Result<(Self, String), IdentityError> {
        let key = new_key()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let name = format!("maas-appliance CA ({})", site.name);
        params.distinguished_name.push(DnType::CommonName, name);
        params
            .distinguished_name
            .push(DnType::OrganizationName, for_people(&site.name));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let from = hours_before(now, BACKDATED_HOURS);
        set_validity(&mut params, from, days_after(now, YEARS * 365));
        let certificate = params.self_signed(&key).map_err(crypto("sign the CA"))?;
        let authority = Self::parse(Utf8Path::new("ca.pem"), certificate.pem())?;
        Ok((authority, key.serialize_pem()))
    }

    /// The CA that is here; `None` when there is no certificate. A key without a certificate is what
    /// a power cut leaves: nobody was ever given that CA.
    pub(super) fn read(path: &Utf8Path, key: &Utf8Path) -> Result<Option<Self>, IdentityError> {
        let Some(text) = read_text(path)? else {
            return Ok(None);
        };
        let authority = Self::parse(path, text)?;
        if let Some(key_text) = read_text(key)? {
            let pair = parse_key(key, &key_text)?;
            if pair.public_key_raw() != public_key(path, &authority.der)? {
                return Err(IdentityError::Malformed {
                    path: key.to_owned(),
                    what: "the key of ca.pem",
                    detail: "it belongs to another certificate".to_owned(),
                });
            }
        }
        Ok(Some(authority))
    }

    fn parse(path: &Utf8Path, pem: String) -> Result<Self, IdentityError> {
        let (der, expires) = first_certificate(path, &pem)?;
        Ok(Self {
            path: path.to_owned(),
            pem,
            der,
            expires,
        })
    }

    pub(super) fn path(&self) -> &Utf8Path {
        &self.path
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    pub(super) fn expires(&self) -> Timestamp {
        self.expires
    }

    /// SHA-256 of the certificate, hex.
    pub(super) fn fingerprint(&self) -> String {
        digest_of(&self.der).hex()
    }
}

/// A new P-256 key: what every TLS client of the last ten years verifies, and small.
pub(super) fn new_key() -> Result<KeyPair, IdentityError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(crypto("make a key"))
}

pub(super) fn parse_key(path: &Utf8Path, text: &str) -> Result<KeyPair, IdentityError> {
    KeyPair::from_pem(text).map_err(|error| IdentityError::Malformed {
        path: path.to_owned(),
        what: "a private key",
        // The library's words about a key never hold the key.
        detail: error.to_string(),
    })
}

/// A text file; `None` when it is not there.
pub(super) fn read_text(path: &Utf8Path) -> Result<Option<String>, IdentityError> {
    match fs_err::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(IdentityError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// The first certificate of a PEM file and when it ends.
pub(super) fn first_certificate(
    path: &Utf8Path,
    pem: &str,
) -> Result<(Vec<u8>, Timestamp), IdentityError> {
    let malformed = |detail: String| IdentityError::Malformed {
        path: path.to_owned(),
        what: "a certificate",
        detail,
    };
    let (block, _) =
        Pem::read(io::Cursor::new(pem)).map_err(|error| malformed(error.to_string()))?;
    let certificate = block
        .parse_x509()
        .map_err(|error| malformed(error.to_string()))?;
    let expires = Timestamp::from_second(certificate.validity().not_after.timestamp())
        .map_err(|error| malformed(error.to_string()))?;
    Ok((block.contents.clone(), expires))
}

/// The public key of a certificate, as the key pair has it.
pub(super) fn public_key(path: &Utf8Path, der: &[u8]) -> Result<Vec<u8>, IdentityError> {
    let (_, certificate) =
        x509_parser::parse_x509_certificate(der).map_err(|error| IdentityError::Malformed {
            path: path.to_owned(),
            what: "a certificate",
            detail: error.to_string(),
        })?;
    Ok(certificate.public_key().subject_public_key.data.to_vec())
}

pub(super) fn crypto(doing: &'static str) -> impl FnOnce(rcgen::Error) -> IdentityError {
    move |source| IdentityError::Crypto { doing, source }
}

pub(super) fn hours_before(now: Timestamp, hours: i64) -> Timestamp {
    now.saturating_sub(hours.hours()).unwrap_or(Timestamp::MIN)
}

/// A name in a subject, which is for people only: clients read the alternative names (RFC 6125, 6.4.4).
/// At most 64 characters fit there (RFC 5280, ub-common-name and ub-organization-name).
pub(super) fn for_people(name: &str) -> String {
    name.chars().take(64).collect()
}

pub(super) fn days_after(now: Timestamp, days: i64) -> Timestamp {
    now.saturating_add((days * 24).hours())
        .unwrap_or(Timestamp::MAX)
}

/// Says from when to when a certificate is good: whole seconds, not before 1970.
pub(super) fn set_validity(params: &mut CertificateParams, from: Timestamp, to: Timestamp) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since = |at: Timestamp| Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0));
    params.not_before = epoch + since(from);
    params.not_after = epoch + since(to);
}
