//! Streams of chat/completions and completions.
//!
//! The gateway asks the engine for `include_usage` and `continuous_usage_stats` whatever the client
//! asked ([`crate::body::outgoing`]), so every chunk carries the usage so far, and takes out what the
//! client did not ask for. vLLM writes a chunk's members in a fixed order without spaces, so a chunk
//! whose `usage` is taken out is, byte for byte, the chunk that vLLM would have sent.

use std::collections::BTreeMap;

use maas_types::Usage;
use serde::Deserialize;

use super::{OpenAiUsage, Seen, State};
use crate::{
    body::{
        scan,
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
    /// Usage so far by `choices[].index`: with several answers each chunk counts only its own.
    running: BTreeMap<u64, Usage>,
    /// The last chunk's usage, which counts all of them.
    last: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: u64,
    #[serde(default, borrow)]
    finish_reason: Option<std::borrow::Cow<'a, str>>,
}

impl Chat {
    pub(super) fn new(request: &Understood) -> Self {
        Self {
            wanted: request.usage_wanted,
            input_estimate: request.input_estimate,
            per_prompt: request.per_prompt.max(1),
            running: BTreeMap::new(),
            last: None,
        }
    }

    pub(super) fn observe(&mut self, frame: &Frame) -> Seen {
        let data = frame.data();
        if data.is_empty() {
            return Seen::pass(frame, State::Going);
        }
        if data.as_ref() == b"[DONE]" {
            return Seen::pass(frame, State::Ended);
        }
        let Ok(chunk) = scan::object(&data, &["choices", "usage", "error"]) else {
            // Not ours to judge: the client gets what the engine said.
            return Seen::pass(frame, State::Going);
        };
        if chunk.value(&data, "error").is_some() {
            return Seen::pass(frame, State::Failed);
        }
        let choices = chunk.value(&data, "choices").unwrap_or(b"[]");
        let choices: Vec<Choice<'_>> = serde_json::from_slice(choices).unwrap_or_default();
        if choices
            .iter()
            .any(|c| c.finish_reason.as_deref() == Some("abort"))
        {
            return Seen {
                forward: None,
                state: State::Aborted,
            };
        }
        let usage = chunk
            .value(&data, "usage")
            .and_then(|usage| serde_json::from_slice::<OpenAiUsage>(usage).ok());
        let Some(usage) = usage else {
            return Seen::pass(frame, State::Going);
        };
        match choices.first() {
            Some(choice) => drop(self.running.insert(choice.index, usage.into())),
            None => self.last = Some(usage.into()),
        }
        let wanted = match choices.first() {
            Some(_) => self.wanted == UsageWanted::EveryChunk,
            None => self.wanted != UsageWanted::No,
        };
        let forward = match (wanted, choices.is_empty()) {
            (true, _) => Some(frame.raw().clone()),
            (false, true) => None,
            (false, false) => {
                let mut edits = Edits::new(&chunk);
                edits.remove("usage");
                Some(frame.with_data(&edits.apply(&data)))
            }
        };
        Seen {
            forward,
            state: State::Going,
        }
    }

    pub(super) fn usage(&self) -> Usage {
        if let Some(usage) = self.last {
            return usage;
        }
        if self.running.is_empty() {
            return Usage {
                input: self.input_estimate,
                ..Usage::default()
            };
        }
        let mut total = Usage::default();
        let mut prompt = None;
        for (index, usage) in &self.running {
            total.output = total.output.saturating_add(usage.output);
            // Answers to one prompt share its tokens.
            if prompt.replace(index / self.per_prompt) != Some(index / self.per_prompt) {
                total.input = total.input.saturating_add(usage.input);
                total.cached = total.cached.saturating_add(usage.cached);
            }
        }
        total
    }
}
