//! `rollback`: back to the generation before.

use maas_store::{Generation, Lock};
use maas_types::{Exit, Layout};

use super::install::holder;
use crate::{
    cli::RollbackArgs,
    error::{CommandError, CommandResult},
    output::{self, Format},
};

/// Switches `current` back. Floors stay where they are.
pub(super) fn run(args: &RollbackArgs, layout: &Layout) -> CommandResult {
    if args.dry_run {
        let current = Generation::current(layout)?
            .ok_or_else(|| CommandError::new(Exit::NotFound, "no bundle is installed"))?;
        let all = Generation::list(layout)?;
        let others: Vec<_> = all.iter().filter(|g| g.id() != current.id()).collect();
        let names: Vec<_> = others
            .iter()
            .map(|g| format!("{} ({})", g.id(), g.bundle()))
            .collect();
        output::data(&format!(
            "Generation {} serves. Here beside it: {}. Nothing was changed.\n",
            current.id(),
            if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            },
        ));
        return Ok(Exit::Done);
    }
    let lock = Lock::acquire(layout, &holder("rollback"))?;
    let receipt = maas_install::rollback(&lock)?;
    match args.json.format() {
        Format::Json => output::json(&receipt)?,
        Format::Text => output::data(&format!(
            "Back to generation {} ({}); it was {}. The supervisor follows by itself.\n",
            receipt.to, receipt.bundle, receipt.from
        )),
    }
    Ok(Exit::Done)
}
