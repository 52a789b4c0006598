//! The one seam of the day-to-day commands for running programs of the host.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use maas_types::Exit;

use crate::error::CommandError;

/// Runs a program to its end and tells each line that it prints, as it comes.
pub(super) fn lines(
    program: &str,
    words: &[&str],
    told: &mut dyn FnMut(&str),
) -> Result<(), CommandError> {
    let failed = |detail: String| {
        let line = [&[program], words].concat().join(" ");
        CommandError::new(Exit::Failed, format!("`{line}` failed: {detail}"))
    };
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    let mut child = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            told(&String::from_utf8_lossy(&line?));
        }
    }
    let status = child.wait()?;
    if status.success() {
        Ok(())
    } else {
        Err(failed(status.to_string()))
    }
}
