//! What serves models here already, or did: other servers, and older ones of ours.

use serde::Serialize;

use super::{Process, is_running};
use crate::tree::{Tree, word};

/// Where units lie.
const UNIT_FOLDERS: [&str; 3] = [
    "/etc/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Beginnings of the names of units of other servers.
const UNITS: [&str; 10] = [
    "ollama",
    "vllm",
    "gpustack",
    "text-generation",
    "tgi",
    "llama-",
    "localai",
    "sglang",
    "nim-",
    "litellm",
];

/// Programs of other servers.
const PROGRAMS: [&str; 5] = [
    "/usr/local/bin/ollama",
    "/usr/bin/ollama",
    "/usr/local/bin/gpustack",
    "/usr/local/bin/llama-server",
    "/usr/local/bin/localai",
];

/// Folders of other servers.
const FOLDERS: [&str; 4] = [
    "/usr/share/ollama",
    "/var/lib/ollama",
    "/var/lib/gpustack",
    "/opt/nim",
];

/// Processes of other servers.
const PROCESSES: [&str; 5] = ["ollama", "gpustack", "llama-server", "localai", "litellm"];

/// Something that serves models here already, or did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum Leftover {
    /// A unit of another server, by its path.
    Unit(String),
    /// A unit with a name like ours that starts something else.
    OwnName(String),
    /// A program or a folder of another server, by its path.
    File(String),
    /// Another server that runs, and holds memory of GPUs if it uses them.
    Running(String),
    /// A user called `maas` whose home is not the appliance's, by that home.
    User(String),
}

impl Leftover {
    pub(crate) fn look(tree: &Tree<'_>, running: &[Process]) -> Vec<Self> {
        let mut found = units(tree);
        let files = PROGRAMS
            .iter()
            .chain(&FOLDERS)
            .filter(|path| tree.has(path));
        found.extend(files.map(|path| Self::File((*path).to_owned())));
        let others = PROCESSES.iter().filter(|name| is_running(running, name));
        found.extend(others.map(|name| Self::Running((*name).to_owned())));
        found.extend(user(tree).map(Self::User));
        found
    }
}

fn units(tree: &Tree<'_>) -> Vec<Leftover> {
    let mut found: Vec<Leftover> = Vec::new();
    for folder in UNIT_FOLDERS {
        for name in tree.names(folder) {
            let path = format!("{folder}/{name}");
            if !name.ends_with(".service") {
                continue;
            }
            if UNITS.iter().any(|unit| name.starts_with(unit)) {
                found.push(Leftover::Unit(word(&path)));
            } else if name.starts_with("maas-") && !starts_us(tree, &path) {
                found.push(Leftover::OwnName(word(&path)));
            }
        }
        // `/lib` is `/usr/lib` on all but old hosts; told once.
        if tree.link("/lib").is_some() && folder == UNIT_FOLDERS[1] {
            break;
        }
    }
    found
}

fn starts_us(tree: &Tree<'_>, unit: &str) -> bool {
    let text = tree.text(unit).unwrap_or_default();
    let mut starts = text
        .lines()
        .filter_map(|line| line.strip_prefix("ExecStart="));
    starts.any(|start| start.contains("maas-appliance"))
}

fn user(tree: &Tree<'_>) -> Option<String> {
    let text = tree.text("/etc/passwd")?;
    let line = text.lines().find(|line| line.starts_with("maas:"))?;
    let home = line.split(':').nth(5)?;
    (home != "/var/lib/maas-appliance").then(|| word(home))
}
