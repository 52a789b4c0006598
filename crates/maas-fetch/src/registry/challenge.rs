//! What a registry answers to those it does not know: `WWW-Authenticate` (RFC 9110, 11.6.1).

use std::collections::BTreeMap;

/// A challenge: the scheme in lower case, and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) scheme: String,
    parameters: BTreeMap<String, String>,
}

impl Challenge {
    /// Reads one challenge; what follows it in the same line, or cannot be read, is left out.
    pub(super) fn parse(text: &str) -> Self {
        let text = text.trim();
        let (scheme, mut rest) = text.split_once(' ').unwrap_or((text, ""));
        let mut parameters = BTreeMap::new();
        while let Some((key, value, after)) = parameter(rest) {
            parameters.insert(key, value);
            rest = after;
        }
        Self {
            scheme: scheme.to_ascii_lowercase(),
            parameters,
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.parameters.get(key).map(String::as_str)
    }
}

/// `key=value` or `key="value"` at the start of the text, and what follows.
fn parameter(text: &str) -> Option<(String, String, &str)> {
    let text = text.trim_start_matches([' ', ',']);
    let (key, rest) = text.split_once('=')?;
    let key = key.trim().to_ascii_lowercase();
    let Some(quoted) = rest.trim_start().strip_prefix('"') else {
        let end = rest.find(',').unwrap_or(rest.len());
        return Some((key, rest[..end].trim().to_owned(), &rest[end..]));
    };
    let (mut value, mut characters) = (String::new(), quoted.char_indices());
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((key, value, &quoted[at + 1..])),
            '\\' => value.extend(characters.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_as_docker_writes_it_and_as_the_rfc_allows() {
        let text = "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:library/busybox:pull\"";
        let challenge = Challenge::parse(text);
        assert_eq!(challenge.scheme, "bearer");
        assert_eq!(challenge.get("realm"), Some("https://auth.docker.io/token"));
        assert_eq!(
            challenge.get("scope"),
            Some("repository:library/busybox:pull")
        );
        let challenge = Challenge::parse("BASIC Realm = \"a \\\"b\\\", c\" , charset=UTF-8");
        assert_eq!(challenge.scheme, "basic");
        assert_eq!(challenge.get("charset"), Some("UTF-8"));
    }

    #[test]
    fn broken_challenges_have_no_parameters() {
        for text in [
            "",
            "Bearer",
            "Bearer realm",
            "Bearer realm=\"open",
            "Bearer =,=,\"",
            "ü ü=ü",
        ] {
            assert_eq!(Challenge::parse(text).get("realm"), None, "{text}");
        }
    }
}
