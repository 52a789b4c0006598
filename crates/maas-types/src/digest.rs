//! A SHA-256 digest.
//!
//! Threat: a digest taken from a bundle or a medium becomes part of a path
//! (`sha256:../../etc/passwd`; CVE-2024-37032, CVE-2024-3727). Defence: text becomes 32 bytes
//! before anything else happens, and paths are built from our own hex only.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A SHA-256 digest: 32 bytes. Written `sha256:<64 lower-case hex digits>` on the wire, as OCI does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// Text that is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a digest (want `sha256:` and 64 lower-case hex digits)")]
pub struct DigestError {
    /// What was found, cut to 80 characters and with control characters escaped.
    pub text: String,
}

impl Digest {
    /// Wraps the 32 bytes that a hash function returned.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower-case hex digits: the name of a blob on a medium and in the store.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// Parses 64 lower-case hex digits, without the `sha256:`.
    pub fn from_hex(text: &str) -> Result<Self, DigestError> {
        let mut bytes = [0; 32];
        let lower = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if lower => Ok(Self(bytes)),
            _ => Err(DigestError {
                text: text.chars().take(80).flat_map(char::escape_debug).collect(),
            }),
        }
    }

    /// The first 12 hex digits, for people.
    pub fn short(&self) -> String {
        self.hex()[..12].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        Self::from_hex(text.strip_prefix("sha256:").unwrap_or_default()).map_err(|_| DigestError {
            text: text.chars().take(80).flat_map(char::escape_debug).collect(),
        })
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_and_back_is_the_same_digest(bytes: [u8; 32]) {
            let digest = Digest::from_bytes(bytes);
            prop_assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
        }

        #[test]
        fn any_other_text_is_refused(text in "\\PC{0,90}") {
            prop_assume!(!text.starts_with("sha256:"));
            prop_assert!(text.parse::<Digest>().is_err());
        }
    }

    #[test]
    fn a_path_in_the_place_of_hex_is_refused() {
        for text in [
            "sha256:../../etc/passwd",
            "sha256:",
            "",
            "sha512:00",
            "sha256:zz",
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
        let upper = format!("sha256:{}", "AB".repeat(32));
        assert!(upper.parse::<Digest>().is_err());
    }
}
