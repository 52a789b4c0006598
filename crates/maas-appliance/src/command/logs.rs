//! `logs`: what engines and services have written.
//!
//! Threat: an engine's log carries terminal escapes, from a prompt for example. Defence: everything goes
//! through `output`, which shows them.

use std::{
    io::{Read as _, Seek as _, SeekFrom},
    os::unix::fs::MetadataExt as _,
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err::File;
use maas_install::{Receipt, Seat};
use maas_types::{EngineId, Exit, Layout};

use super::host_command;
use crate::{
    cli::{LogsArgs, LogsOf},
    error::{CommandError, CommandResult},
    output,
};

/// Between two looks at a log that is followed.
const LOOK: Duration = Duration::from_millis(250);

/// First guess of how much a log's last lines are: 200 bytes each, and doubled until it is enough.
const BYTES_PER_LINE: u64 = 200;

/// Shows them.
pub(super) async fn run(args: &LogsArgs, layout: &Layout) -> CommandResult {
    let LogsOf {
        engine,
        gateway,
        supervisor,
        agent,
        install,
    } = &args.of;
    if *install {
        return steps(layout);
    }
    if let Some(id) = engine {
        return engine_log(args, layout, id).await;
    }
    let chosen = [
        (*gateway, "maas-gateway.service"),
        (*supervisor, "maas-supervisor.service"),
        (*agent, "maas-gpu-agent.service"),
    ];
    let units: Vec<_> = chosen
        .iter()
        .filter(|(wanted, _)| *wanted)
        .map(|(_, unit)| *unit)
        .collect();
    if units.is_empty() {
        return all(args, layout, &chosen.map(|(_, unit)| unit)).await;
    }
    journal(args, layout, &units)
}

/// Every engine's, and the services' where systemd keeps them.
async fn all(args: &LogsArgs, layout: &Layout, units: &[&str]) -> CommandResult {
    let engines = engines(layout)?;
    let host = Seat::of(layout) == Seat::Host;
    if args.follow {
        return match (&engines[..], host) {
            (_, true) => journal(args, layout, units),
            ([only], false) => engine_log(args, layout, only).await,
            (_, false) => Err(CommandError::usage(
                "several logs cannot be followed at once; name one: --engine ID",
            )),
        };
    }
    for id in &engines {
        output::data(&format!("==> engine {id} <==\n"));
        engine_log(args, layout, id).await?;
    }
    if host {
        output::data("==> services <==\n");
        return journal(args, layout, units);
    }
    if engines.is_empty() {
        let folder = layout.engine_logs();
        return Err(CommandError::new(
            Exit::NotFound,
            format!("no engine has a log in `{folder}`"),
        ));
    }
    Ok(Exit::Done)
}

/// Engines that have a log, by name.
fn engines(layout: &Layout) -> Result<Vec<EngineId>, CommandError> {
    let folder = layout.engine_logs();
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut engines = Vec::new();
    for entry in folder.read_dir_utf8()? {
        let Ok(id) = entry?.file_name().parse::<EngineId>() else {
            continue;
        };
        if layout.engine_log(&id).is_file() {
            engines.push(id);
        }
    }
    engines.sort();
    Ok(engines)
}

fn journal(args: &LogsArgs, layout: &Layout, units: &[&str]) -> CommandResult {
    if Seat::of(layout) != Seat::Host {
        let error = CommandError::new(
            Exit::NotFound,
            "no systemd runs the services of this appliance, so it keeps no log of them",
        );
        return Err(error.hint("look where whoever has started them sends their stderr"));
    }
    let lines = args.lines.to_string();
    let mut words = vec!["--no-pager", "--output=short-iso", "--lines", &lines];
    for unit in units {
        words.extend(["--unit", unit]);
    }
    if args.follow {
        words.push("--follow");
    }
    host_command::lines("journalctl", &words, &mut |line| {
        output::data(&format!("{line}\n"));
    })?;
    Ok(Exit::Done)
}

async fn engine_log(args: &LogsArgs, layout: &Layout, id: &EngineId) -> CommandResult {
    let current = layout.engine_log(id);
    let path = if args.previous {
        // Beside it, as the shim turns it over.
        current.with_extension("previous.log")
    } else {
        current
    };
    let Some(mut log) = open(&path)? else {
        let error = CommandError::new(Exit::NotFound, format!("there is no log `{path}`"));
        return Err(error.hint("engines that have one: maas-appliance logs"));
    };
    output::data(&plain(&last_lines(&mut log, args.lines)?));
    if args.follow {
        follow(&path, log).await?;
    }
    Ok(Exit::Done)
}

fn open(path: &Utf8Path) -> Result<Option<File>, CommandError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The end of a file, so many lines of it; then the file stands at its end.
fn last_lines(file: &mut File, lines: usize) -> std::io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    let mut window = BYTES_PER_LINE.saturating_mul(lines as u64).max(1);
    loop {
        let from = length.saturating_sub(window);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(length - from).read_to_end(&mut bytes)?;
        // The line feed that ends the last line begins none.
        let body = bytes.len() - usize::from(bytes.ends_with(b"\n"));
        let starts = bytes[..body].iter().enumerate().rev();
        let mut starts = starts
            .filter(|(_, byte)| **byte == b'\n')
            .map(|(at, _)| at + 1);
        match lines.checked_sub(1).map(|skipped| starts.nth(skipped)) {
            None => return Ok(Vec::new()),
            Some(Some(start)) => return Ok(bytes.split_off(start)),
            Some(None) if from == 0 => return Ok(bytes),
            Some(None) => window = window.saturating_mul(2),
        }
    }
}

