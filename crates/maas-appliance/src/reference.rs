//! The reference pages that are generated from the code: `docs/reference/*.md`.
//!
//! `maas-appliance reference PAGE` prints one; a test holds the files to it.

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _, ValueEnum};
use maas_types::Exit;

use crate::{cli::Cli, config};

/// A generated page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Page {
    /// Every command and option
    Commands,
    /// Every exit code
    ExitCodes,
    /// Every metric of our own
    Metrics,
    /// Every key of the configuration file
    Config,
}

impl Page {
    /// The text of the page.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Commands => commands(),
            Self::ExitCodes => exit_codes(),
            Self::Metrics => metrics(),
            Self::Config => configuration(),
        }
    }

    #[cfg(test)]
    fn file(self) -> &'static str {
        match self {
            Self::Commands => "commands.md",
            Self::ExitCodes => "exit-codes.md",
            Self::Metrics => "metrics.md",
            Self::Config => "config.md",
        }
    }
}

const GENERATED: &str = "<!-- Generated: `maas-appliance reference PAGE`. A test holds it. -->\n";

fn exit_codes() -> String {
    let mut page = format!("{GENERATED}# Exit codes\n\n| code | meaning |\n|---|---|\n");
    for exit in Exit::ALL {
        let _ = writeln!(page, "| {} | {} |", exit.code(), exit.meaning());
    }
    page
}

fn configuration() -> String {
    format!(
        "{GENERATED}# Configuration\n\n`/etc/maas-appliance/appliance.toml`, below `--root` when given. \
         `maas-appliance config check` says every mistake at once.\n\n```toml\n{}```\n",
        config::EXAMPLE
    )
}

fn metrics() -> String {
    let mut page = format!(
        "{GENERATED}# Metrics\n\n`http://127.0.0.1:9464/metrics`, Prometheus text. Beside these, every \
         `vllm:*` metric of each ready engine is relayed with the labels `maas_engine` and \
         `maas_model`.\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n"
    );
    for metric in maas_metrics::catalogue() {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            metric.name,
            metric.kind.as_str(),
            metric.labels.join(", "),
            metric.help
        );
    }
    page
}

fn commands() -> String {
    let mut page = format!(
        "{GENERATED}# Commands\n\nData goes to stdout, words to stderr. Every command ends with one of \
         the [exit codes](exit-codes.md).\n"
    );
    let mut cli = Cli::command();
    cli.build();
    for command in cli
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
    {
        describe(&mut page, command, "maas-appliance");
    }
    page
}

fn describe(page: &mut String, command: &Command, above: &str) {
    let name = format!("{above} {}", command.get_name());
    let mut children = command
        .get_subcommands()
        .filter(|c| c.get_name() != "help")
        .peekable();
    if children.peek().is_some() {
        for child in children {
            describe(page, child, &name);
        }
        return;
    }
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let _ = write!(page, "\n## `{name}`\n\n{about}.\n\n");
    for argument in command
        .get_arguments()
        .filter(|a| !a.is_hide_set() && !a.is_global_set())
    {
        if argument.get_id() == "help" {
            continue;
        }
        let help = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let _ = writeln!(page, "- `{argument}`: {help}");
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;

    #[test]
    fn the_reference_pages_say_what_the_code_does() {
        let folder = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
        for page in Page::value_variants() {
            let file = folder.join(page.file());
            let found = fs_err::read_to_string(&file).unwrap_or_default();
            assert!(
                found == page.text(),
                "{file} is not what the code says; run: maas-appliance reference {} > {file}",
                page.to_possible_value().unwrap().get_name()
            );
        }
    }
}
