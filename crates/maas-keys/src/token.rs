//! The text of a key: `sk-maas-<12: public id>_<43: secret><6: checksum>`, all in base 62.
//!
//! Threats: floods of guessed keys that each cost a look-up; a secret in a log, an error or a core
//! dump; a key pasted with a letter missing that looks like an attack. Defences: length, alphabet
//! and checksum are tested before anything else, on the borrowed text, without allocating; the
//! secret exists in one type that prints its own name only and is wiped when dropped; the checksum
//! covers the public id too. The checksum is no secret and needs no constant time.

use std::fmt;

use maas_types::KeyId;
use zeroize::{Zeroize, Zeroizing};

const PREFIX: &str = "sk-maas-";
const ID: usize = 12;
/// 62^43 > 2^256: the fewest digits that hold 32 random bytes.
const SECRET: usize = 43;
/// 62^6 > 2^32: the fewest digits that hold a CRC-32.
const CHECKSUM: usize = 6;
const COVERED: usize = ID + 1 + SECRET;
const LENGTH: usize = PREFIX.len() + COVERED + CHECKSUM;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A whole key, secret included. It exists once, in the answer that creates it.
#[derive(Clone)]
pub struct SecretToken(Zeroizing<String>);

impl SecretToken {
    /// The text to hand to the developer. Never log it, never keep it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn generate(entropy: &Entropy) -> (KeyId, Self) {
        let (for_id, for_secret) = entropy.0.split_at(16);
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        text.push_str(PREFIX);
        push_base62::<ID>(&mut text, for_id);
        text.push('_');
        push_base62::<SECRET>(&mut text, for_secret);
        let checksum = checksum(&text[PREFIX.len()..]);
        text.push_str(std::str::from_utf8(&checksum).expect("base 62 is ASCII"));
        let id = text[PREFIX.len()..PREFIX.len() + ID].parse();
        (id.expect("12 base-62 digits are a key id"), Self(text))
    }

    /// What the stored code is computed over: `<id>_<secret>`.
    pub(crate) fn covered(&self) -> &str {
        &self.0[PREFIX.len()..PREFIX.len() + COVERED]
    }
}

impl fmt::Debug for SecretToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretToken")
    }
}

/// The randomness of one key: 16 bytes for its id, 32 for its secret.
pub struct Entropy([u8; 48]);

impl Entropy {
    /// From the operating system.
    pub fn from_system() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 48];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// From the caller; in tests, so that a key is the same in every run.
    pub const fn from_bytes(bytes: [u8; 48]) -> Self {
        Self(bytes)
    }
}

impl Drop for Entropy {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}

/// Text that has the form of a key and the right checksum.
pub(crate) struct Presented<'a> {
    /// Its public id.
    pub(crate) id: &'a str,
    /// `<id>_<secret>`, what the stored code is computed over.
    pub(crate) covered: &'a str,
}

/// Takes a presented key apart, or finds that it is none.
pub(crate) fn parse(text: &str) -> Option<Presented<'_>> {
    if text.len() != LENGTH || !text.is_ascii() {
        return None;
    }
    let (covered, presented) = text.strip_prefix(PREFIX)?.split_at(COVERED);
    let (id, rest) = covered.split_at(ID);
    let secret = rest.strip_prefix('_')?;
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric());
    let good = plain(id) && plain(secret) && checksum(covered) == *presented.as_bytes();
    good.then_some(Presented { id, covered })
}

fn checksum(covered: &str) -> [u8; CHECKSUM] {
    base62(&mut crc32fast::hash(covered.as_bytes()).to_be_bytes())
}

fn push_base62<const N: usize>(text: &mut Zeroizing<String>, bytes: &[u8]) {
    let mut work = Zeroizing::new(bytes.to_vec());
    let digits = Zeroizing::new(base62::<N>(&mut work));
    text.push_str(std::str::from_utf8(&*digits).expect("base 62 is ASCII"));
}

/// The last `N` base-62 digits of the big-endian number in `bytes`, which becomes the quotient.
fn base62<const N: usize>(bytes: &mut [u8]) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0_u16;
        for byte in bytes.iter_mut() {
            let here = (rest << 8) | u16::from(*byte);
            *byte = u8::try_from(here / 62).expect("rest is below 62, so this is below 256");
            rest = here % 62;
        }
        *digit = DIGITS[usize::from(rest)];
    }
    digits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(bytes: [u8; 48]) -> (KeyId, SecretToken) {
        SecretToken::generate(&Entropy::from_bytes(bytes))
    }

    #[test]
    fn a_key_has_the_form_that_secret_scanners_are_told() {
        let (id, token) = token([0xab; 48]);
        // Worked out by hand in another language: the format is frozen.
        insta::assert_snapshot!(token.expose(), @"sk-maas-ZfADG6WaEB0l_ehv1hsdOHPxDuX3xn9YyIKbgl4yJuySCWzdimD4heup0RV67B");
        assert_eq!(token.expose().len(), LENGTH);
        assert_eq!(parse(token.expose()).unwrap().id, id.as_str());
    }

    #[test]
    fn the_biggest_secret_fits_and_the_smallest_is_padded() {
        for byte in [0x00, 0xff] {
            assert!(parse(token([byte; 48]).1.expose()).is_some());
        }
        assert_eq!(base62::<SECRET>(&mut [0; 32]), [b'0'; SECRET]);
        // 2^256 - 1 leaves nothing over after 43 digits: no two secrets share a text.
        let mut all = [0xff; 32];
        base62::<SECRET>(&mut all);
        assert_eq!(all, [0; 32]);
    }

    #[test]
    fn debug_of_a_secret_prints_its_type_only() {
        assert_eq!(format!("{:?}", token([7; 48]).1), "SecretToken");
        assert_eq!(format!("{:?}", Entropy::from_bytes([7; 48])), "Entropy");
    }

    proptest! {
        #[test]
        fn every_single_typo_is_refused(bytes: [[u8; 12]; 4], at in 0..LENGTH, to in 0_usize..62) {
            let bytes: [u8; 48] = bytes.concat().try_into().unwrap();
            let (_, token) = token(bytes);
            let mut text = token.expose().as_bytes().to_vec();
            prop_assume!(text[at] != DIGITS[to]);
            text[at] = DIGITS[to];
            prop_assert!(parse(std::str::from_utf8(&text).unwrap()).is_none());
        }

        #[test]
        fn two_swapped_neighbours_are_refused(seed: [u8; 16], at in 0..LENGTH - 1) {
            let (_, token) = token([seed, seed, seed].concat().try_into().unwrap());
            let mut text = token.expose().as_bytes().to_vec();
            prop_assume!(text[at] != text[at + 1]);
            text.swap(at, at + 1);
            prop_assert!(parse(std::str::from_utf8(&text).unwrap()).is_none());
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,100}|sk-maas-\\PC{62}") {
            prop_assert!(parse(&text).is_none());
        }
    }
}
