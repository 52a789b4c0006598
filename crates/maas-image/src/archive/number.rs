//! Numbers in headers: octal text, or GNU's base 256 for what does not fit.

use crate::error::Flaw;

/// Octal digits between spaces and NULs, or a two's complement number behind a set first bit.
pub(super) fn number(field: &[u8]) -> Result<i128, Flaw> {
    if field.first().is_some_and(|byte| byte & 0x80 != 0) {
        return base_256(field);
    }
    let text = field.trim_ascii_start();
    let text = match text.iter().position(|byte| *byte == 0) {
        Some(end) => &text[..end],
        None => text,
    }
    .trim_ascii_end();
    text.iter().try_fold(0, |sum: i128, byte| match byte {
        b'0'..=b'7' => Ok(sum * 8 + i128::from(byte - b'0')),
        _ => Err(Flaw::Archive("a number is not one")),
    })
}

fn base_256(field: &[u8]) -> Result<i128, Flaw> {
    let is_negative = field[0] & 0x40 != 0;
    // The first bit is a mark, the second the sign.
    let first = i128::from(field[0] & 0x3f) - if is_negative { 0x40 } else { 0 };
    field[1..].iter().try_fold(first, |sum, byte| {
        sum.checked_mul(256)
            .and_then(|sum| sum.checked_add(i128::from(*byte)))
            .ok_or(Flaw::Archive("a number is beyond all measure"))
    })
}

/// Permissions; what is above the twelve bits says the type again, and is not asked.
pub(super) fn mode(field: &[u8]) -> Result<u32, Flaw> {
    u32::try_from(number(field)? & 0o7777).map_err(|_| Flaw::Archive("a mode is not one"))
}

/// A user or a group. The highest number means "leave it" to `chown`, so nobody can have it.
pub(super) fn id(number: i128) -> Result<u32, Flaw> {
    u32::try_from(number)
        .ok()
        .filter(|id| *id != u32::MAX)
        .ok_or(Flaw::Archive("an owner is beyond all measure"))
}

/// Decimal digits and nothing else.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    let all_digits = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits)
        .ok()
        .filter(|_| all_digits)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_and_base_256_mean_what_go_means() {
        assert_eq!(number(b"0000644\0"), Ok(0o644));
        assert_eq!(number(b"   644 \0"), Ok(0o644));
        assert_eq!(number(b"\0\0\0\0"), Ok(0));
        assert_eq!(number(b"7777777\0garbage"), Ok(0o7_777_777));
        assert_eq!(number(&[0x80, 0, 0, 0, 1, 0]), Ok(256));
        assert_eq!(number(&[0xff; 12]), Ok(-1));
        assert!(number(b"-000001\0").is_err());
        assert!(number(b"0000648\0").is_err());
    }

    #[test]
    fn nobody_is_the_highest_number() {
        assert!(id(i128::from(u32::MAX)).is_err());
        assert!(id(-1).is_err());
        assert_eq!(id(65_534), Ok(65_534));
    }
}
