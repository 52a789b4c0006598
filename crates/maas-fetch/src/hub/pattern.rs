//! Names with stars, as people choose files with.

use std::{convert::Infallible, fmt, str::FromStr};

/// A pattern for whole paths: `*` stands for any run of characters, `/` among them, as in the hub's
/// own tools (`*.bin`, `original/*`). A pattern that ends in `/` stands for all below. Case counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Whether the whole path fits.
    pub fn matches(&self, path: &str) -> bool {
        let mut pieces = self.0.split('*');
        let first = pieces.next().unwrap_or_default();
        let Some(mut rest) = path.strip_prefix(first) else {
            return false;
        };
        let mut pieces: Vec<_> = pieces.collect();
        let Some(last) = pieces.pop() else {
            return rest.is_empty();
        };
        // The earliest place for each piece leaves the most room for those behind it.
        for piece in pieces {
            match rest.find(piece) {
                Some(at) => rest = &rest[at + piece.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

impl FromStr for Pattern {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let all_below = if text.ends_with('/') { "*" } else { "" };
        Ok(Self(format!("{text}{all_below}")))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_run_and_the_rest_for_itself() {
        let fits = |pattern: &str, path: &str| {
            let Ok(pattern) = pattern.parse::<Pattern>();
            pattern.matches(path)
        };
        for (pattern, path) in [
            ("*", ""),
            ("*.bin", "a.bin"),
            ("*.bin", "original/a.bin"),
            ("original/", "original/a/b"),
            ("a*b*c", "a-b-b-c"),
            ("*aa*aa", "aaaa"),
            ("config.json", "config.json"),
        ] {
            assert!(fits(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("", "a"),
            ("*.bin", "a.bin.json"),
            ("original/", "original"),
            ("*aa*aa", "aaa"),
            ("a*b", "ab-"),
            ("config.json", "xconfig.json"),
            ("config.json", "CONFIG.json"),
            ("?", "a"),
        ] {
            assert!(!fits(pattern, path), "{pattern} {path}");
        }
    }
}
