//! Byte counts for people.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number of bytes. Prints in decimal units (1 kB = 1,000 B), as disk makers and `df -H` count.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ByteSize(pub u64);

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
}
