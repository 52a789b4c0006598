//! `trust …`: making a root on the connected side, trusting one on the host.

mod ceremony;

use std::str::FromStr as _;

use camino::Utf8Path;
use maas_bundle::{Fingerprint, RootFile};
use maas_store::{Lock, TrustDb};
use maas_types::{Exit, Layout};
use serde::Serialize;

use super::install;
use crate::{
    cli::TrustCommand,
    clock,
    error::{CommandError, CommandResult},
    output::{self, Format},
};

/// Does what `trust …` says.
pub(super) fn run(command: TrustCommand, layout: &Layout) -> CommandResult {
    match command {
        TrustCommand::Root(command) => ceremony::run(command),
        TrustCommand::Add {
            file,
            fingerprint,
            name,
            json,
        } => add(layout, &file, fingerprint.as_deref(), &name, json.format()),
        TrustCommand::Replace {
            file,
            fingerprint,
            reason,
            json,
        } => replace(
            layout,
            &file,
            fingerprint.as_deref(),
            &reason,
            json.format(),
        ),
        TrustCommand::List(json) => list(layout, json.format()),
        TrustCommand::Show { file, json } => show(layout, file.as_deref(), json.format()),
    }
}

fn add(
    layout: &Layout,
    file: &Utf8Path,
    fingerprint: Option<&str>,
    name: &str,
    format: Format,
) -> CommandResult {
    let bytes = fs_err::read(file)?;
    let found = RootFile::parse(&bytes)?;
    let expected = expected(&found, fingerprint)?;
    let lock = Lock::acquire(layout, &install::holder("trust add"))?;
    let db = TrustDb::open(&lock)?;
    maas_install::trust::add(&lock, &db, &bytes, &expected, name, clock::now())?;
    let view = RootView::of(&found);
    match format {
        Format::Json => output::json(&view)?,
        Format::Text => output::data(&format!(
            "This host trusts this root from now on.\n{}",
            view.text()
        )),
    }
    Ok(Exit::Done)
}

fn replace(
    layout: &Layout,
    file: &Utf8Path,
    fingerprint: Option<&str>,
    reason: &str,
    format: Format,
) -> CommandResult {
    let bytes = fs_err::read(file)?;
    let found = RootFile::parse(&bytes)?;
    let expected = expected(&found, fingerprint)?;
    let lock = Lock::acquire(layout, &install::holder("trust replace"))?;
    let db = TrustDb::open(&lock)?;
    let name = format!("replaced what was trusted: {reason}");
    maas_install::trust::replace(&lock, &db, &bytes, &expected, &name, clock::now())?;
    let view = RootView::of(&found);
    match format {
        Format::Json => output::json(&view)?,
        Format::Text => output::data(&format!(
            "This host trusts this root from now on, and none of those before. {}\n{}",
            match db.floors()?.epoch {
                0 => "Epochs begin anew, because other keys sign them.".to_owned(),
                epoch => format!("Nothing older than epoch {epoch} is installed, as ever."),
            },
            view.text()
        )),
    }
    Ok(Exit::Done)
}

/// The fingerprint that was given, or confirmed at the terminal.
fn expected(root: &RootFile, given: Option<&str>) -> Result<Fingerprint, CommandError> {
    match given {
        Some(text) => Fingerprint::from_str(text).map_err(|e| CommandError::usage(e.to_string())),
        None => ask(root),
    }
}

/// Shows the fingerprint and has it confirmed. Off a terminal nobody can, so nothing is trusted.
fn ask(root: &RootFile) -> Result<Fingerprint, CommandError> {
    let fingerprint = root.fingerprint();
    if !output::answerable() {
        return Err(CommandError::usage(
            "a root is trusted only after its fingerprint was compared",
        )
        .hint("say what the sender told you: --fingerprint HEX"));
    }
    output::words(&RootView::of(root).text());
    output::words("Compare it with what the sender told you. Type the first word to trust it:");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    let words = fingerprint.words();
    if words.split(' ').next() == Some(answer.trim()) {
        return Ok(fingerprint);
    }
    Err(CommandError::new(
        Exit::Untrusted,
        "not confirmed; nothing was trusted",
    ))
}

fn list(layout: &Layout, format: Format) -> CommandResult {
    let roots = match TrustDb::read(layout)? {
        Some(db) => db.roots()?,
        None => Vec::new(),
    };
    let views = roots
        .iter()
        .map(|stored| RootFile::parse(&stored.root.bytes()).map(|root| RootView::of(&root)))
        .collect::<Result<Vec<_>, _>>()?;
    match format {
        Format::Json => output::json(&RootList {
            schema: "maas-appliance/trust-list/v1",
            roots: views,
        })?,
        Format::Text if views.is_empty() => output::words("This host trusts nobody yet."),
        Format::Text => {
            for view in views {
                output::data(&view.text());
            }
        }
    }
    Ok(Exit::Done)
}

fn show(layout: &Layout, file: Option<&Utf8Path>, format: Format) -> CommandResult {
    let bytes = if let Some(file) = file {
        fs_err::read(file)?
    } else {
        let newest = TrustDb::read(layout)?
            .map(|db| db.newest_root())
            .transpose()?
            .flatten();
        let newest = newest.ok_or_else(|| {
            CommandError::new(Exit::NotFound, "this host trusts nobody yet")
                .hint("maas-appliance trust add MEDIA/MAAS/BUNDLE/metadata/1.root.json")
        })?;
        newest.root.bytes()
    };
    let view = RootView::of(&RootFile::parse(&bytes)?);
    match format {
        Format::Json => output::json(&view)?,
        Format::Text => output::data(&view.text()),
    }
    Ok(Exit::Done)
}

#[derive(Debug, Serialize)]
struct RootList {
    schema: &'static str,
    roots: Vec<RootView>,
}

/// A root as people and programs see it.
#[derive(Debug, Serialize)]
struct RootView {
    schema: &'static str,
    version: u64,
    expires: jiff::Timestamp,
    fingerprint: String,
    words: String,
    threshold: u32,
    keys: Vec<KeyView>,
}

#[derive(Debug, Serialize)]
struct KeyView {
    id: String,
    signed: bool,
}

impl RootView {
    fn of(root: &RootFile) -> Self {
        let status = root.status();
        let fingerprint = root.fingerprint();
        Self {
            schema: "maas-appliance/trust-show/v1",
            version: root.version(),
            expires: root.expires(),
            fingerprint: fingerprint.to_string(),
            words: fingerprint.words(),
            threshold: status.need,
            keys: root
                .keys()
                .iter()
                .map(|key| KeyView {
                    id: key.id().to_string(),
                    signed: status.signed.contains(&key.id()),
                })
                .collect(),
        }
    }

    fn text(&self) -> String {
        let keys: Vec<_> = self
            .keys
            .iter()
            .map(|key| {
                let short: String = key.id.chars().take(12).collect();
                if key.signed {
                    format!("{short} (has signed)")
                } else {
                    short
                }
            })
            .collect();
        // Two lines of eight groups: a telephone call has a natural pause there.
        let (first, second) = self.fingerprint.split_at(self.fingerprint.len() / 2 + 1);
        format!(
            "root         version {}, expires {}\nfingerprint  {}\n             {}\n\
             in words     {}\nkeys         {} of: {}\n",
            self.version,
            self.expires.strftime("%Y-%m-%d"),
            first.trim_end(),
            second,
            self.words,
            self.threshold,
            keys.join(", "),
        )
    }
}
