//! Reads from a request's body what the gateway acts on, and nothing else.
//!
//! Threat: a value that we and the engine take differently. The engine's models are lax (`"stream":
//! "yes"` and `1` are true to pydantic, `"5"` and `5.0` are numbers), so that a client could have a
//! stream where we meter one body. Defence: what we act on has its one JSON type or the request is
//! refused; what we do not act on is not looked at.

use bytes::Bytes;
use maas_types::ModelName;

use super::scan::{self, Object};
use crate::{
    refusal::{Refusal, quoted},
    route::{Api, Scope},
};

/// Every top-level member that the gateway acts on.
const WANTED: [&str; 14] = [
    "model",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "n",
    "prompt",
    "background",
    "priority",
    "kv_transfer_params",
    "ec_transfer_params",
    "vllm_xargs",
    "request_id",
];

/// Members that are the operator's, not the client's: they jump queues, move caches between engines,
/// reach into plug-ins, or replace the id that joins our log with the engine's. Taken out silently,
/// because SDKs and agents send what they were configured with and must not break on it.
pub(crate) const STRIPPED: [&str; 5] = [
    "priority",
    "kv_transfer_params",
    "ec_transfer_params",
    "vllm_xargs",
    "request_id",
];

/// Bytes of body per token, for an estimate from above. English has four, code three; a body is
/// JSON around the prompt, so this overestimates nearly always.
const BYTES_PER_TOKEN: u64 = 3;

/// vLLM's default for `max_tokens` of completions, as OpenAI's.
const COMPLETIONS_DEFAULT: u64 = 16;

/// What a request wants.
#[derive(Debug, Clone)]
pub(crate) struct Understood {
    pub(crate) api: Api,
    pub(crate) model: ModelName,
    pub(crate) streaming: Streaming,
    pub(crate) usage_wanted: UsageWanted,
    /// Tokens that each answer may have at most, where the client or the route says so.
    pub(crate) most_output: Option<u64>,
    /// How many answers belong to one prompt: `n`.
    pub(crate) per_prompt: u64,
    /// How many prompts there are: completions takes a list.
    pub(crate) prompts: u64,
    /// Tokens of the prompts, estimated from above.
    pub(crate) input_estimate: u64,
    pub(crate) body: Bytes,
    pub(crate) object: Object,
}

/// Whether the answer is a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streaming {
    Yes,
    No,
}

/// Which usage the client of a chat or completions stream asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UsageWanted {
    /// None.
    No,
    /// `include_usage`: a last chunk without choices.
    AtTheEnd,
    /// `continuous_usage_stats` beside it: every chunk.
    EveryChunk,
}

/// Reads `body`, a request for `api` below `scope`.
pub(crate) fn understand(api: Api, scope: &Scope, body: Bytes) -> Result<Understood, Refusal> {
    let object = scan::object(&body, &WANTED).map_err(Refusal::NotJson)?;
    let fields = Fields {
        object: &object,
        bytes: &body,
    };
    if fields.flag("background")? && api == Api::Responses {
        return Err(Refusal::Background);
    }
    let streaming = if api.can_stream() && fields.flag("stream")? {
        Streaming::Yes
    } else {
        Streaming::No
    };
    let per_prompt = match api {
        Api::Chat | Api::Completions => fields.number("n")?.unwrap_or(1),
        Api::Responses
        | Api::Messages
        | Api::CountTokens
        | Api::Embeddings
        | Api::Tokenize
        | Api::Detokenize => 1,
    };
    Ok(Understood {
        api,
        model: model(scope, &fields)?,
        streaming,
        usage_wanted: usage_wanted(api, streaming, &fields)?,
        most_output: most_output(api, &fields)?,
        per_prompt,
        prompts: if api == Api::Completions {
            prompts(&fields)
        } else {
            1
        },
        input_estimate: (body.len() as u64).div_ceil(BYTES_PER_TOKEN),
        object,
        body,
    })
}

impl Understood {
    /// How many answers the engine will produce.
    pub(crate) fn answers(&self) -> u64 {
        self.per_prompt.saturating_mul(self.prompts).max(1)
    }

