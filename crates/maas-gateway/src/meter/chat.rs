//! Streams of chat/completions and completions.
//!
//! The gateway asks the engine for `include_usage` and `continuous_usage_stats` whatever the client
//! asked ([`crate::body::outgoing`]), so every chunk carries the usage so far, and takes out what the
//! client did not ask for. vLLM writes a chunk's members in a fixed order without spaces, so a chunk
//! whose `usage` is taken out is, byte for byte, the chunk that vLLM would have sent. One thing moves:
//! `system_fingerprint` stands on the chunk with `finish_reason`, right after where `usage` would be,
//! unless a chunk with usage follows; then it stands there (vLLM 0.32,
//! `chat_completion_stream_generator`). So that chunk is held until the next one, which comes at the
//! same moment. With several answers at once it is not: holding back the first until the last is done
//! would be worse than a missing fingerprint.

use std::collections::HashMap;

use bytes::Bytes;
use maas_types::Usage;
use serde::Deserialize;

use super::{OpenAiUsage, Seen, State};
use crate::{
    body::{
        scan::{self, Object},
        splice::Edits,
        understand::{Understood, UsageWanted},
    },
    sse::Frame,
};

#[derive(Debug)]
pub(crate) struct Chat {
    wanted: UsageWanted,
    input_estimate: u64,
    /// How many of the answers belong to one prompt: `n`.
    per_prompt: u64,
    running: Running,
    /// The last chunk's usage, which counts all of them.
    last: Option<Usage>,
    /// Whether the client gets one answer and no chunk with usage.
    moves_fingerprint: bool,
    /// The chunk with `finish_reason`, which waits for its `system_fingerprint`.
    held: Option<(Frame, Object)>,
}

/// Usage so far. With several answers each chunk counts only its own, so that they are added up here;
/// the total is kept, not summed for each of what may be millions of chunks.
#[derive(Debug, Default)]
struct Running {
    total: Usage,
    /// Tokens by `choices[].index`.
    outputs: HashMap<u64, u64>,
    /// What is counted of each prompt, whose answers share it: input, and cached of it.
    inputs: HashMap<u64, (u64, u64)>,
}

impl Running {
    fn count(&mut self, index: u64, per_prompt: u64, usage: Usage) {
        let replace = |total: &mut u64, old: &mut u64, new: u64| {
            *total = total.saturating_sub(*old).saturating_add(new);
            *old = new;
        };
        let output = self.outputs.entry(index).or_default();
        replace(&mut self.total.output, output, usage.output);
        let (input, cached) = self.inputs.entry(index / per_prompt).or_default();
        replace(&mut self.total.input, input, usage.input);
        replace(&mut self.total.cached, cached, usage.cached);
    }
}

/// The members of a chunk that matter here.
const MEMBERS: [&str; 4] = ["choices", "usage", "system_fingerprint", "error"];

fn without_usage(frame: &Frame, chunk: &Object) -> Bytes {
    let mut edits = Edits::new(chunk);
    edits.remove("usage");
    frame.with_data(&edits.apply(&frame.data()))
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: u64,
    #[serde(default, borrow)]
    finish_reason: Option<std::borrow::Cow<'a, str>>,
}

impl Chat {
    pub(super) fn new(request: &Understood, input_estimate: u64) -> Self {
        Self {
            wanted: request.usage_wanted,
            input_estimate,
            per_prompt: request.per_prompt.max(1),
            running: Running::default(),
            last: None,
            moves_fingerprint: request.usage_wanted == UsageWanted::No && request.answers() == 1,
            held: None,
        }
    }

    pub(super) fn observe(&mut self, frame: &Frame) -> Seen {
        let data = frame.data();
        if data.is_empty() {
            return Seen::pass(frame, State::Going);
        }
        if data.as_ref() == b"[DONE]" {
            return self.after_held(frame, State::Ended);
        }
        let Ok(chunk) = scan::object(&data, &MEMBERS) else {
            // Not ours to judge: the client gets what the engine said.
            return self.after_held(frame, State::Going);
        };
        if chunk.value(&data, "error").is_some() {
            return self.after_held(frame, State::Failed);
        }
        let choices = chunk.value(&data, "choices").unwrap_or(b"[]");
        let choices: Vec<Choice<'_>> = serde_json::from_slice(choices).unwrap_or_default();
        let finished = |reason| choices.iter().any(|c| c.finish_reason.as_deref() == reason);
        if finished(Some("abort")) {
            return Seen {
                forward: None,
                state: State::Aborted,
            };
        }
        let usage = chunk
            .value(&data, "usage")
            .and_then(|usage| serde_json::from_slice::<OpenAiUsage>(usage).ok());
        let Some(usage) = usage else {
            return self.after_held(frame, State::Going);
        };
        let Some(choice) = choices.first() else {
            self.last = Some(usage.into());
            return self.end_of_usage(frame, chunk.value(&data, "system_fingerprint"));
        };
        self.running
            .count(choice.index, self.per_prompt, usage.into());
        let forward = if self.wanted == UsageWanted::EveryChunk {
            Some(frame.raw().clone())
        } else if self.moves_fingerprint && !finished(None) {
            self.held = Some((frame.clone(), chunk));
            None
        } else {
            Some(without_usage(frame, &chunk))
        };
        Seen {
            forward,
            state: State::Going,
        }
    }

    /// The chunk with nothing but usage: for whoever asked for it. Its fingerprint goes to the chunk
    /// that was held.
    fn end_of_usage(&mut self, frame: &Frame, fingerprint: Option<&[u8]>) -> Seen {
        if self.wanted != UsageWanted::No {
            return self.after_held(frame, State::Going);
        }
        let forward = self.held.take().map(|(held, chunk)| match fingerprint {
            None => without_usage(&held, &chunk),
            Some(fingerprint) => {
                let mut edits = Edits::new(&chunk);
                edits.put_instead("usage", "system_fingerprint", fingerprint);
                held.with_data(&edits.apply(&held.data()))
            }
        });
        Seen {
            forward,
            state: State::Going,
        }
    }

    /// Passes a frame on as it is, after the one that was held, if any.
    fn after_held(&mut self, frame: &Frame, state: State) -> Seen {
        let Some((held, chunk)) = self.held.take() else {
            return Seen::pass(frame, state);
        };
        let both = [&without_usage(&held, &chunk)[..], &frame.raw()[..]].concat();
        Seen {
            forward: Some(both.into()),
            state,
        }
    }

    pub(super) fn usage(&self) -> Usage {
        if let Some(usage) = self.last {
            return usage;
        }
        if self.running.outputs.is_empty() {
            return Usage {
                input: self.input_estimate,
                ..Usage::default()
            };
        }
        self.running.total
    }
}
