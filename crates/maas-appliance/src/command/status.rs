//! `status`: what is installed, what runs, what needs attention and what to type.

mod facts;
mod report;
mod text;

use maas_types::{Exit, Layout};

use crate::{
    clock,
    config::Config,
    error::{CommandError, CommandResult},
    output,
};
pub(crate) use facts::Facts;
pub(crate) use report::Problem;
use report::{Health, Report};

/// Prints the state of this host.
pub(crate) async fn run(layout: &Layout, config: &Config, format: output::Format) -> CommandResult {
    let facts = Facts::gather(layout, config).await?;
    let report = Report::of(&facts, clock::now());
    match format {
        output::Format::Json => output::json(&report)?,
        output::Format::Text => output::data(&text::render(&report)),
    }
    Ok(match report.health {
        Health::Healthy => Exit::Done,
        Health::Degraded => Exit::Degraded,
        Health::Down => Exit::Down,
    })
}

/// What needs attention, for `doctor`.
pub(crate) async fn problems(
    layout: &Layout,
    config: &Config,
) -> Result<Vec<Problem>, CommandError> {
    let facts = Facts::gather(layout, config).await?;
    Ok(Report::of(&facts, clock::now()).problems)
}

#[cfg(test)]
mod tests;
