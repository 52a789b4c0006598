//! A mistake in the configuration, for the person who has to mend it.

use std::fmt::Write as _;

use camino::Utf8Path;

/// One mistake: where, what, and how it could read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigProblem {
    /// 1 for the first line.
    pub(crate) line: usize,
    /// `gateway.listen`; empty where the text is no TOML.
    pub(crate) key: &'static str,
    /// What is wrong with what was found.
    pub(crate) message: String,
    /// A line that would be right.
    pub(crate) example: &'static str,
}

impl ConfigProblem {
    /// A mistake at `offset` bytes into `text`.
    pub(crate) fn at(
        text: &str,
        offset: usize,
        key: &'static str,
        message: String,
        example: &'static str,
    ) -> Self {
        Self {
            line: line_of(text, offset),
            key,
            message,
            example,
        }
    }

    /// What the TOML reader says: syntax, a wrong type, a key that does not exist.
    pub(crate) fn from_toml(text: &str, error: &toml::de::Error) -> Self {
        let offset = error.span().map_or(0, |span| span.start);
        let message = error.message().replace('\n', " ");
        Self::at(
            text,
            offset,
            "",
            message,
            "see `maas-appliance config example`",
        )
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
        + 1
}

/// The mistakes, one to a line, as `file:line: key: …`.
pub(crate) fn listed(file: &Utf8Path, problems: &[ConfigProblem]) -> String {
    let mut text = String::new();
    for ConfigProblem {
        line,
        key,
        message,
        example,
    } in problems
    {
        let colon = if key.is_empty() { "" } else { ": " };
        let _ = writeln!(
            text,
            "  {file}:{line}: {key}{colon}{message}\n      example: {example}"
        );
    }
    text.trim_end().to_owned()
}
