//! Text of others, made fit for a record that is kept for years and read on terminals.

/// What a cut text ends with, at most: `… (18446744073709551615 bytes)`.
const MARK: usize = 32;

/// `text` with control characters and marks that turn the reading direction escaped, and cut to `limit`
/// bytes with its true length said. Nothing is refused here: no stick may keep what was done with it out
/// of the log by calling itself something strange.
pub(crate) fn clean(text: &str, limit: usize) -> String {
    let mut kept = String::new();
    for c in text.chars() {
        if c.is_control() || ('\u{202a}'..='\u{2069}').contains(&c) {
            kept.extend(c.escape_unicode());
        } else {
            kept.push(c);
        }
        if kept.len() > limit {
            let end = kept.floor_char_boundary(limit.saturating_sub(MARK));
            kept.truncate(end);
            return format!("{kept}… ({} bytes)", text.len());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_cut_says_so_and_what_moves_the_cursor_is_escaped() {
        assert_eq!(clean("SanDisk\u{1b}[2J", 40), "SanDisk\\u{1b}[2J");
        let long = clean(&"é".repeat(50), 40);
        assert_eq!(long, format!("{}… (100 bytes)", "é".repeat(4)));
    }

    proptest! {
        #[test]
        fn it_fits_and_is_clean_already(text: String, limit in 40_usize..200) {
            let once = clean(&text, limit);
            prop_assert!(once.len() <= limit);
            prop_assert!(!once.chars().any(char::is_control));
            prop_assert_eq!(clean(&once, limit), once);
        }
    }
}
