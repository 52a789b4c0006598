//! `trial`: watches a release that has just begun to serve, keeps it or goes back. Run by systemd as root,
//! with the binary of the release before.

use std::time::Duration;

use maas_gateway::admin;
use maas_install::{Endpoint, FailedTrial, Trial, Verdict};
use maas_store::{Lock, StoreError};
use maas_types::{EngineTable, Exit, Layout};

use super::{install::holder, lookup::published};
use crate::{clock, error::CommandResult, notify, output};

/// Between two looks, seconds. What a person waits for is told sooner than he gets impatient.
const LOOK_SECONDS: u64 = 1;

/// Watches until it is over.
pub(super) async fn run(layout: &Layout) -> CommandResult {
    let Some(mut trial) = Trial::read(layout)? else {
        return Ok(Exit::Done);
    };
    notify::ready("watches a new release");
    loop {
        // Whoever installs or rolls back holds the lock; the trial is his to begin and to end.
        let lock = match Lock::acquire(layout, &holder("trial")) {
            Ok(lock) => lock,
            Err(StoreError::Busy { .. }) => {
                pause().await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        match Trial::read(layout)? {
            Some(now) if now.to == trial.to => trial = now,
            Some(_) | None => return Ok(Exit::Done),
        }
        let table: Option<EngineTable> = published(&layout.engine_table())?;
        let gateway = match admin::Client::new(layout).status().await {
            Ok(_) => Endpoint::Answers,
            Err(_) => Endpoint::Silent,
        };
        let verdict = trial.judge(table.as_ref(), gateway);
        match &verdict {
            Verdict::Starting { waits_for } => notify::status(waits_for),
            Verdict::Serving => {
                let left = trial.seconds.saturating_sub(trial.passed);
                notify::status(&format!("serves; is kept in {left} s"));
            }
            Verdict::Kept => {
                Trial::end(&lock)?;
                output::words(&format!("Generation {} serves and is kept.", trial.to));
                return Ok(Exit::Done);
            }
            Verdict::Bad { reason } => return go_back(&trial, &lock, reason),
        }
        trial.count(&verdict, LOOK_SECONDS);
        trial.write(&lock)?;
        drop(lock);
        pause().await;
    }
}

fn go_back(trial: &Trial, lock: &Lock, reason: &str) -> CommandResult {
    output::words(&format!(
        "Generation {} does not serve: {reason}. Going back to generation {}.",
        trial.to, trial.from
    ));
    FailedTrial::write(lock, trial, reason, clock::now())?;
    trial.go_back(lock)?;
    Ok(Exit::Done)
}

async fn pause() {
    tokio::time::sleep(Duration::from_secs(LOOK_SECONDS)).await;
}
