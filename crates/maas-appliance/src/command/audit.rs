//! `audit tail | verify | export`.

use camino::Utf8Path;
use maas_audit::{AuditError, AuditReader, Checkpoint, HostKey, HostPublicKey, Source, verify};
use maas_types::{Exit, Layout};

use super::evidence;
use crate::{
    cli::{AuditCommand, AuditVerifyArgs},
    error::{CommandError, CommandResult},
    output::{self, Format},
};

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: AuditError) -> CommandError {
    CommandError::new(error.exit(), error.to_string())
}

/// Dispatches.
pub(super) fn run(command: &AuditCommand, layout: &Layout) -> CommandResult {
    match command {
        AuditCommand::Tail { count, json } => tail(layout, *count, json.format()),
        AuditCommand::Verify(args) => check(args, layout),
        AuditCommand::Export { out } => export(layout, out),
    }
}

fn reader(layout: &Layout) -> Result<AuditReader, CommandError> {
    AuditReader::open(&layout.audit_db()).map_err(failed)
}

fn tail(layout: &Layout, count: u32, format: Format) -> CommandResult {
    let entries = reader(layout)?.tail(count).map_err(failed)?;
    match format {
        Format::Json => output::json(&serde_json::json!({
            "schema": "maas-appliance/audit-tail/v1",
            "entries": entries,
        }))?,
        Format::Text => {
            let line = |entry: &maas_audit::Entry| {
                let details: Vec<_> = entry
                    .details
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                format!(
                    "{:>6}  {}  {}  {} {}  {}\n",
                    entry.sequence,
                    entry.time,
                    who(&entry.actor),
                    entry.action,
                    entry.subject,
                    details.join(" ")
                )
            };
            output::data(&entries.iter().map(line).collect::<String>());
        }
    }
    Ok(Exit::Done)
}

fn who(actor: &maas_audit::Actor) -> String {
    match actor {
        maas_audit::Actor::Operator { login, .. } => login.clone(),
        maas_audit::Actor::AdminKey { id } => format!("key {id}"),
        maas_audit::Actor::Appliance {} => "the appliance".to_owned(),
    }
}

/// This host's own chain against its own checkpoint, or a copy of one against what was kept.
fn check(args: &AuditVerifyArgs, layout: &Layout) -> CommandResult {
    let mut checkpoints = Vec::new();
    for path in &args.checkpoints {
        checkpoints.push(checkpoint(path)?);
    }
    let (database, key) = if let (Some(key), Some(origin)) = (&args.key, &args.origin) {
        let origin = origin
            .parse()
            .map_err(|error| CommandError::usage(format!("--origin: {error}")))?;
        let key = HostPublicKey::from_pem(origin, &fs_err::read_to_string(key)?)
            .map_err(|error| CommandError::new(error.exit(), error.to_string()))?;
        let database = args.database.clone();
        (database.unwrap_or_else(|| layout.audit_db()), key)
    } else {
        checkpoints.push(checkpoint(&layout.audit_checkpoint())?);
        let key: HostKey = evidence::host_key(layout)?;
        (layout.audit_db(), key.public().clone())
    };
    let verdict = verify(Source::Database(&database), &checkpoints, &[key]).map_err(failed)?;
    output::data(&format!("{verdict}\n"));
    Ok(verdict.exit())
}

fn checkpoint(path: &Utf8Path) -> Result<Checkpoint, CommandError> {
    fs_err::read_to_string(path)?
        .parse()
        .map_err(|error| CommandError::new(Exit::Content, format!("{path}: {error}")))
}

fn export(layout: &Layout, out: &Utf8Path) -> CommandResult {
    let file = fs_err::File::create(out)?;
    let count = reader(layout)?
        .export(std::io::BufWriter::new(file), 1..)
        .map_err(failed)?;
    output::words(&format!(
        "{count} entries in {out}. Take {} and the host's key along: they are what it is verified against.",
        layout.audit_checkpoint()
    ));
    Ok(Exit::Done)
}
