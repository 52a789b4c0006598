//! An address of a server, and where its redirects may lead.
//!
//! Threats: a redirect that leads a token to another host (CVE-2018-18074 and kin) or to plain HTTP,
//! a path that climbs, secrets in an address that end up in a message. Defences: origins are
//! compared whole (scheme, host, port); segments are percent-encoded here and nowhere else; user names
//! in addresses are refused; what is printed has no query, because signed download links carry their
//! secret there.

use std::{fmt, net::IpAddr, str::FromStr};

use http::Uri;

use crate::plain;

/// An absolute `http` or `https` address without user name and fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Uri);

/// Text that is no such address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the address of a server: {why} (want https://host[:port][/path])")]
pub struct AddressError {
    /// What was found, cut and escaped.
    pub text: String,
    /// Which rule it breaks.
    pub why: &'static str,
}

/// Who answers: secrets given for one origin are not sent to another (RFC 6454, section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Address {
    /// The address as `hyper` wants it.
    pub(crate) fn uri(&self) -> Uri {
        self.0.clone()
    }

    pub(crate) fn origin(&self) -> Origin {
        let host = self.host().to_ascii_lowercase();
        let default = if self.is_plain() { 80 } else { 443 };
        Origin {
            scheme: self.0.scheme_str().unwrap_or_default().to_owned(),
            host,
            port: self.0.port_u16().unwrap_or(default),
        }
    }

    pub(crate) fn host(&self) -> &str {
        self.0.host().unwrap_or_default()
    }

    /// Whether bytes travel readable and changeable by all between.
    pub(crate) fn is_plain(&self) -> bool {
        self.0.scheme_str() == Some("http")
    }

    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(self.host())
    }

    /// The same server, with these segments after the path. What is not unreserved (RFC 3986, 2.3) is
    /// percent-encoded, `/` included; not the `:` of digests, which some registries want as it is.
    pub(crate) fn below<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut path = self.0.path().trim_end_matches('/').to_owned();
        for segment in segments {
            path.push('/');
            encode(segment, &mut path);
        }
        self.with_path(&path)
    }

    /// The same address with more in its query.
    pub(crate) fn with_query(&self, pairs: &[(&str, &str)]) -> Self {
        let own = self.0.path_and_query().map_or("/", |own| own.as_str());
        let mut path = own.to_owned();
        for (key, value) in pairs {
            path.push(if path.contains('?') { '&' } else { '?' });
            encode(key, &mut path);
            path.push('=');
            encode(value, &mut path);
        }
        self.with_path(&path)
    }

    /// Where a `Location` or `Link` of this address leads (RFC 3986, section 5.2, without the dot
    /// segments: they are sent as they are, and a server that likes them may have them).
    pub(crate) fn follow(&self, reference: &str) -> Result<Self, AddressError> {
        let reference = reference.split('#').next().unwrap_or_default();
        let scheme = self.0.scheme_str().unwrap_or_default();
        if reference.contains("://") && !reference.starts_with(['/', '?']) {
            return reference.parse();
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return format!("{scheme}://{rest}").parse();
        }
        let authority = self.0.authority().map(ToString::to_string);
        let authority = authority.unwrap_or_default();
        let own = self.0.path();
        let path = if reference.starts_with('/') {
            reference.to_owned()
        } else if reference.starts_with('?') {
            format!("{own}{reference}")
        } else {
            let folder = own.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{folder}/{reference}")
        };
        format!("{scheme}://{authority}{path}").parse()
    }

    fn with_path(&self, path_and_query: &str) -> Self {
        let mut parts = self.0.clone().into_parts();
        let encoded = path_and_query.parse();
        parts.path_and_query = Some(encoded.expect("percent-encoded text is a path"));
        Self(Uri::from_parts(parts).expect("scheme and authority were there before"))
    }
}

/// RFC 6761 keeps the name `localhost` for loopback.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.push('%');
            into.push_str(&hex::encode_upper([byte]));
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let refuse = |why| {
            let shown = text.split('?').next().unwrap_or_default();
            Err(AddressError {
                text: plain(shown.rsplit('@').next().unwrap_or_default()),
                why,
            })
        };
        let Ok(uri) = text.parse::<Uri>() else {
            return refuse("it cannot be read");
        };
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return refuse("it does not begin with https:// or http://");
        }
        let Some(authority) = uri.authority() else {
            return refuse("it names no host");
        };
        if authority.as_str().contains('@') {
            return refuse("it holds a user name, and secrets do not belong into addresses");
        }
        if authority.host().is_empty() {
            return refuse("it names no host");
        }
        Ok(Self(uri))
    }
}

/// Without the query: see the top of this file.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.scheme_str().unwrap_or_default();
        let authority = self
            .0
            .authority()
            .map_or("", |authority| authority.as_str());
        f.write_str(&plain(&format!("{scheme}://{authority}{}", self.0.path())))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn names_of_a_server_stay_one_segment_each() {
        let hub = address("https://hub.example/mirror/");
        let below = hub.below(["a", "refs/pr/1", "../x y?#%"]);
        let text = "https://hub.example/mirror/a/refs%2Fpr%2F1/..%2Fx%20y%3F%23%25";
        assert_eq!(below.uri().to_string(), text);
    }

    #[test]
    fn a_redirect_may_be_whole_or_relative() {
        let from = address("https://hub.example/a/b?x=1");
        let to = |reference: &str| from.follow(reference).unwrap().uri().to_string();
        assert_eq!(
            to("https://cdn.example/c?s=2#f"),
            "https://cdn.example/c?s=2"
        );
        assert_eq!(to("//cdn.example/c"), "https://cdn.example/c");
        assert_eq!(
            to("/c?next=https://x"),
            "https://hub.example/c?next=https://x"
        );
        assert_eq!(to("c"), "https://hub.example/a/c");
        assert_eq!(to("?cursor=2"), "https://hub.example/a/b?cursor=2");
        assert!(from.follow("ftp://cdn.example/").is_err());
    }

    #[test]
    fn origins_differ_in_scheme_host_or_port() {
        let origin = |text: &str| address(text).origin();
        assert_eq!(
            origin("https://a.example/x"),
            origin("https://A.example:443/y")
        );
        assert_ne!(origin("https://a.example"), origin("http://a.example"));
        assert_ne!(
            origin("https://a.example"),
            origin("https://a.example:8443")
        );
        assert_ne!(
            origin("https://a.example"),
            origin("https://a.example.evil")
        );
    }

    #[test]
    fn secrets_in_an_address_are_not_shown() {
        let signed = address("https://cdn.example/x?X-Amz-Signature=abc");
        assert_eq!(format!("{signed} {signed:?}").matches("abc").count(), 0);
        let error = "https://user:pass@hub.example/"
            .parse::<Address>()
            .unwrap_err();
        assert!(!error.to_string().contains("pass"), "{error}");
    }

    #[test]
    fn loopback_is_what_never_leaves_the_machine() {
        for host in ["127.0.0.1", "127.9.9.9", "[::1]", "localhost"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "localhost.example",
            "",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
