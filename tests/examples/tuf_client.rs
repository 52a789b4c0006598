//! The client under test of the tuf-conformance suite: its command line over our workflow.
//!
//! `tests/scripts/tuf-conformance.sh` runs the suite. Files, HTTP on loopback and the clock are here;
//! every verdict is `maas_bundle::Client`'s.

use std::{
    error::Error,
    fmt::Write as _,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::ExitCode,
};

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Parser, Subcommand};
use maas_bundle::{Client, Renewal, TargetFile, TrustError};

/// More than any metadata of the suite, and an end to an endless file.
const MOST_METADATA: u64 = 5 << 20;

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    metadata_dir: Utf8PathBuf,
    #[arg(long, default_value = "")]
    metadata_url: String,
    #[arg(long = "target-name")]
    targets: Vec<String>,
    #[arg(long, default_value = "")]
    target_base_url: String,
    #[arg(long, default_value = ".")]
    target_dir: Utf8PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init { trusted_root: Utf8PathBuf },
    Refresh,
    Download,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        Command::Init { trusted_root } => init(&arguments, trusted_root),
        Command::Refresh => refresh(&arguments).map(drop),
        Command::Download => download(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

type Done<T> = Result<T, Box<dyn Error>>;

fn init(arguments: &Arguments, root: &Utf8Path) -> Done<()> {
    let bytes = std::fs::read(root)?;
    Client::start(&bytes, jiff::Timestamp::now())?;
    Ok(std::fs::write(arguments.local("root"), bytes)?)
}

fn refresh(arguments: &Arguments) -> Done<Client> {
    let root = std::fs::read(arguments.local("root"))?;
    let mut client = Client::start(&root, jiff::Timestamp::now())?;
    loop {
        let next = format!("{}.root.json", client.root_version() + 1);
        let Some(bytes) = arguments.metadata(&next, MOST_METADATA)? else {
            break;
        };
        client.next_root(&bytes)?;
        std::fs::write(arguments.local("root"), bytes)?;
    }
    client.end_of_roots()?;
    if let Ok(timestamp) = std::fs::read(arguments.local("timestamp")) {
        let snapshot = std::fs::read(arguments.local("snapshot")).ok();
        client.trusted_before(&timestamp, snapshot.as_deref());
    }
    let bytes = found(arguments.metadata("timestamp.json", MOST_METADATA)?)?;
    if client.timestamp(&bytes)? == Renewal::New {
        std::fs::write(arguments.local("timestamp"), bytes)?;
    }
    let wanted = client.wanted_snapshot()?;
    arguments.take(
        &mut client,
        ("snapshot", wanted.version(), wanted.length()),
        Client::snapshot,
    )?;
    let wanted = client.wanted_targets()?;
    arguments.take(
        &mut client,
        ("targets", wanted.version(), wanted.length()),
        Client::targets,
    )?;
    Ok(client)
}

fn download(arguments: &Arguments) -> Done<()> {
    let client = refresh(arguments)?;
    for name in &arguments.targets {
        let target = client.target(name).ok_or("no such target")?;
        let local = arguments.target_dir.join(quoted(name));
        if std::fs::read(&local).is_ok_and(|bytes| target.fits(&bytes)) {
            continue;
        }
        let remote = if client.is_consistent() {
            hashed(name, target).ok_or("no hash")?
        } else {
            name.clone()
        };
        let base = arguments.target_base_url.trim_end_matches('/');
        let path: Vec<_> = remote.split('/').map(quoted).collect();
        let url = format!("{base}/{}", path.join("/"));
        let bytes = found(get(&url, target.length())?)?;
        if !target.fits(&bytes) {
            return Err("the target is not the one that was signed".into());
        }
        std::fs::write(local, bytes)?;
    }
    Ok(())
}

/// TUF 7: `HASH.FILENAME`, in the target's own folder.
fn hashed(name: &str, target: &TargetFile) -> Option<String> {
    let hash = target.hashes().values().next()?;
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let slash = if folder.is_empty() { "" } else { "/" };
    Some(format!("{folder}{slash}{hash}.{file}"))
}

impl Arguments {
    fn local(&self, role: &str) -> Utf8PathBuf {
        self.metadata_dir.join(format!("{role}.json"))
    }

    fn metadata(&self, name: &str, most: u64) -> Done<Option<Vec<u8>>> {
        get(
            &format!("{}/{name}", self.metadata_url.trim_end_matches('/')),
            most,
        )
    }

    /// Takes the local file if it is the wanted one, else the repository's.
    fn take(
        &self,
        client: &mut Client,
        (role, version, length): (&str, u64, Option<u64>),
        accept: impl Fn(&mut Client, &[u8]) -> Result<(), TrustError>,
    ) -> Done<()> {
        let local = self.local(role);
        if std::fs::read(&local).is_ok_and(|bytes| accept(client, &bytes).is_ok()) {
            return Ok(());
        }
        let name = if client.is_consistent() {
            format!("{version}.{role}.json")
        } else {
            format!("{role}.json")
        };
        let bytes = found(self.metadata(&name, length.unwrap_or(MOST_METADATA))?)?;
        accept(client, &bytes)?;
        Ok(std::fs::write(local, bytes)?)
    }
}

fn found(bytes: Option<Vec<u8>>) -> Done<Vec<u8>> {
    bytes.ok_or_else(|| "not found".into())
}

/// A GET on loopback of at most `most` bytes; `None` is 404 or 403.
fn get(url: &str, most: u64) -> Done<Option<Vec<u8>>> {
    let rest = url.strip_prefix("http://").ok_or("not http://")?;
    let (host, path) = rest.split_once('/').ok_or("no path")?;
    let mut stream = TcpStream::connect(host)?;
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut answer = Vec::new();
    let head = 64 << 10;
    stream.take(most + head).read_to_end(&mut answer)?;
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or("no end of the head")?;
    let body = answer.split_off(end + 4);
    let status = String::from_utf8_lossy(&answer);
    match status.split(' ').nth(1) {
        Some("200") if body.len() as u64 <= most => Ok(Some(body)),
        Some("200") => Err("longer than it may be".into()),
        Some("404" | "403") => Ok(None),
        other => Err(format!("status {other:?}").into()),
    }
}

/// Percent-encodes what is not unreserved (RFC 3986, 2.3).
fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            quoted.push(char::from(byte));
        } else {
            write!(quoted, "%{byte:02X}").expect("a string takes all");
        }
    }
    quoted
}
