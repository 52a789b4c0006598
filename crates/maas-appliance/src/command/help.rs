//! `help`, `man` and `completion`: what there is to read, without a network.

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use maas_types::Exit;

use super::host_setup;
use crate::{
    cli::{Cli, CompletionArgs, HelpArgs, ManArgs, exit_of},
    error::{CommandError, CommandResult},
    output,
};

/// Prints a completion script.
pub(super) fn completion(args: &CompletionArgs) -> Exit {
    output::data(&host_setup::completion(args.shell));
    Exit::Done
}

/// Prints the main page, or writes a page for each command.
pub(super) fn man(args: &ManArgs) -> CommandResult {
    let Some(folder) = &args.folder else {
        output::data(&manual(&Cli::command()));
        return Ok(Exit::Done);
    };
    fs_err::create_dir_all(folder)?;
    let pages = pages();
    for (name, text) in &pages {
        maas_store::atomic::replace(&folder.join(name), text.as_bytes())
            .map_err(maas_store::StoreError::from)?;
    }
    output::words(&format!(
        "{} pages in {folder}. Read one: man {folder}/maas-appliance.1",
        pages.len()
    ));
    Ok(Exit::Done)
}

/// Explains.
pub(super) fn help(args: &HelpArgs) -> CommandResult {
    let text = match &args.about[..] {
        [] => format!("{}\n{}", Cli::command().render_help(), exit_codes()),
        words => explain(words).ok_or_else(|| unknown(words))?,
    };
    output::data(&text);
    Ok(Exit::Done)
}

fn explain(words: &[String]) -> Option<String> {
    if let [word] = words {
        if let Some(exit) = exit_of(word) {
            return Some(format!("exit code {}: {}\n", exit.code(), exit.meaning()));
        }
        if let Some(finding) = finding(&word.to_uppercase()) {
            return Some(finding);
        }
    }
    let mut cli = Cli::command();
    cli.build();
    let mut command = &mut cli;
    for word in words {
        command = command.find_subcommand_mut(word)?;
    }
    Some(command.render_long_help().to_string())
}

fn unknown(words: &[String]) -> CommandError {
    let words = words.join(" ");
    let error = CommandError::new(
        Exit::NotFound,
        format!("there is no exit code, finding or command `{words}`"),
    );
    error.hint("all of them: maas-appliance help")
}

/// A finding about a machine, as the reference page has it.
fn finding(id: &str) -> Option<String> {
    let page = maas_host::reference();
    let start = format!("| `{id}` | ");
    let row = page.lines().find_map(|line| line.strip_prefix(&start))?;
    let mut cells = row.trim_end_matches(" |").split(" | ");
    let (meaning, worst, accepted) = (cells.next()?, cells.next()?, cells.next()?);
    Some(format!(
        "{id}: {meaning}\notherwise it {worst}; may be accepted: {accepted}\n\
         see it on this host: maas-appliance doctor --all\n"
    ))
}

fn exit_codes() -> String {
    let mut text = "Exit codes:\n".to_owned();
    for exit in Exit::ALL {
        let _ = writeln!(text, "  {:>3}  {}", exit.code(), exit.meaning());
    }
    text
}

/// The manual page of one command, troff.
pub(super) fn manual(command: &Command) -> String {
    let mut text = Vec::new();
    // Writing to memory does not fail.
    Man::new(command.clone()).render(&mut text).ok();
    String::from_utf8_lossy(&text).into_owned()
}

/// A page for each command that is for people: `maas-appliance-bundle-build.1` and its text.
fn pages() -> Vec<(String, String)> {
    let mut cli = Cli::command();
    cli.build();
    let mut pages = Vec::new();
    let mut open = vec![("maas-appliance".to_owned(), cli)];
    while let Some((name, command)) = open.pop() {
        for child in command.get_subcommands().filter(|c| !c.is_hide_set()) {
            open.push((format!("{name}-{}", child.get_name()), child.clone()));
        }
        let text = manual(&command.display_name(&name));
        pages.push((format!("{name}.1"), text));
    }
    pages.sort();
    pages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(words: &[&str]) -> Option<String> {
        let words: Vec<_> = words.iter().map(ToString::to_string).collect();
        explain(&words)
    }

    #[test]
    fn every_exit_code_is_explained_as_the_reference_page_does() {
        for exit in Exit::ALL {
            let text = explained(&[&exit.code().to_string()]).unwrap();
            assert!(text.contains(exit.meaning()), "{text}");
        }
        assert_eq!(explained(&["99"]), None);
    }

    #[test]
    fn a_finding_and_a_command_are_explained_and_nothing_else() {
        insta::assert_snapshot!(explained(&["d-clock"]).unwrap(), @"
        D-CLOCK: The clock is not before what has been, nor ten years after, and agrees with the board's and with files.
        otherwise it warns or fails; may be accepted: yes
        see it on this host: maas-appliance doctor --all
        ");
        assert!(explained(&["bundle", "build"]).unwrap().contains("RECIPE"));
        for words in [&["D-NONSENSE"][..], &["D-"], &["bundle", "nonsense"]] {
            assert_eq!(explained(words), None, "{words:?}");
        }
    }

    #[test]
    fn there_is_a_page_for_each_command_that_is_for_people() {
        let pages = pages();
        let names: Vec<_> = pages.iter().map(|(name, _)| name.as_str()).collect();
        for name in ["maas-appliance.1", "maas-appliance-bundle-fetch-model.1"] {
            assert!(names.contains(&name), "{names:?}");
        }
        assert!(!names.iter().any(|name| name.contains("host-setup")));
        for (name, text) in &pages {
            assert!(text.contains(".SH NAME"), "{name}: {text}");
        }
    }
}
