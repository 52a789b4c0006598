//! What an answer cost, read from its own words.
//!
//! | answer | where usage stands | on an abort |
//! |---|---|---|
//! | chat, completions stream | every chunk, because we ask for it ([`chat`]) | the last chunk's: exact |
//! | messages stream | `message_start` (input), `message_delta` (output) | input exact, output ≥ |
//! | responses stream | `response.completed` | input estimated, output ≥ |
//! | one JSON body | `usage` ([`whole`]) | input estimated |
//!
//! "≥" is `max(deltas, bytes / 4)`: a delta may hold several tokens (speculative decoding, stream
//! interval), and a token of English is four bytes long.

mod chat;
mod messages;
mod responses;
mod whole;

use bytes::Bytes;
use maas_types::Usage;
use serde::Deserialize;

use crate::{body::understand::Understood, route::Api, sse::Frame};

pub(crate) use whole::{Whole, whole};

/// Reads the frames of one streamed answer.
#[derive(Debug)]
pub(crate) enum Meter {
    Chat(chat::Chat),
    Messages(messages::Messages),
    Responses(responses::Responses),
}

/// What one frame means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// What the client gets of it; `None` when it did not ask for it.
    pub(crate) forward: Option<Bytes>,
    /// Where the answer stands after it.
    pub(crate) state: State,
}

/// Where an answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// More is to come.
    Going,
    /// This was the last frame, and the answer is whole.
    Ended,
    /// This frame says that the engine failed, in words that the client understands.
    Failed,
    /// This frame says so in words that the client would take for a good end; it must not see it.
    Aborted,
}

impl Seen {
    fn pass(frame: &Frame, state: State) -> Self {
        Self {
            forward: Some(frame.raw().clone()),
            state,
        }
    }
}

impl Meter {
    /// A meter for the stream that answers `request`, whose prompt has about `input_estimate` tokens.
    pub(crate) fn new(request: &Understood, input_estimate: u64) -> Self {
        match request.api {
            Api::Messages => Self::Messages(messages::Messages::new(input_estimate)),
            Api::Responses => Self::Responses(responses::Responses::new(input_estimate)),
            Api::Chat
            | Api::Completions
            | Api::CountTokens
            | Api::Embeddings
            | Api::Tokenize
            | Api::Detokenize => Self::Chat(chat::Chat::new(request, input_estimate)),
        }
    }

    /// Reads the next frame.
    pub(crate) fn observe(&mut self, frame: &Frame) -> Seen {
        match self {
            Self::Chat(meter) => meter.observe(frame),
            Self::Messages(meter) => meter.observe(frame),
            Self::Responses(meter) => meter.observe(frame),
        }
    }

    /// What is known to have been used so far.
    pub(crate) fn usage(&self) -> Usage {
        match self {
            Self::Chat(meter) => meter.usage(),
            Self::Messages(meter) => meter.usage(),
            Self::Responses(meter) => meter.usage(),
        }
    }

    /// What an error event needs to fit into this stream.
    pub(crate) fn thread(&self) -> Thread<'_> {
        match self {
            Self::Chat(_) | Self::Messages(_) => Thread::default(),
            Self::Responses(meter) => meter.thread(),
        }
    }
}

/// Where a stream of events stands: what the next one must carry on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Thread<'a> {
    /// The `response.id`, once it is known.
    pub(crate) id: Option<&'a str>,
    /// The next `sequence_number`.
    pub(crate) next_sequence: u64,
}

/// Output that was seen but not counted by the engine.
#[derive(Debug, Clone, Copy, Default)]
struct Deltas {
    count: u64,
    bytes: u64,
}

impl Deltas {
    fn add(&mut self, text: &str) {
        self.count += 1;
        self.bytes += text.len() as u64;
    }

    /// At least this many tokens.
    fn tokens(self) -> u64 {
        self.count.max(self.bytes / 4)
    }
}

/// `usage` as the OpenAI routes but responses write it.
#[derive(Debug, Clone, Copy, Deserialize)]
struct OpenAiUsage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<CachedTokens>,
}

/// `usage` as responses writes it.
#[derive(Debug, Clone, Copy, Deserialize)]
struct ResponsesUsage {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
    #[serde(default)]
    input_tokens_details: Option<CachedTokens>,
}

/// `usage` as messages writes it; `input_tokens` leaves out what came from the cache.
#[derive(Debug, Clone, Copy, Deserialize)]
struct AnthropicUsage {
    #[serde(rename = "input_tokens")]
    input: Option<u64>,
    #[serde(rename = "cache_read_input_tokens")]
    read: Option<u64>,
    #[serde(rename = "cache_creation_input_tokens")]
    written: Option<u64>,
    #[serde(rename = "output_tokens")]
    output: Option<u64>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct CachedTokens {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

fn cached(details: Option<CachedTokens>, input: u64) -> u64 {
    details
        .and_then(|details| details.cached_tokens)
        .unwrap_or(0)
        .min(input)
}

impl From<OpenAiUsage> for Usage {
    fn from(wire: OpenAiUsage) -> Self {
        Self {
            input: wire.prompt_tokens,
            cached: cached(wire.prompt_tokens_details, wire.prompt_tokens),
            output: wire.completion_tokens.unwrap_or(0),
        }
    }
}

impl From<ResponsesUsage> for Usage {
    fn from(wire: ResponsesUsage) -> Self {
        Self {
            input: wire.input_tokens,
            cached: cached(wire.input_tokens_details, wire.input_tokens),
            output: wire.output_tokens,
        }
    }
}

impl AnthropicUsage {
    /// Puts what this says into `usage`; what it leaves out stays.
    fn update(self, usage: &mut Usage) {
        if let Some(fresh) = self.input {
            usage.cached = self.read.unwrap_or(0);
            let written = self.written.unwrap_or(0);
            usage.input = fresh.saturating_add(usage.cached).saturating_add(written);
        }
        if let Some(output) = self.output {
            usage.output = output;
        }
    }
}

#[cfg(test)]
mod tests;
