//! The name of a repository of a hub.

use std::{fmt, str::FromStr};

use crate::plain;

/// `owner/name`, or the `name` alone of the hub's first years. Letters, digits, `-`, `_` and `.`, at
/// most 96 characters each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepoId(String);

/// Text that is no such name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not the name of a model's repository (want owner/name of letters, digits, `-`, `_`, `.`; for example Qwen/Qwen3-0.6B)"
)]
pub struct RepoIdError {
    /// What was found, cut and escaped.
    pub text: String,
}

impl RepoId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RepoId {
    type Err = RepoIdError;

    fn from_str(text: &str) -> Result<Self, RepoIdError> {
        let part = |part: &str| {
            let good = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
            let edge = |c: char| c == '-' || c == '.';
            (1..=96).contains(&part.len())
                && part.bytes().all(good)
                && !part.starts_with(edge)
                && !part.ends_with(edge)
                && !part.contains("..")
        };
        if text.split('/').count() <= 2 && text.split('/').all(part) {
            return Ok(Self(text.to_owned()));
        }
        Err(RepoIdError { text: plain(text) })
    }
}

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_climb_or_reach_another_path_are_refused() {
        for good in ["gpt2", "Qwen/Qwen3-0.6B", "a_b/c.d-e"] {
            assert!(good.parse::<RepoId>().is_ok(), "{good}");
        }
        for bad in [
            "", "/", "a/", "a/b/c", "../b", "a/..", "a/b?x", "a b/c", "ü/b", "a/.b",
        ] {
            assert!(bad.parse::<RepoId>().is_err(), "{bad}");
        }
    }
}
