//! `host-setup`: lays out this very binary, its units, users and folders. `install` and `rollback` run it
//! with the binary of the release that they change to.

use clap::CommandFactory as _;
use clap_complete::Shell;
use maas_install::{Change, Laid, SeatFile, Setup};
use maas_store::Disk;
use maas_types::{Exit, Layout};

use crate::{
    cli::{Cli, HostSetupArgs},
    config::Config,
    error::CommandResult,
    output::{self, Format},
};

/// Lays out, or says what it would.
pub(super) fn run(args: &HostSetupArgs, layout: &Layout, config: &Config) -> CommandResult {
    let files = files(config);
    let binary = super::own_path()?;
    let laid = if args.dry_run {
        maas_install::survey(&files, &binary)?
    } else {
        maas_install::lay(&Disk::real(), layout, &files, &binary)?
    };
    match args.json.format() {
        Format::Json => output::json(&Setup {
            schema: Setup::SCHEMA.to_owned(),
            laid,
        })?,
        Format::Text => output::data(&lines(&laid)),
    }
    Ok(Exit::Done)
}

/// A line for each file that is created or replaced.
pub(super) fn lines(laid: &[Laid]) -> String {
    let line = |laid: &Laid| match laid.change {
        Change::Create => Some(format!("create  {}\n", laid.path)),
        Change::Replace => Some(format!("replace {}\n", laid.path)),
        Change::Keep => None,
    };
    laid.iter().filter_map(line).collect()
}

/// Everything that this binary brings to a host.
pub(super) fn files(config: &Config) -> Vec<SeatFile> {
    files_listening(config.gateway)
}

/// As [`files`], where the configuration may be one that cannot be read any more.
pub(super) fn files_listening(address: std::net::SocketAddr) -> Vec<SeatFile> {
    let mut others = vec![SeatFile::listen(address), manual()];
    others.extend(completions());
    SeatFile::all(others)
}

/// The main page; the units name it.
fn manual() -> SeatFile {
    SeatFile {
        path: "/usr/local/share/man/man1/maas-appliance.1".into(),
        text: super::help::manual(&Cli::command()),
    }
}

fn completions() -> impl Iterator<Item = SeatFile> {
    let share = "/usr/local/share";
    let files = [
        (
            Shell::Bash,
            format!("{share}/bash-completion/completions/maas-appliance"),
        ),
        (
            Shell::Zsh,
            format!("{share}/zsh/site-functions/_maas-appliance"),
        ),
        (
            Shell::Fish,
            format!("{share}/fish/vendor_completions.d/maas-appliance.fish"),
        ),
    ];
    files.into_iter().map(|(shell, path)| SeatFile {
        path: path.into(),
        text: completion(shell),
    })
}

/// The completion script of a shell.
pub(super) fn completion(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "maas-appliance", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}
