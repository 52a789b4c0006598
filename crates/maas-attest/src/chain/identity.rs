//! Whose certificate it is.

use x509_parser::{certificate::X509Certificate, extensions::GeneralName};

use super::ChainError;
use crate::json;

/// Compares the wanted name, byte for byte, with the subject alternative names (DNS name, email
/// address, URI), or with the subject's common name where there are none: an authority that vouches for
/// names may still let people call themselves what they like in the subject (RFC 9525, 2). No wildcards, no case folding, no parts of names:
/// each of them has let the wrong one in somewhere.
pub(super) fn check(certificate: &X509Certificate<'_>, wanted: &str) -> Result<(), ChainError> {
    let names = names(certificate);
    // An empty setting must not match an empty name.
    if !wanted.is_empty() && names.iter().any(|name| name == wanted) {
        return Ok(());
    }
    Err(ChainError::Identity {
        wanted: wanted.to_owned(),
        found: names.iter().map(|name| json::plain(name)).collect(),
    })
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let alternative = alternative.map_or(&[][..], |found| &found.value.general_names);
    let common = certificate
        .subject()
        .iter_common_name()
        .filter_map(|name| name.as_str().ok());
    if alternative.is_empty() {
        return common.map(str::to_owned).collect();
    }
    let alternative = alternative.iter().filter_map(text);
    alternative.map(str::to_owned).collect()
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "names of other kinds are not identities here, whatever kinds there will be"
)]
fn text<'a>(name: &GeneralName<'a>) -> Option<&'a str> {
    match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
            Some(text)
        }
        _ => None,
    }
}
