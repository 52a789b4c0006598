//! Bech32 (BIP 173, without its limit of 90 characters), in which age writes its keys.
//!
//! Threats: a mistyped key that seals a backup to nobody. Defence: the checksum, one case only, and
//! padding bits that must be zero.

const DIGITS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const CHECKSUM: usize = 6;

/// `<prefix>1<data><checksum>`, in lower case.
pub(super) fn encode(prefix: &str, bytes: &[u8]) -> String {
    let mut values = regroup(bytes, 8, 5, Padding::Zeros).expect("every byte has 8 bits");
    let sum = polymod(&[&expand(prefix)[..], &values, &[0; CHECKSUM]].concat()) ^ 1;
    values.extend((0..CHECKSUM).map(|i| five(sum >> (5 * (CHECKSUM - 1 - i)))));
    let digits = values.iter().map(|v| char::from(DIGITS[usize::from(*v)]));
    format!("{prefix}1{}", digits.collect::<String>())
}

/// The bytes of `text`, when it has this prefix and a right checksum; all upper case is as good.
pub(super) fn decode(prefix: &str, text: &str) -> Option<Vec<u8>> {
    let lower = text.to_ascii_lowercase();
    if lower != text && text.to_ascii_uppercase() != text {
        return None;
    }
    let data = lower.strip_prefix(prefix)?.strip_prefix('1')?;
    let values: Vec<u8> = data
        .bytes()
        .map(|digit| DIGITS.iter().position(|d| *d == digit))
        .map(|at| at.and_then(|at| u8::try_from(at).ok()))
        .collect::<Option<_>>()?;
    let data = values.len().checked_sub(CHECKSUM)?;
    if polymod(&[&expand(prefix)[..], &values].concat()) != 1 {
        return None;
    }
    regroup(&values[..data], 5, 8, Padding::None)
}

fn five(value: u32) -> u8 {
    u8::try_from(value & 31).expect("five bits")
}

fn expand(prefix: &str) -> Vec<u8> {
    let high = prefix.bytes().map(|b| b >> 5);
    let low = prefix.bytes().map(|b| b & 31);
    high.chain([0]).chain(low).collect()
}

fn polymod(values: &[u8]) -> u32 {
    const GENERATOR: [u32; 5] = [
        0x3b6a_57b2,
        0x2650_8e6d,
        0x1ea1_19fa,
        0x3d42_33dd,
        0x2a14_62b3,
    ];
    values.iter().fold(1, |sum, value| {
        let top = sum >> 25;
        let next = ((sum & 0x01ff_ffff) << 5) ^ u32::from(*value);
        let terms = GENERATOR.iter().enumerate();
        terms.fold(
            next,
            |sum, (bit, term)| {
                if top >> bit & 1 == 1 { sum ^ term } else { sum }
            },
        )
    })
}

/// What to do with bits that fill no whole group.
#[derive(Clone, Copy)]
enum Padding {
    Zeros,
    None,
}

fn regroup(input: &[u8], from: u32, to: u32, padding: Padding) -> Option<Vec<u8>> {
    let (mut held, mut bits, mut output) = (0_u32, 0, Vec::new());
    for value in input {
        held = (held << from) | u32::from(*value);
        bits += from;
        while bits >= to {
            bits -= to;
            output.push(u8::try_from((held >> bits) & ((1 << to) - 1)).ok()?);
        }
        held &= (1 << bits) - 1;
    }
    match padding {
        Padding::Zeros if bits > 0 => output.push(u8::try_from(held << (to - bits)).ok()?),
        Padding::None if bits >= from || held != 0 => return None,
        Padding::Zeros | Padding::None => {}
    }
    Some(output)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_words_of_bip_173_are_read() {
        assert_eq!(decode("a", "A12UEL5L"), Some(Vec::new()));
        assert!(decode("abcdef", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw").is_some());
        assert_eq!(decode("a", "A12uEL5L"), None);
        assert_eq!(decode("a", "a12uel5m"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes: [u8; 32]) {
            let text = encode("age", &bytes);
            prop_assert_eq!(decode("age", &text), Some(bytes.to_vec()));
            prop_assert_eq!(decode("age", &text.to_ascii_uppercase()), Some(bytes.to_vec()));
        }

        #[test]
        fn every_single_typo_is_refused(bytes: [u8; 32], at in 4_usize..62, digit in 0_usize..32) {
            let mut text = encode("age", &bytes).into_bytes();
            prop_assume!(text[at] != DIGITS[digit]);
            text[at] = DIGITS[digit];
            prop_assert_eq!(decode("age", &String::from_utf8(text).unwrap()), None);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}|age1[a-z0-9]{0,80}") {
            decode("age", &text);
        }
    }
}
