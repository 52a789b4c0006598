//! `usage`: who used what.

use jiff::civil::Date;
use maas_gateway::admin::Client;
use maas_keys::{UsageBy, UsageQuery, UsageReport, UsageRow};
use maas_types::{Exit, Layout};
use serde::Serialize;

use crate::{
    cli::{self, UsageArgs},
    error::{CommandError, CommandResult},
    output::{self, Format},
};

/// Asks the running gateway, so that what is not yet on disk counts too.
pub(super) async fn run(args: UsageArgs, layout: &Layout) -> CommandResult {
    let by = match args.by {
        cli::UsageBy::Team => UsageBy::Team,
        cli::UsageBy::Model => UsageBy::Model,
        cli::UsageBy::Key => UsageBy::Key,
        cli::UsageBy::Day => UsageBy::Day,
    };
    let gateway = Client::new(layout);
    let today = gateway.usage_today(by).await?;
    let report = match (args.from, args.to) {
        (None, None) => today,
        (from, to) => {
            let from = from.map_or(Ok(today.from), |text| day(&text))?;
            let to = to.map_or(Ok(today.to), |text| day(&text))?;
            gateway.usage(&UsageQuery { by, from, to }).await?
        }
    };
    match args.json.format() {
        Format::Json => {
            #[derive(Serialize)]
            struct Printed {
                schema: &'static str,
                #[serde(flatten)]
                report: UsageReport,
            }
            output::json(&Printed {
                schema: "maas-appliance/usage/v1",
                report,
            })?;
        }
        Format::Text => output::data(&text(&report)),
    }
    Ok(Exit::Done)
}

fn day(text: &str) -> Result<Date, CommandError> {
    text.parse().map_err(|_| {
        CommandError::usage(format!("`{text}` is not a day")).hint("--from 2026-11-01")
    })
}

fn text(report: &UsageReport) -> String {
    let by = match report.by {
        UsageBy::Team => "TEAM",
        UsageBy::Model => "MODEL",
        UsageBy::Key => "KEY",
        UsageBy::Day => "DAY",
    };
    let rows = report.rows.iter().chain([&report.total]).map(cells);
    let table = output::columns([by, "REQUESTS", "INPUT", "CACHED", "OUTPUT"], 1..5, rows);
    format!("{} to {}\n{table}", report.from, report.to)
}

fn cells(row: &UsageRow) -> [String; 5] {
    let UsageRow {
        name,
        requests,
        usage,
    } = row;
    [
        name.clone(),
        requests.to_string(),
        usage.input.to_string(),
        usage.cached.to_string(),
        usage.output.to_string(),
    ]
}
