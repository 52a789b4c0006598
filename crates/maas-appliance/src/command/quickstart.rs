//! `quickstart`: the whole road on one machine, by the commands that everybody types.
//!
//! Nothing here does the work. It prints a command line, runs it as a process of this very binary,
//! and shows what that printed; so what is seen is what works. See
//! `docs/decisions/0004-quickstart-types-commands.md`.

mod answers;
mod engine;
mod https;
mod model;
mod services;
mod stage;

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::Exit;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    cli::QuickstartArgs,
    error::{CommandError, CommandResult},
    output,
};
use engine::Choice;
use services::Services;
use stage::{Stage, chapter, random_passphrase};

/// The people who sign in the story. Two of the three must.
const SIGNERS: [&str; 3] = ["ana", "bo", "cy"];

/// Runs it from the first key to the last answer, waits for Ctrl-C, and cleans up.
pub(crate) async fn run(args: QuickstartArgs, appliance: Utf8PathBuf) -> CommandResult {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let folder = absolute(&args.folder)?;
    let choice = engine::choose(&args)?;
    let stage = Stage::set(&folder, appliance)?.with_port(args.port);
    let result = tokio::select! {
        result = whole_road(&stage, &choice) => result,
        _ = interrupt.recv() => Err(interrupted()),
        _ = terminate.recv() => Err(interrupted()),
    };
    let result = match result {
        Ok(services) if args.once => services.stop().await.map(|()| Exit::Done),
        Ok(services) => {
            output::words("\nIt stays up until you press Ctrl-C.");
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                name = services.first_death() => output::words(&format!("{name} has ended; see its log")),
            }
            output::words("\nStopping.");
            services.stop().await.map(|()| Exit::Done)
        }
        Err(error) => Err(error),
    };
    if result.is_ok() {
        stage.strike()?;
        output::words("Nothing is left behind: no process, no file.");
    } else {
        output::words(&format!(
            "What was made so far, and the logs, are in {folder}"
        ));
    }
    result
}

fn interrupted() -> CommandError {
    CommandError::new(Exit::Interrupted, "interrupted").hint("run the same command again")
}

fn absolute(folder: &Utf8Path) -> Result<Utf8PathBuf, CommandError> {
    let path = std::path::absolute(folder)?;
    Utf8PathBuf::from_path_buf(path)
        .map_err(|path| CommandError::usage(format!("{} is not UTF-8", path.display())))
}

async fn whole_road(stage: &Stage, choice: &Choice) -> Result<Services, CommandError> {
    output::words(&choice.sentence());
    connected_side(stage, choice)?;
    disconnected_side(stage, choice)?;
    let host = stage.host();
    let mut services = Services::start(stage)?;
    services.wait_until_ready(&host, choice.patience()).await?;
    let key = people(stage)?;
    let url = format!("https://localhost:{}", stage.port());
    let ca = stage.path("ca.pem");
    stage.command(&["--root", "host", "ca", "export", "--out", "ca.pem"])?;
    answers::ask_in_three_dialects(stage.port(), &ca, &key, choice.model()).await?;
    // The ledger commits in groups of a few milliseconds; `usage` waits for it by itself.
    stage.command(&["--root", "host", "usage", "--by", "key"])?;
    stage.command(&["--root", "host", "status"])?;
    output::words(&format!(
        "\nEndpoint  {url}/v1   (Anthropic clients: {url})\nCA        {ca}\nKey       {key}\n\n\
         Try it:\n  curl --cacert {ca} -H 'Authorization: Bearer {key}' \\\n    -H 'Content-Type: application/json' \\\n    \
         -d '{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}' \\\n    {url}/v1/chat/completions",
        model = choice.model(),
    ));
    Ok(services)
}

/// Keys, a trust root, a recipe, a bundle with two of three signatures, two sticks.
fn connected_side(stage: &Stage, choice: &Choice) -> Result<(), CommandError> {
    chapter("The connected side: three people make a signed bundle");
    stage.write("passphrase", &random_passphrase()?)?;
    for who in SIGNERS {
        let key = format!("{who}.key");
        stage.command(&[
            "key",
            "gen",
            "--out",
            &key,
            "--passphrase-file",
            "passphrase",
        ])?;
    }
    stage.command(&[
        "trust",
        "root",
        "init",
        "--threshold",
        "2",
        "--key",
        "ana.key.pub",
        "--key",
        "bo.key.pub",
        "--key",
        "cy.key.pub",
        "--out",
        "1.root.json",
    ])?;
    for who in ["ana", "bo"] {
        let key = format!("{who}.key");
        stage.command(&[
            "trust",
            "root",
            "sign",
            "1.root.json",
            "--key",
            &key,
            "--passphrase-file",
            "passphrase",
        ])?;
    }
    let manifest = model::prepare(stage, choice)?;
    stage.write("model.toml", &manifest)?;
    stage.write("recipe.toml", &model::recipe(stage, choice))?;
    stage.command(&[
        "bundle",
        "build",
        "recipe.toml",
        "--out",
        "bundle",
        "--trust-root",
        "1.root.json",
    ])?;
    for who in ["ana", "cy"] {
        let key = format!("{who}.key");
        stage.command(&[
            "bundle",
            "sign",
            "bundle",
            "--key",
            &key,
            "--passphrase-file",
            "passphrase",
        ])?;
    }
    stage.command(&[
        "bundle", "copy", "bundle", "--to", "stick-a", "--to", "stick-b",
    ])?;
    stage.command(&["bundle", "inspect", "stick-a", "stick-b"])
}

/// Trust, verify, install below a folder.
fn disconnected_side(stage: &Stage, choice: &Choice) -> Result<(), CommandError> {
    chapter("The disconnected host: trust, verify, install");
    let fingerprint = stage.json(&["trust", "show", "1.root.json", "--json"])?;
    let fingerprint = text(&fingerprint, "/fingerprint")?;
    stage.write(
        "host/etc/maas-appliance/appliance.toml",
        &choice.config(stage),
    )?;
    stage.command(&[
        "--root",
        "host",
        "trust",
        "add",
        "1.root.json",
        "--fingerprint",
        &fingerprint,
    ])?;
    stage.command(&["--root", "host", "bundle", "verify", "stick-b", "stick-a"])?;
    stage.command(&[
        "--root", "host", "install", "--media", "stick-b", "--media", "stick-a",
    ])
}

/// A team with a budget, and a key of it.
fn people(stage: &Stage) -> Result<String, CommandError> {
    chapter("Developers: a team, a budget, a key");
    stage.command(&[
        "--root",
        "host",
        "team",
        "create",
        "blue",
        "--requests-per-minute",
        "600",
        "--tokens-per-day",
        "2000000",
    ])?;
    let key = stage.json(&[
        "--root",
        "host",
        "keys",
        "create",
        "--team",
        "blue",
        "--user",
        "dana",
        "--name",
        "laptop",
        "--expires",
        "24h",
        "--json",
    ])?;
    text(&key, "/secret")
}

fn text(value: &Value, pointer: &str) -> Result<String, CommandError> {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| CommandError::new(Exit::Bug, format!("a command's JSON has no {pointer}")))
}

/// How often the engine table is looked at while waiting: often enough to feel live.
const LOOK_EVERY: Duration = Duration::from_millis(200);
