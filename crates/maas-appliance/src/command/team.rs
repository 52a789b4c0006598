//! `team …`

use maas_gateway::admin::Client;
use maas_keys::{NewTeam, TeamRecord, TeamSettings};
use maas_types::{Exit, Layout};
use serde::Serialize;

use super::people::{access, limit, limits, models, name};
use crate::{
    cli::{TeamCommand, TeamLimits},
    error::{CommandError, CommandResult},
    output::{self, Format},
};

/// Does what `team …` says, through the running gateway.
pub(super) async fn run(command: TeamCommand, layout: &Layout) -> CommandResult {
    let gateway = Client::new(layout);
    match command {
        TeamCommand::Create { name: text, limits } => {
            let new = NewTeam {
                name: name(&text)?,
                settings: settings(&limits)?,
            };
            let team = gateway.create_team(&new).await?;
            output::words(&format!(
                "Team {} is there.{}",
                team.name,
                limits_text(&team)
            ));
        }
        TeamCommand::Limit { name: text, limits } => {
            let team = gateway
                .change_team(&name(&text)?, &settings(&limits)?)
                .await?;
            output::words(&format!(
                "Team {} is changed.{}",
                team.name,
                limits_text(&team)
            ));
        }
        TeamCommand::Disable { name: text } => {
            let done = gateway.disable_team(&name(&text)?).await?;
            output::words(&format!(
                "Every key of {text} is dead; {} running request(s) were cut.",
                done.streams_cut
            ));
        }
        TeamCommand::Enable { name: text } => {
            let team = gateway.enable_team(&name(&text)?).await?;
            output::words(&format!("The keys of {} work again.", team.name));
        }
        TeamCommand::List(json) => list(gateway.teams().await?, json.format())?,
    }
    Ok(Exit::Done)
}

fn settings(typed: &TeamLimits) -> Result<TeamSettings, CommandError> {
    Ok(TeamSettings {
        limits: limits(typed),
        models: models(typed)?,
    })
}

fn limits_text(team: &TeamRecord) -> String {
    let TeamSettings { limits, models } = &team.settings;
    let each = [
        limits
            .requests_per_minute
            .map(|n| format!("{n} requests a minute")),
        limits.tokens_per_day.map(|n| format!("{n} tokens a day")),
        Some(format!("models: {}", access(models))),
    ];
    let each: Vec<_> = each.into_iter().flatten().collect();
    format!(" It has {}.", each.join(", "))
}

fn list(teams: Vec<TeamRecord>, format: Format) -> Result<(), CommandError> {
    #[derive(Serialize)]
    struct TeamList {
        schema: &'static str,
        teams: Vec<TeamRecord>,
    }
    if format == Format::Json {
        return output::json(&TeamList {
            schema: "maas-appliance/team-list/v1",
            teams,
        });
    }
    let row = |team: &TeamRecord| {
        let state = if team.disabled.is_some() {
            "disabled"
        } else {
            "active"
        };
        [
            team.name.to_string(),
            state.to_owned(),
            limit(team.settings.limits.requests_per_minute),
            limit(team.settings.limits.tokens_per_day),
            access(&team.settings.models),
        ]
    };
    let header = ["TEAM", "STATE", "REQUESTS/MIN", "TOKENS/DAY", "MODELS"];
    output::data(&output::columns(header, 2..4, teams.iter().map(row)));
    Ok(())
}
