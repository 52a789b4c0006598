//! `/v1/responses`.

use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Response {
    pub(crate) id: String,
    pub(crate) created_at: i64,
    pub(crate) incomplete_details: Option<Incomplete>,
    pub(crate) instructions: Value,
    pub(crate) metadata: Value,
    pub(crate) model: String,
    pub(crate) object: &'static str,
    pub(crate) output: Vec<Item>,
    pub(crate) parallel_tool_calls: bool,
    pub(crate) temperature: Value,
    pub(crate) tool_choice: Value,
    pub(crate) tools: Value,
    pub(crate) top_p: Value,
    pub(crate) background: bool,
    pub(crate) max_output_tokens: u64,
    pub(crate) max_tool_calls: Value,
    pub(crate) previous_response_id: Value,
    pub(crate) prompt: Option<()>,
    pub(crate) reasoning: Value,
    pub(crate) service_tier: Value,
    pub(crate) status: &'static str,
    pub(crate) text: Value,
    pub(crate) top_logprobs: Option<()>,
    pub(crate) truncation: Value,
    pub(crate) usage: Option<Usage>,
    pub(crate) user: Value,
    pub(crate) presence_penalty: f64,
    pub(crate) frequency_penalty: f64,
    pub(crate) kv_transfer_params: Option<()>,
    pub(crate) ec_transfer_params: Option<()>,
    pub(crate) input_messages: Option<()>,
    pub(crate) output_messages: Option<()>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Incomplete {
    pub(crate) reason: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(crate) enum Item {
    Message(Message),
    Call(Call),
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) content: Vec<Part>,
    pub(crate) role: &'static str,
    pub(crate) status: &'static str,
    pub(crate) r#type: &'static str,
    pub(crate) phase: Option<()>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Call {
    pub(crate) arguments: String,
    pub(crate) call_id: String,
    pub(crate) name: String,
    pub(crate) r#type: &'static str,
    pub(crate) id: String,
    pub(crate) status: &'static str,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Part {
    pub(crate) annotations: [(); 0],
    pub(crate) text: String,
    pub(crate) r#type: &'static str,
    /// An empty list when the part is announced, null when it is there, as recorded.
    pub(crate) logprobs: Option<[(); 0]>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Usage {
    pub(crate) input_tokens: u64,
    pub(crate) input_tokens_details: InputDetails,
    pub(crate) output_tokens: u64,
    pub(crate) output_tokens_details: OutputDetails,
    pub(crate) total_tokens: u64,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct InputDetails {
    pub(crate) cached_tokens: u64,
    pub(crate) cache_write_tokens: u64,
    pub(crate) input_tokens_per_turn: [(); 0],
    pub(crate) cached_tokens_per_turn: [(); 0],
}

#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct OutputDetails {
    pub(crate) reasoning_tokens: u64,
    pub(crate) tool_output_tokens: u64,
    pub(crate) output_tokens_per_turn: [(); 0],
    pub(crate) tool_output_tokens_per_turn: [(); 0],
}

/// An event of a stream. Keys in alphabetical order, as recorded, `type` last.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Event {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) response: Option<Box<Response>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) arguments: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delta: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) item: Option<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) item_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) logprobs: Option<[(); 0]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<Part>,
    pub(crate) sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    pub(crate) r#type: &'static str,
}
