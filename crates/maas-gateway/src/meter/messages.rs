//! Streams of messages.

use std::borrow::Cow;

use maas_types::Usage;
use serde::Deserialize;

use super::{AnthropicUsage, Deltas, Seen, State};
use crate::sse::Frame;

#[derive(Debug)]
pub(crate) struct Messages {
    usage: Usage,
    deltas: Deltas,
    /// Whether `message_delta` has counted the output.
    counted: bool,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    message: Option<Message>,
    usage: Option<AnthropicUsage>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
}

#[derive(Deserialize)]
struct Message {
    usage: Option<AnthropicUsage>,
}

/// A piece of text, of thought or of a tool's input; or how the message ended.
#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    thinking: Option<Cow<'a, str>>,
    #[serde(borrow)]
    partial_json: Option<Cow<'a, str>>,
    #[serde(borrow)]
    stop_reason: Option<Cow<'a, str>>,
}

impl Messages {
    pub(super) fn new(input_estimate: u64) -> Self {
        let usage = Usage {
            input: input_estimate,
            ..Usage::default()
        };
        Self {
            usage,
            deltas: Deltas::default(),
            counted: false,
        }
    }

    pub(super) fn observe(&mut self, frame: &Frame) -> Seen {
        let data = frame.data();
        let Ok(event) = serde_json::from_slice::<Event<'_>>(&data) else {
            return Seen::pass(frame, State::Going);
        };
        let state = match event.r#type.as_ref() {
            "message_start" => {
                if let Some(usage) = event.message.and_then(|message| message.usage) {
                    usage.update(&mut self.usage);
                }
                State::Going
            }
            "content_block_delta" => {
                self.count(event.delta);
                State::Going
            }
            "message_delta" => {
                if let Some(usage) = event.usage {
                    usage.update(&mut self.usage);
                    self.counted = usage.output.is_some();
                }
                match event.delta.and_then(|delta| delta.stop_reason).as_deref() {
                    Some("abort") => {
                        return Seen {
                            forward: None,
                            state: State::Aborted,
                        };
                    }
                    Some(_) | None => State::Going,
                }
            }
            "message_stop" => State::Ended,
            "error" => State::Failed,
            _ => State::Going,
        };
        Seen::pass(frame, state)
    }

    fn count(&mut self, delta: Option<Delta<'_>>) {
        let text = delta.and_then(|delta| delta.text.or(delta.thinking).or(delta.partial_json));
        self.deltas.add(text.as_deref().unwrap_or_default());
    }

    pub(super) fn usage(&self) -> Usage {
        let output = if self.counted {
            self.usage.output
        } else {
            self.deltas.tokens()
        };
        Usage {
            output,
            ..self.usage
        }
    }
}
