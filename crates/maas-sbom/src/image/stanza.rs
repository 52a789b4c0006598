//! `Key: value` text, as dpkg, apk and Python write it (Debian policy 5.1; apk-tools, "installed
//! database"; PEP 566). Lines that begin with white space continue the value before.

/// A run of lines without an empty one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stanza<'t>(&'t str);

/// All stanzas of a text.
pub(super) fn stanzas(text: &str) -> impl Iterator<Item = Stanza<'_>> {
    text.split("\n\n")
        .map(|stanza| stanza.trim_start_matches('\n'))
        .filter(|stanza| !stanza.is_empty())
        .map(Stanza)
}

impl<'t> Stanza<'t> {
    /// The lines before the first empty one; what follows in Python's metadata is a text for people.
    pub(super) fn head(text: &'t str) -> Self {
        let end = text.find("\n\n").or_else(|| text.find("\r\n\r\n"));
        Self(&text[..end.unwrap_or(text.len())])
    }

    /// The first line of a key's value, without white space around; `None` when it is empty.
    pub(super) fn get(self, key: &str) -> Option<&'t str> {
        self.all(key).next()
    }

    /// Each value of a key that may stand there several times.
    pub(super) fn all(self, key: &str) -> impl Iterator<Item = &'t str> {
        self.0
            .lines()
            .filter_map(move |line| line.strip_prefix(key)?.strip_prefix(':'))
            .map(str::trim)
            .filter(|value| !value.is_empty())
    }
}
