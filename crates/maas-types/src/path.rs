//! A path inside a model folder, as a bundle names it.
//!
//! Threats (`field` CVE-2021-37701, CVE-2026-23950 and kin): `..`, absolute paths, two names that a
//! case-insensitive file system takes for one, control characters, device names, endless depth.
//! Defence: an allow-list of ASCII characters, components that are never `.` or `..`, and limits.
//! Case-fold uniqueness over a whole folder is the bill of lading's check.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A relative path of 1 to 16 components, at most 200 bytes each and 1,024 bytes in all, of ASCII
/// letters, digits, `.`, `_`, `-`, `+`, `@` and `=`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobPath(String);

/// Text that is not such a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a path that a bundle may hold: {why}")]
pub struct BlobPathError {
    /// What was found, cut to 200 characters and with control characters escaped.
    pub text: String,
    /// Which rule it breaks.
    pub why: &'static str,
}

impl BlobPath {
    /// The text, with `/` between components.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components, first to last.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    fn broken_rule(text: &str) -> Option<&'static str> {
        if text.len() > 1024 {
            return Some("it is longer than 1,024 bytes");
        }
        if text.split('/').count() > 16 {
            return Some("it is deeper than 16 folders");
        }
        text.split('/').find_map(|part| {
            if part.is_empty() {
                Some("a component is empty (absolute path, `//` or a trailing `/`)")
            } else if part == "." || part == ".." {
                Some("`.` and `..` are not allowed")
            } else if part.len() > 200 {
                Some("a component is longer than 200 bytes")
            } else if part.ends_with('.') {
                Some("a component ends in a dot, which some file systems drop")
            } else if !part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-+@=".contains(&b))
            {
                Some("only ASCII letters, digits and `._-+@=` are allowed")
            } else {
                None
            }
        })
    }
}

impl FromStr for BlobPath {
    type Err = BlobPathError;

    fn from_str(text: &str) -> Result<Self, BlobPathError> {
        match Self::broken_rule(text) {
            None => Ok(Self(text.to_owned())),
            Some(why) => {
                let text = text
                    .chars()
                    .take(200)
                    .flat_map(char::escape_debug)
                    .collect();
                Err(BlobPathError { text, why })
            }
        }
    }
}

impl TryFrom<String> for BlobPath {
    type Error = BlobPathError;

    fn try_from(text: String) -> Result<Self, BlobPathError> {
        text.parse()
    }
}

impl From<BlobPath> for String {
    fn from(path: BlobPath) -> Self {
        path.0
    }
}

impl fmt::Display for BlobPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for BlobPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn climbing_absolute_and_odd_paths_are_refused() {
        for text in [
            "",
            "/",
            "/etc/passwd",
            "a//b",
            "a/",
            "..",
            "a/../b",
            "a/./b",
            "a\\b",
            "ü",
            "a\0",
            "x.",
        ] {
            assert!(text.parse::<BlobPath>().is_err(), "{text:?}");
        }
        assert!("1/".repeat(17).parse::<BlobPath>().is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_stays_below_its_folder(text in "[a-z./_-]{0,40}") {
            if let Ok(path) = text.parse::<BlobPath>() {
                let parts: Vec<_> = path.components().collect();
                prop_assert!(parts.iter().all(|part| !part.is_empty() && *part != ".." && *part != "."));
            }
        }
    }
}
