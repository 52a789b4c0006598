//! Byte counts for people.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A number of bytes. Prints in decimal units (1 kB = 1,000 B), as disk makers and `df -H` count.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ByteSize(pub u64);

/// Text that is not a number of bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a number of bytes (want `25GB`, `32GiB` or `4700000000`)")]
pub struct ByteSizeError(String);

impl FromStr for ByteSize {
    type Err = ByteSizeError;

    /// Takes a whole number with a unit of 1000 (`kB`, `MB`, `GB`, `TB`) or of 1024 (`KiB`, `MiB`, `GiB`,
    /// `TiB`), or plain bytes.
    fn from_str(text: &str) -> Result<Self, ByteSizeError> {
        let wrong = || ByteSizeError(text.escape_debug().to_string());
        let trimmed = text.trim();
        let digits = trimmed.find(|c: char| !c.is_ascii_digit());
        let (number, unit) = trimmed.split_at(digits.unwrap_or(trimmed.len()));
        let unit: u64 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" => 1_000,
            "m" | "mb" => 1_000_000,
            "g" | "gb" => 1_000_000_000,
            "t" | "tb" => 1_000_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            "tib" => 1 << 40,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(unit).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u64); 5] = [
            ("PB", 1_000_000_000_000_000),
            ("TB", 1_000_000_000_000),
            ("GB", 1_000_000_000),
            ("MB", 1_000_000),
            ("kB", 1_000),
        ];
        let text = match UNITS.iter().find(|(_, size)| self.0 >= *size) {
            None => format!("{} B", self.0),
            Some((unit, size)) => {
                // Whole tenths in integers: a float would lose digits above 2^53 bytes.
                let tenths = u128::from(self.0) * 10 / u128::from(*size);
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            }
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_print_in_the_unit_people_use() {
        let shown: Vec<_> = [0, 999, 1_000, 1_550_000, 412_118_223_104, u64::MAX]
            .map(|bytes| ByteSize(bytes).to_string())
            .into();
        assert_eq!(
            shown,
            ["0 B", "999 B", "1.0 kB", "1.5 MB", "412.1 GB", "18446.7 PB"]
        );
    }

    #[test]
    fn a_size_is_read_in_the_units_that_are_on_the_box() {
        for (text, bytes) in [
            ("25GB", 25_000_000_000),
            ("25 gb", 25_000_000_000),
            ("32GiB", 32 << 30),
            ("4700000000", 4_700_000_000),
            ("1t", 1_000_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "GB", "-1GB", "1.5GB", "1 bottle", "99999999999TB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }
}
