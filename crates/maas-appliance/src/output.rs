//! The one place that prints. Data goes to stdout, words go to stderr.
//!
//! Threat: text from a medium or an engine carries terminal escapes. Defence: control characters
//! other than line feed and tab are shown as escapes.

use std::io::{IsTerminal as _, Write as _};

use comfy_table::{CellAlignment, Table, presets};
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
///
/// A reader that has left (`| head`) is not our failure, so `print!`, which panics then, is not used.
pub(crate) fn data(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(harmless(text).as_bytes());
    drop(written.and_then(|()| stdout.flush()));
}

/// Rows in aligned columns under a header. `right` says which columns are numbers.
pub(crate) fn columns<const N: usize>(
    header: [&str; N],
    right: std::ops::Range<usize>,
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(header)
        .add_rows(rows);
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt() + "\n"
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
pub(crate) fn words(text: &str) {
    let line = harmless(text) + "\n";
    drop(std::io::stderr().lock().write_all(line.as_bytes()));
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
