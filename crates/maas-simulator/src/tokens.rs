//! A toy tokeniser that loses nothing.
//!
//! Text is cut before white space and wherever letters meet punctuation, and each word into runs of
//! at most four bytes. A token's id is those bytes as digits to base 257 (byte + 1, first byte
//! lowest), so an id alone gives its bytes back and no table is needed. Id 0, which holds no byte,
//! ends an answer.

/// The token that ends an answer. It counts, and holds no text.
pub(crate) const END: u64 = 0;

/// Four bytes are about what a token of a real vocabulary holds in English text.
const BYTES_PER_TOKEN: usize = 4;

/// One more than a byte has values, so that no digit is 0.
const BASE: u64 = 257;

/// The ids of `text`.
pub(crate) fn encode(text: &str) -> Vec<u64> {
    words(text)
        .flat_map(|word| word.as_bytes().chunks(BYTES_PER_TOKEN))
        .map(id)
        .collect()
}

/// How many tokens `text` has.
pub(crate) fn count(text: &str) -> u64 {
    let chunks = words(text).map(|word| word.len().div_ceil(BYTES_PER_TOKEN));
    chunks.sum::<usize>() as u64
}

/// The text of `ids`. What is not UTF-8, and ids that no text has, become U+FFFD.
pub(crate) fn decode(ids: &[u64]) -> String {
    let mut all = Vec::new();
    for id in ids {
        match bytes(*id) {
            Some(some) => all.extend(some),
            None => all.extend("\u{fffd}".bytes()),
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// The text that each token adds: a character whose bytes lie in two tokens comes with the second.
pub(crate) fn pieces(text: &str) -> Vec<(u64, String)> {
    let mut pending = Vec::new();
    encode(text)
        .into_iter()
        .map(|id| {
            pending.extend(bytes(id).unwrap_or_default());
            let whole = match std::str::from_utf8(&pending) {
                Ok(_) => pending.len(),
                Err(error) => error.valid_up_to(),
            };
            let rest = pending.split_off(whole);
            let piece = String::from_utf8(std::mem::replace(&mut pending, rest));
            (id, piece.unwrap_or_default())
        })
        .collect()
}

fn id(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |id, byte| id * BASE + u64::from(*byte) + 1)
}

fn bytes(mut id: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(BYTES_PER_TOKEN);
    while id > 0 {
        let digit = u8::try_from((id % BASE).checked_sub(1)?).ok()?;
        bytes.push(digit);
        id /= BASE;
    }
    (bytes.len() <= BYTES_PER_TOKEN).then_some(bytes)
}

/// Cuts `text` into words; together they are all of it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut before = rest.chars().next()?;
        let end = rest
            .char_indices()
            .skip(1)
            .find(|(_, c)| {
                let cut = c.is_whitespace()
                    || (!before.is_whitespace() && before.is_alphanumeric() != c.is_alphanumeric());
                before = *c;
                cut
            })
            .map_or(rest.len(), |(at, _)| at);
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_keep_their_leading_space() {
        let cut: Vec<_> = words("Simulated answer: it's\n\nfine").collect();
        assert_eq!(
            cut,
            ["Simulated", " answer", ":", " it", "'", "s", "\n", "\nfine"]
        );
    }

    #[test]
    fn an_id_that_no_text_has_becomes_the_replacement_character() {
        assert_eq!(decode(&[u64::MAX]), "\u{fffd}");
        assert_eq!(decode(&[BASE]), "\u{fffd}");
        assert_eq!(decode(&[END]), "");
    }

    proptest! {
        #[test]
        fn decoding_gives_the_text_back(text in "\\PC{0,80}") {
            let ids = encode(&text);
            prop_assert_eq!(decode(&ids), text.clone());
            prop_assert_eq!(ids.len() as u64, count(&text));
            let joined: String = pieces(&text).into_iter().map(|(_, piece)| piece).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
