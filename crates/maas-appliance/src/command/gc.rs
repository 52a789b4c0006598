//! `gc`: removes old generations, and what nobody needs then.

use std::fmt::Write as _;

use maas_audit::{Act, Action};
use maas_install::Trial;
use maas_store::{
    Lock, TrustDb,
    gc::{Facts, Plan, Removal, Uses, Why, collect},
};
use maas_supervisor::EngineSpec;
use maas_types::{ByteSize, Digest, Exit, Layout};
use serde::Serialize;

use super::{evidence, install::holder};
use crate::{
    cli::GcArgs,
    clock,
    error::{CommandError, CommandResult},
    output::{self, Format},
};

/// `maas-appliance/gc/v1`
#[derive(Debug, Serialize)]
struct Collected {
    schema: &'static str,
    dry_run: bool,
    #[serde(flatten)]
    plan: Plan,
}

/// Removes, or says what it would.
pub(super) fn run(args: &GcArgs, layout: &Layout) -> CommandResult {
    let plan = if args.dry_run {
        let db = TrustDb::read(layout)?;
        plan(args, layout, db.as_ref())?
    } else if layout.state().is_dir() {
        remove(args, layout)?
    } else {
        return Err(CommandError::new(Exit::NotFound, "no bundle is installed"));
    };
    match args.json.format() {
        Format::Json => output::json(&Collected {
            schema: "maas-appliance/gc/v1",
            dry_run: args.dry_run,
            plan,
        })?,
        Format::Text => output::data(&text(&plan, args)),
    }
    Ok(Exit::Done)
}

fn plan(args: &GcArgs, layout: &Layout, db: Option<&TrustDb>) -> Result<Plan, CommandError> {
    let facts = Facts::gather(layout, db)?;
    Ok(Plan::new(&facts, &uses(layout)?, args.keep, clock::now()))
}

fn remove(args: &GcArgs, layout: &Layout) -> Result<Plan, CommandError> {
    let lock = Lock::acquire(layout, &holder("gc"))?;
    // Opened, not made: where nothing was ever installed there is nothing to note.
    let db = TrustDb::read(layout)?;
    let plan = plan(args, layout, db.as_ref())?;
    collect(&lock, db.as_ref(), &plan, &mut |_| ())?;
    for removal in &plan.removals {
        if let Removal::Generation { id, .. } = removal {
            let act = Act::new(Action::GENERATION_REMOVED, id.to_string());
            evidence::note(layout, act.detail("by", "gc"))?;
        }
    }
    Ok(plan)
}

/// What a trial and running engines use.
fn uses(layout: &Layout) -> Result<Uses, CommandError> {
    let mut uses = Uses::default();
    if let Some(trial) = Trial::read(layout)? {
        uses.trial = vec![trial.from, trial.to];
    }
    let folder = layout.engines();
    if !folder.is_dir() {
        return Ok(uses);
    }
    for entry in folder.read_dir_utf8()? {
        let path = entry?.into_path();
        let hidden = path.file_name().is_none_or(|name| name.starts_with('.'));
        if hidden || path.extension() != Some("json") {
            continue;
        }
        let spec: EngineSpec = serde_json::from_slice(&fs_err::read(&path)?).map_err(|error| {
            let text = format!("`{path}` does not say what its engine uses: {error}");
            CommandError::new(Exit::Failed, text)
                .hint("stop that engine, or run the gc of the release that has started it")
        })?;
        uses.engines.extend(spec.generation);
        uses.images
            .extend(spec.root.and_then(|root| image(layout, &root)));
    }
    Ok(uses)
}

/// The image that a root file system was unpacked from.
fn image(layout: &Layout, root: &camino::Utf8Path) -> Option<Digest> {
    let below = root.strip_prefix(layout.images()).ok()?;
    Digest::from_hex(below.components().next()?.as_str()).ok()
}

fn text(plan: &Plan, args: &GcArgs) -> String {
    let mut text = String::new();
    for kept in &plan.kept {
        let why = match kept.why {
            Why::Current => "serves",
            Why::Before => "a rollback goes to it",
            Why::Trial => "is on trial, or comes back if the trial fails",
            Why::Engine => "an engine runs that was started for it",
            Why::Newest => "one of the newest",
        };
        let _ = writeln!(text, "keep    generation {}  ({why})", kept.id);
    }
    for removal in &plan.removals {
        let what = match removal {
            Removal::Generation { id, .. } => format!("generation {id}"),
            Removal::Blob { digest, .. } => format!("blob {digest}"),
            Removal::Image { manifest, .. } => format!("unpacked image {manifest}"),
            Removal::Staged { digest, .. } => format!("half of blob {digest}"),
            Removal::Leftover { path, .. } => path.to_string(),
        };
        let _ = writeln!(text, "remove  {what}  {}", ByteSize(removal.bytes()));
    }
    for name in &plan.unreadable {
        let _ = writeln!(
            text,
            "WARN    {name} cannot be read, so every blob and every image stays"
        );
    }
    let bytes = ByteSize(plan.bytes);
    let _ = if args.dry_run {
        writeln!(
            text,
            "Would free {bytes} ({} bytes). Nothing was changed.",
            plan.bytes
        )
    } else {
        writeln!(text, "Freed {bytes} ({} bytes).", plan.bytes)
    };
    text
}
