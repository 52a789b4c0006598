//! The one binary: arguments, configuration, logs, exit codes, wiring. The work is in the crates.
//!
//! `main` reads like a lifecycle: arguments → verb → (for services) log and configuration, before
//! any port opens → work → one exit code. `docs/ARCHITECTURE.md` is the map.

mod cli;
mod clock;
mod command;
mod config;
mod error;
mod hints;
mod log;
mod notify;
mod output;
mod reference;

use std::process::ExitCode;

use clap::Parser as _;
use maas_types::Exit;
use rustix::process::{Signal, set_parent_process_death_signal};

use cli::Cli;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors; clap knows which stream each belongs to.
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
            drop(error.print());
            return ExitCode::from(exit.code());
        }
    };
    if cli.with_parent {
        // The signal comes when the thread that started us ends, so only a parent that starts us
        // from its main thread asks for this.
        let _ = set_parent_process_death_signal(Some(Signal::TERM));
    }
    let exit = match command::run(cli) {
        Ok(exit) => exit,
        Err(error) => {
            output::words(error.render().trim_end());
            error.exit()
        }
    };
    ExitCode::from(exit.code())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// A unit whose command line is not understood is a service that never starts.
    #[test]
    fn every_unit_starts_what_the_command_line_knows() {
        let folder = camino::Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../systemd");
        let mut lines = 0;
        for entry in folder.read_dir_utf8().unwrap() {
            let path = entry.unwrap().into_path();
            if path.extension() != Some("service") {
                continue;
            }
            let text = fs_err::read_to_string(&path).unwrap();
            for line in text.lines().filter_map(|line| line.strip_prefix("Exec")) {
                let (_, words) = line.split_once('=').unwrap();
                lines += 1;
                if let Err(error) = Cli::try_parse_from(words.split_whitespace()) {
                    panic!("{path}: {words}: {error}");
                }
            }
        }
        assert!(lines >= 7, "{lines}");
    }
}
