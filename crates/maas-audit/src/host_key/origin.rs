//! The name under which a host signs.

use std::{fmt, str::FromStr};

use maas_types::NameError;
use serde::{Deserialize, Serialize};

/// A host's name in what it signs: `maas.site.internal`, or `maas.site.internal/rack-2`. It is a line of
/// a checkpoint and part of a URI, so it has no space, no `+` and nothing that a URI would escape.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

impl Origin {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_origin(text: &str) -> bool {
    text.len() <= 128
        && text.split('/').all(|part| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        })
}

impl FromStr for Origin {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if is_origin(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(NameError {
            what: "host name to sign with",
            text: maas_types::json::plain(text).chars().take(80).collect(),
            want: "at most 128 letters, digits, `.`, `_`, `-` or `/`, like `maas.site.internal`",
        })
    }
}

impl TryFrom<String> for Origin {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_one_word_of_a_line_and_of_a_uri() {
        for text in ["maas.site.internal", "maas.site.internal/rack-2", "a"] {
            assert!(text.parse::<Origin>().is_ok(), "{text}");
        }
        for text in ["", "/", "a//b", "a b", "a+b", "a\nb", "é", "a/../b", "-a"] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
