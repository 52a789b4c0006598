//! What the commands about people share: names and limits from the command line.

use maas_keys::{Limits, ModelAccess};
use maas_types::{ModelName, NameError};

use crate::{cli::TeamLimits, error::CommandError};

/// Reads a name of any kind.
pub(super) fn name<T: std::str::FromStr<Err = NameError>>(text: &str) -> Result<T, CommandError> {
    text.parse()
        .map_err(|error: NameError| CommandError::usage(error.to_string()))
}

/// Limits as they were typed.
pub(super) fn limits(typed: &TeamLimits) -> Limits {
    Limits {
        requests_per_minute: typed.requests_per_minute,
        tokens_per_day: typed.tokens_per_day,
    }
}

/// Models as they were typed: none typed means all.
pub(super) fn models(typed: &TeamLimits) -> Result<ModelAccess, CommandError> {
    if typed.models.is_empty() {
        return Ok(ModelAccess::All);
    }
    let models = typed.models.iter().map(|text| name::<ModelName>(text));
    Ok(ModelAccess::Only(models.collect::<Result<_, _>>()?))
}

/// A limit for people.
pub(super) fn limit(limit: Option<u64>) -> String {
    limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string())
}

/// Models for people.
pub(super) fn access(access: &ModelAccess) -> String {
    match access {
        ModelAccess::All => "all".to_owned(),
        ModelAccess::Only(models) if models.is_empty() => "none".to_owned(),
        ModelAccess::Only(models) => {
            let models: Vec<_> = models.iter().map(ModelName::as_str).collect();
            models.join(",")
        }
    }
}
