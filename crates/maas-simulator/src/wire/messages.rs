//! `/v1/messages` and `/v1/messages/count_tokens`.

use serde::Serialize;
use serde_json::{Map, Value};

#[derive(Debug, Serialize)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) r#type: &'static str,
    pub(crate) role: &'static str,
    pub(crate) content: Vec<Block>,
    pub(crate) model: String,
    pub(crate) stop_reason: &'static str,
    pub(crate) usage: Usage,
}

#[derive(Debug, Serialize)]
pub(crate) struct Usage {
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_read_input_tokens: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Block {
    Text {
        text: String,
    },
    ToolUse {
        id: String,
        name: String,
        input: Map<String, Value>,
    },
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Delta {
    TextDelta { text: String },
    InputJsonDelta { partial_json: String },
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Event {
    MessageStart { message: Start },
    ContentBlockStart { content_block: Block, index: usize },
    ContentBlockDelta { delta: Delta, index: usize },
    ContentBlockStop { index: usize },
    MessageDelta { delta: Stop, usage: Usage },
    MessageStop,
}

impl Event {
    /// The name on its `event:` line.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Start {
    pub(crate) id: String,
    pub(crate) r#type: &'static str,
    pub(crate) role: &'static str,
    pub(crate) content: [(); 0],
    pub(crate) model: String,
    pub(crate) stop_reason: Option<()>,
    pub(crate) stop_sequence: Option<()>,
    pub(crate) usage: Usage,
}

#[derive(Debug, Serialize)]
pub(crate) struct Stop {
    pub(crate) stop_reason: &'static str,
    pub(crate) stop_sequence: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Count {
    pub(crate) input_tokens: u64,
    pub(crate) context_management: Original,
}

#[derive(Debug, Serialize)]
pub(crate) struct Original {
    pub(crate) original_input_tokens: u64,
}
