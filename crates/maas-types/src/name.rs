//! Names and identifiers, each checked once at the door and then carried as a type.
//!
//! Threats: a name from a bundle or a request that becomes a path, a log line, a metric label or a
//! terminal escape. Defence: a closed alphabet of ASCII letters, digits, `.`, `_` and `-`, a first
//! character that is a letter or a digit (so never `..`, never an option), and a length limit.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Text that is not a valid name of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what} (want {want})")]
pub struct NameError {
    /// Which kind of name was wanted.
    pub what: &'static str,
    /// What was found, cut to 80 characters and with control characters escaped.
    pub text: String,
    /// The rule, in words.
    pub want: &'static str,
}

fn is_plain(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $want:literal, |$text:ident| $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str($text: &str) -> Result<Self, NameError> {
                if $rule {
                    Ok(Self($text.to_owned()))
                } else {
                    let text = $text.chars().take(80).flat_map(char::escape_debug).collect();
                    Err(NameError { what: $what, text, want: $want })
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

name! {
    /// What a client asks for: `qwen3-coder`. Also a folder name and a metric label.
    ModelName, "model name", "1 to 64 letters, digits, `.`, `_` or `-`, a letter or digit first",
    |text| is_plain(text, 64)
}
name! {
    /// A bundle: `acme-2026.11-a`. Also the folder `MAAS/<bundle-id>` on a medium.
    BundleId, "bundle id", "1 to 48 letters, digits, `.`, `_` or `-`, a letter or digit first",
    |text| is_plain(text, 48)
}
name! {
    /// One engine: `<model>-<replica>`. Also the name of its socket, log and spec file.
    EngineId, "engine id", "1 to 72 letters, digits, `.`, `_` or `-`, a letter or digit first",
    |text| is_plain(text, 72)
}
name! {
    /// A container image as the recipe calls it: `vllm-openai`.
    ImageName, "image name", "1 to 64 letters, digits, `.`, `_` or `-`, a letter or digit first",
    |text| is_plain(text, 64)
}
name! {
    /// A team: who is billed.
    TeamName, "team name", "1 to 64 letters, digits, `.`, `_` or `-`, a letter or digit first",
    |text| is_plain(text, 64)
}
name! {
    /// A person: who holds a key.
    UserName, "user name", "1 to 64 letters, digits, `.`, `_` or `-`, a letter or digit first",
    |text| is_plain(text, 64)
}
name! {
    /// The public half of a key: 12 letters and digits. May be logged.
    KeyId, "key id", "12 letters or digits",
    |text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_alphanumeric())
}
name! {
    /// NVIDIA's name for a GPU or a MIG instance: `GPU-…` or `MIG-…`. Never an index: indices change
    /// when a card falls off the bus.
    GpuUuid, "GPU UUID", "`GPU-` or `MIG-` and at most 90 letters, digits, `/` or `-`",
    |text| text.len() <= 94
        && (text.starts_with("GPU-") || text.starts_with("MIG-"))
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'/'))
}
name! {
    /// One request: a ULID, in the client's answer, our log and the engine's log.
    RequestId, "request id", "26 letters or digits (a ULID)",
    |text| text.len() == 26 && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_climb_or_hide_are_refused() {
        for text in [
            "",
            ".",
            "..",
            "../x",
            "-rf",
            "a/b",
            "a b",
            "a\u{1b}[2J",
            "ä",
            "a\n",
            ".hidden",
        ] {
            assert!(text.parse::<ModelName>().is_err(), "{text:?}");
            assert!(text.parse::<BundleId>().is_err(), "{text:?}");
        }
        assert!("x".repeat(65).parse::<ModelName>().is_err());
    }

    #[test]
    fn an_error_shows_the_text_without_its_control_characters() {
        let error = "a\u{1b}[2J".parse::<ModelName>().unwrap_err();
        insta::assert_snapshot!(error, @r"`a\u{1b}[2J` is not a valid model name (want 1 to 64 letters, digits, `.`, `_` or `-`, a letter or digit first)");
    }
}
