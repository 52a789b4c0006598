//! The one place that prints. Data goes to stdout, words go to stderr.
//!
//! Threat: text from a medium or an engine carries terminal escapes. Defence: control characters
//! other than line feed and tab are shown as escapes.

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;

use crate::error::CommandError;

/// Whether a command that reads prints for a person or for a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Text for a person.
    Text,
    /// One JSON object with a `schema`.
    Json,
}

/// Prints data.
#[expect(clippy::print_stdout, reason = "the one output module")]
pub(crate) fn data(text: &str) {
    print!("{}", harmless(text));
    // A reader that has left (`| head`) is not our failure.
    let _ = std::io::stdout().flush();
}

/// Prints a value as one JSON object.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), CommandError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| CommandError::new(maas_types::Exit::Bug, error))?;
    data(&text);
    data("\n");
    Ok(())
}

/// Prints words: what happens, what is next.
#[expect(clippy::print_stderr, reason = "the one output module")]
pub(crate) fn words(text: &str) {
    eprintln!("{}", harmless(text));
}

/// Whether a person watches the progress.
pub(crate) fn watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Whether a person can answer a question.
pub(crate) fn answerable() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' && c != '\t' {
            shown.extend(c.escape_debug());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_from_outside_do_not_reach_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\n");
    }
}
