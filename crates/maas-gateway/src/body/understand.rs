//! Reads from a request's body what the gateway acts on, and nothing else.
//!
//! Threat: a value that we and the engine take differently. The engine's models are lax (`"stream":
//! "yes"` and `1` are true to pydantic, `"5"` and `5.0` are numbers), so that a client could have a
//! stream where we meter one body. Defence: what we act on has its one JSON type or the request is
//! refused; what we do not act on is not looked at.

use bytes::Bytes;
use maas_types::ModelName;

use super::{
    content::Content,
    prompt::Prompts,
    scan::{self, Object},
};
use crate::{
    refusal::{Refusal, quoted},
    route::{Api, Scope},
};

/// Every top-level member that the gateway acts on.
const WANTED: [&str; 17] = [
    "model",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "n",
    "prompt",
    "input",
    "encoding_format",
    "background",
    "priority",
    "kv_transfer_params",
    "ec_transfer_params",
    "vllm_xargs",
    "request_id",
    "stream_interval",
];

/// Members that are the operator's, not the client's: they jump queues, move caches between engines,
/// reach into plug-ins, replace the id that joins our log with the engine's, or put many tokens into
/// one event, which an abort then loses to the bill. Taken out silently,
/// because SDKs and agents send what they were configured with and must not break on it.
pub(crate) const STRIPPED: [&str; 6] = [
    "priority",
    "kv_transfer_params",
    "ec_transfer_params",
    "vllm_xargs",
    "request_id",
    "stream_interval",
];

/// Answers to one prompt. Why 128: what OpenAI's API takes.
const MOST_PER_PROMPT: u64 = 128;

/// Answers of one request. Why 2,048: what OpenAI's API takes as a list, and more than any evaluation
/// harness sends; each is a sequence in the engine.
const MOST_ANSWERS: u64 = 2_048;

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
    pub(crate) prompts: Prompts,
    pub(crate) body: Content,
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
    if api == Api::Embeddings {
        readable(&fields)?;
    }
    let prompts = prompts(api, &fields);
    let per_prompt = per_prompt(api, prompts, &fields)?;
    Ok(Understood {
        api,
        model: model(scope, &fields)?,
        streaming,
        usage_wanted: usage_wanted(api, streaming, &fields)?,
        most_output: most_output(api, &fields)?,
        per_prompt,
        prompts,
        object,
        body: Content(body),
    })
}

impl Understood {
    /// How many answers the engine will produce.
    pub(crate) fn answers(&self) -> u64 {
        self.per_prompt.saturating_mul(self.prompts.count).max(1)
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

fn prompts(api: Api, fields: &Fields<'_>) -> Prompts {
    let list = match api {
        Api::Completions => fields.raw("prompt"),
        Api::Embeddings => fields.raw("input"),
        Api::Chat
        | Api::Responses
        | Api::Messages
        | Api::CountTokens
        | Api::Tokenize
        | Api::Detokenize => None,
    };
    let bytes = fields.bytes.len();
    list.map_or(Prompts::one(bytes), |list| Prompts::listed(list, bytes))
}

/// `n`, bounded alone and together with the prompts.
fn per_prompt(api: Api, prompts: Prompts, fields: &Fields<'_>) -> Result<u64, Refusal> {
    let per_prompt = match api {
        Api::Chat | Api::Completions => fields.number("n")?.unwrap_or(1),
        Api::Responses
        | Api::Messages
        | Api::CountTokens
        | Api::Embeddings
        | Api::Tokenize
        | Api::Detokenize => 1,
    };
    if per_prompt > MOST_PER_PROMPT {
        return Err(Refusal::BadField {
            field: "n",
            want: "128 at most",
        });
    }
    if per_prompt.saturating_mul(prompts.count) > MOST_ANSWERS {
        let field = if api == Api::Embeddings {
            "input"
        } else {
            "prompt"
        };
        return Err(Refusal::BadField {
            field,
            want: "a list that asks for 2048 answers at most",
        });
    }
    Ok(per_prompt)
}

/// vLLM has forms of embeddings that are no JSON (`bytes`), whose usage nobody could read.
fn readable(fields: &Fields<'_>) -> Result<(), Refusal> {
    match fields.raw("encoding_format") {
        None | Some(br#""float""# | br#""base64""#) => Ok(()),
        Some(_) => Err(Refusal::BadField {
            field: "encoding_format",
            want: "\"float\" or \"base64\"",
        }),
    }
}

#[cfg(test)]
mod tests;