    /// Whether the gateway asks for usage on every chunk.
    pub(crate) fn usage_is_asked_for(&self) -> bool {
        self.streaming == Streaming::Yes && matches!(self.api, Api::Chat | Api::Completions)
    }
}

struct Fields<'a> {
    object: &'a Object,
    bytes: &'a [u8],
}

impl<'a> Fields<'a> {
    fn raw(&self, field: &str) -> Option<&'a [u8]> {
        self.object.value(self.bytes, field)
    }

    /// `true`, `false`, `null` or absent.
    fn flag(&self, field: &'static str) -> Result<bool, Refusal> {
        match self.raw(field) {
            None | Some(b"false") => Ok(false),
            Some(b"true") => Ok(true),
            Some(_) => Err(Refusal::BadField {
                field,
                want: "true or false",
            }),
        }
    }

    /// A whole number, `null` or absent.
    fn number(&self, field: &'static str) -> Result<Option<u64>, Refusal> {
        let Some(raw) = self.raw(field) else {
            return Ok(None);
        };
        serde_json::from_slice(raw)
            .map(Some)
            .map_err(|_| Refusal::BadField {
                field,
                want: "a whole number, zero or more",
            })
    }
}

fn model(scope: &Scope, fields: &Fields<'_>) -> Result<ModelName, Refusal> {
    let named = fields
        .raw("model")
        .map(serde_json::from_slice::<String>)
        .transpose()
        .map_err(|_| Refusal::BadField {
            field: "model",
            want: "a string",
        })?;
    match (scope, named) {
        (Scope::One(path), None) => Ok(path.clone()),
        (Scope::One(path), Some(named)) if named == path.as_str() => Ok(path.clone()),
        (Scope::One(path), Some(_)) => Err(Refusal::ModelMismatch {
            path: path.to_string(),
        }),
        (Scope::All, None) => Err(Refusal::NoModel),
        (Scope::All, Some(named)) => named.parse().map_err(|_| Refusal::UnknownModel {
            model: quoted(&named),
        }),
    }
}

fn usage_wanted(
    api: Api,
    streaming: Streaming,
    fields: &Fields<'_>,
) -> Result<UsageWanted, Refusal> {
    let asks = matches!(api, Api::Chat | Api::Completions) && streaming == Streaming::Yes;
    let options = if asks {
        fields.raw("stream_options")
    } else {
        None
    };
    let Some(options) = options else {
        return Ok(UsageWanted::No);
    };
    let not_object = |_| Refusal::BadField {
        field: "stream_options",
        want: "an object",
    };
    let object = scan::object(options, &["include_usage", "continuous_usage_stats"]);
    let object = object.map_err(not_object)?;
    let inner = Fields {
        object: &object,
        bytes: options,
    };
    // vLLM heeds the second only together with the first.
    Ok(
        match (
            inner.flag("include_usage")?,
            inner.flag("continuous_usage_stats")?,
        ) {
            (false, _) => UsageWanted::No,
            (true, false) => UsageWanted::AtTheEnd,
            (true, true) => UsageWanted::EveryChunk,
        },
    )
}

fn most_output(api: Api, fields: &Fields<'_>) -> Result<Option<u64>, Refusal> {
    Ok(match api {
        // vLLM heeds the new name before the old one.
        Api::Chat => {
            let old = fields.number("max_tokens")?;
            fields.number("max_completion_tokens")?.or(old)
        }
        Api::Completions => Some(fields.number("max_tokens")?.unwrap_or(COMPLETIONS_DEFAULT)),
        Api::Messages => fields.number("max_tokens")?,
        Api::Responses => fields.number("max_output_tokens")?,
        Api::CountTokens | Api::Embeddings | Api::Tokenize | Api::Detokenize => Some(0),
    })
}

/// A list of texts or of token lists is as many prompts; a text or one token list is one.
fn prompts(fields: &Fields<'_>) -> u64 {
    match fields.raw("prompt").and_then(scan::array_len) {
        Some((count, b'"' | b'[')) => count,
        Some(_) | None => 1,
    }
}

#[cfg(test)]
mod tests;
