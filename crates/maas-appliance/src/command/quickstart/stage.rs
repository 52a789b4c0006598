//! The folder in which the quickstart plays, and the commands that are typed in it.

use std::{
    net::TcpListener,
    process::{Command, Stdio},
};

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::{Exit, Layout};
use serde_json::Value;

use crate::{error::CommandError, output};

/// Says that a folder is ours to empty. Without it, a folder that is not empty is left alone.
const MARKER: &str = ".maas-quickstart";

/// The folder, this binary, and the ports that were free.
#[derive(Debug)]
pub(crate) struct Stage {
    folder: Utf8PathBuf,
    appliance: Utf8PathBuf,
    port: u16,
    metrics_port: u16,
}

impl Stage {
    /// Empties or creates `folder`.
    pub(super) fn set(folder: &Utf8Path, appliance: Utf8PathBuf) -> Result<Self, CommandError> {
        let longest = Layout::new(folder.join("host"))
            .engines()
            .join("x".repeat(24));
        if longest.as_str().len() > Layout::LONGEST_SOCKET {
            return Err(CommandError::usage(format!(
                "the path {folder} is too long for the Unix sockets below it"
            ))
            .hint("give a shorter one: --folder /tmp/maas"));
        }
        if folder.exists() {
            let ours = folder.join(MARKER).exists();
            if !ours && folder.read_dir_utf8()?.next().is_some() {
                return Err(
                    CommandError::usage(format!("{folder} is not empty and not ours"))
                        .hint("give another one: --folder DIR"),
                );
            }
            fs_err::remove_dir_all(folder)?;
        }
        fs_err::create_dir_all(folder)?;
        fs_err::write(folder.join(MARKER), "made by `maas-appliance quickstart`\n")?;
        let [port, metrics_port] = [free_port(8443)?, free_port(9464)?];
        Ok(Self {
            folder: folder.to_owned(),
            appliance,
            port,
            metrics_port,
        })
    }

    /// Removes the folder.
    pub(super) fn strike(self) -> Result<(), CommandError> {
        Ok(fs_err::remove_dir_all(self.folder)?)
    }

    /// A path below the folder.
    pub(super) fn path(&self, relative: &str) -> Utf8PathBuf {
        self.folder.join(relative)
    }

    /// Where the host's folders lie.
    pub(super) fn host(&self) -> Layout {
        Layout::new(self.path("host"))
    }

    /// This binary.
    pub(super) fn appliance(&self) -> &Utf8Path {
        &self.appliance
    }

    /// The port of the endpoint.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The port of the metrics page.
    pub(super) fn metrics_port(&self) -> u16 {
        self.metrics_port
    }

    /// Uses this port for the endpoint.
    pub(super) fn with_port(mut self, port: Option<u16>) -> Self {
        self.port = port.unwrap_or(self.port);
        self
    }

    /// Writes a file below the folder.
    pub(super) fn write(&self, relative: &str, text: &str) -> Result<(), CommandError> {
        let path = self.path(relative);
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        Ok(fs_err::write(path, text)?)
    }

    /// Types a command and shows what it prints.
    pub(super) fn command(&self, words: &[&str]) -> Result<(), CommandError> {
        output::words(&format!("\n$ maas-appliance {}", typed(words)));
        let status = self.process(words).status()?;
        if status.success() {
            return Ok(());
        }
        Err(failed(words, status.code()))
    }

    /// Types a command and reads what it prints.
    pub(super) fn json(&self, words: &[&str]) -> Result<Value, CommandError> {
        output::words(&format!("\n$ maas-appliance {}", typed(words)));
        let output = self.process(words).stdout(Stdio::piped()).output()?;
        if !output.status.success() {
            return Err(failed(words, output.status.code()));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| CommandError::new(Exit::Bug, error))
    }

    /// A process of this binary in this folder.
    #[expect(
        clippy::disallowed_methods,
        reason = "the quickstart's one spawning seam"
    )]
    pub(super) fn process(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.appliance);
        command
            .args(words)
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        command
    }
}

/// A passphrase for this run.
pub(super) fn random_passphrase() -> Result<String, CommandError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| CommandError::new(Exit::Failed, error))?;
    Ok(format!("{:032x}\n", u128::from_le_bytes(bytes)))
}

/// Announces what comes next.
pub(super) fn chapter(title: &str) {
    output::words(&format!("\n== {title}"));
}

fn failed(words: &[&str], code: Option<i32>) -> CommandError {
    let code = code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
    CommandError::new(
        Exit::Failed,
        format!("`maas-appliance {}` ended with {code}", typed(words)),
    )
}

/// The words as a person would type them: quoted where a shell would split them.
fn typed(words: &[&str]) -> String {
    let typed = |word: &&str| {
        if word.contains(' ') {
            format!("'{word}'")
        } else {
            (*word).to_owned()
        }
    };
    words.iter().map(typed).collect::<Vec<_>>().join(" ")
}

/// `wanted` when nobody has it, else any other.
fn free_port(wanted: u16) -> Result<u16, CommandError> {
    let listener = TcpListener::bind(("127.0.0.1", wanted))
        .or_else(|_| TcpListener::bind(("127.0.0.1", 0)))?;
    Ok(listener.local_addr()?.port())
}
