//! `status`: what is installed, what runs, what needs attention and what to type.

mod facts;
mod report;
mod text;

use maas_types::{Exit, Layout};

use crate::{clock, config::Config, error::CommandResult, output};
pub(crate) use facts::Facts;
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

#[cfg(test)]
mod tests;
