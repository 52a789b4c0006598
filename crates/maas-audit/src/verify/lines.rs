//! Entries from JSON lines.

use std::io::{BufRead, Read as _};

use crate::{AuditError, Entry, entry::LINE};

/// The next entry, or why the line is none; `None` at the end.
pub(super) fn next(lines: &mut dyn BufRead) -> Result<Option<Result<Entry, String>>, AuditError> {
    let mut line = Vec::new();
    lines
        .take(LINE)
        .read_until(b'\n', &mut line)
        .map_err(AuditError::Import)?;
    if line.is_empty() {
        return Ok(None);
    }
    Ok(Some(match line.strip_suffix(b"\n") {
        Some(line) => Entry::from_line(line),
        None if line.len() as u64 == LINE => Err(format!("its line is longer than {LINE} bytes")),
        None => Err("its line was cut off".to_owned()),
    }))
}
