//! `keys …`

use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};

use camino::Utf8Path;
use jiff::{SignedDuration, Timestamp};
use maas_gateway::admin::{Client, CreatedKey};
use maas_keys::{KeyRecord, NewKey};
use maas_types::{Exit, KeyId, Layout};
use serde::Serialize;

use super::people::{access, limits, models, name};
use crate::{
    cli::KeysCommand,
    clock,
    error::{CommandError, CommandResult},
    output::{self, Format},
};

/// Does what `keys …` says, through the running gateway.
pub(super) async fn run(command: KeysCommand, layout: &Layout) -> CommandResult {
    let gateway = Client::new(layout);
    match command {
        KeysCommand::Create {
            team,
            user,
            name: label,
            expires,
            limits: typed,
            out,
            json,
        } => {
            let now = clock::now();
            let new = NewKey {
                team: name(&team)?,
                user: user.as_deref().map(name).transpose()?,
                name: label.unwrap_or_else(|| "unnamed".to_owned()),
                models: models(&typed)?,
                expires: expires.map(|text| instant(&text, now)).transpose()?,
                limits: limits(&typed),
            };
            let created = gateway.create_key(&new).await?;
            tell_created(&created, out.as_deref(), json.format())?;
        }
        KeysCommand::List(json) => list(gateway.keys(None).await?, json.format())?,
        KeysCommand::Revoke { id, json } => {
            let id: KeyId = name(&id)?;
            let done = gateway.revoke_key(&id).await?;
            match json.format() {
                Format::Json => output::json(&done)?,
                Format::Text => output::words(&format!(
                    "Key {id} is dead from now on; {} running request(s) were cut.",
                    done.streams_cut
                )),
            }
        }
    }
    Ok(Exit::Done)
}

/// `90d`, `12h`: that long from now.
fn instant(text: &str, now: Timestamp) -> Result<Timestamp, CommandError> {
    let wrong = || CommandError::usage(format!("`{text}` is not a duration")).hint("--expires 90d");
    let count = |number: &str| number.parse::<i64>().ok();
    let hours = match (text.strip_suffix('h'), text.strip_suffix('d')) {
        (Some(hours), _) => count(hours),
        (None, Some(days)) => count(days).and_then(|days| days.checked_mul(24)),
        (None, None) => None,
    };
    // 100 years: beyond any key, and far from the end of what a timestamp can hold.
    let hours = hours
        .filter(|hours| (1..=876_000).contains(hours))
        .ok_or_else(wrong)?;
    now.checked_add(SignedDuration::from_hours(hours))
        .map_err(|_| wrong())
}

/// The only time that the secret is shown: to a terminal, into a file for one reader, or in the JSON
/// of a script that asked for it.
fn tell_created(
    created: &CreatedKey,
    out: Option<&Utf8Path>,
    format: Format,
) -> Result<(), CommandError> {
    #[derive(Serialize)]
    struct Created<'a> {
        schema: &'static str,
        #[serde(flatten)]
        created: &'a CreatedKey,
    }
    let key = &created.key;
    let what = format!("Key {} of team {} ({})", key.id, key.team, key.name);
    if let Some(path) = out {
        let mut options = fs_err::OpenOptions::new();
        options.options_mut().mode(0o600);
        let mut file = options.write(true).create_new(true).open(path)?;
        writeln!(file, "{}", created.secret)?;
        output::words(&format!(
            "{what} is in {path}. It is stored here only as a hash."
        ));
        return Ok(());
    }
    match format {
        Format::Json => output::json(&Created {
            schema: "maas-appliance/keys-create/v1",
            created,
        }),
        Format::Text => {
            output::words(&format!("{what}, shown once and stored only as a hash:"));
            output::data(&format!("{}\n", created.secret));
            Ok(())
        }
    }
}

fn list(keys: Vec<KeyRecord>, format: Format) -> Result<(), CommandError> {
    #[derive(Serialize)]
    struct KeyList {
        schema: &'static str,
        keys: Vec<KeyRecord>,
    }
    if format == Format::Json {
        return output::json(&KeyList {
            schema: "maas-appliance/keys-list/v1",
            keys,
        });
    }
    let now = clock::now();
    output::data(&output::columns(
        ["KEY", "STATE", "TEAM", "USER", "NAME", "MODELS", "EXPIRES"],
        0..0,
        keys.iter().map(|key| row(key, now)),
    ));
    Ok(())
}

fn row(key: &KeyRecord, now: Timestamp) -> [String; 7] {
    let state = if key.revoked.is_some() {
        "revoked"
    } else if key.expires.is_some_and(|expires| expires <= now) {
        "expired"
    } else {
        "active"
    };
    let day = |instant: Timestamp| instant.strftime("%Y-%m-%d").to_string();
    [
        key.id.to_string(),
        state.to_owned(),
        key.team.to_string(),
        key.user
            .as_ref()
            .map_or_else(|| "-".to_owned(), ToString::to_string),
        key.name.clone(),
        access(&key.models),
        key.expires.map_or_else(|| "never".to_owned(), day),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_number_of_days_or_hours() {
        let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        assert_eq!(
            instant("2d", now).unwrap().to_string(),
            "2026-11-24T00:00:00Z"
        );
        assert_eq!(
            instant("12h", now).unwrap().to_string(),
            "2026-11-22T12:00:00Z"
        );
        for text in [
            "",
            "d",
            "0d",
            "-1d",
            "1w",
            "1.5d",
            "99999999999999999999d",
            "9999999d",
            "ü",
        ] {
            assert!(instant(text, now).is_err(), "{text}");
        }
    }
}
