//! Who asks: exactly one key, in a header.
//!
//! Threats: two credentials of which we check one and something behind us heeds the other; a key in
//! the URL, where every proxy's log keeps it; a scheme that is not ours.
//! Defences: a header that stands there twice is refused; `authorization` and `x-api-key` may both be
//! there only with the same key (Anthropic's SDKs send either, depending on their version); a key in
//! the query is refused even if it is good.

use http::{HeaderMap, Uri, header};
use jiff::Timestamp;
use maas_keys::{Principal, Registry};

use crate::refusal::Refusal;

const X_API_KEY: &str = "x-api-key";

/// Query parameters under which other gateways take a key.
const KEY_PARAMETERS: [&str; 6] = [
    "key",
    "api_key",
    "api-key",
    "apikey",
    "token",
    "access_token",
];

/// Finds out who asks.
pub(crate) fn identify(
    registry: &Registry,
    headers: &HeaderMap,
    uri: &Uri,
    now: Timestamp,
) -> Result<Principal, Refusal> {
    let key = presented(headers, uri)?;
    registry.authenticate(key, now).map_err(Refusal::BadKey)
}

/// The one key that a request presents.
fn presented<'a>(headers: &'a HeaderMap, uri: &Uri) -> Result<&'a str, Refusal> {
    if uri.query().is_some_and(holds_a_key) {
        return Err(Refusal::KeyInUrl);
    }
    let bearer = single(headers, header::AUTHORIZATION.as_str(), "authorization")?
        .map(|value| bearer(value).ok_or(Refusal::NotBearer))
        .transpose()?;
    let plain = single(headers, X_API_KEY, X_API_KEY)?.map(str::trim);
    match (bearer, plain) {
        (None, None) => Err(Refusal::NoKey),
        (Some(key), None) | (None, Some(key)) => Ok(key),
        (Some(bearer), Some(plain)) if bearer == plain => Ok(bearer),
        (Some(_), Some(_)) => Err(Refusal::TwoKeys),
    }
}

/// The value of a header that may stand there once. One that is not visible ASCII is no key.
fn single<'a>(
    headers: &'a HeaderMap,
    name: &str,
    shown: &'static str,
) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Refusal::RepeatedHeader(shown));
    }
    Ok(first.map(|value| value.to_str().unwrap_or_default()))
}

/// RFC 6750, 2.1; the scheme's case does not matter (RFC 9110, 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn holds_a_key(query: &str) -> bool {
    query.contains("sk-maas-")
        || query.split('&').any(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            KEY_PARAMETERS
                .iter()
                .any(|key| name.eq_ignore_ascii_case(key))
        })
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn find(
        headers: &[(&'static str, &'static str)],
        uri: &'static str,
    ) -> Result<String, Refusal> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        presented(&map, &Uri::from_static(uri)).map(str::to_owned)
    }

    #[test]
    fn one_key_is_found_wherever_sdks_put_it() {
        for headers in [
            &[("authorization", "Bearer k")][..],
            &[("authorization", "bearer  k ")],
            &[("x-api-key", "k")],
            &[("x-api-key", "k"), ("authorization", "Bearer k")],
        ] {
            assert_eq!(
                find(headers, "/v1/models?beta=true").as_deref(),
                Ok("k"),
                "{headers:?}"
            );
        }
    }

    #[test]
    fn none_two_and_misplaced_keys_are_told_apart() {
        let bearer = ("authorization", "Bearer k");
        assert_eq!(find(&[], "/"), Err(Refusal::NoKey));
        assert_eq!(
            find(&[bearer, ("x-api-key", "other")], "/"),
            Err(Refusal::TwoKeys)
        );
        assert_eq!(
            find(&[bearer, bearer], "/"),
            Err(Refusal::RepeatedHeader("authorization"))
        );
        let twice = [("x-api-key", "k"), ("x-api-key", "k")];
        assert_eq!(find(&twice, "/"), Err(Refusal::RepeatedHeader("x-api-key")));
        for scheme in ["Basic k", "k", "Bearer", ""] {
            let header = [("authorization", scheme)];
            assert_eq!(find(&header, "/"), Err(Refusal::NotBearer), "{scheme}");
        }
        for uri in [
            "/?api_key=k",
            "/?a=1&API-KEY=k",
            "/?x=sk-maas-abc",
            "/?token",
        ] {
            assert_eq!(find(&[bearer], uri), Err(Refusal::KeyInUrl), "{uri}");
        }
    }
}
