//! Streams of responses.

use std::borrow::Cow;

use maas_types::Usage;
use serde::Deserialize;

use super::{Deltas, ResponsesUsage, Seen, State, Thread};
use crate::sse::Frame;

#[derive(Debug)]
pub(crate) struct Responses {
    input_estimate: u64,
    deltas: Deltas,
    counted: Option<Usage>,
    id: Option<String>,
    next_sequence: u64,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    sequence_number: Option<u64>,
    response: Option<Response>,
    /// A string in the events that we count; something else in others.
    #[serde(borrow)]
    delta: Option<&'a serde_json::value::RawValue>,
}

#[derive(Deserialize)]
struct Response {
    id: Option<String>,
    usage: Option<ResponsesUsage>,
}

impl Responses {
    pub(super) fn new(input_estimate: u64) -> Self {
        Self {
            input_estimate,
            deltas: Deltas::default(),
            counted: None,
            id: None,
            next_sequence: 0,
        }
    }

    pub(super) fn observe(&mut self, frame: &Frame) -> Seen {
        let data = frame.data();
        let Ok(event) = serde_json::from_slice::<Event<'_>>(&data) else {
            return Seen::pass(frame, State::Going);
        };
        if let Some(sequence) = event.sequence_number {
            self.next_sequence = sequence.saturating_add(1);
        }
        if let Some(response) = event.response {
            if let Some(usage) = response.usage {
                self.counted = Some(usage.into());
            }
            self.id = response.id.or(self.id.take());
        }
        if event.r#type.ends_with(".delta") {
            let text = event
                .delta
                .and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
            self.deltas.add(text.as_deref().unwrap_or_default());
        }
        let state = match event.r#type.as_ref() {
            "response.completed" | "response.incomplete" => State::Ended,
            "response.failed" | "error" => State::Failed,
            _ => State::Going,
        };
        Seen::pass(frame, state)
    }

    pub(super) fn usage(&self) -> Usage {
        self.counted.unwrap_or(Usage {
            input: self.input_estimate,
            cached: 0,
            output: self.deltas.tokens(),
        })
    }

    pub(super) fn thread(&self) -> Thread<'_> {
        Thread {
            id: self.id.as_deref(),
            next_sequence: self.next_sequence,
        }
    }
}
