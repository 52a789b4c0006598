//! Text of a server, made fit for a terminal and a log.

/// At most 200 characters, control and direction characters escaped: a server's message must not move
/// the cursor, hide the line above or be longer than what it explains.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .take(200)
        .flat_map(|c| {
            let keep = !c.is_control() && !('\u{202a}'..='\u{2069}').contains(&c);
            let escaped = (!keep).then(|| c.escape_unicode()).into_iter().flatten();
            escaped.chain(keep.then_some(c))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_of_a_server_reach_no_terminal() {
        assert_eq!(
            plain("no\u{1b}[2Jthing\u{202e}"),
            "no\\u{1b}[2Jthing\\u{202e}"
        );
        assert_eq!(plain(&"x".repeat(1000)).len(), 200);
    }
}
