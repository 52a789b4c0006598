//! `man`: the manual, made of what the command line says of itself.

use camino::Utf8Path;
use clap::CommandFactory as _;
use maas_types::Exit;

use crate::{
    cli::Cli,
    error::{CommandError, CommandResult},
    output,
};

/// Prints the main page, or writes a page for each command.
pub(super) fn run(folder: Option<&Utf8Path>) -> CommandResult {
    let Some(folder) = folder else {
        output::data(&page(&Cli::command())?);
        return Ok(Exit::Done);
    };
    fs_err::create_dir_all(folder)?;
    let mut command = Cli::command();
    command.build();
    write(folder, &command, "maas-appliance")?;
    output::words(&format!(
        "The manual is in {folder}; read it with man -l FILE."
    ));
    Ok(Exit::Done)
}

/// The main page, as `install` lays it out.
pub(super) fn main_page() -> String {
    page(&Cli::command()).unwrap_or_default()
}

fn page(command: &clap::Command) -> Result<String, CommandError> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn write(folder: &Utf8Path, command: &clap::Command, name: &str) -> Result<(), CommandError> {
    let named = command.clone().name(name.to_owned());
    fs_err::write(folder.join(format!("{name}.1")), page(&named)?)?;
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
    {
        write(folder, below, &format!("{name}-{}", below.get_name()))?;
    }
    Ok(())
}
