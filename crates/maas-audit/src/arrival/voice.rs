//! What two people compare by voice: the bundle that was sent and the one that arrived.

use std::{fmt, str::FromStr};

use maas_types::Digest;
use serde::{Deserialize, Serialize};

use super::words::WORDS;

/// Four groups of hex, three words and a number: `4F1C 88A0 19BE 77D2 - copper tiger lamp 41`.
///
/// The groups are the first eight bytes of the bill's digest, so that `sha256sum` shows them too. The
/// words are the next three bytes; the number, of two digits, is the next. About 94 bits in all: enough
/// against somebody who must hit one given bundle. Who signed it is another question, which the
/// signatures answer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VoiceCode(String);

/// Text that is not such a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a code to compare by voice (want it like `4F1C 88A0 19BE 77D2 - apricot lamp violin 41`)"
)]
pub struct VoiceCodeError;

impl VoiceCode {
    /// The code of the bundle with this bill.
    pub fn of(bill: &Digest) -> Self {
        let bytes = bill.as_bytes();
        let groups: Vec<_> = bytes[..8].chunks(2).map(hex::encode_upper).collect();
        let words: Vec<_> = bytes[8..11]
            .iter()
            .map(|byte| WORDS[usize::from(*byte)])
            .collect();
        // Two digits always: "seven" and "eleven" are too near on a bad line.
        let number = 10 + bytes[11] % 90;
        Self(format!(
            "{} - {} {number}",
            groups.join(" "),
            words.join(" ")
        ))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VoiceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for VoiceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for VoiceCode {
    type Err = VoiceCodeError;

    fn from_str(text: &str) -> Result<Self, VoiceCodeError> {
        let parts: Vec<_> = text.split(' ').collect();
        let [groups @ .., "-", one, two, three, number] = parts.as_slice() else {
            return Err(VoiceCodeError);
        };
        let group = |text: &&str| {
            text.len() == 4
                && text
                    .bytes()
                    .all(|b| b.is_ascii_digit() || matches!(b, b'A'..=b'F'))
        };
        let good = groups.len() == 4
            && groups.iter().all(group)
            && [one, two, three].iter().all(|word| WORDS.contains(word))
            && number.len() == 2
            && number.parse::<u8>().is_ok_and(|number| number >= 10);
        good.then(|| Self(text.to_owned())).ok_or(VoiceCodeError)
    }
}

impl TryFrom<String> for VoiceCode {
    type Error = VoiceCodeError;

    fn try_from(text: String) -> Result<Self, VoiceCodeError> {
        text.parse()
    }
}

impl From<VoiceCode> for String {
    fn from(code: VoiceCode) -> Self {
        code.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256};

    use super::*;

    /// Frozen with the list: papers with such codes are out there.
    #[test]
    fn the_code_of_a_bill_and_the_list_of_words_are_frozen() {
        let bill = Digest::from_bytes(Sha256::digest(b"a bill of lading").into());
        insta::assert_snapshot!(format!("{bill}\n{}", VoiceCode::of(&bill)), @"
        sha256:7d02cfdab7203dc900eb78990929d8fb54ec82c567d3a96db7100daba20c7bc0
        7D02 CFDA B720 3DC9 - acre umbrella kite 73
        ");
        insta::assert_snapshot!(hex::encode(Sha256::digest(WORDS.join(" "))), @"18def858fb0b22684c9f57a392c5652e774948068babf55f27d1996c16d20721");
    }

    #[test]
    fn words_are_sorted_short_and_never_one_letter_apart() {
        for pair in WORDS.windows(2) {
            assert!(pair[0] < pair[1], "{pair:?}");
        }
        let near = |a: &str, b: &str| {
            let (a, b) = if a.len() < b.len() { (a, b) } else { (b, a) };
            let differ =
                |a: &str, b: &str| a.bytes().zip(b.bytes()).filter(|(a, b)| a != b).count();
            let without = |at: usize| format!("{}{}", &b[..at], &b[at + 1..]);
            (a.len() == b.len() && differ(a, b) < 2)
                || (a.len() + 1 == b.len() && (0..b.len()).any(|at| without(at) == a))
        };
        for (index, one) in WORDS.iter().enumerate() {
            assert!((4..=8).contains(&one.len()), "{one}");
            for two in &WORDS[index + 1..] {
                assert!(!near(one, two), "{one} {two}");
            }
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        let good = "4F1C 88A0 19BE 77D2 - acre lion zinc 41";
        assert!(good.parse::<VoiceCode>().is_ok());
        for (from, to) in [
            ("4F1C", "4f1c"),
            ("4F1C ", ""),
            (" - ", " "),
            ("lion", "lyon"),
            ("41", "4"),
        ] {
            let other = good.replacen(from, to, 1);
            assert!(other.parse::<VoiceCode>().is_err(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_code_comes_back_from_its_text(bytes: [u8; 32]) {
            let code = VoiceCode::of(&Digest::from_bytes(bytes));
            prop_assert_eq!(code.as_str().parse::<VoiceCode>(), Ok(code.clone()));
        }
    }
}
