//! Answers that are one JSON body.

use maas_types::Usage;
use serde::Deserialize;

use super::{AnthropicUsage, OpenAiUsage, ResponsesUsage};
use crate::{body::scan, route::Api};

/// What an answer says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whole {
    /// A good answer; `None` when it does not say what it used.
    Good(Option<Usage>),
    /// The engine gave up on it (`finish_reason: "abort"`).
    Aborted,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    finish_reason: Option<String>,
}

/// Reads an answer of `api`; an error when it is not a JSON object.
pub(crate) fn whole(api: Api, body: &[u8]) -> Result<Whole, scan::ScanError> {
    let answer = scan::object(body, &["usage", "choices"])?;
    if let Some(choices) = answer.value(body, "choices") {
        let choices: Vec<Choice> = serde_json::from_slice(choices).unwrap_or_default();
        if choices
            .iter()
            .any(|choice| choice.finish_reason.as_deref() == Some("abort"))
        {
            return Ok(Whole::Aborted);
        }
    }
    let usage = answer
        .value(body, "usage")
        .and_then(|usage| read(api, usage));
    Ok(Whole::Good(usage))
}

fn read(api: Api, usage: &[u8]) -> Option<Usage> {
    match api {
        Api::Chat | Api::Completions | Api::Embeddings => {
            serde_json::from_slice::<OpenAiUsage>(usage)
                .ok()
                .map(Usage::from)
        }
        Api::Responses => serde_json::from_slice::<ResponsesUsage>(usage)
            .ok()
            .map(Usage::from),
        Api::Messages => {
            let mut total = Usage::default();
            serde_json::from_slice::<AnthropicUsage>(usage)
                .ok()?
                .update(&mut total);
            Some(total)
        }
        Api::CountTokens | Api::Tokenize | Api::Detokenize => None,
    }
}
