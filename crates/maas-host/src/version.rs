//! Versions as kernels, C libraries and drivers write them: numbers with dots, then anything.

use std::fmt;

use serde::{Serialize, Serializer};

/// Up to four numbers. Zeros at the end say nothing: 4.18 is 4.18.0. Zeros in front of a number are
/// shown again, because people look for `580.95.05`, and say nothing either.
#[derive(Debug, Clone, Copy)]
pub struct Version {
    parts: [u32; 4],
    /// Digits that each part was written with, at least.
    widths: [usize; 4],
    count: usize,
}

impl Version {
    /// `Version::new(&[4, 18])`. More than four numbers are cut off.
    pub const fn new(numbers: &[u32]) -> Self {
        let mut version = Self {
            parts: [0; 4],
            widths: [0; 4],
            count: 0,
        };
        while version.count < numbers.len() && version.count < 4 {
            version.parts[version.count] = numbers[version.count];
            version.count += 1;
        }
        version
    }

    /// The version that `text` begins with: `4.18.0` of `4.18.0-553.el8_10.x86_64`. `None` if it does
    /// not begin with a number that fits.
    pub fn parse(text: &str) -> Option<Self> {
        let (mut numbers, mut widths) = (Vec::new(), [0; 4]);
        let mut rest = text.trim_start();
        while numbers.len() < 4 {
            let end = rest.find(|c: char| !c.is_ascii_digit());
            let (digits, after) = rest.split_at(end.unwrap_or(rest.len()));
            let Ok(number) = digits.parse() else {
                break;
            };
            // Not more zeros than a version has, whatever the text is.
            widths[numbers.len()] = digits.len().min(10);
            numbers.push(number);
            match after.strip_prefix('.') {
                Some(next) => rest = next,
                None => break,
            }
        }
        (!numbers.is_empty()).then(|| Self {
            widths,
            ..Self::new(&numbers)
        })
    }

    /// The first number.
    pub const fn major(&self) -> u32 {
        self.parts[0]
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.parts.cmp(&other.parts)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts.iter().zip(self.widths).take(self.count);
        for (place, (part, width)) in parts.enumerate() {
            let dot = if place == 0 { "" } else { "." };
            write!(f, "{dot}{part:0width$}")?;
        }
        Ok(())
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_are_read_from_the_front_of_what_systems_write() {
        for (text, version) in [
            ("4.18.0-553.el8_10.x86_64", Some("4.18.0")),
            ("6.18.44-fc-v595", Some("6.18.44")),
            ("580.95.05", Some("580.95.05")),
            ("257.5-1.fc42", Some("257.5")),
            ("239", Some("239")),
            ("1.2.3.4.5", Some("1.2.3.4")),
            ("2.36.", Some("2.36")),
            ("v5", None),
            ("99999999999999", None),
            ("", None),
        ] {
            let read = Version::parse(text).map(|version| version.to_string());
            assert_eq!(read.as_deref(), version, "{text}");
        }
    }

    #[test]
    fn a_longer_version_is_not_a_newer_one() {
        let version = |text| Version::parse(text).unwrap();
        assert_eq!(version("4.18"), version("4.18.0"));
        assert_eq!(version("580.95.5"), version("580.95.05"));
        assert!(version("4.9") < version("4.18"));
        assert!(version("525.60.13") > version("525.60"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(numbers in proptest::collection::vec(any::<u32>(), 1..=4)) {
            let version = Version::new(&numbers);
            prop_assert_eq!(Version::parse(&version.to_string()), Some(version));
        }

        #[test]
        fn no_text_is_too_odd(text in ".*") {
            let _ = Version::parse(&text);
        }
    }
}
