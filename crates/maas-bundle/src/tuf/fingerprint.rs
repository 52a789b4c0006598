//! What two people compare over the telephone before a host trusts a root.

use std::{fmt, str::FromStr};

use maas_types::Digest;
use serde::{Deserialize, Serialize};

use super::words::WORDS;

/// SHA-256 of the canonical JSON of a root's `signed` part (FORMAT.md 4.6): it does not change when
/// a signature is added. Prints as sixteen groups of four hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(pub(crate) Digest);

/// Text that is not a fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a fingerprint (want 64 hex digits, in groups or not, or all that was printed)"
)]
pub struct FingerprintError;

impl Fingerprint {
    /// Eight words for the telephone, of the first eight bytes: 64 bits, enough against somebody who
    /// must hit one given root and not any of many.
    pub fn words(&self) -> String {
        let words: Vec<_> = self.0.as_bytes()[..8]
            .iter()
            .map(|byte| WORDS[usize::from(*byte)])
            .collect();
        words.join(" ")
    }

    /// The digest itself.
    pub const fn digest(&self) -> &Digest {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<_> = self.0.as_bytes().chunks(2).map(hex::encode).collect();
        f.pad(&groups.join(" "))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// Takes hex in any case, with spaces, colons or dashes between, with or without `sha256:`.
    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let text = text.trim();
        let hex: String = text
            .strip_prefix("sha256:")
            .unwrap_or(text)
            .chars()
            .filter(|c| !matches!(c, ' ' | ':' | '-' | '\n'))
            .flat_map(char::to_lowercase)
            .collect();
        Digest::from_hex(&hex)
            .map(Self)
            .map_err(|_| FingerprintError)
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = FingerprintError;

    fn try_from(text: String) -> Result<Self, FingerprintError> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_byte_has_a_word_of_its_own() {
        assert_eq!(WORDS.iter().collect::<BTreeSet<_>>().len(), 256);
        assert!(
            WORDS.iter().all(|word| (3..=6).contains(&word.len())
                && word.bytes().all(|b| b.is_ascii_lowercase()))
        );
    }

    #[test]
    fn what_is_printed_can_be_typed() {
        let fingerprint = Fingerprint(crate::digest_of(b"root"));
        let printed = fingerprint.to_string();
        assert_eq!(printed.parse(), Ok(fingerprint));
        assert_eq!(
            printed.replace(' ', "").to_uppercase().parse(),
            Ok(fingerprint)
        );
        assert_eq!(fingerprint.digest().to_string().parse(), Ok(fingerprint));
        assert_eq!("4813".parse::<Fingerprint>(), Err(FingerprintError));
        insta::assert_snapshot!(fingerprint.words(), @"cliff attic clock comet attic galaxy badge butter");
    }
}
