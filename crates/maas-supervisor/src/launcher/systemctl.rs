//! What is asked of systemd, in the words of `systemctl`: as root it speaks to process 1 over a socket of
//! its own, so no message bus is needed.

use std::io;

use crate::spawn;

/// Runs `systemctl` with these words and answers with what it printed.
pub(super) fn systemctl(words: &[&str]) -> io::Result<String> {
    let output = spawn::output("systemctl", words)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: String = said.trim().chars().take(400).collect();
    let words = words.join(" ");
    Err(io::Error::other(format!("`systemctl {words}`: {said}")))
}

/// One property of a unit.
pub(super) fn property(unit: &str, name: &str) -> io::Result<String> {
    systemctl(&["show", "--value", "--property", name, "--", unit])
}
