//! The name of a file in a backup: `<area>/<name>/…`.
//!
//! Threats: a name that leaves the folder it is restored to (`..`, `/`, a link), or that a shell, a
//! terminal or SQLite reads as something else. Defence: a closed alphabet, no segment that begins with
//! a dot or a dash, at most 100 bytes, and no links in the format at all.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a ustar header holds in one field.
const LONGEST: usize = 100;

/// The name of a file or folder in a backup (clause 3.3): an area, then what it is called there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntryName(String);

/// Text that is no such name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a name in a backup: want `<area>/<name>`, at most 100 letters, digits, `.`, `_`, `-` and `@`, no part of it beginning with `.` or `-`"
)]
pub struct NameError {
    /// What was found, cut to 120 characters and with control characters escaped.
    pub text: String,
}

impl EntryName {
    /// Checks a name.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        let segments = text.split('/').count();
        if text.len() <= LONGEST && segments >= 2 && text.split('/').all(is_segment) {
            Ok(Self(text))
        } else {
            Err(NameError {
                text: text
                    .chars()
                    .take(120)
                    .flat_map(char::escape_debug)
                    .collect(),
            })
        }
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first part: which of the caller's folders it belongs to.
    pub fn area(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// All but the area: the path below the area's folder.
    pub fn within(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, rest)| rest)
    }

    /// The first two parts: what is put in place by one rename.
    #[must_use]
    pub fn unit(&self) -> Self {
        let end = self.0.match_indices('/').nth(1);
        Self(self.0[..end.map_or(self.0.len(), |(at, _)| at)].to_owned())
    }

    /// The folder it lies in; `None` when that is the area itself.
    pub fn parent(&self) -> Option<Self> {
        let (parent, _) = self.0.rsplit_once('/')?;
        parent.contains('/').then(|| Self(parent.to_owned()))
    }
}

/// Whether a text can stand between two slashes of a name.
pub(crate) fn is_segment(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@');
    !text.is_empty() && !text.starts_with(['.', '-']) && text.bytes().all(plain)
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for EntryName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl From<EntryName> for String {
    fn from(name: EntryName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_leave_their_folder_are_refused() {
        for bad in [
            "",
            "a",
            "/a",
            "a/",
            "a//b",
            "a/..",
            "../a",
            "a/./b",
            "a/.hidden",
            "a/-rf",
            "a/b\0",
            "a/b c",
            "a/b\n",
            "a\\b",
            "a/ü",
            "a/b/../c",
        ] {
            assert!(EntryName::new(bad).is_err(), "{bad:?}");
        }
        assert!(EntryName::new(format!("a/{}", "b".repeat(98))).is_ok());
        assert!(EntryName::new(format!("a/{}", "b".repeat(99))).is_err());
    }

    #[test]
    fn a_name_is_taken_apart() {
        let name = EntryName::new("state/gateway/ledger/1.json").unwrap();
        assert_eq!(name.area(), "state");
        assert_eq!(name.within(), "gateway/ledger/1.json");
        assert_eq!(name.unit().as_str(), "state/gateway");
        assert_eq!(name.parent().unwrap().as_str(), "state/gateway/ledger");
        let unit = EntryName::new("state/trust.db").unwrap();
        assert_eq!((unit.unit(), unit.parent()), (unit.clone(), None));
    }

    proptest! {
        #[test]
        fn what_is_accepted_stays_below_its_folder(text in "\\PC{0,20}|[a./-]{0,12}") {
            if let Ok(name) = EntryName::new(text) {
                let path = Utf8Path::new(name.within());
                let normal = |part| matches!(part, camino::Utf8Component::Normal(_));
                prop_assert!(path.components().all(normal));
            }
        }
    }
}