/// Shows what is added, through every turn of the log, until somebody interrupts.
async fn follow(path: &Utf8Path, mut log: File) -> Result<(), CommandError> {
    loop {
        let mut bytes = Vec::new();
        log.read_to_end(&mut bytes)?;
        if !bytes.is_empty() {
            output::data(&plain(&bytes));
        }
        tokio::time::sleep(LOOK).await;
        let ours = log.metadata()?.ino();
        if let Some(mut new) = open(path)?
            && new.metadata()?.ino() != ours
        {
            // What was written between the last look and the turn.
            let mut rest = Vec::new();
            log.read_to_end(&mut rest)?;
            output::data(&plain(&rest));
            new.seek(SeekFrom::Start(0))?;
            log = new;
        }
    }
}

/// A progress bar's carriage returns become lines.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// What the last installation did.
fn steps(layout: &Layout) -> CommandResult {
    let newest = receipts(layout)?
        .into_iter()
        .max_by_key(|receipt| receipt.finished);
    let receipt =
        newest.ok_or_else(|| CommandError::new(Exit::NotFound, "nothing was installed here"))?;
    let rows = receipt.steps.iter().map(|step| {
        let seconds = format!(
            "{}.{:03} s",
            step.duration_ms / 1000,
            step.duration_ms % 1000
        );
        [seconds, step.step.clone()]
    });
    output::data(&format!(
        "{} as generation {}, from {} to {}\n{}",
        receipt.bundle,
        receipt.generation,
        receipt.started,
        receipt.finished,
        output::columns(["took", "step"], 0..1, rows)
    ));
    Ok(Exit::Done)
}

/// Every receipt that can be read; one of another version is passed over.
pub(super) fn receipts(layout: &Layout) -> Result<Vec<Receipt>, CommandError> {
    let read = |path: &Utf8PathBuf| serde_json::from_slice(&fs_err::read(path).ok()?).ok();
    Ok(super::events::json_files(&layout.receipts())?
        .iter()
        .filter_map(read)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(text: &str, lines: usize) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("log");
        fs_err::write(&path, text).unwrap();
        let bytes = last_lines(&mut File::open(path).unwrap(), lines).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_last_lines_are_the_last_lines_however_long_they_are() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
        assert_eq!(tail("a\nb\n", 9), "a\nb\n");
        assert_eq!(tail("", 3), "");
        assert_eq!(tail("a\nb\n", 0), "");
        let long = format!("{}\n{}\n", "x".repeat(5_000), "y".repeat(5_000));
        assert_eq!(tail(&long, 1), format!("{}\n", "y".repeat(5_000)));
        assert_eq!(tail(&long, 2), long);
    }

    #[test]
    fn a_progress_bar_is_lines() {
        assert_eq!(plain(b"10%\r20%\r\ndone\n"), "10%\n20%\ndone\n");
    }
}
