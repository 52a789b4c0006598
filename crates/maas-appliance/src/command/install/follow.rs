//! After the switch: what becomes of the release on trial, told to whoever waits.

use std::time::Duration;

use maas_install::{FailedTrial, Trial};
use maas_store::Generation;
use maas_types::{Exit, GenerationId, Layout};

use crate::{
    error::{CommandError, CommandResult},
    output,
};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// Waits until the release `to` answers, or is gone again. The rest of its trial goes on without us.
pub(super) fn until_it_serves(layout: &Layout, to: GenerationId) -> CommandResult {
    output::words("It is on trial: what served before comes back by itself if it fails.");
    loop {
        if Generation::current_id(layout)? != Some(to) {
            return Err(failed(layout, to)?);
        }
        match Trial::read(layout)?.filter(|trial| trial.to == to) {
            Some(trial) if trial.passed > 0 => {
                let left = trial.seconds.saturating_sub(trial.passed);
                output::words(&format!(
                    "It answers. It is kept if it still does in {left} s."
                ));
                return Ok(Exit::Done);
            }
            Some(_) => std::thread::sleep(LOOK),
            None => return Ok(Exit::Done),
        }
    }
}

fn failed(layout: &Layout, to: GenerationId) -> Result<CommandError, CommandError> {
    let why = FailedTrial::read(layout, to)?;
    let why = why.map_or_else(|| "somebody went back".to_owned(), |failed| failed.reason);
    let error = CommandError::new(
        Exit::Failed,
        format!("generation {to} does not serve ({why}); what served before serves again"),
    );
    Ok(error
        .hint("read its log: maas-appliance logs --engine ID --previous")
        .hint("the floors stay: this release can be installed again, an older one cannot"))
}
