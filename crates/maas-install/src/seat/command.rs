//! The crate's one seam for running programs of the host.

use std::process::{Command, Stdio};

use crate::InstallError;

/// Runs a program to its end and answers with what it printed.
pub(crate) fn run(program: &str, words: &[&str]) -> Result<String, InstallError> {
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    let output = Command::new(program)
        .args(words)
        .env_clear()
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .output();
    let line = || [&[program], words].concat().join(" ");
    let failed = |detail: String| InstallError::HostCommand {
        command: line(),
        detail,
    };
    let output = output.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: String = said.trim().chars().take(2_000).collect();
    Err(failed(format!("{} ({said})", output.status)))
}
