//! The server certificate.

use std::{collections::BTreeSet, net::IpAddr};

use camino::Utf8Path;
use jiff::{Timestamp, ToSpan as _};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyUsagePurpose,
    SanType,
};
use serde::Serialize;
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

use super::{
    IdentityError, Site,
    authority::{
        Authority, BACKDATED_HOURS, crypto, days_after, first_certificate, for_people,
        hours_before, new_key, parse_key, public_key, read_text, set_validity,
    },
};

/// 824 days from its first to its last second: Apple's clients refuse a server certificate that is
/// valid for more than 825 days "as expressed in the `NotBefore` and `NotAfter` fields", under a CA that a
/// user added too (support.apple.com/103769). One day less for the hours by which it is backdated.
const DAYS: i64 = 824;

/// Renewed when less than 30 days are left: an appliance is restarted or upgraded once a month.
const RENEW_DAYS: i64 = 30;

/// Why a server certificate was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeafReason {
    /// There was none.
    First,
    /// The configured names or addresses are others.
    NamesChanged,
    /// It ends in less than 30 days, or has ended.
    Expiring,
    /// Certificate, chain and key do not belong together, as after a power cut between two writes.
    Mismatch,
}

/// The server certificate that is here.
#[derive(Debug)]
pub(super) struct Leaf {
    chain: String,
    expires: Timestamp,
    names: BTreeSet<String>,
    key_matches: bool,
}

impl Leaf {
    /// What is here; `None` when certificate or key is missing.
    pub(super) fn read(chain: &Utf8Path, key: &Utf8Path) -> Result<Option<Self>, IdentityError> {
        let (Some(text), Some(key_text)) = (read_text(chain)?, read_text(key)?) else {
            return Ok(None);
        };
        let pair = parse_key(key, &key_text)?;
        Self::parse(chain, text, pair.public_key_raw()).map(Some)
    }

    /// A new key and certificate, signed by the CA.
    pub(super) fn issue(
        authority: &Authority,
        ca_key: &str,
        ca_key_path: &Utf8Path,
        site: &Site,
        now: Timestamp,
    ) -> Result<(Self, String), IdentityError> {
        if authority.expires() <= now {
            return Err(IdentityError::AuthorityExpired {
                path: authority.path().to_owned(),
            });
        }
        let issuer = Issuer::from_ca_cert_pem(authority.pem(), parse_key(ca_key_path, ca_key)?)
            .map_err(crypto("read the CA"))?;
        let key = new_key()?;
        let certificate = params(site, authority, now)?
            .signed_by(&key, &issuer)
            .map_err(crypto("sign the server certificate"))?;
        let chain = format!("{}{}", certificate.pem(), authority.pem());
        let path = Utf8Path::new("server-chain.pem");
        let leaf = Self::parse(path, chain, key.public_key_raw())?;
        Ok((leaf, key.serialize_pem()))
    }

    fn parse(path: &Utf8Path, chain: String, public: &[u8]) -> Result<Self, IdentityError> {
        let (der, expires) = first_certificate(path, &chain)?;
        let names = alternative_names(path, &der)?;
        let key_matches = public_key(path, &der)? == public;
        Ok(Self {
            chain,
            expires,
            names,
            key_matches,
        })
    }

    pub(super) fn chain(&self) -> &str {
        &self.chain
    }

    pub(super) fn expires(&self) -> Timestamp {
        self.expires
    }
}

fn params(
    site: &Site,
    authority: &Authority,
    now: Timestamp,
) -> Result<CertificateParams, IdentityError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let name = for_people(&site.name);
    params.distinguished_name.push(DnType::CommonName, name);
    for name in &site.dns_names {
        let name = name.to_ascii_lowercase();
        let name = name
            .try_into()
            .map_err(crypto("put a name into a certificate"))?;
        params.subject_alt_names.push(SanType::DnsName(name));
    }
    let addresses = site.addresses.iter().copied().map(SanType::IpAddress);
    params.subject_alt_names.extend(addresses);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let from = hours_before(now, BACKDATED_HOURS);
    let to = days_after(from, DAYS).min(authority.expires());
    set_validity(&mut params, from, to);
    Ok(params)
}

/// Why the certificate that is here will not do; `None` when it will.
pub(super) fn reason(
    leaf: Option<&Leaf>,
    authority: &Authority,
    site: &Site,
    now: Timestamp,
) -> Option<LeafReason> {
    let Some(leaf) = leaf else {
        return Some(LeafReason::First);
    };
    if !leaf.key_matches || !leaf.chain.ends_with(authority.pem()) {
        return Some(LeafReason::Mismatch);
    }
    if leaf.names != wanted_names(site) {
        return Some(LeafReason::NamesChanged);
    }
    // A certificate that ends with its CA cannot be prolonged by signing again.
    let limit = now
        .saturating_add((RENEW_DAYS * 24).hours())
        .unwrap_or(Timestamp::MAX);
    let ends_with_authority = leaf.expires >= authority.expires() && leaf.expires > now;
    (leaf.expires < limit && !ends_with_authority).then_some(LeafReason::Expiring)
}

/// Names are the configuration's, so a mistake is a sentence and not a certificate that fails later.
pub(super) fn check_names(site: &Site) -> Result<(), IdentityError> {
    if site.dns_names.is_empty() && site.addresses.is_empty() {
        return Err(IdentityError::NoNames);
    }
    let plain = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    match site
        .dns_names
        .iter()
        .find(|name| name.len() > 253 || !name.split('.').all(plain))
    {
        None => Ok(()),
        Some(name) => Err(IdentityError::BadName {
            name: name.chars().take(80).flat_map(char::escape_debug).collect(),
        }),
    }
}

fn wanted_names(site: &Site) -> BTreeSet<String> {
    let names = site.dns_names.iter().map(|name| name.to_ascii_lowercase());
    let addresses = site.addresses.iter().map(ToString::to_string);
    names.chain(addresses).collect()
}

/// DNS names and addresses of a certificate, as text. Anything else in the list is not ours.
fn alternative_names(path: &Utf8Path, der: &[u8]) -> Result<BTreeSet<String>, IdentityError> {
    let malformed = |detail: String| IdentityError::Malformed {
        path: path.to_owned(),
        what: "a server certificate",
        detail,
    };
    let (_, certificate) =
        parse_x509_certificate(der).map_err(|error| malformed(error.to_string()))?;
    let extension = certificate
        .subject_alternative_name()
        .map_err(|error| malformed(error.to_string()))?;
    let names = extension.map_or(&[][..], |extension| &extension.value.general_names);
    Ok(names
        .iter()
        .map(|name| {
            if let GeneralName::DNSName(name) = name {
                (*name).to_owned()
            } else if let GeneralName::IPAddress(bytes) = name {
                address(bytes)
            } else {
                format!("{name:?}")
            }
        })
        .collect())
}

fn address(bytes: &[u8]) -> String {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let v6 = <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    v4.or(v6)
        .map_or_else(|_| format!("{bytes:?}"), |address| address.to_string())
}
