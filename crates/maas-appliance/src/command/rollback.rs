//! `rollback`: back to the generation before.

use maas_audit::{Act, Action};
use maas_store::{Generation, Lock, TrustDb};
use maas_types::{BundleId, Exit, GenerationId, Layout};
use serde::Serialize;

use super::install::holder;
use crate::{
    cli::RollbackArgs,
    error::{CommandError, CommandResult},
    output::{self, Format},
};

/// What a rollback would do.
#[derive(Debug, Serialize)]
struct Would {
    schema: &'static str,
    from: GenerationId,
    to: GenerationId,
    bundle: BundleId,
}

/// Switches `current` back. Floors stay where they are.
pub(super) fn run(args: &RollbackArgs, layout: &Layout) -> CommandResult {
    if args.dry_run {
        let db = TrustDb::read(layout)?
            .ok_or_else(|| CommandError::new(Exit::NotFound, "no bundle is installed"))?;
        let (from, target) = Generation::before(layout, &db)?;
        let would = Would {
            schema: "maas-appliance/rollback-plan/v1",
            from,
            to: target.id(),
            bundle: target.bundle().clone(),
        };
        match args.json.format() {
            Format::Json => output::json(&would)?,
            Format::Text => output::data(&format!(
                "Would go back from generation {from} to {} ({}). Nothing was changed.\n",
                would.to, would.bundle
            )),
        }
        return Ok(Exit::Done);
    }
    let lock = Lock::acquire(layout, &holder("rollback"))?;
    let receipt = maas_install::rollback(&lock)?;
    let act = Act::new(Action::GENERATION_ROLLED_BACK, receipt.to.to_string())
        .detail("from", receipt.from)
        .detail("epoch-floor", receipt.epoch_floor);
    super::evidence::note(layout, act)?;
    match args.json.format() {
        Format::Json => output::json(&receipt)?,
        Format::Text => output::data(&format!(
            "Back to generation {} ({}); it was {}. The supervisor follows by itself.\n",
            receipt.to, receipt.bundle, receipt.from
        )),
    }
    Ok(Exit::Done)
}
